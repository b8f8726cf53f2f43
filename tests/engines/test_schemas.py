"""Columns of one name, and files of one source that store a column in two ways."""

from datetime import date, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from churnvalue import read_log
from churnvalue.config import parse_config
from churnvalue.engines.schemas import require_alike, require_distinct
from churnvalue.errors import SourceError

NOON = datetime(2024, 7, 1, 12)
TEXT, OTHER = pa.array(["1"]), pa.array([1])


def files(folder: Path, first: pa.Array, second: pa.Array) -> list[Path]:
    """Two files with a column ``x`` each."""
    paths = [folder / "1.parquet", folder / "2.parquet"]
    for path, values in zip(paths, (first, second), strict=True):
        pq.write_table(pa.table({"x": values, f"only {path.stem}": OTHER}), path)
    return paths


@pytest.mark.parametrize(
    ("first", "second", "said"),
    [
        (pa.array([NOON]), pa.array([NOON], pa.timestamp("us", "UTC")), "times without a UTC offset in 1.parquet and times"),
        (pa.array([date(2024, 7, 1)]), pa.array([NOON], pa.timestamp("ms", "Asia/Tokyo")), "times with a UTC offset in 2"),
        (pa.array([123.0]), pa.array(["123"]), "numbers in 1.parquet and text in 2.parquet"),
        (pa.array(["123"]).dictionary_encode(), pa.array([123]), "text in 1.parquet and numbers in 2.parquet"),
    ],
)  # fmt: skip
def test_what_means_another_thing_is_refused(tmp_path: Path, first: Any, second: Any, said: str) -> None:
    paths = files(tmp_path, first, second)
    with pytest.raises(SourceError, match=f"'x' must be the same in all files of a source, but is .*{said}"):
        require_alike(paths, {"x"})
    require_alike(paths, {"y"})


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (pa.array([1], pa.int32()), pa.array([1], pa.int64())),
        (pa.array([1]), pa.array([1.5])),
        (pa.array(["a"]), pa.array(["a"]).dictionary_encode()),
        (pa.array([NOON], pa.timestamp("ms")), pa.array([NOON], pa.timestamp("ns"))),
        (pa.array([None]), pa.array([1])),
    ],
)
def test_what_means_the_same_may_differ(tmp_path: Path, first: Any, second: Any) -> None:
    require_alike(files(tmp_path, first, second), {"x"})


@pytest.mark.parametrize("header", ["amount;AMOUNT", '"amount";"Amount"', "amount;amount;amount_1"])
def test_headers_are_read_as_they_are_written(tmp_path: Path, header: str) -> None:
    cells = ";1" * (header.count(";") + 1)
    (tmp_path / "log.csv").write_text(f"customer_id;event_time;{header}\na;2024-01-01{cells}\n", encoding="utf-8")
    source = {"source": "log.csv", "timezone": "UTC", "columns": {"amount": "amount"}}
    with pytest.raises(SourceError, match=r"must be distinct, .* but log\.csv has 2 columns named 'amount'\. Rename"):
        read_log(parse_config({"events": [source]}, tmp_path))
    read_log(parse_config({"events": [{**source, "columns": {}}]}, tmp_path))  # it plays no part


def test_a_name_with_a_number_is_a_name(tmp_path: Path) -> None:
    (tmp_path / "log.csv").write_text("customer_id,event_time,amount,amount_1\na,2024-01-01,1,2\n", encoding="utf-8")
    source = {"source": "log.csv", "timezone": "UTC", "columns": {"amount": "amount"}}
    assert read_log(parse_config({"events": [source]}, tmp_path)).amount.tolist() == [1.0]


def test_names_may_differ_from_others_alone() -> None:
    require_distinct(["a", "b", "B"], {"a"}, "here")
    with pytest.raises(SourceError, match="but here has 3 columns named 'B'"):
        require_distinct(["a", "b", "B", "b"], {"B"}, "here")
