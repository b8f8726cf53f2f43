"""Faults 1 to 4, 7 to 11 and 32: sources that lack something, hold too much, or tell the same thing twice."""

import re
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from small_orders import CONFIG, orders, write_orders

from churnvalue import clock, read_config
from churnvalue.errors import SourceError
from churnvalue.events.log import EventLog
from churnvalue.jobs.check import check

Read = Callable[..., EventLog]
Refused = Callable[..., str]
HEADER = "customer_id,event_time,amount\n"
ONE_ROW = HEADER + "a,2024-01-01T10:00,1\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A shop that has never been trained, with the outputs of an earlier life."""
    write_orders(tmp_path, orders(customers=12, days=60))
    for name in ("train.json", "manifest.json"):
        (tmp_path / name).write_text(f"earlier {name}", encoding="utf-8")
    return tmp_path


def test_fault_01_no_events_before_the_cutoff(folder: Path, refused: Refused) -> None:
    line = refused(folder, "train", "--as-of", "2001-01-01")
    assert "at least one usable event" in line
    assert "is before 2001-01-01" in line


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", r"orders\.csv must hold events, but is empty \(0 bytes\)"),
        ("customer,time,known,kind,amount,item\n", "0 rows"),
    ],
)
def test_fault_02_header_only_or_no_byte(folder: Path, refused: Refused, content: str, message: str) -> None:
    (folder / "orders.csv").write_text(content, encoding="utf-8")
    for command in ("check", "train"):
        assert re.search(message, refused(folder, command))


def test_fault_03_missing_column_names_a_near_match(folder: Path, refused: Refused) -> None:
    for column, near in (("customer", "custommer"), ("time", "timer"), ("amount", "amounts"), ("kind", "kinds")):
        write_orders(folder, orders(customers=2, days=30).rename(columns={column: near}))
        line = refused(folder, "check")
        assert f"'{column}'" in line
        assert f"Did you mean '{near}'?" in line


def test_fault_04_extra_column_is_counted_and_ignored(folder: Path) -> None:
    config = read_config(folder / "churnvalue.toml")
    plain = check(config)
    write_orders(folder, orders(customers=12, days=60).assign(note="x", clerk=7))
    extra = check(config)
    pd.testing.assert_frame_equal(extra.cutoffs, plain.cutoffs)
    new = set(extra.findings) - set(plain.findings)
    assert [(finding.level, finding.subject, finding.text) for finding in new] == [
        ("note", "columns", "2 columns of orders.csv play no part: clerk, note")
    ]


@pytest.mark.parametrize("name", ["amount", "Amount"])
@pytest.mark.parametrize("ending", [".csv", ".parquet"])
def test_fault_07_two_columns_of_one_name(read: Read, tmp_path: Path, name: str, ending: str) -> None:
    rows = f"customer_id,event_time,amount,{name}\na,2024-01-01T10:00,1,2\n".encode()
    if ending == ".parquet":
        values = [pa.array(["a"]), pa.array([pd.Timestamp("2024-01-01")]), pa.array([1.0]), pa.array([2.0])]
        pq.write_table(pa.Table.from_arrays(values, ["customer_id", "event_time", "amount", name]), tmp_path / "two")
        rows = (tmp_path / "two").read_bytes()
    with pytest.raises(SourceError, match=r"two columns|named twice|must be distinct"):
        read(rows, ending=ending)


def test_fault_08_exact_duplicates_are_counted_once(read: Read) -> None:
    log = read(ONE_ROW + "a,2024-01-01T10:00,1\n" * 3 + "a,2024-01-01T10:00,2\nb,2024-01-01T10:00,1\n")
    account = log.account
    assert (account.read, account.kept, account.duplicates) == (6, 3, 3)
    assert log.amount.tolist() == [1.0, 2.0, 1.0]


def test_fault_09_lines_of_one_order_with_other_values_are_summed_as_documented(read: Read) -> None:
    # An order id says what belongs together, not that a row is the same one again: see events/folding.py.
    rows = "customer_id,event_time,amount,order_id\na,2024-01-01T10:00,1,o\na,2024-01-01T10:05,2,o\n"
    log = read(rows, columns={"amount": "amount", "order_id": "order_id"})
    assert (log.amount.tolist(), log.lines.tolist(), log.account.kept) == ([3.0], [2.0], 2)


def test_fault_09_same_event_id_with_other_values(read: Read) -> None:
    rows = "id,customer_id,event_time,amount\n1,a,2024-01-01T10:00,1\n1,a,2024-01-01T10:00,2\n"
    with pytest.raises(SourceError, match="event_id"):
        read(rows, columns={"event_id": "id", "amount": "amount"})


def test_fault_10_late_events_count_from_when_they_were_known(read: Read) -> None:
    known = {"columns": {"amount": "amount", "known_at": "known"}}
    early = "customer_id,event_time,known,amount\na,2024-01-01T10:00,2024-01-01T10:00,1\nb,2024-02-01,2024-02-01,2\n"
    late = early + "a,2024-01-02T10:00,2024-03-01,5\n"
    february, april = clock.micros("2024-02-10"), clock.micros("2024-04-01")
    then, now = read(early, as_of=february, **known), read(late, as_of=february, **known)
    assert now.amount.tolist() == then.amount.tolist() == [1.0, 2.0]
    assert (now.account.later, now.account.read) == (1, 3)
    assert read(late, as_of=april, **known).amount.tolist() == [1.0, 5.0, 2.0]


def test_fault_11_future_events_are_left_out_and_counted(read: Read) -> None:
    log = read(ONE_ROW + "a,2024-06-01T10:00,9\nb,2031-01-01T10:00,9\n", as_of=clock.micros("2024-06-01"))
    assert log.customers.to_pylist() == ["a"]
    assert (log.account.read, log.account.kept, log.account.later) == (3, 1, 2)
    assert log.observed_until == clock.micros("2024-06-01")


@pytest.mark.parametrize("length", [0.02, 0.5, 0.99])
def test_fault_32_truncated_parquet_names_the_file(folder: Path, refused: Refused, length: float) -> None:
    config = CONFIG.replace('"orders.csv"', '"orders/*.parquet"')
    (folder / "churnvalue.toml").write_text(config, encoding="utf-8")
    (folder / "orders").mkdir()
    for name in ("first", "second"):
        orders(customers=6).to_parquet(folder / "orders" / f"{name}.parquet")
    whole = (folder / "orders" / "second.parquet").read_bytes()
    (folder / "orders" / "second.parquet").write_bytes(whole[: int(len(whole) * length)])
    assert "second.parquet" in refused(folder, "check")
