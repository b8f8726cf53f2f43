"""The kernel, statistic by statistic, on tables small enough to compute by hand."""

from collections.abc import Callable, Mapping
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd
import pytest

from churnvalue import clock, parallel, sweep
from churnvalue.events.log import EventLog
from churnvalue.views import Column, Future, History, Measure, Statistic

NAN = float("nan")

# March 7th, 2011 is a Monday.
LOG = """
customer_id event_time        known_at          kind     channel amount quantity category
a           2011-03-01T06:00  -                 purchase web     10     1        x
a           2011-03-01T18:00  -                 purchase shop    20     2        y
a           2011-03-05T12:00  -                 purchase web     -      -        x
a           2011-03-12T00:00  -                 purchase web     40     4        x
a           2011-03-12T00:00  -                 visit    app     -      -        -
a           2011-03-13T00:00  2011-03-15T00:00  purchase web     99     9        z     # known late
a           2011-03-14T00:00  -                 purchase web     77     7        z     # at the cutoff
b           2011-03-04T00:00  -                 visit    -       -      -        -
c           2011-03-20T00:00  -                 purchase web     5      5        z     # after the cutoff
"""
CUTOFF = "2011-03-14"


@pytest.fixture(scope="module")
def log(log_from: Callable[..., EventLog]) -> EventLog:
    return log_from(LOG)


def values(log: EventLog, columns: list[Measure], start: str | None = None, end: str = CUTOFF) -> list[list[float]]:
    """The measures of each customer over a span, known before its end."""
    span = clock.Span(clock.BEGINNING if start is None else clock.micros(start), clock.micros(end))
    measured = sweep.sweep(log, sweep.compile_measures(columns, log), span, span.end)
    return np.array([measured[m] for m in columns]).T.tolist()


PURCHASES = History().of("purchase")
ANY = History().of()


@pytest.mark.parametrize(
    ("measure", "a", "b"),
    [
        (PURCHASES.count(), 4.0, 0.0),
        (PURCHASES._measure(Statistic.KNOWN), 3.0, 0.0),
        (PURCHASES.total(), 70.0, 0.0),  # 10 + 20 + 40
        (PURCHASES.total("quantity"), 7.0, 0.0),
        (PURCHASES.total("lines"), 4.0, 0.0),
        (PURCHASES.largest(), 40.0, NAN),
        (PURCHASES.smallest(), 10.0, NAN),
        (PURCHASES.newest(), 40.0, NAN),
        (PURCHASES.oldest(), 10.0, NAN),
        (PURCHASES.age_of_newest(), 2.0, NAN),
        (PURCHASES.age_of_oldest(), 12.75, NAN),  # from the 1st, 6 o'clock
        (PURCHASES.active_days(), 3.0, 0.0),  # 1st, 5th, 12th
        (PURCHASES.gap_mean(), 5.5, NAN),  # (4 + 7) / 2
        (PURCHASES.gap_sd(), np.sqrt(4.5), NAN),  # 1.5² + 1.5² over one
        (PURCHASES.gap_smallest(), 4.0, NAN),
        (PURCHASES.gap_newest(), 7.0, NAN),
        (PURCHASES.gap_recent(), 6.0, NAN),  # (7 + 4 / 2) / 1.5
        (PURCHASES.repeat_total(), 40.0, 0.0),  # all but the 30 of the 1st
        (PURCHASES.repeat_total("quantity"), 4.0, 0.0),
        (PURCHASES.last(9).repeat_total(), 40.0, 0.0),  # without the 5th, which has no amount
        (PURCHASES.renewed_share(4), 2 / 3, NAN),  # of the last 12 days: 12th, none, 5th; the 1st stands before
        (PURCHASES.renewed_share(2), 2 / 6, NAN),  # 12th on the very start of its block, 5th
        (PURCHASES.renewed_share(12), 1.0, NAN),
        (PURCHASES.renewed_share(13), NAN, NAN),  # no whole block since the 1st, 6 o'clock
        (History().of("visit").renewed_share(1), 1 / 2, 1 / 10),  # the only one stands on the start of the oldest block
        (History().of("visit").renewed_share(5), NAN, 1 / 2),
        (PURCHASES.distinct_categories(), 2.0, 0.0),
        (PURCHASES.top_category_share(), 0.75, NAN),  # x, x, x of four
        (ANY.count(), 5.0, 1.0),
        (ANY.active_days(), 3.0, 1.0),
        (ANY.largest("lines"), 1.0, 1.0),
        (History().of("visit").count(), 1.0, 1.0),
        (History().of("visit").newest(), NAN, NAN),
        (History().of("never_seen").count(), 0.0, 0.0),
        (PURCHASES.through("web").count(), 3.0, 0.0),
        (PURCHASES.through("never_seen").count(), 0.0, 0.0),
        (ANY.through("app").count(), 1.0, 0.0),
        (PURCHASES.between(6, 18).count(), 2.0, 0.0),  # at 6 and 12; 18 is outside
        (PURCHASES.between(0, 6).count(), 1.0, 0.0),
        (PURCHASES.on_weekdays(5, 7).count(), 2.0, 0.0),  # Saturdays 5th and 12th
        (PURCHASES.on_weekdays(1, 2).count(), 2.0, 0.0),  # Tuesday 1st, twice
        (PURCHASES.on_weekdays(5, 7).between(12, 24).count(), 1.0, 0.0),
        (PURCHASES.last(2).count(), 1.0, 0.0),  # the 12th is exactly two days back
        (PURCHASES.last(1).count(), 0.0, 0.0),
        (PURCHASES.last(9).count(), 2.0, 0.0),
        (PURCHASES.last(9).oldest(), 40.0, NAN),  # the 5th has no amount
        (PURCHASES.last(9).age_of_oldest(), 8.5, NAN),
        (PURCHASES.last(9).gap_mean(), 7.0, NAN),
        (PURCHASES.last(9).distinct_categories(), 1.0, 0.0),
        (PURCHASES.last(36_500).count(), 4.0, 0.0),
    ],
)
def test_statistics(log: EventLog, measure: Measure, a: float, b: float) -> None:
    assert values(log, [measure])[:2] == [pytest.approx([a], nan_ok=True), pytest.approx([b], nan_ok=True)]


def test_a_customer_without_visible_events_has_counts_of_zero_and_nothing_else(log: EventLog) -> None:
    assert values(log, [ANY.count(), ANY.total(), ANY.active_days(), ANY.distinct_categories()])[2] == [0.0] * 4
    undefined = [ANY.largest(), ANY.newest(), ANY.age_of_newest(), ANY.gap_mean(), ANY.top_category_share()]
    assert np.isnan(values(log, undefined)[2]).all()


def test_measures_do_not_depend_on_what_else_is_asked(log: EventLog) -> None:
    together = [
        events.last(days).count()
        for events in (PURCHASES, ANY, History().of("visit"), PURCHASES.through("web"))
        for days in (None, 1, 2, 9, 30)
    ] + [PURCHASES.last(9).top_category_share(), ANY.distinct_categories(), PURCHASES.newest(), ANY.gap_mean()]
    alone = [values(log, [measure]) for measure in together]
    np.testing.assert_array_equal(np.hstack(alone), values(log, together))


def test_an_event_counts_from_the_time_it_was_known(log: EventLog) -> None:
    assert values(log, [PURCHASES.count()], end="2011-03-15")[0] == [5.0]  # the 14th; the 13th becomes known at the end
    assert values(log, [PURCHASES.count()], end="2011-03-15T00:00:01")[0] == [6.0]


def test_a_span_holds_its_start_and_not_its_end(log: EventLog) -> None:
    assert values(log, [Future().of("purchase").count()], "2011-03-12", "2011-03-14")[0] == [1.0]
    assert values(log, [Future().of("purchase").total()], "2011-03-01T18:00", "2011-03-12")[0] == [20.0]


def test_windows_reach_back_from_the_end_and_not_beyond_the_start(log: EventLog) -> None:
    counts = [PURCHASES.last(days).count() for days in (2, 9, 36_500)]
    assert values(log, counts, "2011-03-05T12:00")[0] == [1.0, 2.0, 2.0]


def test_adjoining_spans_tile(log: EventLog) -> None:
    ends = ["2011-03-01T06:00", "2011-03-05T12:00", "2011-03-12", "2011-03-14", "2011-03-21"]
    column = Future().of("purchase").total("lines")
    pieces = [
        sweep.sweep(
            log, sweep.compile_measures([column], log), clock.Span(clock.micros(a), clock.micros(b)), clock.END
        )[column]
        for a, b in pairwise(ends)
    ]
    assert np.sum(pieces, axis=0).tolist() == [6.0, 0.0, 1.0]


def test_no_measures_are_no_work(log: EventLog) -> None:
    assert sweep.sweep(log, sweep.compile_measures([], log), clock.before(0), 0) == {}


def test_threads_do_not_change_a_byte(log_from: Callable[..., EventLog], monkeypatch: pytest.MonkeyPatch) -> None:
    random = np.random.default_rng(7)
    hours = pd.to_timedelta(random.integers(0, 2000, 400), unit="h")
    rows = pd.DataFrame(
        {
            # One customer has most of the events, so that several threads meet in its midst.
            "customer_id": random.choice(["a", "b", "c", "d"], 400, p=[0.05, 0.85, 0.05, 0.05]),
            "event_time": pd.Timestamp("2011-01-01") + hours,
            "amount": random.normal(size=400),
            "category": random.choice(list("uvwxyz"), 400),
        }
    )
    log = log_from(rows, ending=".parquet")
    asked: list[Column] = [PURCHASES.total(), PURCHASES.last(20).top_category_share(), PURCHASES.last(40).gap_sd()]
    program = sweep.compile_measures([m for m in asked if isinstance(m, Measure)], log)
    span = clock.before(clock.micros("2011-03-10"))
    alone = sweep.sweep(log, program, span, span.end)
    for threads in (2, 3, 7):
        monkeypatch.setattr(parallel, "_WORTH_A_THREAD", 1)
        monkeypatch.setattr(parallel, "cpu_count", lambda threads=threads: threads)
        split = sweep.sweep(log, program, span, span.end)
        assert [values.tobytes() for values in split.values()] == [values.tobytes() for values in alone.values()]


@pytest.mark.parametrize("block", [1, 2, 100])
def test_blocks_of_some_customers_hold_what_the_sweep_of_all_does(
    log: EventLog, monkeypatch: pytest.MonkeyPatch, block: int
) -> None:
    asked = [m for m in (PURCHASES.total(), PURCHASES.last(20).count(), PURCHASES.gap_sd()) if isinstance(m, Measure)]
    program, span = sweep.compile_measures(asked, log), clock.before(clock.micros("2011-03-10"))
    whole = sweep.sweep(log, program, span, span.end)
    monkeypatch.setattr(sweep, "_BLOCK", block)
    monkeypatch.setattr(parallel, "_WORTH_A_THREAD", 1)
    monkeypatch.setattr(parallel, "cpu_count", lambda: 3)
    for customers in (np.arange(len(log.customers)), np.arange(0, len(log.customers), 2), np.arange(0)):
        found = np.full((len(asked), len(customers)), -1.0)

        def use(first: int, end: int, measured: Mapping[Measure, Any], found: Any = found) -> None:
            found[:, first:end] = [measured[measure] for measure in asked]

        sweep.sweep_in_blocks(log, program, span, span.end, customers, use)
        np.testing.assert_array_equal(found, [whole[measure][customers] for measure in asked])


def test_the_statistics_of_the_kernel_are_those_of_the_views() -> None:
    assert [statistic.value for statistic in Statistic] == list(range(19))
