"""Half-open spans, instants, and local clocks against zoneinfo."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from churnvalue import clock
from churnvalue.clock import DAY, HOUR, Span
from churnvalue.errors import ConfigError

FEW = settings(max_examples=25, deadline=None, derandomize=True)
ZONES = ("Europe/London", "America/New_York", "Asia/Kathmandu", "Australia/Lord_Howe", "America/St_Johns", "UTC")


def test_span_holds_its_start_and_not_its_end() -> None:
    span = Span(10, 20)
    assert [span.contains(time) for time in (9, 10, 19, 20)] == [False, True, True, False]


def test_empty_span_holds_nothing() -> None:
    assert not Span(10, 10).contains(10)


def test_span_that_ends_before_it_starts_is_refused() -> None:
    with pytest.raises(ConfigError, match="1970-01-01 is before 1970-01-02"):
        Span(DAY, 0)


def test_before_and_after_meet_at_the_cutoff() -> None:
    cutoff = clock.micros("2011-09-01")
    history, future = clock.before(cutoff), clock.after(cutoff, 90)
    assert not history.contains(cutoff)
    assert history.contains(cutoff - 1)
    assert future.contains(cutoff)
    assert future.contains(cutoff + 90 * DAY - 1)
    assert not future.contains(cutoff + 90 * DAY)


@pytest.mark.parametrize(
    ("given_time", "expected"),
    [
        ("1970-01-02", DAY),
        ("1969-12-31", -DAY),
        ("1970-01-01T01:00Z", HOUR),
        ("1970-01-01 01:00:00+01:00", 0),
        ("1970-01-01T00:00:00.000001", 1),
        (date(1970, 1, 3), 2 * DAY),
        (datetime(1970, 1, 1, 2), 2 * HOUR),
        (datetime(1970, 1, 1, 2, tzinfo=ZoneInfo("Europe/London")), HOUR),  # London kept summer time all of 1970
        (np.datetime64("1970-01-02"), DAY),
        (np.datetime64("1970-01-02T00:00:00.000000001", "ns"), DAY),
        ("2012-02-29", 15_399 * DAY),  # 42 years of 365 days, 10 leap days, 59 days of 2012
        ("0001-01-01", -719_162 * DAY),
        ("9999-12-31", 2_932_896 * DAY),
    ],
)
def test_micros(given_time: str | date | datetime | np.datetime64, expected: int) -> None:
    assert clock.micros(given_time) == expected


@pytest.mark.parametrize("bad", ["soon", "", "2011-02-29", "2011-13-01", "01/02/2011", "infinity"])
def test_micros_refuses_text_that_is_no_time(bad: str) -> None:
    with pytest.raises(ConfigError, match=f"must be an ISO date such as 2011-09-01 .* '{bad}' came"):
        clock.micros(bad)


def test_micros_refuses_not_a_time() -> None:
    # Read as an instant it would be the beginning of all time.
    with pytest.raises(ConfigError, match="NaT"):
        clock.micros(np.datetime64("NaT"))


@FEW
@given(st.datetimes(timezones=st.just(UTC)))
def test_moment_undoes_micros(instant: datetime) -> None:
    assert clock.moment(clock.micros(instant)) == instant


@pytest.mark.parametrize(
    ("time", "expected"),
    [
        (clock.micros("2011-09-01"), "2011-09-01"),
        (clock.micros("2011-09-01T06:05"), "2011-09-01 06:05 UTC"),
        (clock.BEGINNING, "the beginning"),
        (clock.END, "the end"),
    ],
)
def test_text(time: int, expected: str) -> None:
    assert clock.text(time) == expected


@pytest.mark.parametrize("name", ["Mars/Base", "", "Europe", "../../etc/passwd", "Europe/London ", "\0"])
def test_unknown_zone_is_refused(name: str) -> None:
    with pytest.raises(ConfigError, match="must be an IANA name such as 'Europe/London'"):
        clock.zone(name)


@FEW
@given(
    st.sampled_from(ZONES),
    st.lists(st.datetimes(datetime(1975, 1, 1), datetime(2035, 1, 1), timezones=st.just(UTC)), max_size=8),
)
def test_local_agrees_with_zoneinfo(name: str, instants: list[datetime]) -> None:
    times = np.array([clock.micros(instant) for instant in instants], dtype=np.int64)
    expected = [clock.micros(instant.astimezone(ZoneInfo(name)).replace(tzinfo=None)) for instant in instants]
    assert clock.local(times, name).tolist() == expected


def test_offset_changes_on_the_microsecond() -> None:
    change = clock.micros("2011-03-27T01:00Z")
    offsets = clock.utc_offsets(np.array([change - 1, change]), "Europe/London")
    assert offsets.tolist() == [0, HOUR]


@pytest.mark.parametrize(
    ("wall", "slot"),
    [
        ("2011-01-03T00:00", 0),  # a Monday
        ("2011-01-03T00:59:59.999999", 0),
        ("2011-01-03T01:00", 1),
        ("2011-01-09T23:30", 167),  # a Sunday
        ("1970-01-01T00:00", 72),  # a Thursday
        ("1969-12-31T23:00", 71),
        ("2012-02-29T12:00", 60),  # a leap Wednesday
    ],
)
def test_hour_of_week(wall: str, slot: int) -> None:
    assert clock.hour_of_week(np.array([clock.micros(wall)])).tolist() == [slot]


def _to_utc(wall: int, stretches: list[clock.WallClock]) -> int:
    stretch = next(s for s in stretches if wall < s.until)
    return min(wall - stretch.offset, stretch.latest)


def _utc_by_zoneinfo(wall: datetime, name: str) -> datetime:
    """The earlier of two readings; for a wall time that never stands, the moment of the change."""
    zone = ZoneInfo(name)
    utc = wall.replace(tzinfo=zone).astimezone(UTC)
    if utc.astimezone(zone).replace(tzinfo=None) == wall:
        return utc
    low, high = (wall - timedelta(days=2)).replace(tzinfo=zone), (wall + timedelta(days=2)).replace(tzinfo=zone)
    low, high = low.astimezone(UTC), high.astimezone(UTC)
    before = low.astimezone(zone).utcoffset()
    while high - low > timedelta(microseconds=1):
        middle = low + (high - low) / 2
        low, high = (middle, high) if middle.astimezone(zone).utcoffset() == before else (low, middle)
    return high


@pytest.mark.parametrize(
    ("name", "day"),
    [
        ("Europe/London", datetime(2011, 3, 27)),
        ("Europe/London", datetime(2011, 10, 30)),
        ("Europe/London", datetime(2012, 2, 29)),
        ("Australia/Lord_Howe", datetime(2011, 4, 3)),  # by half an hour
        ("Australia/Lord_Howe", datetime(2011, 10, 2)),
        ("America/Sao_Paulo", datetime(2011, 10, 16)),  # at midnight
        ("America/Sao_Paulo", datetime(2012, 2, 26)),
        ("Pacific/Apia", datetime(2011, 12, 30)),  # a whole day left out
    ],
)
def test_wall_clocks_agree_with_zoneinfo_around_a_change(name: str, day: datetime) -> None:
    walls = [day + timedelta(minutes=15 * quarter) for quarter in range(-100, 200)]
    stretches = clock.wall_clocks(name, clock.micros(walls[0]), clock.micros(walls[-1]))
    read = [_to_utc(clock.micros(wall), stretches) for wall in walls]
    assert read == [clock.micros(_utc_by_zoneinfo(wall, name)) for wall in walls]
    assert read == sorted(read)


@FEW
@given(st.sampled_from(ZONES), st.datetimes(datetime(1975, 1, 1), datetime(2035, 1, 1)))
def test_wall_clocks_agree_with_zoneinfo(name: str, wall: datetime) -> None:
    stretches = clock.wall_clocks(name, clock.micros(wall) - 200 * DAY, clock.micros(wall) + 200 * DAY)
    assert _to_utc(clock.micros(wall), stretches) == clock.micros(_utc_by_zoneinfo(wall, name))
