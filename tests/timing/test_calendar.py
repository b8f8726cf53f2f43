from datetime import datetime
from zoneinfo import ZoneInfo, available_timezones

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from churnvalue.clock import DAY, HOUR, micros, moment
from churnvalue.errors import ConfigError
from churnvalue.timing.calendar import allowed_hours, send_slots

ZONES = [
    "UTC",
    "Europe/London",
    "America/New_York",
    "Asia/Kolkata",
    "Asia/Kathmandu",
    "Australia/Lord_Howe",
    "Pacific/Chatham",
    "America/St_Johns",
    "Africa/Casablanca",
    "Pacific/Apia",
]
CLOCK = st.builds("{:02d}:{:02d}".format, st.integers(0, 23), st.sampled_from([0, 15, 30]))


@pytest.mark.parametrize(
    ("quiet", "hours"),
    [
        (None, list(range(24))),
        (("21:00", "08:00"), list(range(8, 21))),  # passes midnight
        (("12:00", "13:00"), [*range(12), *range(13, 24)]),
        (("20:30", "08:15"), list(range(9, 20))),  # an hour touched by quiet time is not allowed
        (("09:00", "09:00"), list(range(24))),  # no time lies between
        (("01:00", "00:00"), [0]),
    ],
)
def test_allowed_hours(quiet, hours):
    assert np.flatnonzero(allowed_hours(quiet)).tolist() == hours


@pytest.mark.parametrize("quiet", [("00:00", "23:59"), ("00:30", "00:00"), ("12:01", "12:00")])
def test_quiet_hours_must_leave_an_hour(quiet):
    with pytest.raises(ConfigError, match="must leave one whole hour"):
        send_slots(0, "UTC", quiet)


def test_unknown_zone():
    with pytest.raises(ConfigError, match="'Europe/Atlantis' came"):
        send_slots(0, "Europe/Atlantis")


def test_a_week_in_utc_starts_with_as_of():
    as_of = micros("2011-09-01")  # a Thursday
    slots = send_slots(as_of, "UTC")
    assert len(slots.slot) == 168
    assert slots.send_at[0] == as_of
    assert slots.send_at[-1] == as_of + 7 * DAY - HOUR
    assert slots.slot[0] == 3 * 24
    assert slots.wall_clock[0] == "2011-09-01T00:00:00+00:00"


def test_clocks_set_forward_leave_an_hour_out():
    slots = send_slots(micros("2011-03-27"), "Europe/London", days=1)  # 01:00 does not exist that day
    assert slots.wall_clock[:3] == (
        "2011-03-27T00:00:00+00:00",
        "2011-03-27T02:00:00+01:00",
        "2011-03-27T03:00:00+01:00",
    )


def test_clocks_set_back_give_an_hour_twice():
    slots = send_slots(micros("2011-10-29T23:00Z"), "Europe/London", days=1)
    assert slots.wall_clock[:3] == (
        "2011-10-30T00:00:00+01:00",
        "2011-10-30T01:00:00+01:00",
        "2011-10-30T01:00:00+00:00",
    )
    assert slots.slot[1] == slots.slot[2] == 6 * 24 + 1


@given(
    zone=st.sampled_from(ZONES),
    day=st.integers(0, 20_000),
    minute=st.integers(0, 1439),
    start=CLOCK,
    end=CLOCK,
)
@settings(max_examples=60, deadline=None)
def test_never_in_quiet_hours_and_always_on_a_clock_that_exists(zone, day, minute, start, end):
    as_of = 12 * 365 * DAY + day * DAY + minute * 60_000_000
    try:
        slots = send_slots(as_of, zone, (start, end))
    except ConfigError:
        # 23 hours or more are quiet, so that every hour is touched.
        begin, stop = (60 * int(clock[:2]) + int(clock[3:]) for clock in (start, end))
        assert (stop - begin) % 1440 > 1440 - 120
        return
    assert len(slots.slot) >= 5
    assert (np.diff(slots.send_at) > 0).all()
    assert ((slots.send_at >= as_of) & (slots.send_at < as_of + 7 * DAY)).all()
    for time, slot, text in zip(slots.send_at.tolist(), slots.slot.tolist(), slots.wall_clock, strict=True):
        there = moment(time).astimezone(ZoneInfo(zone))
        assert there.minute == there.second == 0
        assert datetime.fromisoformat(text).timestamp() == there.timestamp()
        assert datetime.fromisoformat(text).replace(tzinfo=None) == there.replace(tzinfo=None)
        assert slot == there.weekday() * 24 + there.hour
        clock = f"{there.hour:02d}:00"
        quiet = start <= clock < end if start <= end else clock >= start or clock < end
        assert not quiet


def test_ten_thousand_zones_dates_and_rules():
    generator = np.random.default_rng(168)
    names = sorted(available_timezones() - {"localtime", "Factory"})
    tables = {name: ZoneInfo(name) for name in names}
    for _ in range(10_000):
        name = names[generator.integers(len(names))]
        as_of = int(generator.integers(12 * 365, 65 * 365) * DAY + generator.integers(0, 96) * HOUR // 4)
        start, length = int(generator.integers(0, 24)), int(generator.integers(0, 23))
        quiet = (f"{start:02d}:00", f"{(start + length) % 24:02d}:00")
        slots = send_slots(as_of, name, quiet)
        hour = slots.slot % 24
        assert not ((hour - start) % 24 < length).any()
        # Every wall clock stands: it is what the zone says of that moment.
        for place in generator.integers(0, len(hour), 3).tolist():
            there = moment(int(slots.send_at[place])).astimezone(tables[name])
            assert (there.weekday() * 24 + there.hour, there.minute) == (slots.slot[place], 0)


def test_only_on_some_weekdays():
    slots = send_slots(micros("2011-09-01"), "Asia/Seoul", ("18:00", "09:00"), weekdays=("Mon", "Tue"))
    assert set(slots.slot // 24) == {0, 1}
    assert len(slots.slot) == 18
