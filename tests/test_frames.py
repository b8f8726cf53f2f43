"""Frames: one code path for learning and scoring, and no outcome that is still open."""

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from churnvalue import clock
from churnvalue.clock import DAY
from churnvalue.config import Outcome, Population
from churnvalue.errors import HistoryError
from churnvalue.events.log import EventLog
from churnvalue.features import Feature, expand
from churnvalue.frames import feature_frame, training_frame
from churnvalue.sweep import compile_measures, sweep
from churnvalue.views import Future, History

LOG = """
customer_id event_time        known_at          kind     order_id amount
ann         2011-01-05T12:00  -                 purchase 1        10
ann         2011-02-10T12:00  -                 purchase 2        20
ann         2011-03-15T12:00  -                 purchase 3        40
bob         2011-01-20T12:00  2011-02-05T00:00  purchase 4        5      # known 16 days late
bob         2011-02-20T12:00  -                 ticket   -        -
cyd         2011-02-27T12:00  -                 purchase 5        7
dan         2011-01-31T12:00  -                 visit    -        -      # never bought
ann         2011-05-01T12:00  -                 visit    -        -      # the end of observation
"""
FEATURES: tuple[Feature, ...] = expand(
    [
        {"use": "event_count", "kind": "purchase", "days": ["all", 30]},
        {"use": "days_since_last", "kind": "purchase"},
        {"use": "amount_mean", "kind": "purchase"},
    ]
)
FEBRUARY, MARCH = clock.micros("2011-02-01"), clock.micros("2011-03-01")
WHO, OUTCOME = Population(active_days=60), Outcome(horizon_days=30)


@pytest.fixture(scope="module")
def log(log_from: Callable[..., EventLog]) -> EventLog:
    return log_from(LOG)


def test_feature_frame(log: EventLog) -> None:
    frame = feature_frame(log, FEATURES, MARCH, WHO)
    assert frame.index.names == ["customer_id", "cutoff"]
    assert frame.index.tolist() == [(name, pd.Timestamp("2011-03-01", tz="UTC")) for name in ("ann", "bob", "cyd")]
    assert str(frame.index.dtypes["cutoff"]) == "datetime64[us, UTC]"
    assert frame.columns.tolist() == [feature.name for feature in FEATURES]
    assert (frame.dtypes == "float64").all()
    assert frame.to_numpy().tolist() == [
        [2.0, 1.0, 18.5, 15.0],  # (10 + 20) / 2
        [1.0, 0.0, 39.5, 5.0],
        [1.0, 1.0, 1.5, 7.0],
    ]


def test_who_is_not_known_yet_is_not_described(log: EventLog) -> None:
    frame = feature_frame(log, FEATURES, FEBRUARY, WHO)
    assert frame.index.get_level_values("customer_id").tolist() == ["ann"]


def test_training_frame(log: EventLog) -> None:
    frame = training_frame(log, FEATURES, [FEBRUARY, MARCH], WHO, OUTCOME)
    assert frame.features.index.equals(frame.targets.index)
    assert frame.cutoffs == [pd.Timestamp("2011-02-01", tz="UTC"), pd.Timestamp("2011-03-01", tz="UTC")]
    assert frame.targets.columns.tolist() == ["churned", "orders", "spend"]
    assert frame.targets.to_numpy().tolist() == [
        [0.0, 1.0, 20.0],  # ann in February
        [0.0, 1.0, 40.0],  # ann in March
        [1.0, 0.0, 0.0],  # bob
        [1.0, 0.0, 0.0],  # cyd
    ]


def test_at_gives_the_rows_of_some_cutoffs(log: EventLog) -> None:
    frame = training_frame(log, FEATURES, [FEBRUARY, MARCH], WHO, OUTCOME)
    march = frame.at(frame.cutoffs[1:])
    assert march.cutoffs == frame.cutoffs[1:]
    assert len(march.features) == len(march.targets) == 3
    assert len(frame.features) == 4


def test_the_training_row_equals_the_scoring_row(log: EventLog) -> None:
    learned = training_frame(log, FEATURES, [FEBRUARY, MARCH], WHO, OUTCOME).features
    scored = pd.concat([feature_frame(log, FEATURES, cutoff, WHO) for cutoff in (FEBRUARY, MARCH)])
    pd.testing.assert_frame_equal(learned, scored, check_exact=True)


@pytest.mark.parametrize("cutoff", ["2011-02-01", "2011-03-01"])
def test_the_training_row_equals_the_row_scored_on_that_day(
    log: EventLog, log_from: Callable[..., EventLog], cutoff: str
) -> None:
    that_day = log_from(LOG, as_of=cutoff)
    learned = training_frame(log, FEATURES, [clock.micros(cutoff)], WHO, OUTCOME).features
    pd.testing.assert_frame_equal(
        learned, feature_frame(that_day, FEATURES, clock.micros(cutoff), WHO), check_exact=True
    )


def test_an_order_that_grows_after_the_cutoff_is_learned_from_as_it_was_scored(
    log_from: Callable[..., EventLog],
) -> None:
    rows = """
    customer_id event_time        order_id amount
    ann         2011-01-05T12:00  1        10
    ann         2011-02-27T12:00  2        20
    ann         2011-03-02T12:00  2        40     # a line added after the cutoff
    ann         2011-05-01T12:00  3        1
    """
    learned = training_frame(log_from(rows), FEATURES, [MARCH], WHO, OUTCOME).features
    scored = feature_frame(log_from(rows, as_of="2011-03-01"), FEATURES, MARCH, WHO)
    pd.testing.assert_frame_equal(learned, scored, check_exact=True)


def test_no_fold_learns_from_an_open_outcome(log: EventLog) -> None:
    newest = (log.observed_until - OUTCOME.horizon_days * DAY) // DAY * DAY
    training_frame(log, FEATURES, [MARCH, newest], WHO, OUTCOME)
    with pytest.raises(
        HistoryError, match=r"Outcomes until .* are needed, but the log is observed until 2011-05-01 12:00 UTC"
    ):
        training_frame(log, FEATURES, [MARCH, newest + DAY], WHO, OUTCOME)


def test_an_outcome_known_late_is_an_outcome(log_from: Callable[..., EventLog]) -> None:
    # The log as read holds it, so it is known; the horizon is closed.
    log = log_from("""
    customer_id event_time        known_at
    ann         2011-01-05T12:00  -
    bob         2011-01-05T12:00  -
    ann         2011-03-20T12:00  2011-04-10T12:00
    bob         2011-04-02T12:00  -
    """)
    frame = training_frame(log, FEATURES, [MARCH], WHO, OUTCOME)
    assert frame.targets.orders.tolist() == [1.0, 0.0]


def test_a_log_without_amounts_has_no_spend(log_from: Callable[..., EventLog]) -> None:
    log = log_from("""
    customer_id event_time
    ann         2011-01-05T12:00
    ann         2011-05-05T12:00
    """)
    frame = training_frame(log, FEATURES, [MARCH], WHO, OUTCOME)
    assert frame.targets.columns.tolist() == ["churned", "orders"]
    assert np.isnan(frame.features.amount_mean_purchase).all()


def test_an_empty_population_says_what_the_log_holds(log: EventLog) -> None:
    message = r"no customer has an event of kind 'order' in the 60 days before 2011-03-01; the log holds 5 × purchase, 2 × visit"
    with pytest.raises(HistoryError, match=message):
        feature_frame(log, FEATURES, MARCH, Population(kind="order", active_days=60))


def test_no_cutoffs_are_refused(log: EventLog) -> None:
    with pytest.raises(HistoryError, match="cutoff"):
        training_frame(log, FEATURES, [], WHO, OUTCOME)


def test_no_features_are_an_empty_frame_of_the_population(log: EventLog) -> None:
    assert feature_frame(log, [], MARCH, WHO).shape == (3, 0)


def test_a_log_of_customers_seen_once(log_from: Callable[..., EventLog]) -> None:
    rows = pd.DataFrame({"customer_id": [f"c{i}" for i in range(5)], "event_time": "2011-01-05T12:00", "amount": "3"})
    log = log_from(rows, observed_until="2011-06-01")
    frame = training_frame(log, FEATURES, [FEBRUARY], WHO, OUTCOME)
    assert frame.targets.to_numpy().tolist() == [[1.0, 0.0, 0.0]] * 5


def test_frames_do_not_depend_on_the_order_of_rows(
    log: EventLog, log_from: Callable[..., EventLog], table: Callable[[str], pd.DataFrame]
) -> None:
    turned = log_from(table(LOG).iloc[::-1])
    learned, other = (training_frame(one, FEATURES, [FEBRUARY, MARCH], WHO, OUTCOME) for one in (log, turned))
    pd.testing.assert_frame_equal(learned.features, other.features, check_exact=True)
    pd.testing.assert_frame_equal(learned.targets, other.targets, check_exact=True)


@pytest.fixture(scope="module")
def on_time(log_from: Callable[..., EventLog]) -> EventLog:
    """A log known on time, with events on whole and half days."""
    random = np.random.default_rng(11)
    half_days = pd.to_timedelta(12 * random.integers(0, 120, 300), unit="h")
    customers = random.choice(list("abcdefgh"), 300)
    return log_from(
        pd.DataFrame({"customer_id": customers, "event_time": pd.Timestamp("2011-01-01") + half_days}),
        ending=".parquet",
    )


@settings(max_examples=25, deadline=None, derandomize=True)
@given(half_day=st.integers(0, 120), days=st.integers(1, 60))
def test_history_and_future_tile(half_day: int, days: int, on_time: EventLog) -> None:
    cutoff = clock.micros("2011-01-01") + half_day * DAY // 2
    end = cutoff + days * DAY
    past, future, window = (
        History().of("purchase").count(),
        Future().of("purchase").count(),
        History().of("purchase").last(days).count(),
    )
    program = compile_measures([past, window], on_time)
    before = sweep(on_time, program, clock.before(cutoff), cutoff)
    until_end = sweep(on_time, program, clock.before(end), end)
    horizon = sweep(on_time, compile_measures([future], on_time), clock.after(cutoff, days), end)
    assert (before[past] + horizon[future] == until_end[past]).all()
    assert (horizon[future] == until_end[window]).all()
