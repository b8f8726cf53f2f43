"""Ranges of a log's customers are views of it, and what is found in them is what is found in the whole."""

import numpy as np
import pandas as pd
import pytest

from churnvalue import clock
from churnvalue.clock import micros
from churnvalue.jobs import ranges as module
from churnvalue.jobs.answers import rows_of_kinds
from churnvalue.jobs.ranges import ranges
from churnvalue.sweep import rows_of

CUTOFF = micros("2024-01-20")


@pytest.fixture
def log(log_from):
    generator = np.random.default_rng(3)
    times = pd.Timestamp("2024-01-01") + pd.to_timedelta(generator.integers(0, 30, 400), unit="D")
    return log_from(
        pd.DataFrame(
            {
                "customer_id": np.append(generator.integers(10, 40, 300), [5] * 100).astype(str),
                "kind": generator.choice(["purchase", "visit", "ticket"], 400),
                "event_time": times,
                "category": generator.choice(["tea", "toys"], 400),
                "amount": generator.integers(1, 9, 400),
            }
        )
    )


@pytest.mark.parametrize("at_once", [1, 37, 10_000])
def test_ranges_make_up_the_log(log, monkeypatch, at_once):
    monkeypatch.setattr(module, "_AT_ONCE", at_once)
    parts = [part for _, part in ranges(log)]
    assert [first for first, _ in ranges(log)] == np.cumsum([0, *(len(p.customers) for p in parts)])[:-1].tolist()
    assert [one for part in parts for one in part.customers.to_pylist()] == log.customers.to_pylist()
    for name in ("event_time", "known_at", "wall_clock", "amount", "quantity", "lines"):
        np.testing.assert_array_equal(np.concatenate([getattr(p, name) for p in parts]), getattr(log, name))
    for part in parts:
        assert part.start[[0, -1]].tolist() == [0, len(part)]
        assert np.shares_memory(part.event_time, log.event_time)
        assert len(part) == len(part.kind.codes) == len(part.channel.codes) == len(part.category_start) - 1
    mentions = [np.diff(part.category_start) for part in parts]
    np.testing.assert_array_equal(np.concatenate(mentions), np.diff(log.category_start))
    if at_once == 37:
        assert 1 < len(parts) < len(log.customers)


@pytest.mark.parametrize("at_once", [1, 37, 10_000])
def test_rows_of_some_kinds_and_customers(log, monkeypatch, at_once):
    monkeypatch.setattr(module, "_AT_ONCE", at_once)
    whole = [rows_of(log, kind, clock.before(CUTOFF), CUTOFF) for kind in ("purchase", "visit")]
    every = np.sort(np.concatenate(whole))
    np.testing.assert_array_equal(rows_of_kinds(log, ("visit", "purchase", "visit"), CUTOFF), every)
    whose = np.searchsorted(log.start, every, side="right") - 1
    found = rows_of_kinds(log, ("purchase", "visit"), CUTOFF, np.array([20, -1, 3, 3]))
    np.testing.assert_array_equal(found, every[np.isin(whose, [3, 20])])
    assert not len(rows_of_kinds(log, ("purchase",), CUTOFF, np.array([-1])))
