"""What is said of the columns of files is said of all that are written, and of no others."""

import pandas as pd
import pyarrow.parquet as pq
import pytest
from small_shop import Finished

from churnvalue.jobs.columns import COLUMNS, FILES
from churnvalue.jobs.outputs import FEATURES


@pytest.mark.parametrize("name", sorted(COLUMNS))
def test_every_column_that_is_written_is_described(shop: Finished, name: str) -> None:
    path = shop.out / name
    written = pq.read_schema(path).names if path.suffix == ".parquet" else list(pd.read_csv(path, nrows=0))
    if name == FEATURES:  # the features themselves are described one by one
        written = [column for column in written if column in ("customer_id", "cutoff")]
    assert list(COLUMNS[name]) == written


def test_every_file_that_is_written_is_described(shop: Finished) -> None:
    written = {path.name for path in shop.out.iterdir() if path.is_file() and not path.name.startswith(".")}
    assert written <= set(FILES)
    assert set(COLUMNS) <= written
