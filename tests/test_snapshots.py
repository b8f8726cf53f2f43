"""Who belongs to a population, and which cutoffs a history allows."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from churnvalue import clock
from churnvalue.clock import DAY
from churnvalue.config import Outcome, Population, Training
from churnvalue.errors import HistoryError
from churnvalue.events.log import EventLog
from churnvalue.snapshots import population, require_closed, training_cutoffs

CUTOFF = clock.micros("2011-04-11")


@pytest.fixture(scope="module")
def year(log_from: Callable[..., EventLog]) -> EventLog:
    """A log of days, from 2011-01-01 to the end of 2011-12-31."""
    return log_from(pd.DataFrame({"customer_id": ["a", "b"], "event_time": ["2011-01-01", "2011-12-31"]}))


def dates(cutoffs: list[int]) -> list[str]:
    """Cutoffs as text."""
    return [clock.text(cutoff) for cutoff in cutoffs]


def test_population_is_who_was_active_before_the_cutoff(log_from: Callable[..., EventLog]) -> None:
    log = log_from("""
    customer_id event_time        known_at          kind
    on_edge     2011-04-01T00:00  -                 purchase  # exactly 10 days before
    too_early   2011-03-31T23:59  -                 purchase
    last_minute 2011-04-10T23:59  -                 purchase
    at_cutoff   2011-04-11T00:00  -                 purchase
    known_late  2011-04-05T00:00  2011-04-11T00:00  purchase
    other_kind  2011-04-05T00:00  -                 visit
    """)
    names = np.array(log.customers.to_pylist())
    assert set(names[population(log, CUTOFF, Population(active_days=10))]) == {"on_edge", "last_minute"}
    assert set(names[population(log, CUTOFF, Population(active_days=11))]) == {"on_edge", "last_minute", "too_early"}
    assert set(names[population(log, CUTOFF, Population(kind="visit"))]) == {"other_kind"}
    assert not population(log, CUTOFF, Population(kind="never_seen")).any()
    assert not population(log, clock.micros("2010-01-01"), Population()).any()


def test_an_outcome_observed_to_its_last_instant_is_closed(year: EventLog) -> None:
    require_closed(year, clock.micros("2011-10-03"), 90)  # ends with 2011-12-31, which the log holds
    with pytest.raises(
        HistoryError, match="Outcomes until 2012-01-02 are needed, but the log is observed until 2012-01-01"
    ):
        require_closed(year, clock.micros("2011-10-04"), 90)


def test_an_open_outcome_names_the_latest_cutoff_and_that_one_is_closed(year: EventLog) -> None:
    with pytest.raises(HistoryError, match="Use a cutoff at or before 2011-10-03"):
        require_closed(year, clock.micros("2011-12-01"), 90)
    require_closed(year, clock.micros("2011-10-03"), 90)


def test_cutoffs_are_spread_from_the_newest_that_is_closed(year: EventLog) -> None:
    cutoffs = training_cutoffs(year, Training(cutoffs=3), Outcome(horizon_days=60))
    assert dates(cutoffs) == ["2011-07-05", "2011-09-03", "2011-11-02"]  # a horizon of 60 days apart


def test_cutoffs_lie_closer_where_many_are_asked_for(year: EventLog) -> None:
    cutoffs = np.array(training_cutoffs(year, Training(cutoffs=12), Outcome(horizon_days=60)))
    assert len(cutoffs) == 12
    assert set(np.diff(cutoffs)) == {23 * DAY}  # February 15th to November 2nd, in eleven steps


def test_one_cutoff_is_the_newest(year: EventLog) -> None:
    assert dates(training_cutoffs(year, Training(cutoffs=1), Outcome(horizon_days=60))) == ["2011-11-02"]


def test_given_dates_are_taken_sorted_and_once(year: EventLog) -> None:
    training = Training(cutoffs=("2011-09-01", "2011-06-01T06:00", "2011-09-01"))
    assert dates(training_cutoffs(year, training, Outcome())) == ["2011-06-01 06:00 UTC", "2011-09-01"]


@pytest.mark.parametrize(
    ("date", "message"),
    [
        ("2011-11-01", "Use a cutoff at or before 2011-10-03"),
        ("2011-01-01", "must come after the first event, 2011-01-01, but 2011-01-01 came"),
        ("1970-01-01", "must come after the first event"),
    ],
)
def test_given_dates_that_cannot_be_used(year: EventLog, date: str, message: str) -> None:
    with pytest.raises(HistoryError, match=message):
        training_cutoffs(year, Training(cutoffs=(date,)), Outcome())


@pytest.mark.parametrize(("last", "enough"), [("2011-04-14", False), ("2011-04-15", True)])
def test_the_shortest_history(log_from: Callable[..., EventLog], last: str, enough: bool) -> None:
    # 45 days (three quarters of the horizon) to learn from and 60 are the days from January 1st to April 15th.
    log = log_from(pd.DataFrame({"customer_id": ["a", "a"], "event_time": ["2011-01-01", last]}))
    if enough:
        assert dates(training_cutoffs(log, Training(), Outcome(horizon_days=60))) == ["2011-02-15"]
        return
    with pytest.raises(HistoryError, match=r"Training needs 105 days of history .* but the log holds 104"):
        training_cutoffs(log, Training(), Outcome(horizon_days=60))


@settings(max_examples=25, deadline=None, derandomize=True)
@given(count=st.integers(1, 40), horizon=st.integers(1, 200), last=st.integers(1, 900))
def test_cutoffs_are_closed_rising_and_evenly_spread(
    count: int, horizon: int, last: int, log_of_days: Callable[[int], EventLog]
) -> None:
    log, outcome = log_of_days(last), Outcome(horizon_days=horizon)
    try:
        cutoffs = training_cutoffs(log, Training(cutoffs=count), outcome)
    except HistoryError:
        assert last + 1 < min(max(30, horizon * 3 // 4), horizon) + horizon
        return
    steps = set(np.diff(cutoffs))
    assert 1 <= len(cutoffs) <= count
    assert len(steps) <= 1
    assert all(min(7, horizon) * DAY <= step <= max(7, horizon) * DAY for step in steps)
    assert all(cutoff % DAY == 0 and cutoff > log.first for cutoff in cutoffs)
    for cutoff in cutoffs:
        require_closed(log, cutoff, horizon)
    with pytest.raises(HistoryError, match="Use a cutoff at or before"):
        require_closed(log, cutoffs[-1] + DAY, horizon)


@pytest.fixture(scope="module")
def log_of_days(year: EventLog) -> Callable[[int], EventLog]:
    """A function that gives a log from 2011-01-01 observed to the end of the day ``last`` days later."""

    def until(last: int) -> EventLog:
        event_time = np.array([year.first, year.first + last * DAY])
        return replace(year, event_time=event_time, known_at=event_time, observed_until=year.first + (last + 1) * DAY)

    return until
