"""Our side of the speed benchmark: the features of a made log, whole or in ranges of customers, and the logs themselves."""

import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from benchmarks.speed_features import features
from benchmarks.speed_log import write_config, write_log
from benchmarks.speed_measured import needs
from churnvalue.config import read_config
from churnvalue.engines import open_log, read_log
from churnvalue.frames import described

SEED = 7


def made_log(events: int, customers: int) -> Path:
    """Return a made log, written once into a folder that temporary files go to; its configuration lies beside it."""
    folder = Path(tempfile.gettempdir()) / "churnvalue-speed"
    folder.mkdir(exist_ok=True)
    path = folder / f"{events}_{customers}.parquet"
    if not path.is_file():
        draft = path.with_suffix(".draft")
        write_log(draft, events, customers, SEED)
        draft.rename(path)
    write_config(path.with_suffix(".toml"), path)
    return path


@needs("duckdb", "numba", "pandas", "pyarrow")
def our_features(log: Path, cutoffs: Sequence[int]) -> Iterator[Any]:
    """Yield the feature frame of each cutoff, of the log read whole."""
    config = read_config(log.with_suffix(".toml"))
    whole = read_log(config)
    for cutoff in cutoffs:
        yield described(whole, features(), cutoff, config.population)


@needs("duckdb", "numba", "pandas", "pyarrow")
def our_features_in_ranges(log: Path, cutoffs: Sequence[int], events: int = 4_000_000) -> Iterator[Any]:
    """Yield the feature frame of each range of customers at each cutoff: memory holds one range of ``events``."""
    config = read_config(log.with_suffix(".toml"))
    with open_log(config) as stream:
        for some in stream.chunks(events):
            for cutoff in cutoffs:
                yield described(some, features(), cutoff, config.population)
