"""When simulated customers are active: habits of the week, events in step with them, and the shop's clock.

Times are hours of local wall clock since the Monday 00:00 at or before the start of the log.
"""

import numpy as np
import numpy.typing as npt
import pandas as pd

from churnvalue.clock import DAY, Micros, wall_clocks

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]

WEEK_HOURS = 168
HABIT_NAMES = ("early", "noon", "evening", "weekend")
_SECOND = 1_000_000


def habit_curves() -> Floats:
    """Share of a week's events in each of its 168 hours, Monday 00:00 first; a row for each habit."""
    hour, day = np.arange(WEEK_HOURS) % 24, np.arange(WEEK_HOURS) // 24
    work, rest = np.where(day < 5, 1.0, 0.15), np.where(day < 5, 0.1, 1.0)

    def bump(peak: float, narrow: float) -> Floats:
        return np.asarray(np.exp(narrow * (np.cos(2 * np.pi * (hour - peak) / 24) - 1)))

    nights = 0.6 + 0.4 * work
    curves = np.stack([work * bump(7, 12), work * bump(12.5, 10), nights * bump(20, 8), rest * bump(14, 3)])
    # A little of everything at any waking hour: no habit is without exception.
    curves += 0.02 * bump(14, 2)
    return np.asarray(curves / curves.sum(axis=1, keepdims=True))


def habitual_times(
    rng: np.random.Generator, rate: Floats, habit: Floats, first: Floats, last: Floats
) -> tuple[Ints, Floats]:
    """Customer and hour of the events of Poisson processes on ``[first, last)``, in step with the habit.

    A customer's intensity is the mixture of the curves by its row of ``habit``; over whole weeks it averages
    ``rate`` a day.
    """
    customers, times = [], []
    for kind in range(len(HABIT_NAMES)):
        start = _elapsed(first, kind)
        length = np.maximum(_elapsed(last, kind) - start, 0.0)
        counts = rng.poisson(rate * 7 * habit[:, kind] * length)
        who = np.repeat(np.arange(len(rate)), counts)
        hours = _hours(start[who] + rng.random(len(who)) * length[who], kind)
        customers.append(who)
        times.append(np.clip(hours, first[who], last[who]))
    return np.concatenate(customers), np.concatenate(times)


def joining_times(rng: np.random.Generator, habit: Floats, first: float, last: float) -> Floats:
    """Hour of each customer's first purchase, in ``[first, last)``, in step with the habit."""
    size = len(habit)
    chosen = (rng.random((size, 1)) > np.cumsum(habit, axis=1)).sum(axis=1).clip(max=len(HABIT_NAMES) - 1)
    share = rng.random(size)
    joined = np.empty(size)
    for kind in range(len(HABIT_NAMES)):
        low, high = _elapsed(np.array([first, last]), kind)
        of_kind = chosen == kind
        joined[of_kind] = _hours(low + share[of_kind] * (high - low), kind)
    return np.clip(joined, first, last)


def _elapsed(hours: Floats, kind: int) -> Floats:
    """Weeks of a habit's activity by each hour: whole weeks, plus the share over of the one under way."""
    week = np.floor(hours / WEEK_HOURS)
    return np.asarray(week + np.interp(hours - week * WEEK_HOURS, _HOURS, _CUMULATIVE[kind]))


def _hours(elapsed: Floats, kind: int) -> Floats:
    """Invert ``_elapsed``."""
    week = np.floor(elapsed)
    return np.asarray(week * WEEK_HOURS + np.interp(elapsed - week, _CUMULATIVE[kind], _HOURS))


_HOURS = np.arange(WEEK_HOURS + 1, dtype=np.float64)
# Ends at exactly 1, so that a week's end is the next one's start.
_CUMULATIVE = np.pad(np.cumsum(habit_curves(), axis=1)[:, :-1], ((0, 0), (1, 1)), constant_values=((0, 0), (0, 1)))


class ShopClock:
    """From hours of the shop's wall clock since a Monday to UTC, never changing the order of two events."""

    def __init__(self, timezone: str, monday: int, days: int) -> None:
        stretches = wall_clocks(timezone, monday, monday + (days + 8) * DAY)
        self._monday = monday
        self._until = np.array([stretch.until for stretch in stretches])
        self._offset = np.array([stretch.offset for stretch in stretches])
        self._latest = np.array([stretch.latest for stretch in stretches])

    def utc(self, hours: Floats) -> Micros:
        """Microseconds since 1970-01-01 UTC, in whole seconds."""
        wall = self._monday + np.floor(hours * 3600).astype(np.int64) * _SECOND
        stretch = np.searchsorted(self._until, wall, side="right")
        return np.asarray(np.minimum(wall - self._offset[stretch], self._latest[stretch]), dtype=np.int64)

    def times(self, hours: Floats) -> pd.Series:
        """Aware UTC times; NaT where ``hours`` is NaN."""
        known = ~np.isnan(hours)
        times = np.where(known, self.utc(np.where(known, hours, 0.0)), np.iinfo(np.int64).min)
        return pd.Series(times.view("datetime64[us]")).dt.tz_localize("UTC")
