from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest

from churnvalue import clock
from churnvalue.config import Population
from churnvalue.errors import HistoryError
from churnvalue.events.log import EventLog
from churnvalue.features import expand
from churnvalue.timing.waits import Waits, level_cutoffs, waits

WHO = Population(kind="purchase", active_days=365)
FEATURES = expand([{"use": "days_since_last", "kind": "purchase"}])
LOG = """
customer_id event_time
a 2024-01-01T10:00
a 2024-03-01T00:00    # at the cutoff itself: day 0
b 2024-01-05T10:00
b 2024-03-04T23:59    # the fourth day: 3 whole days waited
b 2024-03-05T00:00
c 2024-02-01T10:00    # never again
d 2024-02-01T10:00
d 2024-03-11T00:00    # at the end of ten days: too late
e 2024-03-02T10:00    # not there before the cutoff
f 2024-01-07T10:00
f 2024-03-12T00:00
"""


@pytest.fixture(scope="module")
def log(log_from: Callable[..., EventLog]) -> EventLog:
    return log_from(LOG)


def test_whole_days_to_the_first_return(log):
    found = waits(log, FEATURES, [clock.micros("2024-03-01")], WHO, "purchase", 10)
    assert found.frame.index.get_level_values("customer_id").tolist() == ["a", "b", "c", "d", "f"]
    assert found.days.tolist() == [0, 3, 10, 10, 10]
    assert found.observed.tolist() == [True, True, False, False, False]


def test_followed_to_the_end_of_the_log_where_it_is_shorter(log):
    found = waits(log, FEATURES, [clock.micros("2024-03-08")], WHO, "purchase", 10)
    # The log is observed until just after March 12: four whole days.
    assert found.frame.index.get_level_values("customer_id").tolist() == ["a", "b", "c", "d", "e", "f"]
    assert found.days.tolist() == [4, 4, 4, 3, 4, 4]
    assert found.observed.tolist() == [False, False, False, True, False, False]


def test_cutoffs_without_a_day_after_them_are_refused(log):
    with pytest.raises(HistoryError, match="followed for a day or more, but the cutoff is 2024-03-12"):
        waits(log, FEATURES, [clock.micros("2024-03-12")], WHO, "purchase", 10)
    with pytest.raises(HistoryError, match="at least one cutoff"):
        waits(log, FEATURES, [], WHO, "purchase", 10)


def test_rows_are_kept_by_cutoff_and_customer():
    index = pd.MultiIndex.from_product([["b", "a"], pd.to_datetime(["2024-02-01", "2024-01-01"], utc=True)])
    index.names = ["customer_id", "cutoff"]
    mixed = Waits(
        pd.DataFrame({"x": [4.0, 2.0, 3.0, 1.0]}, index=index), np.array([4.0, 2.0, 3.0, 1.0]), np.ones(4, bool)
    )
    assert mixed.frame["x"].tolist() == mixed.days.tolist() == [1, 2, 3, 4]
    assert mixed.at(mixed.cutoffs[:1]).days.tolist() == [1, 2]


def test_levels_are_learnt_from_recent_windows_and_from_a_year_ago(log):
    now = clock.micros("2025-03-01")
    found = level_cutoffs(log, [clock.micros("2024-12-01")], now, 30)
    # 7, 14, 30 days before now; a year before now and these; nothing with less than 30 days of history before it.
    assert [clock.text(cutoff) for cutoff in found] == [
        "2024-02-01", "2024-02-17", "2024-02-24", "2024-03-02", "2025-01-30", "2025-02-15", "2025-02-22",
    ]  # fmt: skip


def test_as_known_earlier_they_were_followed_no_further(log):
    later = waits(log, FEATURES, [clock.micros("2024-03-01")], WHO, "purchase", 10)
    then = pd.Timestamp("2024-03-04T12:00", tz="UTC")  # three whole days
    found = later.as_known(then)
    assert found.days.tolist() == [0, 3, 3, 3, 3]
    assert found.observed.tolist() == [True, False, False, False, False]
    assert len(later.as_known(pd.Timestamp("2024-03-01T12:00", tz="UTC")).days) == 0
    assert later.as_known(pd.Timestamp("2024-06-01", tz="UTC")).days.tolist() == later.days.tolist()


def test_customers_are_drawn_at_each_cutoff_and_joined_again(log):
    cutoffs = [clock.micros("2024-03-01"), clock.micros("2024-03-08")]
    both = waits(log, FEATURES, cutoffs, WHO, "purchase", 10)
    drawn = both.drawn(2, seed=3)
    assert [len(drawn.at([cutoff]).days) for cutoff in drawn.cutoffs] == [2, 2]
    assert drawn.frame.equals(both.drawn(2, seed=3).frame)
    assert both.drawn(99, seed=3).frame.equals(both.frame)
    places = both.frame.index.get_indexer(drawn.frame.index)
    assert drawn.days.tolist() == both.days[places].tolist()
    again = Waits.joined([both.at(both.cutoffs[1:]), both.at(both.cutoffs[:1])])
    assert again.frame.equals(both.frame)
    assert again.observed.tolist() == both.observed.tolist()
