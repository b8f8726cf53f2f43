"""The log as the engine hands it over: order, codes, clocks and the account of rows."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest

from churnvalue import clock
from churnvalue.clock import DAY, HOUR
from churnvalue.errors import SourceError
from churnvalue.events.account import Account
from churnvalue.events.log import MISSING, EventLog, describe

LogFrom = Callable[..., EventLog]


def test_accounts_add_up() -> None:
    total = Account(10, 5, 2, 1, {"no kind of event": 2}) + Account(
        4, 1, 0, 0, {"no customer id": 2, "no kind of event": 1}
    )
    assert total == Account(14, 6, 2, 1, {"no customer id": 2, "no kind of event": 3})
    assert total.refused == 5
    assert total.read == total.kept + total.duplicates + total.later + total.refused


def test_every_row_is_accounted_for(log_from: LogFrom) -> None:
    log = log_from(
        """
        customer_id event_time        order_id amount
        a           2011-06-01T12:00  1        1
        a           2011-06-01T12:00  1        1      # repeated
        a           2011-06-01T12:00  1        2
        b           2011-06-02T12:00  -        3
        b           2011-06-05T00:00  -        4      # at the as-of time
        -           2011-06-02T12:00  -        5
        c           1850-01-01T12:00  -        6
        -           2011-07-02T12:00  -        7
        """,
        as_of="2011-06-05",
    )
    quarantined = {"no customer id": 2, "time outside 1900 to 2099": 1}
    assert log.account == Account(read=8, kept=3, duplicates=1, later=1, quarantined=quarantined)
    assert len(log) == 2


def test_events_come_by_customer_then_time(log_from: LogFrom, events_of: Any) -> None:
    log = log_from("""
    customer_id event_time        amount
    b           2011-06-01T12:00  1
    a           2011-06-03T12:00  2
    B           2011-06-01T12:00  3
    a           2011-06-01T12:00  4
    10          2011-06-01T12:00  5
    9           2011-06-01T12:00  6
    """)
    assert log.customers.to_pylist() == ["10", "9", "B", "a", "b"]
    assert log.start.tolist() == [0, 1, 2, 3, 5, 6]
    assert events_of(log).amount.tolist() == [5.0, 6.0, 3.0, 4.0, 2.0, 1.0]


def test_codes_follow_the_names_and_not_the_rows(log_from: LogFrom) -> None:
    rows = pd.DataFrame(
        {
            "customer_id": ["a", "a", "b"],
            "event_time": ["2011-06-01T12:00", "2011-06-02T12:00", "2011-06-01T12:00"],
            "kind": ["visit", "purchase", "ticket"],
            "channel": ["web", None, "app"],
        }
    )
    log = log_from(rows)
    assert log.kind.names == ("purchase", "ticket", "visit")
    assert log.kind.codes.tolist() == [2, 0, 1]
    assert log.channel.names == ("app", "web")
    assert log.channel.codes.tolist() == [1, MISSING, 0]
    assert log.kind.code("ticket") == 1
    assert log.kind.code("never_seen") == 3


def test_kinds_come_most_frequent_first(log_from: LogFrom) -> None:
    log = log_from("""
    customer_id event_time        kind
    a           2011-06-01T12:00  visit
    a           2011-06-02T12:00  purchase
    a           2011-06-03T12:00  visit
    """)
    assert list(log.kinds.items()) == [("visit", 2), ("purchase", 1)]


@pytest.mark.parametrize(
    ("times", "observed_until", "as_of", "expected"),
    [
        (["2011-06-01T12:00", "2011-06-02T12:00"], None, None, "2011-06-02T12:00:00.000001"),
        (["2011-06-01", "2011-06-02"], None, None, "2011-06-03"),  # days: to the end of the last one
        (["2011-06-01", "2011-06-02"], "2011-06-09", None, "2011-06-09"),
        (["2011-06-01", "2011-06-02"], "2011-06-02", None, "2011-06-02"),  # without the 2nd
        (["2011-06-01", "2011-06-05"], None, "2011-06-03", "2011-06-03"),
        (["2011-06-01", "2011-06-05"], "2011-06-04", "2011-06-03", "2011-06-03"),
        (["2011-06-01", "2011-06-02"], None, "2011-07-01", "2011-06-03"),  # what the log does not say is not observed
        (["2011-06-01", "2011-06-02"], None, "2011-06-02T12:00", "2011-06-02T12:00"),
        (["2011-06-01", "2011-06-02"], "2011-06-20", "2011-07-01", "2011-06-20"),  # unless it is stated
        (["2011-06-01", "2011-06-05"], "2011-06-02", "2011-06-03", "2011-06-02"),
    ],
)
def test_observed_until(
    log_from: LogFrom, times: list[str], observed_until: str | None, as_of: str | None, expected: str
) -> None:
    rows = pd.DataFrame({"customer_id": ["a"] * len(times), "event_time": times})
    config = {} if observed_until is None else {"observed_until": observed_until}
    log = log_from(rows, as_of=as_of, **config)
    assert log.observed_until == clock.micros(expected)
    assert (log.event_time < log.observed_until).all()


def test_as_of_reads_only_what_had_happened_and_was_known(log_from: LogFrom, events_of: Any) -> None:
    rows = """
    customer_id event_time        known_at          amount
    a           2011-06-01T12:00  -                 1
    a           2011-06-01T12:00  2011-06-04T23:59  2
    a           2011-06-01T12:00  2011-06-05T00:00  4     # known at the as-of time
    a           2011-06-05T00:00  -                 8     # happened at it
    a           2011-06-06T00:00  -                 16
    """
    log = log_from(rows, as_of="2011-06-05")
    assert events_of(log).amount.tolist() == [1.0, 2.0]
    assert log.account.later == 3
    assert len(log_from(rows)) == 5


def test_what_comes_later_does_not_decide_how_the_past_is_read(log_from: LogFrom, events_of: Any) -> None:
    past = """
    customer_id event_time        amount
    a           2011-06-01        1
    a           2011-06-01        2
    """
    future = past + "    a           2011-07-01T12:00  4\n"
    alone, with_future = (events_of(log_from(rows, as_of="2011-06-05")) for rows in (past, future))
    pd.testing.assert_frame_equal(alone, with_future)


def test_wall_clocks_are_those_of_the_configured_zone(log_from: LogFrom) -> None:
    log = log_from(
        """
        customer_id event_time
        a           2011-01-03T12:00Z
        a           2011-06-06T12:00Z
        """,
        timing={"timezone": "Europe/London"},
    )
    assert (log.wall_clock - log.event_time).tolist() == [0, HOUR]
    assert clock.hour_of_week(log.wall_clock).tolist() == [12, 13]  # Mondays


def test_wall_clocks_are_those_of_the_customer_where_one_is_stated(log_from: LogFrom) -> None:
    rows = pd.DataFrame(
        {
            "customer_id": ["a", "a", "b", "c"],
            "event_time": ["2011-01-03T12:00Z"] * 2 + ["2011-01-03T12:00Z"] * 2,
            "tz": ["Asia/Tokyo", None, "America/New_York", None],
            "amount": ["1", "2", "3", "4"],
        }
    )
    log = log_from(rows, timing={"timezone": {"column": "tz"}})
    assert ((log.wall_clock - log.event_time) // HOUR).tolist() == [9, 9, -5, 0]


def test_a_zone_holds_from_when_it_was_stated(log_from: LogFrom) -> None:
    rows = pd.DataFrame(
        {
            "customer_id": list("aaaaabbc"),
            "event_time": [f"2011-01-0{day}T12:00Z" for day in (1, 2, 3, 4, 5, 1, 2, 1)],
            "tz": [None, "Asia/Tokyo", None, "America/New_York", None, None, None, "Europe/Paris"],
        }
    )
    log = log_from(rows, timing={"timezone": {"column": "tz"}})
    assert ((log.wall_clock - log.event_time) // HOUR).tolist() == [9, 9, 9, -5, -5, 0, 0, 1]
    newest = [None if code == MISSING else log.zones.names[code] for code in log.zones.codes]
    assert newest == ["America/New_York", None, "Europe/Paris"]


def test_a_move_does_not_change_the_clock_of_what_came_before(log_from: LogFrom, features_at: Any) -> None:
    rows = pd.DataFrame(
        {
            "customer_id": ["a", "a"],
            "event_time": ["2011-01-03T20:00Z", "2011-09-03T12:00Z"],
            "tz": ["Europe/London", "Asia/Tokyo"],
        }
    )
    evening = [{"use": "hour_share", "kind": "purchase", "first_hour": 18, "end_hour": 24}]
    whole, past = (
        features_at(log_from(part, timing={"timezone": {"column": "tz"}}), evening, "2011-06-01")
        for part in (rows, rows[:1])
    )
    pd.testing.assert_frame_equal(whole, past)


@pytest.mark.parametrize("timezone", ["UTC", "Europe/London", "America/New_York"])
def test_a_log_of_days_is_one_on_any_clock(log_from: LogFrom, timezone: str) -> None:
    rows = pd.DataFrame({"customer_id": ["a", "a"], "event_time": ["2011-01-03", "2011-07-04"]})
    log = log_from(rows, source={"timezone": timezone}, timing={"timezone": timezone})
    assert log.days_only
    assert (log.wall_clock // DAY).tolist() == [clock.micros("2011-01-03") // DAY, clock.micros("2011-07-04") // DAY]
    assert log.observed_until == log.event_time[-1] + DAY


def test_amounts_are_missing_where_there_are_none(log_from: LogFrom) -> None:
    log = log_from("""
    customer_id event_time
    a           2011-06-01T12:00
    """)
    assert np.isnan(log.amount).all()
    assert not log.pays("purchase")
    assert log.lines.tolist() == [1.0]
    assert log.categories.names == ()


def test_a_log_needs_an_event(log_from: LogFrom) -> None:
    rows = pd.DataFrame({"customer_id": [None, "a"], "event_time": ["2011-06-01T12:00", None]})
    with pytest.raises(
        SourceError, match=r"none of 2 rows is\. \(no customer id: 1, no readable time: 1\)\. Check the column"
    ):
        log_from(rows, checks={"max_quarantined": 1.0})


def test_customers_seen_once_are_customers(log_from: LogFrom) -> None:
    rows = pd.DataFrame({"customer_id": [f"c{i:03}" for i in range(50)], "event_time": "2011-06-01T12:00"})
    log = log_from(rows)
    assert len(log.customers) == len(log) == 50


def test_describe(log_from: LogFrom) -> None:
    log = log_from("""
    customer_id event_time
    a           2011-06-01
    b           2011-06-03
    -           2011-06-03
    """)
    assert describe(log) == "2 events of 2 customers, 2011-06-01 to 2011-06-04, 1 of 3 rows quarantined"
