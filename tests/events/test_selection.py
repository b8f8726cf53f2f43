"""Customers are found where they stand; the log of some of them holds their events and nothing else."""

import numpy as np
import pandas as pd

from churnvalue.events.selection import of_customers, places

ROWS = """
customer_id event_time        known_at          amount channel category
a           2011-06-01T12:00  -                 1      web     tea
a           2011-06-02T12:00  2011-06-03T00:00  2      -       cake
b           2011-06-01T12:00  -                 3      app     -
c           2011-06-01T12:00  -                 4      web     tea
c           2011-06-05T12:00  -                 5      app     milk
"""


def test_of_customers(log_from, events_of) -> None:
    log = log_from(ROWS)
    some = of_customers(log, np.array([True, False, True]))
    assert some.customers.to_pylist() == ["a", "c"]
    spelt = events_of(log)
    pd.testing.assert_frame_equal(events_of(some), spelt[spelt.customer_id != "b"].reset_index(drop=True))
    assert [some.channel.names[code] if code >= 0 else None for code in some.channel.codes] == [
        "web",
        None,
        "web",
        "app",
    ]
    assert (some.observed_until, some.account) == (log.observed_until, log.account)


def test_what_is_held_once_stays_held_once(log_from) -> None:
    log = log_from(ROWS.replace("known_at", "quantity").replace("2011-06-03T00:00", "-"))
    some = of_customers(log, np.array([False, True, True]))
    assert some.known_at is some.event_time
    assert some.lines.strides == (0,)


def test_nobody(log_from) -> None:
    assert len(of_customers(log_from(ROWS), np.zeros(3, dtype=bool))) == 0


def test_places_by_hand(log_from):
    log = log_from("""
customer_id event_time
b           2024-01-01
00123       2024-01-01
a           2024-01-01
""")
    assert log.customers.to_pylist() == ["00123", "a", "b"]
    asked = pd.Series(["b", "123", None, "00123", "b"], index=[9, 8, 7, 6, 5])
    assert places(log, asked).tolist() == [2, -1, -1, 0, 2]
    assert places(log, pd.concat([pd.Series(["a"]), pd.Series(["z"])])).tolist() == [1, -1]
    assert places(log, pd.Index([], dtype="str")).tolist() == []
