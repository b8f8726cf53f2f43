"""What an executor does with its share of the events: however batches fall, a chunk is that of all rows of its customers."""

from dataclasses import replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from churnvalue.clock import DAY
from churnvalue.config import parse_config
from churnvalue.engines import read_log
from churnvalue.engines.spark_chunks import blocks, joined
from churnvalue.errors import ConfigError
from churnvalue.events.account import Account
from churnvalue.events.handover import Facts
from churnvalue.events.log import MISSING

NAMES = {"kind": ("purchase", "visit"), "channel": ("app", "web"), "category": ("cake", "tea", "고객")}
FACTS = Facts(pa.array([], pa.string()), NAMES, Account(), 0, "UTC", 9 * DAY)


def read(lengths: list[int], size: int) -> list[pa.RecordBatch]:
    """Events of customers a, b, … with so many each, mixed, in batches of ``size``; empty ones between; chunk i has every third."""
    rng = np.random.default_rng(1)
    customer = rng.permutation(np.repeat(np.arange(len(lengths)), lengths))
    texts = {name: rng.choice([*NAMES[name], None], len(customer)) for name in ("channel", "category")}
    rows = pa.table(
        {
            "customer_id": pa.array([chr(ord("a") + one) for one in customer], pa.string()),
            "event_time": rng.integers(0, 5, len(customer)) * DAY,
            "kind": rng.choice(NAMES["kind"], len(customer)),
            "amount": rng.integers(0, 3, len(customer)).astype(float),
            **{name: pa.array(values, pa.string()) for name, values in texts.items()},
            "chunk": pa.array(customer % 3, pa.int32()),
        }
    )
    return [part for batch in rows.to_batches(max_chunksize=size) for part in (batch, batch.slice(0, 0))]


def shuffled(blocks_of_tasks: list[pa.RecordBatch]) -> list[pa.RecordBatch]:
    """Blocks by chunk, the last written first: one batch a chunk."""
    rows = pa.Table.from_batches(blocks_of_tasks[::-1])
    numbers = sorted(set(rows["chunk"].to_pylist()))
    return [rows.filter(pc.equal(rows["chunk"], number)).combine_chunks().to_batches()[0] for number in numbers]


@pytest.mark.parametrize("size", [1, 3, 1000])
@pytest.mark.parametrize("lengths", [[1], [2, 1, 5, 1], [1, 40, 1], [40], [3] * 9])
def test_chunks_hold_whole_customers_in_order_however_their_events_came(lengths, size):
    batches = read(lengths, size)
    whole = [joined([part]) for part in shuffled(list(blocks(batches, NAMES, 3)))]
    parts = [joined([part]) for part in shuffled(list(blocks(batches, NAMES, 3, events=4)))]
    expected = [[chr(ord("a") + i) for i in range(start, len(lengths), 3)] for start in range(min(3, len(lengths)))]
    assert [part.customers.to_pylist() for part in parts] == expected
    for part, other in zip(parts, whole, strict=True):
        assert part.customers.equals(other.customers)
        one, two = part.log(FACTS), other.log(FACTS)
        assert np.diff(one.start).tolist() == [
            lengths[ord(customer) - ord("a")] for customer in part.customers.to_pylist()
        ]
        for column in ("start", "event_time", "amount"):
            np.testing.assert_array_equal(getattr(one, column), getattr(two, column))
        for column in ("kind", "channel", "categories"):
            np.testing.assert_array_equal(getattr(one, column).codes, getattr(two, column).codes)


def test_blocks_are_of_so_many_events_that_few_are_shuffled():
    batches = read([3] * 9, 1)
    assert sum(map(len, blocks(batches, NAMES, 3))) == 3
    assert sum(map(len, blocks(batches, NAMES, 3, events=9))) == 9


def test_nothing_comes_of_an_empty_partition():
    assert joined([]) is None
    assert list(blocks([], NAMES, 3)) == []
    assert list(blocks(read([1], 1)[1:], NAMES, 3)) == []


def test_text_becomes_codes_whether_it_stands_alone_or_in_a_list():
    rows = pa.record_batch(
        {
            "customer_id": ["b", "a", "a"],
            "event_time": [0, 0, DAY],
            "kind": ["visit", "visit", "purchase"],
            "categories": pa.array([[None], ["고객", "cake"], None], pa.list_(pa.string())),
            "lines": [1, 2, 1],
            "chunk": pa.array([0, 0, 0], pa.int32()),
        }
    )
    chunk = joined(blocks([rows], NAMES, 3))
    assert chunk.events["kind"].to_pylist() == [1, 1, 0]
    assert chunk.events["customer"].to_pylist() == [1, 0, 0]
    assert chunk.events["categories"].to_pylist() == [[MISSING], [2, 0], []]
    log = chunk.log(replace(FACTS, observed_until=7))
    assert (log.customers.to_pylist(), log.observed_until) == (["a", "b"], 7)


def test_without_pyspark_one_line_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setattr("churnvalue.engines.spark_session.find_spec", lambda _: None)
    config = parse_config({"engine": "spark", "events": [{"source": "events.parquet"}]}, tmp_path)
    with pytest.raises(ConfigError, match=r"pip install \"churnvalue\[spark\]\""):
        read_log(config)
