"""Sources of every sort through DuckDB, and what is said of those that cannot be read."""

import gzip
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from churnvalue import clock
from churnvalue.config import Config, parse_config
from churnvalue.engines.duck import DuckEngine
from churnvalue.errors import ChurnvalueError, SourceError
from churnvalue.events.log import EventLog

HEADER = "customer_id,event_time,amount\n"
ROWS = HEADER + "a,2011-06-01T12:00,1.5\nb,2011-06-02T12:00,2.5\n"


def configured(folder: Path, *sources: str | dict[str, Any], **sections: Any) -> Config:
    """A configuration of sources; one given by name alone has amounts and naive times in UTC."""
    entries = [
        {"source": s, "timezone": "UTC", "columns": {"amount": "amount"}} if isinstance(s, str) else s for s in sources
    ]
    return parse_config({"events": entries, **sections}, folder)


def read(folder: Path, *sources: str | dict[str, Any], **sections: Any) -> EventLog:
    """The log of some sources."""
    return DuckEngine(folder).read(configured(folder, *sources, **sections))


def database(folder: Path, *statements: str) -> None:
    """Write a DuckDB file ``shop.duckdb``."""
    with duckdb.connect(str(folder / "shop.duckdb")) as connection:
        for statement in statements:
            connection.execute(statement)


ORDERS = "CREATE TABLE orders AS SELECT 'a' AS customer_id, TIMESTAMP '2011-06-01 12:00' AS event_time, 1.5 AS amount"


# --- files ---


@pytest.mark.parametrize(
    "name", ["log.csv", "o'brien.csv", 'so "called".csv', "orders 2011.v2.csv", "größe.csv", "a;b.csv"]
)
def test_csv(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text(ROWS, encoding="utf-8")
    assert read(tmp_path, name).amount.tolist() == [1.5, 2.5]


@pytest.mark.parametrize(
    "content",
    [
        ROWS.encode(),
        b"\xef\xbb\xbf" + ROWS.encode(),
        ROWS.replace(",", ";").encode(),
        ROWS.replace(",", "|").encode(),
        ROWS.replace("\n", "\r\n").encode(),
        ROWS.removesuffix("\n").encode(),
        b'customer_id,event_time,amount,note\n"a",2011-06-01T12:00,1.5,"x, ""y""\nz"\nb,2011-06-02T12:00,2.5,\n',
    ],
)
def test_csv_in_other_dress(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "log.csv").write_bytes(content)
    assert read(tmp_path, "log.csv").customers.to_pylist() == ["a", "b"]


def test_tab_separated_and_compressed(tmp_path: Path) -> None:
    (tmp_path / "log.tsv").write_text(ROWS.replace(",", "\t"), encoding="utf-8")
    (tmp_path / "log.csv.gz").write_bytes(gzip.compress(ROWS.encode()))
    assert read(tmp_path, "log.tsv").amount.tolist() == [1.5, 2.5]
    assert read(tmp_path, "log.csv.gz").amount.tolist() == [1.5, 2.5]


def test_the_ending_may_be_in_capitals(tmp_path: Path) -> None:
    (tmp_path / "LOG.CSV").write_text(ROWS, encoding="utf-8")
    assert read(tmp_path, "LOG.CSV").amount.tolist() == [1.5, 2.5]


def test_a_csv_gives_ids_as_they_stand(tmp_path: Path) -> None:
    (tmp_path / "log.csv").write_text(
        HEADER + "00123,2011-06-01T12:00,1\n9007199254740993,2011-06-01T12:00,1\n", encoding="utf-8"
    )
    assert read(tmp_path, "log.csv").customers.to_pylist() == ["00123", "9007199254740993"]


def test_csv_and_parquet_give_the_same_log(log_from: Callable[..., EventLog], events_of: Any) -> None:
    rows = """
    customer_id event_time        known_at          kind     order_id amount quantity category channel
    a           2011-06-01T12:00  -                 purchase 1        1.25   1        x        web
    a           2011-06-01T12:00  2011-06-02T00:00  purchase 1        0.10   2        y        web
    b           2011-06-03T12:00  -                 visit    -        -      -        -        app
    """
    csv, parquet = log_from(rows), log_from(rows, ending=".parquet")
    pd.testing.assert_frame_equal(events_of(csv), events_of(parquet))


def test_a_glob_reads_every_file_whatever_its_columns(tmp_path: Path) -> None:
    (tmp_path / "2010").mkdir()
    (tmp_path / "2010" / "log.csv").write_text(ROWS, encoding="utf-8")
    (tmp_path / "2011").mkdir()
    (tmp_path / "2011" / "log.csv").write_text(
        "amount,customer_id,event_time,more\n4,c,2011-06-03T12:00,z\n", encoding="utf-8"
    )
    log = read(tmp_path, "*/log.csv")
    assert log.customers.to_pylist() == ["a", "b", "c"]
    assert log.amount.tolist() == [1.5, 2.5, 4.0]


def test_a_glob_of_parquet_and_an_absolute_path(tmp_path: Path) -> None:
    frame = pd.DataFrame({"customer_id": ["a"], "event_time": [pd.Timestamp("2011-06-01 12:00")], "amount": [1.5]})
    frame.to_parquet(tmp_path / "one.parquet")
    frame.assign(customer_id="b").to_parquet(tmp_path / "two.parquet")
    assert read(Path("elsewhere"), str(tmp_path / "*.parquet")).customers.to_pylist() == ["a", "b"]


def test_a_file_whose_name_looks_like_a_glob(tmp_path: Path) -> None:
    (tmp_path / "a[1].csv").write_text(ROWS, encoding="utf-8")
    (tmp_path / "a1.csv").write_text(HEADER + "other,2011-06-01T12:00,1\n", encoding="utf-8")
    assert read(tmp_path, "a[1].csv").customers.to_pylist() == ["a", "b"]


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("log.csv", b"", r"log.csv must hold events, but is empty \(0 bytes\)"),
        ("log.parquet", b"", r"log.parquet must hold events, but is empty \(0 bytes\)"),
        ("log.csv", HEADER.encode(), "at least one usable event, but none of 0 rows is"),
        ("log.csv", b"\n", "log.csv must"),
        ("log.parquet", b"PAR1 or so", "must be readable, but: .*Parquet"),
        (
            "log.csv",
            HEADER.encode() + "José,2011-06-01T12:00,1\n".encode("latin-1"),
            "must be readable, but: .*CSV Error",
        ),
        ("log.csv.gz", b"not compressed", "must be readable, but:"),
        ("log.xlsx", b"x", r"must be Parquet \(.parquet\) or CSV .* but log.xlsx is .xlsx"),
        ("log", b"x", "but log is without an ending"),
    ],
)
def test_files_that_cannot_be_read(tmp_path: Path, name: str, content: bytes, message: str) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(SourceError, match=message):
        read(tmp_path, name)


def test_an_empty_table_has_no_event(tmp_path: Path) -> None:
    frame = pd.DataFrame({"customer_id": pd.Series(dtype=str), "event_time": pd.Series(dtype="datetime64[us]")})
    frame.to_parquet(tmp_path / "log.parquet")
    with pytest.raises(SourceError, match="none of 0 rows is"):
        read(tmp_path, {"source": "log.parquet", "timezone": "UTC"})


def test_a_missing_file_names_a_near_match(tmp_path: Path) -> None:
    (tmp_path / "orders.csv").write_text(ROWS, encoding="utf-8")
    with pytest.raises(SourceError, match=r"no file matches order.csv\. Did you mean 'orders.csv'\?"):
        read(tmp_path, "order.csv")


@pytest.mark.parametrize("source", ["", "..", ".", "\0", "absent/*.csv", "x" * 5000])
def test_sources_that_name_no_file(tmp_path: Path, source: str) -> None:
    with pytest.raises(ChurnvalueError, match="source"):
        read(tmp_path, source)


def test_files_of_two_formats_are_two_sources(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text(ROWS, encoding="utf-8")
    (tmp_path / "a.parquet").write_bytes(b"x")
    with pytest.raises(SourceError, match=r"but a\.\* is \.csv, \.parquet"):
        read(tmp_path, "a.*")


# --- DuckDB files ---


@pytest.mark.parametrize("name", ["orders", "main.orders", "recent", "Sales.the orders", 'od"d'])
def test_a_table_or_view_of_a_duckdb_file(tmp_path: Path, name: str) -> None:
    database(
        tmp_path,
        ORDERS,
        "CREATE VIEW recent AS FROM orders",
        'CREATE SCHEMA "Sales"',
        'CREATE TABLE "Sales"."the orders" AS FROM orders',
        'CREATE TABLE "od""d" AS FROM orders',
    )
    assert read(tmp_path, f"duckdb:///shop.duckdb#{name}").amount.tolist() == [1.5]


def test_two_tables_of_one_duckdb_file(tmp_path: Path) -> None:
    database(
        tmp_path,
        ORDERS,
        "CREATE TABLE visits AS SELECT customer_id, event_time + INTERVAL 1 DAY AS event_time FROM orders",
    )
    visits = {"source": "duckdb:///shop.duckdb#visits", "kind": "visit", "timezone": "UTC"}
    log = read(tmp_path, "duckdb:///shop.duckdb#orders", visits)
    assert log.kinds == {"purchase": 1, "visit": 1}


def test_endless_times_of_a_duckdb_table_are_quarantined(tmp_path: Path) -> None:
    database(tmp_path, ORDERS, "INSERT INTO orders VALUES ('b', 'infinity', 1), ('c', '-infinity', 1)")
    log = read(tmp_path, "duckdb:///shop.duckdb#orders", checks={"max_quarantined": 1.0})
    assert log.account.quarantined == {"time outside 1900 to 2099": 2}


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("duckdb:///shop.duckdb", "must name a table as in duckdb:///shop.duckdb#orders"),
        ("duckdb:///shop.duckdb#", "must name a table"),
        (
            "duckdb:///shop.duckdb#order",
            r"must have the table 'order', but has no such table\. Did you mean 'orders'\?",
        ),
        ("duckdb:///shop.duckdb#absent.orders", "shop.duckdb must have|must be readable"),
        ("duckdb:///shopp.duckdb#orders", r"no file matches shopp.duckdb\. Did you mean 'shop.duckdb'\?"),
        ("duckdb:///broken.duckdb#orders", "must be readable, but:"),
        ("duckdb:///shop.duckdb#orders; DROP TABLE orders", "must have the table 'orders; DROP TABLE orders'"),
    ],
)
def test_duckdb_sources_that_cannot_be_read(tmp_path: Path, source: str, message: str) -> None:
    database(tmp_path, ORDERS)
    (tmp_path / "broken.duckdb").write_bytes(b"no data base" * 1000)
    with pytest.raises(SourceError, match=message):
        read(tmp_path, source)


def test_a_file_with_a_broken_schema_of_arrow_is_no_trace(tmp_path: Path) -> None:
    table = pa.table({"customer_id": ["a"], "event_time": ["2024-01-01"], "amount": [1.0]})
    pq.write_table(table, tmp_path / "log.parquet")
    written = (tmp_path / "log.parquet").read_bytes()
    at = written.index(b"/////")  # what every schema of Arrow begins with
    (tmp_path / "log.parquet").write_bytes(written[: at + 20] + b"A" * 40 + written[at + 60 :])
    with pytest.raises(SourceError, match="must be readable, but: "):
        read(tmp_path, "log.parquet")


def test_a_duckdb_file_is_only_read(tmp_path: Path) -> None:
    database(tmp_path, ORDERS)
    before = (tmp_path / "shop.duckdb").read_bytes()
    read(tmp_path, "duckdb:///shop.duckdb#orders")
    assert (tmp_path / "shop.duckdb").read_bytes() == before


# --- several sources ---


def test_several_sources_are_one_log(tmp_path: Path, events_of: Any) -> None:
    purchases = pd.DataFrame(
        {
            "Customer": [7, 8, 7],
            "At": pd.to_datetime(["2011-06-01T12:00", "2011-06-01T13:00", "2011-06-01T12:00"]),
            "Invoice": ["i1", "i2", "i1"],
            "Net": [1.0, -2.0, 3.0],
            "Stock": ["x", "y", "z"],
        }
    )
    purchases.to_parquet(tmp_path / "purchases.parquet")
    (tmp_path / "tickets.csv").write_text(
        "who,opened,closed\n7,2011-06-02T12:00Z,2011-06-05T12:00Z\n9,2011-06-03T12:00Z,\n,2011-06-03T12:00Z,\n",
        encoding="utf-8",
    )
    log = read(
        tmp_path,
        {
            "source": "purchases.parquet",
            "timezone": "Europe/London",
            "columns": {
                "customer_id": "Customer",
                "event_time": "At",
                "order_id": "Invoice",
                "amount": "Net",
                "category": "Stock",
            },
        },
        {
            "source": "tickets.csv",
            "kind": "ticket",
            "columns": {"customer_id": "who", "event_time": "opened", "known_at": "closed"},
        },
    )
    spelled = events_of(log).fillna({"amount": 0.0})
    assert spelled[["customer_id", "event_time", "known_at", "kind", "amount", "categories"]].to_numpy().tolist() == [
        ["7", "2011-06-01T11:00", "2011-06-01T11:00", "purchase", 4.0, "x z"],
        ["7", "2011-06-02T12:00", "2011-06-05T12:00", "ticket", 0.0, ""],
        ["8", "2011-06-01T12:00", "2011-06-01T12:00", "return", -2.0, "y"],
        ["9", "2011-06-03T12:00", "2011-06-03T12:00", "ticket", 0.0, ""],
    ]
    assert (log.account.read, log.account.kept, log.account.refused) == (6, 5, 1)


def test_the_order_of_sources_does_not_matter(tmp_path: Path, events_of: Any) -> None:
    (tmp_path / "one.csv").write_text(ROWS, encoding="utf-8")
    (tmp_path / "two.csv").write_text(HEADER + "a,2011-06-01T12:00,0.5\nc,2011-06-01T12:00,9\n", encoding="utf-8")
    there, back = read(tmp_path, "one.csv", "two.csv"), read(tmp_path, "two.csv", "one.csv")
    pd.testing.assert_frame_equal(events_of(there), events_of(back))


def test_a_source_without_the_column_of_zones_has_no_zone(tmp_path: Path) -> None:
    (tmp_path / "one.csv").write_text("customer_id,event_time,tz\na,2011-01-01T12:00Z,Asia/Tokyo\n", encoding="utf-8")
    (tmp_path / "two.csv").write_text("customer_id,event_time\nb,2011-01-01T12:00Z\n", encoding="utf-8")
    bare: list[dict[str, Any]] = [{"source": "one.csv"}, {"source": "two.csv"}]
    log = read(tmp_path, *bare, timing={"timezone": {"column": "tz"}})
    assert ((log.wall_clock - log.event_time) // clock.HOUR).tolist() == [9, 0]
    with pytest.raises(SourceError, match=r"must have the column 'tzz' for timing.timezone.* Did you mean 'tz'\?"):
        read(tmp_path, *bare, timing={"timezone": {"column": "tzz"}})


# --- limits ---


@pytest.mark.parametrize(("limit", "refused"), [(0.5, False), (0.49, True)])
def test_too_many_unusable_rows_refuse_the_run(log_from: Callable[..., EventLog], limit: float, refused: bool) -> None:
    rows = pd.DataFrame({"customer_id": ["a", None, "b", None], "event_time": "2011-06-01T12:00"})
    if not refused:
        assert log_from(rows, checks={"max_quarantined": limit}).account.refused == 2
        return
    with pytest.raises(SourceError, match=r"At most 49% of the rows .* but 2 of 4 are \(most: no customer id\)"):
        log_from(rows, checks={"max_quarantined": limit})


def test_nothing_is_left_when_all_comes_after_as_of(log_from: Callable[..., EventLog]) -> None:
    rows = pd.DataFrame({"customer_id": ["a"], "event_time": ["2011-06-01T12:00"]})
    with pytest.raises(SourceError, match="at least one usable event, but none of 1 rows is"):
        log_from(rows, as_of="2011-06-01")


# --- the engine ---


def test_an_engine_reads_more_than_once(tmp_path: Path) -> None:
    (tmp_path / "log.csv").write_text(ROWS, encoding="utf-8")
    engine, config = DuckEngine(tmp_path), configured(tmp_path, "log.csv")
    assert engine.read(config).amount.tolist() == engine.read(config, clock.micros("2012-01-01")).amount.tolist()
    assert list(engine.columns("log.csv")) == ["customer_id", "event_time", "amount"]


def test_columns_and_their_types(tmp_path: Path) -> None:
    pd.DataFrame({"id": [1], "at": [pd.Timestamp("2011-06-01")], "Unit Price": [1.5]}).to_parquet(
        tmp_path / "log.parquet"
    )
    columns = DuckEngine(tmp_path).columns("log.parquet")
    assert list(columns) == ["id", "at", "Unit Price"]
    assert columns["id"] == "int64"
    assert columns["at"].startswith("timestamp")
