"""Hours of the coming days in which a message may go out, by the clock on the customer's wall.

This module knows nothing of customers: it turns a zone and quiet hours into moments.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from churnvalue.clock import DAY, HOUR, Micros, hour_of_week, local, moment, zone
from churnvalue.errors import ConfigError

SEND_DAYS = 7
_QUARTER = HOUR // 4
_DAY_MINUTES = 24 * 60


@dataclass(frozen=True, eq=False)
class SendSlots:
    """Moments at which a message may start, in rising order.

    Attributes:
        send_at: Microseconds since 1970-01-01 UTC; shape (m,).
        slot: Hour of the local week, 0 … 167, Monday 00:00 = 0; shape (m,). Where clocks are set back an hour
            stands twice.
        wall_clock: ISO local times with their offset from UTC.
    """

    send_at: Micros
    slot: npt.NDArray[np.int64]
    wall_clock: tuple[str, ...]


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
    as_of: int, timezone: str, quiet_hours: tuple[str, str] | None = None, days: int = SEND_DAYS
) -> SendSlots:
    """Whole local hours in ``[as_of, as_of + days)`` outside the quiet hours.

    They are found by walking through UTC, so that a wall-clock time which the change of clocks leaves out
    cannot come up. Offsets from UTC are taken to be whole quarters of an hour, as in every zone since 1972.

    Raises:
        ConfigError: If there is no such zone, or the quiet hours leave no hour.
    """
    allowed = allowed_hours(quiet_hours)
    tz = zone(timezone)
    first = -(-as_of // _QUARTER) * _QUARTER
    times = np.arange(first, as_of + days * DAY, _QUARTER, dtype=np.int64)
    walls = local(times, timezone)
    kept = (walls % HOUR == 0) & allowed[walls // HOUR % 24]
    chosen = times[kept]
    return SendSlots(
        send_at=chosen,
        slot=hour_of_week(walls[kept]),
        wall_clock=tuple(moment(int(time)).astimezone(tz).isoformat(timespec="seconds") for time in chosen),
    )
