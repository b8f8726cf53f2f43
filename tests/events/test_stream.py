"""Chunks of customers: whatever their size and the order of rows, the log is the same."""

from collections.abc import Iterator
from dataclasses import fields, replace

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from churnvalue.clock import DAY
from churnvalue.events.account import Account
from churnvalue.events.assembly import concatenated
from churnvalue.events.handover import Facts
from churnvalue.events.log import Coded, EventLog
from churnvalue.events.stream import LogStream

KINDS, CHANNELS, CATEGORIES = ("purchase", "visit"), ("app", "web"), ("cake", "milk", "tea")
FOLDED, REPEATED = frozenset[int](), frozenset({0})


def table(seed: int, rows: int, customers: int, *, folded: bool) -> pa.Table:
    """Rows with many equal times, some of them repeated; every customer has one."""
    rng = np.random.default_rng(seed)
    columns = {
        "customer": rng.permutation(np.arange(rows) % customers).astype(np.int32),
        "event_time": rng.integers(0, 4, rows) * DAY,
        "kind": rng.integers(0, 2, rows).astype(np.int16),
        "amount": np.where(rng.random(rows) < 0.3, np.nan, rng.integers(0, 3, rows).astype(float)),
        "channel": rng.integers(-1, 2, rows).astype(np.int16),
    }
    codes = rng.integers(-1, 3, rows).astype(np.int32)
    if folded:
        columns["lines"] = rng.integers(1, 3, rows)
        lists = [sorted(rng.choice(3, many, replace=False).tolist()) for many in rng.integers(0, 4, rows)]
        columns["categories"] = pa.array(lists, pa.list_(pa.int32()))
    else:
        columns["category"] = codes
    return pa.table(columns)


def stream(rows: pa.Table, customers: int, repeated: frozenset[int], *, counted: bool = False) -> LogStream:
    """A stream of batches of seven rows; ``counted`` says that it is known before how many each customer has."""
    facts = Facts(
        customers=pa.array([f"c{i:03d}" for i in range(customers)]),
        names={"kind": KINDS, "channel": CHANNELS, "category": CATEGORIES},
        account=Account(read=len(rows), kept=len(rows)),
        rows=len(rows),
        timezone="Europe/London",
        observed_until=9 * DAY,
        repeated=repeated,
        events=np.bincount(rows["customer"].to_numpy(), minlength=customers) if counted else None,
    )

    def batches() -> Iterator[pa.RecordBatch]:
        yield from rows.to_batches(max_chunksize=7)

    return LogStream(facts, batches)


def same(one: EventLog, other: EventLog) -> None:
    for part in fields(EventLog):
        left, right = getattr(one, part.name), getattr(other, part.name)
        if isinstance(left, Coded):
            assert left.names == right.names
            left, right = left.codes, right.codes
        if isinstance(left, np.ndarray):
            np.testing.assert_array_equal(left, right, err_msg=part.name)
        else:
            assert left == right, part.name


@pytest.mark.parametrize("folded", [False, True])
@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10_000), rows=st.integers(1, 120), customers=st.integers(1, 12), chunk=st.integers(1, 60))
def test_chunks_are_the_whole_log(folded: bool, seed: int, rows: int, customers: int, chunk: int) -> None:
    customers = min(customers, rows)
    events = table(seed, rows, customers, folded=folded)
    repeated = FOLDED if folded else REPEATED
    source = stream(events, customers, repeated)
    whole = source.whole()
    parts = list(source.chunks(chunk))
    same(replace(concatenated(parts), account=source.account), whole)
    assert [name for part in parts for name in part.customers.to_pylist()] == source.facts.customers.to_pylist()
    shuffled = events.take(pa.array(np.random.default_rng(seed + 1).permutation(rows)))
    same(stream(shuffled, customers, repeated).whole(), whole)
    counted = stream(shuffled, customers, repeated, counted=True)
    same(counted.whole(), whole)
    same(replace(concatenated(counted.chunks(chunk)), account=counted.account), whole)


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10_000), rows=st.integers(5, 120))
def test_repeated_rows_are_left_out_and_counted(seed: int, rows: int) -> None:
    events = table(seed, rows, 5, folded=False)
    kept = stream(events, 5, REPEATED).whole()
    distinct = events.to_pandas().drop_duplicates()
    assert len(kept) == len(distinct)
    assert kept.account == Account(read=rows, kept=len(distinct), duplicates=rows - len(distinct))
    assert len(stream(events, 5, FOLDED).whole()) == rows


def test_what_a_log_does_not_hold_takes_no_memory() -> None:
    log = stream(table(1, 50, 3, folded=False), 3, REPEATED).whole()
    assert log.known_at is log.event_time
    assert log.quantity.strides == log.lines.strides == (0,)
    assert np.isnan(log.quantity).all()
    assert (log.lines == 1).all()


def test_going_through_chunks_leaves_no_file(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    for _ in stream(table(1, 50, 3, folded=False), 3, REPEATED).chunks(10):
        assert not list(tmp_path.iterdir())
