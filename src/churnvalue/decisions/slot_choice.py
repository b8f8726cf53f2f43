"""Which hour each recipient gets: the best, the best that is not full, or one drawn at random.

This module knows how much each hour appeals, not why.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from churnvalue.clock import HOUR
from churnvalue.config import Timing
from churnvalue.decisions.assignment import EXPLORE, assign, hashes, uniform
from churnvalue.timing.calendar import SendSlots
from churnvalue.timing.habit import SLOTS

UNPLACED = -1

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class SendRules:
    """What holds for every send.

    Attributes:
        as_of: Microseconds since 1970-01-01 UTC; sends go out in the seven days that start with it.
        timing: Quiet hours, caps, capacity and share of exploration.
        channels: Channel of each action.
        day_granularity: Whether the log knows the day of events but not the hour.
        salt: Decides, with the customer's id, who explores.
    """

    as_of: int
    timing: Timing
    channels: Mapping[str, str]
    day_granularity: bool = False
    salt: str = "churnvalue"


@dataclass(frozen=True, eq=False)
class Recipients:
    """Who is sent something, by customer_id.

    ``appeal`` of each hour of the week has the shape (n, 168); ``zone`` is the number of the customer's
    calendar.
    """

    ids: list[str]
    channel: list[str]
    appeal: Floats
    zone: Ints


@dataclass(frozen=True, eq=False)
class SlotChoice:
    """For each customer the number of a candidate hour of their zone, -1 for none.

    ``wished`` is what they would get if no hour were full; ``propensity`` is NaN where nothing is given.
    """

    group: npt.NDArray[np.str_]
    wished: Ints
    given: Ints
    propensity: Floats


@dataclass(frozen=True, eq=False)
class _Queue:
    """The hour each would get if none were full, who explores, and in which order they are served."""

    wished: Ints
    exploring: Bools
    order: Ints


def choose_slots(recipients: Recipients, calendars: list[SendSlots], rules: SendRules) -> SlotChoice:
    """Choose each customer's hour, first as if no hour were ever full."""
    ids, explore = recipients.ids, rules.timing.explore
    occasion = f"send {rules.as_of}"
    group = assign(ids, rules.salt, 0.0, explore, occasion)
    exploring = group == EXPLORE
    size = np.array([len(calendar.slot) for calendar in calendars], dtype=np.int64)[recipients.zone]
    drawn = np.floor(uniform(ids, f"{rules.salt} {occasion}", "slot") * size).astype(np.int64)
    best = np.zeros(len(ids), dtype=np.int64)
    regret = np.zeros(len(ids))
    for number, calendar in enumerate(calendars):
        rows = np.flatnonzero(recipients.zone == number)
        appeal = recipients.appeal[np.ix_(rows, calendar.slot)]
        best[rows] = appeal.argmax(axis=1)
        regret[rows] = appeal.max(axis=1) - appeal.mean(axis=1)
    wished = np.where(exploring, drawn, best)
    given = wished.copy()
    if rules.timing.max_per_week == 0:
        given[:] = UNPLACED
    elif rules.timing.capacity_per_hour is not None:
        # Explorers go first, since their hour should stay as drawn; then those who would lose most.
        order = np.lexsort((hashes(ids, rules.salt, "tie"), -regret, ~exploring))
        given = _within_capacity(recipients, calendars, _Queue(wished, exploring, order), rules)
    propensity = explore / np.maximum(size, 1) + (1.0 - explore) * (given == np.where(exploring, best, given))
    return SlotChoice(group, wished, given, np.where(given == UNPLACED, np.nan, propensity))


def _within_capacity(recipients: Recipients, calendars: list[SendSlots], queue: _Queue, rules: SendRules) -> Ints:
    """Serve in order: the best open hour, or for explorers the drawn one or the next open after it."""
    first = rules.as_of // HOUR
    room = np.full(SLOTS + 1, rules.timing.capacity_per_hour, dtype=np.int64)
    hours = [calendar.send_at // HOUR - first for calendar in calendars]
    given = np.full(len(queue.wished), UNPLACED, dtype=np.int64)
    for row in queue.order:
        number = recipients.zone[row]
        is_open = np.flatnonzero(room[hours[number]] > 0)
        if not len(is_open):
            continue
        if queue.exploring[row]:
            found = is_open[np.searchsorted(is_open, queue.wished[row]) % len(is_open)]
        else:
            found = is_open[recipients.appeal[row, calendars[number].slot[is_open]].argmax()]
        given[row] = found
        room[hours[number][found]] -= 1
    return given
