"""Lines of an order, purchases of a day, repeated deliveries and returns."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd

from churnvalue.events.log import EventLog

LogFrom = Callable[..., EventLog]


def test_lines_of_an_order_are_one_event(log_from: LogFrom, events_of: Any) -> None:
    log = log_from("""
    customer_id event_time        known_at          order_id amount quantity category
    a           2011-06-01T12:05  2011-06-02T00:00  1        4      1        tea
    a           2011-06-01T12:00  2011-06-02T12:00  1        8      2        cake
    a           2011-06-01T12:07  2011-06-02T06:00  1        -      -        tea
    a           2011-06-04T12:00  -                 2        16     4        -
    """)
    [order, other] = events_of(log).to_dict("records")
    assert order == {
        "customer_id": "a",
        "event_time": "2011-06-01T12:00",  # of the first line
        "known_at": "2011-06-02T12:00",  # of the last line to be known
        "kind": "purchase",
        "amount": 12.0,  # 4 + 8
        "quantity": 3.0,
        "lines": 3.0,
        "categories": "cake tea",  # distinct, sorted
    }
    assert other["amount"] == 16.0
    assert other["categories"] == ""
    assert log.account.kept == 4


def test_lines_of_another_day_are_another_event(log_from: LogFrom, events_of: Any) -> None:
    rows = """
    customer_id event_time        known_at          order_id amount
    a           2011-06-01T12:00  -                 1        1
    a           2011-06-01T23:59  -                 1        2
    a           2011-06-02T00:00  -                 1        4      # happened on the next day
    a           2011-06-01T12:00  2011-06-02T06:00  1        8      # known on the next day
    a           2011-06-01T13:00  2011-06-02T07:00  1        16
    """
    whole = events_of(log_from(rows))
    assert whole.amount.tolist() == [3.0, 24.0, 4.0]
    past = events_of(log_from(rows, as_of="2011-06-02"))
    pd.testing.assert_frame_equal(past, whole[whole.known_at < "2011-06-02"])


def test_an_order_belongs_to_one_customer_and_one_kind(log_from: LogFrom, events_of: Any) -> None:
    log = log_from("""
    customer_id event_time        order_id kind
    a           2011-06-01T12:00  1        purchase
    a           2011-06-01T13:00  1        ticket
    b           2011-06-01T12:00  1        purchase
    """)
    assert events_of(log).lines.tolist() == [1.0, 1.0, 1.0]


def test_lines_without_an_order_id_stay_apart(log_from: LogFrom, events_of: Any) -> None:
    log = log_from("""
    customer_id event_time        order_id amount
    a           2011-06-01T12:00  -        1
    a           2011-06-01T13:00  -        2
    a           2011-06-01T14:00  7        3
    """)
    assert events_of(log).amount.tolist() == [1.0, 2.0, 3.0]


def test_a_blank_order_id_is_none(log_from: LogFrom, events_of: Any) -> None:
    rows = pd.DataFrame(
        {
            "customer_id": ["a", "a", "a"],
            "event_time": ["2011-06-01T12:00", "2011-07-01T12:00", "2011-08-01T12:00"],
            "order_id": ["", " ", ""],
            "amount": [1.0, 2.0, 4.0],
        }
    )
    assert events_of(log_from(rows, ending=".parquet")).amount.tolist() == [1.0, 2.0, 4.0]


def test_a_blank_category_is_none(log_from: LogFrom) -> None:
    rows = pd.DataFrame({"customer_id": ["a"], "event_time": ["2011-06-01T12:00"], "category": [""], "channel": [""]})
    log = log_from(rows, ending=".parquet")
    assert log.categories.names == ()
    assert log.channel.names == ()


def test_orders_below_zero_become_returns(log_from: LogFrom, events_of: Any) -> None:
    rows = """
    customer_id event_time        order_id amount kind
    a           2011-06-01T12:00  1        10     purchase
    a           2011-06-01T12:01  1        -4     purchase   # 6 in all: still a purchase
    a           2011-06-02T12:00  2        3      purchase
    a           2011-06-02T12:01  2        -5     purchase   # -2 in all
    a           2011-06-03T12:00  -        -7     purchase
    a           2011-06-04T12:00  -        0      purchase
    a           2011-06-05T12:00  -        -      purchase
    a           2011-06-06T12:00  -        -1     ticket     # no purchase, no return
    """
    expected = ["purchase", "return", "return", "purchase", "purchase", "ticket"]
    assert events_of(log_from(rows)).kind.tolist() == expected
    renamed = events_of(log_from(rows, source={"negative_kind": "refund"})).kind.tolist()
    assert renamed == [kind.replace("return", "refund") for kind in expected]


def test_purchases_of_a_day_are_one_where_the_log_knows_only_days(log_from: LogFrom, events_of: Any) -> None:
    log = log_from("""
    customer_id event_time  amount kind
    a           2011-06-01  1      purchase
    a           2011-06-01  2      purchase
    a           2011-06-01  2      purchase   # an equal one of the same day is no repeated delivery
    a           2011-06-02  8      purchase
    a           2011-06-01  -      visit
    a           2011-06-01  -      visit
    b           2011-06-01  5      purchase
    """)
    events = events_of(log)
    purchases = events[events.kind == "purchase"]
    assert purchases.amount.tolist() == [5.0, 8.0, 5.0]  # 1 + 2 + 2
    assert purchases.lines.tolist() == [3.0, 1.0, 1.0]
    assert (events.kind == "visit").sum() == 2
    assert log.account.duplicates == 0


def test_days_of_any_declared_clock_are_days(log_from: LogFrom, events_of: Any) -> None:
    # Midnight of London in summer is 23:00 UTC; the log knows no more of the hour for that.
    log = log_from(
        """
        customer_id event_time  amount
        a           2011-06-01  1
        a           2011-06-01  2
        a           2011-12-01  4
        """,
        source={"timezone": "Europe/London"},
        timing={"timezone": "Europe/London"},
    )
    assert events_of(log).amount.tolist() == [3.0, 4.0]
    assert log.days_only


def test_one_time_of_day_makes_a_log_of_times(log_from: LogFrom, events_of: Any) -> None:
    log = log_from("""
    customer_id event_time        amount
    a           2011-06-01        1
    a           2011-06-01        2
    a           2011-06-03T12:00  4
    """)
    assert events_of(log).amount.tolist() == [1.0, 2.0, 4.0]


def test_an_unreadable_row_does_not_decide_what_the_log_knows(log_from: LogFrom, events_of: Any) -> None:
    log = log_from("""
    customer_id event_time        amount
    a           2011-06-01        1
    a           2011-06-01        2
    -           2011-06-03T12:00  4
    """)
    assert events_of(log).amount.tolist() == [3.0]


def test_rows_that_repeat_another_in_every_column_are_dropped_and_counted(log_from: LogFrom, events_of: Any) -> None:
    log = log_from("""
    customer_id event_time        amount category order_id
    a           2011-06-01T12:00  1      x        -
    a           2011-06-01T12:00  1      x        -
    a           2011-06-01T12:00  1      y        -
    a           2011-06-02T12:00  2      x        7
    a           2011-06-02T12:00  2      x        7
    a           2011-06-02T12:00  2      -        7
    a           2011-06-02T12:00  2      -        7
    """)
    assert events_of(log).amount.tolist() == [1.0, 1.0, 4.0]  # 2 + 2: two distinct lines
    assert (log.account.read, log.account.kept, log.account.duplicates) == (7, 4, 3)


def test_sums_do_not_depend_on_the_order_of_rows(log_from: LogFrom) -> None:
    random = np.random.default_rng(3)
    lines = pd.DataFrame(
        {
            "customer_id": "a",
            "event_time": "2011-06-01T12:00",
            "order_id": "1",
            "amount": np.round(random.normal(scale=1e4, size=300), 2),
        }
    )
    sums = {log_from(lines.sample(frac=1, random_state=seed), ending=".parquet").amount.tobytes() for seed in range(5)}
    assert len(sums) == 1


def test_sums_are_exact_to_the_millionth(log_from: LogFrom) -> None:
    rows = pd.DataFrame(
        {
            "customer_id": "a",
            "event_time": "2011-06-01T12:00",
            "order_id": "1",
            "amount": [0.1, 0.2, -0.3, 1e12],
            "category": list("wxyz"),
        }
    )
    assert log_from(rows, ending=".parquet").amount.tolist() == [1e12]


def test_folding_a_log_without_amounts(log_from: LogFrom, events_of: Any) -> None:
    log = log_from("""
    customer_id event_time        order_id
    a           2011-06-01T12:00  1
    a           2011-06-01T12:30  1
    """)
    assert np.isnan(events_of(log).amount).all()
    assert not log.pays("purchase")


def test_a_return_and_a_purchase_below_zero_are_two_events_however_alike(log_from: LogFrom) -> None:
    rows = """
    customer_id event_time          kind     amount
    a           2011-06-01T12:00:05 purchase -3
    a           2011-06-01T12:00:05 return   -3
    a           2011-06-01T12:00:05 return   -3      # came twice
    b           2011-06-01T12:00:05 purchase -3
    b           2011-06-01T12:00:05 purchase -3      # came twice
    """
    log = log_from(rows)
    assert log.kinds == {"return": 3}
    assert np.diff(log.start).tolist() == [2, 1]
    assert (log.account.kept, log.account.duplicates) == (3, 2)
