"""Features of a population as Parquet, computed and written by Spark's executors: nothing of them comes to the driver."""

from collections.abc import Sequence
from dataclasses import dataclass

import pyarrow as pa

from churnvalue import clock
from churnvalue.config import Config, Population
from churnvalue.errors import ConfigError
from churnvalue.events.log import EventLog
from churnvalue.features import Feature, by_name
from churnvalue.frames import described


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

    Columns as in ``Describe.schema``; one file a partition. ``out`` is a path or URL as Spark reads it; what it held is
    replaced. The same numbers, bit for bit, as ``feature_frame`` gives.

    Raises:
        ConfigError: If the configuration's engine is not Spark.
        SourceError: If a source cannot be read.
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
        tables.write(describe, describe.schema, out)
