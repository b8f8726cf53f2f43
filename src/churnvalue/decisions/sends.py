"""When each customer who gets an action is written to or called: the hour of the coming week that suits them.

The choice rests on activity. That a message is answered more often then is not known here, nor are earlier
sends, so caps on messages a week only tell whether the one send of this plan may go out.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from churnvalue.config import Timing
from churnvalue.decisions.assignment import EXPLORE
from churnvalue.decisions.retention import NO_ACTION
from churnvalue.decisions.slot_choice import UNPLACED, Recipients, SendRules, SlotChoice, choose_slots
from churnvalue.errors import DefinitionError, near_match
from churnvalue.timing.calendar import SEND_DAYS, SendSlots, allowed_hours, send_slots
from churnvalue.timing.habit import SLOTS

ACTIVITY = "activity"
NOTHING_KNOWN = "none"
SEND_COLUMNS = {
    "customer_id": "str",
    "channel": "str",
    "send_at": "Int64",
    "send_at_local": "str",
    "slot": "Int64",
    "p_slot": "float64",
    "group": "str",
    "propensity": "float64",
    "eligible_slots": "int64",
    "evidence": "str",
    "reason": "str",
}
_DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")


@dataclass(frozen=True)
class _Words:
    """What a reason is made from beside the customer; ``hour`` is the only one used, None for all."""

    timing: Timing
    habit_known: bool
    hour: int | None


def plan_sends(
    plan: pd.DataFrame, habit: npt.NDArray[np.floating] | None, zones: str | Sequence[str], rules: SendRules
) -> pd.DataFrame:
    """Return one row for each customer whose action is not none, with the columns of sends.parquet, by id.

    Each gets the allowed hour in which they are most active, of equals the earliest. Where an hour is full
    those go first whose best hour exceeds their average one most; the others take their next best. Who finds
    no hour has no ``send_at``, and ``reason`` says why. A share explores: every allowed hour is equally
    likely. ``propensity`` is the probability of the hour over the hash of the id: ``explore /
    eligible_slots``, and ``1 - explore`` more where it is the hour that would be chosen; it is exact while no
    hour is full.

    A log that knows only days gives the weekday; the hour is then ``timing.default_hour``, or the first
    allowed after it.

    Args:
        plan: customer_id and action, as in plan.parquet.
        habit: Probability of each hour of the local week; shape (rows of plan, 168). None if no activity is
            known.
        zones: Time zone of each customer, or one of all.
        rules: What holds for every send.

    Raises:
        ConfigError: If there is no such zone, or the quiet hours leave no hour.
        DefinitionError: If habit or zones do not fit the plan, or an action has no channel.
    """
    recipients, zone_names = _recipients(plan, habit, zones, rules)
    hour = _only_hour(rules, habit is not None)
    calendars = [send_slots(rules.as_of, name, rules.timing.quiet_hours) for name in zone_names]
    if hour is not None:
        calendars = [_at_hour(calendar, hour) for calendar in calendars]
    choice = choose_slots(recipients, calendars, rules)
    return _table(recipients, choice, calendars, _Words(rules.timing, habit is not None, hour))


def _recipients(
    plan: pd.DataFrame, habit: npt.NDArray[np.floating] | None, zones: str | Sequence[str], rules: SendRules
) -> tuple[Recipients, list[str]]:
    """Take customers with an action, by id, and the names of their zones."""
    names = np.array([zones] * len(plan) if isinstance(zones, str) else list(zones), dtype=object)
    if len(names) != len(plan) or (habit is not None and habit.shape != (len(plan), SLOTS)):
        shape = None if habit is None else habit.shape
        raise DefinitionError(
            f"Habit must have the shape ({len(plan)}, {SLOTS}) and zones one entry a row of the plan, but "
            f"{shape} and {len(names)} came."
        )
    ids = plan["customer_id"].astype(str).to_numpy(dtype=object)
    acting = np.flatnonzero((plan["action"] != NO_ACTION).to_numpy())
    rows = acting[np.argsort(ids[acting], kind="stable")]
    actions = plan["action"].tolist()
    for action in sorted({actions[row] for row in rows} - set(rules.channels)):
        raise DefinitionError(f"Action '{action}' must have a channel.{near_match(action, rules.channels)}")
    appeal = np.full((len(rows), SLOTS), 1.0 / SLOTS) if habit is None else habit[rows].astype(np.float64)
    if rules.day_granularity:
        appeal = appeal.reshape(-1, 7, 24).sum(axis=2).repeat(24, axis=1)
    zone_names = sorted({names[row] for row in rows})
    number = {name: index for index, name in enumerate(zone_names)}
    zone = np.array([number[names[row]] for row in rows], dtype=np.int64)
    channel = [rules.channels[actions[row]] for row in rows]
    return Recipients([ids[row] for row in rows], channel, appeal, zone), zone_names


def _only_hour(rules: SendRules, habit_known: bool) -> int | None:
    """Return the one local hour of sends where activity tells nothing of hours; None where it does."""
    if habit_known and not rules.day_granularity:
        return None
    allowed = allowed_hours(rules.timing.quiet_hours)
    later = (rules.timing.default_hour + np.arange(24)) % 24
    return int(later[allowed[later]][0])


def _at_hour(calendar: SendSlots, hour: int) -> SendSlots:
    """Keep the candidates at one hour of the day."""
    kept = np.flatnonzero(calendar.slot % 24 == hour)
    return SendSlots(calendar.send_at[kept], calendar.slot[kept], tuple(calendar.wall_clock[k] for k in kept))


def _table(recipients: Recipients, choice: SlotChoice, calendars: list[SendSlots], words: _Words) -> pd.DataFrame:
    """Return the rows of sends.parquet."""
    sends = []
    moved = choice.given != choice.wished
    for row, (number, given) in enumerate(zip(recipients.zone.tolist(), choice.given.tolist(), strict=True)):
        calendar, group = calendars[number], str(choice.group[row])
        slot = None if given == UNPLACED else int(calendar.slot[given])
        chance = float(recipients.appeal[row, slot]) if slot is not None and words.habit_known else np.nan
        sends.append(
            (
                recipients.ids[row],
                recipients.channel[row],
                None if slot is None else int(calendar.send_at[given]),
                None if slot is None else calendar.wall_clock[given],
                slot,
                chance,
                group,
                choice.propensity[row],
                len(calendar.slot),
                ACTIVITY if words.habit_known else NOTHING_KNOWN,
                _reason(words, group, slot, chance) + (_moved(group) if moved[row] and slot is not None else ""),
            )
        )
    table = pd.DataFrame(sends, columns=list(SEND_COLUMNS)).astype(SEND_COLUMNS)
    table["send_at"] = pd.to_datetime(table["send_at"], unit="us", utc=True).astype("datetime64[us, UTC]")
    return table


def _reason(words: _Words, group: str, slot: int | None, chance: float) -> str:
    """Say why a send goes out when it does, or why it does not."""
    if slot is None:
        if words.timing.max_per_week == 0:
            return "not sent: [timing] max_per_week is 0"
        return f"not sent: every allowed hour of the next {SEND_DAYS} days is full"
    if group == EXPLORE:
        text = "drawn at random among the allowed hours, to learn what timing changes"
    elif not words.habit_known:
        text = "no time of activity is known: the first day"
    elif words.hour is None:
        text = f"{100 * chance:.1f} % of activity is expected in this hour of the week, the most of all allowed"
    else:
        text = f"{100 * chance:.1f} % of activity is expected on {_DAYS[slot // 24]}s, the most of all allowed"
    if words.hour is None:
        return text
    text += "; the log tells no hours, so the default hour is used"
    late = words.hour != words.timing.default_hour
    return text + (f", moved to {words.hour:02d}:00 by the quiet hours" if late else "")


def _moved(group: str) -> str:
    """Say that the hour wished for was full."""
    return "; the hour drawn first was full" if group == EXPLORE else " and not full"
