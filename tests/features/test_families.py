"""Every family on one small log, computed by hand."""

from collections.abc import Callable
from typing import Any

import pandas as pd
import pytest

from churnvalue.events.log import EventLog
from churnvalue.features import families

NAN = float("nan")

# The cutoff is 2011-04-11, a Monday; windows of 10 days begin with April 1st.
LOG = """
customer_id event_time        kind          order_id amount quantity category
ann         2011-01-01T09:00  purchase      1        10     1        x       # Saturday, 99 days and 15 hours ago
ann         2011-01-01T09:00  purchase      1        20     -        y       # an order of 30
ann         2011-01-01T20:00  purchase      -        6      2        x       # a second one that day
ann         2011-03-22T00:00  purchase      -        24     3        x       # Tuesday, 20 days ago
ann         2011-04-01T00:00  purchase      -        40     4        z       # Friday, exactly 10 days ago
ann         2011-04-10T23:59  purchase      -        -      -        -       # Sunday, a minute ago; worth unknown
ann         2011-04-02T12:00  return        -        -16    -1       x
ann         2011-03-01T12:00  ticket        -        -      -        -
ann         2011-04-05T12:00  ticket        -        -      -        -
ann         2011-03-01T08:00  message_sent  -        -      -        -
ann         2011-04-01T08:00  message_sent  -        -      -        -
ann         2011-04-08T08:00  message_sent  -        -      -        -
ann         2011-04-08T09:00  message_open  -        -      -        -
ann         2011-04-08T10:00  message_click -        -      -        -
ann         2011-04-11T00:00  purchase      -        999    9        q       # at the cutoff
bob         2011-04-06T12:00  purchase      -        8      2        -       # seen once, 4.5 days ago
cyd         2011-04-06T12:00  visit         -        -      -        -       # never bought
"""
MINUTE = 1 / 1440
AGE = 99.625  # days since January 1st, 9 o'clock
CUTOFF = "2011-04-11"


@pytest.fixture(scope="module")
def log(log_from: Callable[..., EventLog]) -> EventLog:
    return log_from(LOG)


CASES: list[tuple[str, dict[str, Any], float, float, float]] = [
    # family, parameters, ann, bob, cyd
    ("days_since_last", {}, MINUTE, 4.5, NAN),
    ("days_since_first", {}, AGE, 4.5, NAN),
    ("days_first_to_last", {}, AGE - MINUTE, 0.0, NAN),
    ("event_count", {}, 5.0, 1.0, 0.0),
    ("event_count", {"days": 10}, 2.0, 1.0, 0.0),  # April 1st stands on the edge, inside
    ("event_count", {"days": 9}, 1.0, 1.0, 0.0),
    ("event_count", {"days": 1}, 1.0, 0.0, 0.0),
    ("active_days", {}, 4.0, 1.0, 0.0),
    ("active_days", {"days": 10}, 2.0, 1.0, 0.0),
    ("repeat_days", {}, 3.0, 0.0, 0.0),
    ("event_rate", {}, 5 / AGE * 365, 1 / 30 * 365, NAN),  # bob is taken as 30 days old
    ("gap_mean", {}, 33.0, NAN, NAN),  # (80 + 10 + 9) / 3
    ("gap_sd", {}, (((80 - 33) ** 2 + (10 - 33) ** 2 + (9 - 33) ** 2) / 2) ** 0.5, NAN, NAN),
    ("gap_last", {}, 9.0, NAN, NAN),
    ("gap_min", {}, 9.0, NAN, NAN),
    ("gap_recent", {}, (9 + 10 / 2 + 80 / 4) / 1.75, NAN, NAN),
    ("past_renewal", {"days": 10}, 2 / 9, NAN, NAN),  # April 1st and March 22nd begin two of nine whole spans
    ("past_renewal", {"days": 4}, 3 / 24, 0.0, NAN),  # bob's only span begins half a day after him
    ("past_renewal", {"days": 99}, 1.0, NAN, NAN),
    ("past_renewal", {"days": 100}, NAN, NAN, NAN),
    ("event_count_between", {"first_days": 0, "end_days": 10}, 2.0, 1.0, 0.0),
    ("event_count_between", {"first_days": 10, "end_days": 20}, 1.0, 0.0, 0.0),  # March 22nd; April 1st is newer
    ("event_count_between", {"first_days": 1, "end_days": 5}, 0.0, 1.0, 0.0),
    ("same_season_count", {"days": 10}, NAN, NAN, NAN),  # nobody has been here for a year
    ("same_season_amount", {"days": 10}, NAN, NAN, NAN),
    ("gap_last_to_mean", {}, 9 / 33, NAN, NAN),
    ("silence_to_gap", {}, MINUTE / 33, NAN, NAN),
    ("count_trend", {"days": 10}, 2.0, NAN, NAN),  # 2 against March 22nd
    ("count_trend", {"days": 50}, 3 / 2, NAN, NAN),  # January 1st is within 100 days
    ("count_trend", {"days": 60}, 3 / 2, NAN, NAN),
    ("count_trend", {"days": 100}, NAN, NAN, NAN),  # 5 against nothing
    ("amount_trend", {"days": 10}, 40 / 24, NAN, NAN),
    ("pace", {"days": 10}, (2 / 10) / (5 / AGE), (1 / 10) / (1 / 10), NAN),
    ("amount_total", {}, 100.0, 8.0, 0.0),  # 30 + 6 + 24 + 40
    ("amount_total", {"days": 10}, 40.0, 8.0, 0.0),
    ("amount_mean", {}, 25.0, 8.0, NAN),  # 100 / 4: an unknown amount is not 0
    ("amount_mean", {"days": 1}, NAN, NAN, NAN),
    ("amount_max", {}, 40.0, 8.0, NAN),
    ("amount_max", {"days": 20}, 40.0, 8.0, NAN),
    ("amount_last", {}, 40.0, 8.0, NAN),  # the latest that is known
    ("amount_first", {}, 30.0, 8.0, NAN),
    ("repeat_amount_mean", {}, 64 / 3, NAN, NAN),  # (24 + 40) on the three days after the first
    ("lines_mean", {}, 6 / 5, 1.0, NAN),
    ("lines_mean", {"days": 10}, 1.0, 1.0, NAN),
    ("quantity_mean", {}, 2.5, 2.0, NAN),  # (1 + 2 + 3 + 4) / 4
    ("unit_price", {}, 10.0, 4.0, NAN),  # 100 / 10
    ("distinct_categories", {}, 3.0, 0.0, 0.0),
    ("distinct_categories", {"days": 10}, 1.0, 0.0, 0.0),
    ("top_category_share", {}, 3 / 5, NAN, NAN),  # x, y, x, x, z
    ("top_category_share", {"days": 20}, 1 / 2, NAN, NAN),
    ("hour_share", {"first_hour": 0, "end_hour": 9}, 2 / 5, 0.0, NAN),
    ("hour_share", {"first_hour": 9, "end_hour": 24}, 3 / 5, 1.0, NAN),
    ("weekend_share", {}, 3 / 5, 0.0, NAN),  # twice on a Saturday, once on a Sunday
    ("weekday_share", {"weekday": 1}, 1 / 5, 0.0, NAN),
    ("weekday_share", {"weekday": 6}, 1 / 5, 0.0, NAN),
    ("return_share", {}, 1 / 5, 0.0, NAN),
    ("return_share", {"days": 10}, 1 / 2, 0.0, NAN),
    ("returned_amount_share", {}, 0.16, 0.0, NAN),  # 16 / 100
    ("returned_amount_share", {"days": 10}, 0.4, 0.0, NAN),
    ("ticket_share", {}, 2 / 5, 0.0, NAN),
    ("ticket_share", {"days": 10}, 1 / 2, 0.0, NAN),
    ("open_rate", {}, 1 / 3, NAN, NAN),
    ("open_rate", {"days": 10}, 1 / 2, NAN, NAN),  # sent on the 1st at 8 o'clock: inside
    ("click_rate", {}, 1 / 3, NAN, NAN),
    ("click_rate", {"days": 1}, NAN, NAN, NAN),
]


@pytest.mark.parametrize(("name", "parameters", "ann", "bob", "cyd"), CASES)
def test_family(
    name: str, parameters: dict[str, Any], ann: float, bob: float, cyd: float, log: EventLog, features_at: Any
) -> None:
    kind = {"kind": "purchase"} if "kind" in families()[name].parameters else {}
    features: pd.DataFrame = features_at(log, [{"use": name, **kind, **parameters}], CUTOFF)
    assert features.index.tolist() == ["ann", "bob", "cyd"]
    assert features.iloc[:, 0].tolist() == pytest.approx([ann, bob, cyd], nan_ok=True)


def test_every_family_is_computed_by_hand() -> None:
    assert {name for name, *_ in CASES} == set(families())


def test_the_same_time_of_last_year(log_from: Callable[..., EventLog], features_at: Any) -> None:
    log = log_from("""
    customer_id event_time        amount
    on_edge     2010-04-11T00:00  1       # 365 days before the cutoff: the first instant of the window
    on_edge     2010-04-20T23:59  2
    on_edge     2010-04-21T00:00  4       # ten days later: outside
    on_edge     2011-04-10T12:00  8
    new         2010-04-11T00:01  16      # not here when the window began
    old         2009-01-01T12:00  0.1
    old         2010-05-01T12:00  0.2
    """)
    entries = [
        {"use": use, "kind": "purchase", "days": [10, 365]} for use in ("same_season_count", "same_season_amount")
    ]
    values = features_at(log, entries, CUTOFF)
    assert values.loc["on_edge"].tolist() == [2.0, 4.0, 3.0, 15.0]
    assert values.loc["new"].isna().all()
    assert values.loc["old"].tolist() == [0.0, 1.0, 0.0, 0.2]


def test_habits_follow_the_local_clock(log_from: Callable[..., EventLog], features_at: Any) -> None:
    log = log_from(
        """
        customer_id event_time
        a           2011-07-03T23:30Z    # Monday, half past midnight in London
        a           2011-12-04T23:30Z    # Sunday, half past eleven at night
        """,
        timing={"timezone": "Europe/London"},
    )
    entries = [
        {"use": "weekend_share", "kind": "purchase"},
        {"use": "hour_share", "kind": "purchase", "first_hour": 0, "end_hour": 1},
    ]
    assert features_at(log, entries, "2012-01-01").loc["a"].tolist() == [0.5, 0.5]


def test_gaps_count_local_days(log_from: Callable[..., EventLog], features_at: Any) -> None:
    log = log_from(
        """
        customer_id event_time
        a           2011-07-03T22:30Z    # July 3rd in London
        a           2011-07-03T23:30Z    # July 4th
        a           2011-07-05T22:30Z    # July 5th
        """,
        timing={"timezone": "Europe/London"},
    )
    entries = [{"use": "active_days", "kind": "purchase"}, {"use": "gap_mean", "kind": "purchase"}]
    assert features_at(log, entries, "2012-01-01").loc["a"].tolist() == [3.0, 1.0]


def test_a_leap_day_is_a_day(log_from: Callable[..., EventLog], features_at: Any) -> None:
    log = log_from("""
    customer_id event_time
    a           2012-02-28
    a           2012-03-01
    """)
    entries = [{"use": "gap_last", "kind": "purchase"}, {"use": "days_since_first", "kind": "purchase"}]
    assert features_at(log, entries, "2012-03-02").loc["a"].tolist() == [2.0, 3.0]


def test_a_log_without_amounts(log_from: Callable[..., EventLog], features_at: Any) -> None:
    log = log_from("""
    customer_id event_time
    a           2012-02-28
    a           2012-03-01
    """)
    names = ["amount_total", "amount_mean", "amount_max", "amount_last", "amount_first", "unit_price", "quantity_mean"]
    values = features_at(log, [{"use": name, "kind": "purchase"} for name in names], "2012-03-02").loc["a"]
    assert values.tolist() == pytest.approx([0.0] + [NAN] * 6, nan_ok=True)


def test_the_first_day_is_left_out_of_repeat_amounts_even_where_its_worth_is_unknown(
    log_from: Callable[..., EventLog], features_at: Any
) -> None:
    log = log_from("""
    customer_id event_time        amount
    a           2011-01-01T12:00  -
    a           2011-01-05T12:00  10
    a           2011-01-09T12:00  20
    """)
    value = features_at(log, [{"use": "repeat_amount_mean", "kind": "purchase"}], "2011-02-01").iloc[0, 0]
    assert value == 15.0  # (10 + 20) / 2
