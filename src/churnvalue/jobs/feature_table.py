"""Features of a population as Parquet, computed and written by Spark's executors: nothing of them comes to the driver."""

import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import pyarrow as pa
import pyarrow.parquet as pq

from churnvalue import clock
from churnvalue.config import Config, Population
from churnvalue.errors import ConfigError
from churnvalue.events.log import EventLog
from churnvalue.features import Feature, by_name
from churnvalue.frames import described
from churnvalue.storage.files import temporary_path, writing, written

_WHOLE = "whole"


@dataclass(frozen=True)
class Describe:
    """What is asked of the log of every range of customers: their features as a table."""

    features: tuple[Feature, ...]
    who: Population
    cutoff: int

    @property
    def schema(self) -> pa.Schema:
        """customer_id, cutoff, and a double for each feature."""
        keys = [("customer_id", pa.string()), ("cutoff", pa.timestamp("us", tz="UTC"))]
        return pa.schema([*keys, *((name, pa.float64()) for name in by_name(self.features))])

    def __call__(self, log: EventLog) -> pa.Table:
        """Return the features of those in the population; NaN where one is undefined."""
        frame = described(log, self.features, self.cutoff, self.who)
        columns = [pa.array(frame.index.get_level_values("customer_id"), pa.string())]
        columns.append(pa.repeat(pa.scalar(self.cutoff, pa.timestamp("us", tz="UTC")), len(frame)))
        columns += [pa.array(frame[name].to_numpy(), pa.float64()) for name in frame]
        return pa.table(columns, schema=self.schema)


def write_features(config: Config, features: Sequence[Feature], cutoff: str, out: str) -> None:
    """Write the features of the population at ``cutoff``, from what was known before it, to the folder ``out``.

    Columns as in ``Describe.schema``; one file a chunk of customers. ``out`` is a path or URL as Spark reads it; what it held is
    replaced, once all is written. The same numbers, bit for bit, as ``feature_frame`` gives.

    Raises:
        ConfigError: If the configuration's engine is not Spark.
        SourceError: If a source cannot be read.
        OutputError: If a folder cannot be written to, or is not one that driver and executors share.
    """
    if config.engine != "spark":
        raise ConfigError(
            f'Executors write features for engine = "spark", but the engine is {config.engine}.'
            " Use churnvalue score --with-features, or feature_frame."
        )
    # Imported here because PySpark is an extra.
    from churnvalue.engines.spark import SparkEngine

    describe = Describe(tuple(features), config.population, clock.micros(cutoff))
    with SparkEngine(config).tables(describe.cutoff) as tables:
        folder = tables.shared_folder(out)
        if folder is None:
            tables.write(describe, describe.schema, out)
        else:
            with _replaced(folder) as draft:
                names = tables.each(_Write(describe, draft))
                for number, name in enumerate(names):
                    # Left behind are files of tasks that failed half-way or were run twice.
                    (draft / name).rename(draft / _WHOLE / f"part-{number:05d}.parquet")
                (draft / _WHOLE / "_SUCCESS").touch()


@dataclass(frozen=True)
class _Write:
    """What a task does with the log of its chunk: a file of its own, which is there for those who know its name."""

    describe: Describe
    draft: Path

    def __call__(self, log: EventLog) -> str:
        """Return the name of the file."""
        name = f"{uuid4()}.parquet"
        with written(self.draft / name, self.draft) as sink:
            pq.write_table(self.describe(log), sink)
        return name


@contextmanager
def _replaced(folder: Path) -> Iterator[Path]:
    """Give a draft whose files under ``whole`` take the place of ``folder`` once the block ends without an error."""
    draft = temporary_path(folder.parent, folder.name, "draft")
    with writing(folder):
        shutil.rmtree(draft, ignore_errors=True)
        (draft / _WHOLE).mkdir(parents=True)
        try:
            yield draft
            if folder.exists():
                folder.rename(draft / "before")
            (draft / _WHOLE).rename(folder)
        finally:
            shutil.rmtree(draft, ignore_errors=True)
