"""What an executor does with a partition: however batches fall, the log is that of all its rows."""

from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest

from churnvalue.clock import DAY
from churnvalue.config import parse_config
from churnvalue.engines import read_log
from churnvalue.engines.spark_chunks import chunks
from churnvalue.errors import ConfigError
from churnvalue.events.account import Account
from churnvalue.events.handover import Facts
from churnvalue.events.log import MISSING

NAMES = {"kind": ("purchase", "visit"), "channel": ("app", "web"), "category": ("cake", "tea", "고객")}
FACTS = Facts(pa.array([], pa.string()), NAMES, Account(), 0, "UTC", 9 * DAY)


def partition(lengths: list[int], size: int) -> list[pa.RecordBatch]:
    """Events of customers a, b, … with so many events each, in batches of ``size``; empty batches between them."""
    ids = np.repeat([chr(ord("a") + i) for i in range(len(lengths))], lengths)
    rng = np.random.default_rng(1)
    texts = {name: rng.choice([*NAMES[name], None], len(ids)) for name in ("channel", "category")}
    rows = pa.table(
        {
            "customer_id": pa.array(ids, pa.string()),
            "event_time": rng.integers(0, 5, len(ids)) * DAY,
            "kind": rng.choice(NAMES["kind"], len(ids)),
            "amount": rng.integers(0, 3, len(ids)).astype(float),
            **{name: pa.array(values, pa.string()) for name, values in texts.items()},
        }
    )
    batches = rows.to_batches(max_chunksize=size)
    return [part for batch in batches for part in (batch, batch.slice(0, 0))]


@pytest.mark.parametrize("size", [1, 3, 1000])
@pytest.mark.parametrize("lengths", [[1], [2, 1, 5, 1], [1, 40, 1], [40], [3] * 9])
def test_chunks_hold_whole_customers_in_order(lengths, size):
    batches = partition(lengths, size)
    (whole,) = chunks(batches, NAMES, events=10**6)
    parts = list(chunks(batches, NAMES, events=4))
    assert [one for part in parts for one in part.customers.to_pylist()] == whole.customers.to_pylist()
    if size <= 3:  # a chunk grows until the first batch that ends a customer beyond four events
        assert all(len(part.events) < 4 + size + max(lengths) for part in parts)
    logs = [part.log(FACTS) for part in parts]
    for column in ("event_time", "amount"):
        np.testing.assert_array_equal(
            np.concatenate([getattr(log, column) for log in logs]), getattr(whole.log(FACTS), column)
        )
    for column in ("kind", "channel", "categories"):
        codes = np.concatenate([getattr(log, column).codes for log in logs])
        np.testing.assert_array_equal(codes, getattr(whole.log(FACTS), column).codes)


def test_nothing_comes_of_an_empty_partition():
    assert list(chunks([], NAMES)) == []
    assert list(chunks(partition([1], 1)[1:], NAMES)) == []


def test_text_becomes_codes_whether_it_stands_alone_or_in_a_list():
    rows = pa.record_batch(
        {
            "customer_id": ["a", "a", "b"],
            "event_time": [0, DAY, 0],
            "kind": ["visit", "purchase", "visit"],
            "categories": pa.array([["고객", "cake"], None, [None]], pa.list_(pa.string())),
            "lines": [2, 1, 1],
        }
    )
    (chunk,) = chunks([rows], NAMES)
    assert chunk.events["kind"].to_pylist() == [1, 0, 1]
    assert chunk.events["customer"].to_pylist() == [0, 0, 1]
    assert chunk.events["categories"].to_pylist() == [[2, 0], [], [MISSING]]
    log = chunk.log(replace(FACTS, observed_until=7))
    assert (log.customers.to_pylist(), log.observed_until) == (["a", "b"], 7)


def test_without_pyspark_one_line_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setattr("churnvalue.engines.spark_session.find_spec", lambda _: None)
    config = parse_config({"engine": "spark", "events": [{"source": "events.parquet"}]}, tmp_path)
    with pytest.raises(ConfigError, match=r"pip install \"churnvalue\[spark\]\""):
        read_log(config)
