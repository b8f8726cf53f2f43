"""Time: half-open UTC spans in integer microseconds, the only boundary rule, and local clocks.

This module knows nothing of events. Every other module takes "now" as an argument.
"""

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import cache
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt

from churnvalue.errors import ConfigError

HOUR = 3_600_000_000
DAY = 24 * HOUR
BEGINNING = np.iinfo(np.int64).min
END = np.iinfo(np.int64).max
_QUARTER = HOUR // 4
_CLOSEST_CHANGES = 3 * DAY  # no zone has changed its offset twice in less
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

Micros = npt.NDArray[np.int64]


@dataclass(frozen=True, order=True)
class Span:
    """Half-open span ``[start, end)`` in microseconds since 1970-01-01 UTC.

    >>> Span(0, DAY).contains(0), Span(0, DAY).contains(DAY)
    (True, False)
    """

    start: int
    end: int

    def __post_init__(self) -> None:
        if self.start > self.end:
            raise ConfigError(
                f"A span must not end before it starts, but {text(self.end)} is before {text(self.start)}."
            )

    def contains(self, time: int) -> bool:
        """Whether ``start <= time < end``."""
        return self.start <= time < self.end


def before(cutoff: int) -> Span:
    """Return everything strictly before ``cutoff``."""
    return Span(BEGINNING, cutoff)


def after(cutoff: int, days: float) -> Span:
    """Return the ``days`` that start with ``cutoff``."""
    return Span(cutoff, cutoff + int(days * DAY))


def micros(moment: str | date | datetime | np.datetime64) -> int:
    """Microseconds since 1970-01-01 UTC of a date (its 00:00) or a time; a naive one is UTC.

    >>> micros("1970-01-02") == DAY
    True

    Raises:
        ConfigError: If it is neither a time nor an ISO 8601 date or time as text.
    """
    unfit = ConfigError(
        f"A time must be an ISO date such as 2011-09-01 or time such as 2011-09-01T06:00Z, but '{moment}' came."
    )
    if isinstance(moment, str):
        try:
            moment = datetime.fromisoformat(moment)
        except ValueError:
            raise unfit from None
    if not isinstance(moment, date | np.datetime64) or moment != moment:  # "not a time" alone differs from itself
        raise unfit
    if isinstance(moment, np.datetime64):
        return int(moment.astype("datetime64[us]").astype(np.int64))
    if not isinstance(moment, datetime):
        moment = datetime(moment.year, moment.month, moment.day, tzinfo=UTC)
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return (moment - _EPOCH) // timedelta(microseconds=1)


def moment(time: int) -> datetime:
    """Return the aware UTC time of ``time`` microseconds."""
    return _EPOCH + timedelta(microseconds=time)


def text(time: int) -> str:
    """ISO text of a time for messages: the date alone at midnight, else to the minute."""
    if time in (BEGINNING, END):
        return "the beginning" if time == BEGINNING else "the end"
    return moment(time).strftime("%Y-%m-%d" if time % DAY == 0 else "%Y-%m-%d %H:%M UTC")


def zone(name: str) -> ZoneInfo:
    """Return the time zone ``name`` of the IANA database.

    Raises:
        ConfigError: If there is no such zone.
    """
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        raise ConfigError(f"A time zone must be an IANA name such as 'Europe/London', but '{name}' came.") from None


def utc_offsets(times: Micros, name: str) -> Micros:
    """Local minus UTC, in microseconds, of each UTC time. Shape as ``times``."""
    tz = zone(name)
    quarters, inverse = np.unique(times // _QUARTER, return_inverse=True)
    offsets = np.array(
        [
            (moment(int(q) * _QUARTER).astimezone(tz).utcoffset() or timedelta()) // timedelta(microseconds=1)
            for q in quarters
        ],
        dtype=np.int64,
    )
    return offsets[inverse] if len(times) else np.zeros(0, np.int64)


def local(times: Micros, name: str) -> Micros:
    """Wall-clock microseconds of each UTC time in the zone ``name``."""
    return times + utc_offsets(times, name)


def hour_of_week(wall_clock: Micros) -> npt.NDArray[np.int64]:
    """Slot 0 … 167 of each wall-clock time; 0 is Monday 00:00."""
    return (wall_clock // HOUR + 3 * 24) % 168


@dataclass(frozen=True)
class WallClock:
    """A stretch of wall-clock time: before ``until``, UTC is ``min(wall - offset, latest)``; all in microseconds."""

    until: int
    offset: int
    latest: int


def wall_clocks(name: str, first: int, last: int) -> list[WallClock]:
    """Stretches of constant UTC offset of a zone between two wall-clock times, in rising order.

    A wall-clock time that stands twice (clocks set back) is read as the earlier one; one that never stands (clocks set
    forward) as the moment of the change, so that conversion to UTC never reorders events.
    """
    past = [change for change in _offset_changes(name) if change[0] < last + 2 * DAY]
    stretches = [WallClock(at + max(before, after), before, at) for at, before, after in past if at >= first - 2 * DAY]
    return [*stretches, WallClock(END, past[-1][2], END)]


@cache
def _offset_changes(name: str) -> tuple[tuple[int, int, int], ...]:
    """Times from 1900 to 2100 at which a zone changes its UTC offset, with the offset before and after.

    The beginning of time comes first, with the first offset.
    """
    tz = zone(name)
    microsecond = timedelta(microseconds=1)

    def offset(at: int) -> int:
        return (moment(at).astimezone(tz).utcoffset() or timedelta()) // microsecond

    now, stop = micros("1900-01-01"), micros("2100-01-01")
    before = offset(now)
    changes = [(BEGINNING, before, before)]
    while now < stop:
        low, now = now, now + _CLOSEST_CHANGES
        after = offset(now)
        if after != before:
            high = now
            while high - low > 1:
                middle = (low + high) // 2
                low, high = (middle, high) if offset(middle) == before else (low, middle)
            changes.append((high, before, after))
            before = after
    return tuple(changes)
