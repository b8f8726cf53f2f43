"""A log that lies in PostgreSQL is the log that lies in a file."""

from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from churnvalue.config import parse_config
from churnvalue.engines import read_log
from churnvalue.engines.duck import DuckEngine
from churnvalue.errors import SourceError
from postgres_server import Server

COLUMNS = {
    "customer_id": "id",
    "event_time": "at",
    "order_id": "order",
    "amount": 'pieces * "unit price"',
    "category": "article",
}
ROWS = [
    (7, "2011-03-27 00:30", "o1", 2, 1.25, "tea"),
    (7, "2011-03-27 02:30", "o1", 1, 4.0, "cake"),
    (9007199254740993, "2011-06-01 12:00", None, 1, 3.5, "Größe"),
]


@pytest.fixture
def shop(postgres: Server) -> str:
    """A table of order lines, with a column of a type that no log can hold."""
    values = ", ".join(
        f"({one}, '{at}', {'NULL' if order is None else repr(order)}, {pieces}, {price}, '{article}', ARRAY[1])"
        for one, at, order, pieces, price, article in ROWS
    )
    postgres.run(
        "DROP SCHEMA IF EXISTS shop CASCADE",
        "CREATE SCHEMA shop",
        'CREATE TABLE shop.lines (id bigint, at timestamp, "order" text, pieces int, "unit price" numeric, article text,'
        " odd int[])",
        f"INSERT INTO shop.lines VALUES {values}",
    )
    return f"{postgres.uri('churn:s3cr#t')}#shop.lines"


def entry(source: str) -> dict[str, Any]:
    return {"source": source, "timezone": "Europe/London", "columns": COLUMNS}


def test_the_log_of_a_table_is_that_of_a_file(shop: str, tmp_path: Path, events_of: Any) -> None:
    names = ["id", "at", "order", "pieces", "unit price", "article"]
    frame = pd.DataFrame(ROWS, columns=names).assign(at=lambda t: pd.to_datetime(t["at"]))
    frame.to_parquet(tmp_path / "lines.parquet")
    from_file = read_log(parse_config({"events": [entry("lines.parquet")]}, tmp_path))
    from_table = read_log(parse_config({"events": [entry(shop)]}, tmp_path))
    pd.testing.assert_frame_equal(events_of(from_table), events_of(from_file))
    assert from_table.account == from_file.account


def test_a_missing_column_is_named_and_the_password_is_not(shop: str, tmp_path: Path) -> None:
    mapped = entry(shop) | {"columns": COLUMNS | {"customer_id": "idd"}}
    with pytest.raises(SourceError, match=r"must have the column 'idd'.*Did you mean 'id'") as found:
        read_log(parse_config({"events": [mapped]}, tmp_path))
    assert "s3cr" not in str(found.value)


def test_init_sees_the_columns(shop: str, tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="odd"):  # of all columns, one cannot be read
        DuckEngine(tmp_path).columns(shop)
