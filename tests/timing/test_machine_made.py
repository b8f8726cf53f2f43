import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from churnvalue.clock import DAY, HOUR, micros
from churnvalue.errors import DefinitionError
from churnvalue.timing.machine_made import BURST, CLOCKWORK, TOO_MANY, machine_made

SECOND = 1_000_000
START = micros("2024-01-01")


def people(customers=40, events=30, seed=1):
    """Customers with events at random seconds of 200 days."""
    random = np.random.default_rng(seed)
    who = np.repeat([f"p{i:02d}" for i in range(customers)], events)
    return who, START + random.integers(0, 200 * 86_400, len(who)) * SECOND


def with_one(times):
    """The people, and one more id, "m", at ``times``."""
    who, at = people()
    return np.r_[who, np.repeat("m", len(times))], np.r_[at, np.asarray(times, dtype=np.int64)]


def left_out(found):
    return {reason: count for reason, count in found.events.items() if count}


def test_people_are_no_machines():
    found = machine_made(*people())
    assert not found.mask.any()
    assert found.events == {TOO_MANY: 0, CLOCKWORK: 0, BURST: 0}


def test_one_id_that_opens_nearly_everything():
    random = np.random.default_rng(2)
    who, times = with_one(START + random.integers(0, 200 * 86_400, 9000) * SECOND)  # 45 a day
    found = machine_made(who, times)
    assert left_out(found) == {TOO_MANY: 9000}
    assert found.customers[TOO_MANY] == 1
    assert (found.mask == (who == "m")).all()


def test_three_hundred_a_day_on_most_days():
    day = np.arange(300) * 97 * SECOND
    who, times = people(events=90)  # so that it is not ten times the next
    busy = np.concatenate([START + d * DAY + day for d in range(3)])
    for days, count in ((3, 900), (2, 0)):
        found = machine_made(np.r_[who, np.repeat("m", 300 * days)], np.r_[times, busy[: 300 * days]])
        assert sum(found.events.values()) == found.events[TOO_MANY] == count


@pytest.mark.parametrize("gap", [DAY, 5 * HOUR + 17 * SECOND])
def test_a_regular_clock(gap):
    found = machine_made(*with_one(START + 1234 * SECOND + np.arange(25) * gap))
    assert left_out(found) == {CLOCKWORK: 25}
    assert not machine_made(*with_one(START + 1234 * SECOND + np.arange(19) * gap)).mask.any()


def test_the_first_of_a_burst_stays():
    minute = START + 7 * DAY
    who, times = with_one(minute + np.array([0, 4, 9, 18, 60, 62]) * SECOND)  # four in a chain, then a pair
    found = machine_made(who, times)
    assert left_out(found) == {BURST: 3}
    assert found.mask[who == "m"].tolist() == [False, True, True, True, False, False]


def test_rounded_times_fall_together_by_themselves():
    who, times = people()
    hours, minutes = times // HOUR * HOUR, times // (60 * SECOND) * 60 * SECOND
    assert not machine_made(who, hours).mask.any()
    assert not machine_made(np.repeat(who, 3), np.repeat(minutes, 3)).mask.any()


def test_much_loved_shop_is_no_machine():
    random = np.random.default_rng(3)
    days = np.repeat(np.arange(200), 3)  # three times a day, around the same hour
    times = START + days * DAY + 12 * HOUR + random.integers(-3000, 3000, len(days)) * SECOND
    assert not machine_made(*with_one(times)).mask.any()


@settings(max_examples=8, deadline=None)
@given(st.randoms(use_true_random=False))
def test_order_of_rows_does_not_matter(random):
    who, times = with_one(np.r_[START + np.arange(25) * DAY, START + DAY + np.arange(5) * SECOND])
    order = np.array(random.sample(range(len(who)), len(who)))
    one, other = machine_made(who, times), machine_made(who[order], times[order])
    assert one.events == other.events
    assert (one.mask[order] == other.mask).all()


@pytest.mark.parametrize("at_once", [1, 50])
def test_ranges_of_customers_tell_what_all_at_once_do(monkeypatch, at_once):
    who, times = with_one(np.r_[START + np.arange(25) * DAY, START + DAY + np.arange(5) * SECOND])
    codes = np.unique(who, return_inverse=True)[1]
    order = np.lexsort((times, codes))
    whole = machine_made(who, times)
    monkeypatch.setattr("churnvalue.timing.machine_made._AT_ONCE", at_once)
    for customer, at, mask in ((who, times, whole.mask), (codes[order], times[order], whole.mask[order])):
        found = machine_made(customer, at)
        assert (found.mask == mask).all()
        assert (found.events, found.customers) == (whole.events, whole.customers)
    assert left_out(whole) == {CLOCKWORK: 30}


def test_no_events_and_unequal_columns():
    found = machine_made(np.array([], dtype=str), np.array([], dtype=np.int64))
    assert not found.mask.size
    with pytest.raises(DefinitionError, match="but 2 customers and 1 times came"):
        machine_made(["a", "b"], np.array([START]))
