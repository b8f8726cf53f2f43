"""Hours of the coming days in which a message may go out, by the clock on the customer's wall.

This module knows nothing of customers: it turns a zone, quiet hours and weekdays into moments.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from churnvalue.clock import DAY, HOUR, Micros, hour_of_week, utc_offsets, zone
from churnvalue.errors import ConfigError

SEND_DAYS = 7
WEEKDAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_QUARTER = HOUR // 4
_DAY_MINUTES = 24 * 60


@dataclass(frozen=True, eq=False)
class SendSlots:
    """Moments at which a message may start, in rising order.

    Attributes:
        send_at: Microseconds since 1970-01-01 UTC; shape (m,).
        slot: Hour of the local week, 0 … 167, Monday 00:00 = 0; shape (m,). Where clocks are set back an hour
            stands twice.
        offset: Local minus UTC in microseconds; shape (m,).
    """

    send_at: Micros
    slot: npt.NDArray[np.int64]
    offset: Micros

    @property
    def wall_clock(self) -> tuple[str, ...]:
        """ISO local times with their offset from UTC."""
        return tuple(wall_clock(self.send_at, self.offset).tolist())

    def take(self, kept: npt.NDArray[np.bool_]) -> "SendSlots":
        """Return some of the moments."""
        return SendSlots(self.send_at[kept], self.slot[kept], self.offset[kept])


def wall_clock(send_at: Micros, offset: Micros) -> npt.NDArray[np.object_]:
    """ISO local time to the second, with its offset from UTC, of each moment.

    >>> wall_clock(np.array([0]), np.array([3_600_000_000])).tolist()
    ['1970-01-01T01:00:00+01:00']
    """
    texts = np.datetime_as_string((send_at + offset).astype("datetime64[us]"), unit="s").astype(object)
    zones, inverse = np.unique(offset, return_inverse=True)
    suffixes = np.array([_suffix(int(one)) for one in zones], dtype=object)
    return np.asarray(texts + suffixes[inverse] if len(texts) else texts, dtype=object)


def allowed_hours(quiet_hours: tuple[str, str] | None) -> npt.NDArray[np.bool_]:
    """Whether each hour of the day lies wholly outside the quiet hours. Shape (24,).

    Quiet hours are half-open, ``[start, end)``, and may pass midnight. The same start and end leave no time
    between them: no hour is quiet. An hour touched by quiet time is not allowed, since its messages may go
    out up to its last minute.

    Raises:
        ConfigError: If no hour is left.
    """
    quiet = np.zeros(_DAY_MINUTES, dtype=bool)
    if quiet_hours is not None:
        start, end = (int(clock[:2]) * 60 + int(clock[3:]) for clock in quiet_hours)
        quiet[np.arange(start, start + (end - start) % _DAY_MINUTES) % _DAY_MINUTES] = True
    allowed = ~quiet.reshape(24, 60).any(axis=1)
    if quiet_hours is not None and not allowed.any():
        raise ConfigError(
            f"Quiet hours must leave one whole hour of the day, but {quiet_hours[0]} to {quiet_hours[1]} do "
            "not. Shorten [timing] quiet_hours."
        )
    return np.asarray(allowed)


def send_slots(
    as_of: int,
    timezone: str,
    quiet_hours: tuple[str, str] | None = None,
    days: int = SEND_DAYS,
    weekdays: Sequence[str] = WEEKDAYS,
) -> SendSlots:
    """Whole local hours in ``[as_of, as_of + days)`` on ``weekdays``, outside the quiet hours.

    They are found by walking through UTC, so that a wall-clock time which the change of clocks leaves out
    cannot come up. Offsets from UTC are taken to be whole quarters of an hour, as in every zone since 1972,
    and to change at most once in three days.

    Raises:
        ConfigError: If there is no such zone, or the quiet hours leave no hour.
    """
    hours = allowed_hours(quiet_hours)
    zone(timezone)
    open_slots = np.outer([day in weekdays for day in WEEKDAYS], hours).ravel()
    times = np.arange(-(-as_of // _QUARTER) * _QUARTER, as_of + days * DAY, _QUARTER, dtype=np.int64)
    offset = _offsets(times, timezone)
    walls = times + offset
    slot = hour_of_week(walls)
    return SendSlots(times, slot, offset).take((walls % HOUR == 0) & open_slots[slot])


def _offsets(times: Micros, timezone: str) -> Micros:
    """Local minus UTC of rising times: asked once a day, and at every one only on a day on which it changes."""
    ends = np.unique(np.append(np.arange(0, len(times), DAY // _QUARTER), len(times) - 1))
    known = utc_offsets(times[ends], timezone)
    offset = np.repeat(known[:-1], np.diff(ends))
    offset = np.append(offset, known[-1])
    for part in np.flatnonzero(known[1:] != known[:-1]):
        day = slice(ends[part], ends[part + 1])
        offset[day] = utc_offsets(times[day], timezone)
    return offset


def _suffix(offset: int) -> str:
    """``+09:00`` of an offset in microseconds."""
    minutes = abs(offset) // (HOUR // 60)
    return f"{'-' if offset < 0 else '+'}{minutes // 60:02d}:{minutes % 60:02d}"
