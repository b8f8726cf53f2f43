"""What is said of the columns of files is said of all that are written, and of no others."""

import pandas as pd
import pyarrow.parquet as pq
import pytest
from small_shop import AS_OF_DATE, Finished

from churnvalue import clock
from churnvalue.events.log import EventLog
from churnvalue.jobs.champions import load_champions
from churnvalue.jobs.columns import COLUMNS, FILES
from churnvalue.jobs.outputs import FEATURES, REASONS
from churnvalue.jobs.reasons import reasons_of


@pytest.mark.parametrize("name", sorted(set(COLUMNS) - {REASONS}))
def test_every_column_that_is_written_is_described(shop: Finished, name: str) -> None:
    path = shop.out / name
    written = pq.read_schema(path).names if path.suffix == ".parquet" else list(pd.read_csv(path, nrows=0))
    if name == FEATURES:  # the features themselves are described one by one
        written = [column for column in written if column in ("customer_id", "cutoff")]
    assert list(COLUMNS[name]) == written


def test_every_file_that_is_written_is_described(shop: Finished) -> None:
    written = {path.name for path in shop.out.iterdir() if path.is_file() and not path.name.startswith(".")}
    assert written <= set(FILES)
    assert set(COLUMNS) - {REASONS} <= written


def test_reasons_that_are_found_later_are_described(shop: Finished, known_log: EventLog) -> None:
    champions, cutoff = load_champions(shop.config), clock.micros(AS_OF_DATE)
    found = reasons_of(known_log, champions, shop.config, cutoff, shop.scores["customer_id"].head(1))
    assert list(COLUMNS[REASONS]) == found.column_names
