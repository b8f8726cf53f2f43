"""Why a message goes out when it does, or why it does not, in words."""

import numpy as np
import numpy.typing as npt

from churnvalue.decisions.assignment import EXPLORE, HOLDOUT
from churnvalue.decisions.sending.calendars import only_hour
from churnvalue.decisions.sending.candidates import CAPPED, EXPIRED, FREE, NO_CONSENT
from churnvalue.decisions.sending.kernels import NONE
from churnvalue.decisions.sending.rules import Messages, SendRules
from churnvalue.decisions.sending.slot_choice import SlotChoice
from churnvalue.decisions.sending.worth import NONE_KNOWN
from churnvalue.timing.calendar import SEND_DAYS
from churnvalue.timing.response import EXPERIMENT, RATES

_DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")


def reasons(choice: SlotChoice, messages: Messages, rules: SendRules, p_slot: npt.NDArray[np.float64]) -> list[str]:
    """One sentence a message; ``p_slot`` is the activity expected in its hour."""
    found = choice.candidates
    place = np.maximum(choice.given, 0)
    rows = np.arange(len(place))
    best = found.net.argmax(axis=1) if found.net.size else place
    several = np.asarray(np.isin(messages.owner, messages.owner[messages.place > 0]), dtype=bool)
    beside = np.where(several, " beside the other messages", " and not full")
    rank = np.where(choice.given == best, "", beside).tolist()
    chance = (found.p_response[rows, place] if found.net.size else p_slot).tolist()
    slots = found.calendars.slot[found.calendar, place].tolist() if found.net.size else []
    late = _late_hours(choice, rules)
    tiers = found.evidence.tolist()
    pays = np.asarray((found.net > 0).any(axis=1)).tolist()
    texts = []
    for row, (given, group, number) in enumerate(zip(choice.given.tolist(), choice.group, found.channel, strict=True)):
        tier, late_hour = tiers[row], late[number] if rules.day_granularity or tiers[row] == NONE_KNOWN else ""
        if group == HOLDOUT:
            text = "not sent: held out, to measure what sends change"
        elif given == NONE:
            text = "not sent: " + _why_not(int(found.blocked[row]), rules, found.calendars.channels[number].id)
            if found.blocked[row] == FREE and not pays[row]:
                text = "not sent: it would cost more than it is expected to bring, fatigue counted"
            elif found.blocked[row] == FREE and several[row]:
                text = "not sent: no hour is left beside the customer's other messages and within capacity"
        elif group == EXPLORE:
            moved = "" if given == choice.wished[row] else "; the hour drawn first was full"
            text = "drawn at random among the allowed hours, to learn what timing changes" + moved + late_hour
        elif tier == EXPERIMENT and not np.isnan(chance[row]):
            text = f"{100 * chance[row]:.1f} % are expected to respond, the best of all allowed{rank[row]}"
        elif tier == RATES:
            text = f"by the response counted in this hour, the best of all allowed{rank[row]}; without an experiment no claim"
        elif tier == NONE_KNOWN:
            text = f"no time of activity is known: the first day{rank[row]}{late_hour}"
        else:
            when = f"on {_DAYS[slots[row] // 24]}s" if rules.day_granularity else "in this hour of the week"
            share = f"{100 * p_slot[row]:.1f} % of activity is expected {when}"
            text = f"{share}, the most of all allowed{rank[row]}{late_hour}"
        texts.append(text)
    return texts


def _why_not(blocked: int, rules: SendRules, channel: str) -> str:
    """Which rule left a message without an hour."""
    if blocked == NO_CONSENT:
        return f"the customer has unsubscribed from {channel}"
    if blocked == EXPIRED:
        return "it expires before the first allowed hour"
    if blocked == CAPPED:
        own = rules.timing.channel(channel).max_per_week
        if rules.timing.max_per_week == 0:
            return "[timing] max_per_week is 0"
        return f"the cap of {rules.timing.max_per_week} messages a week" + (
            f", {own} by {channel}, is reached" if own is not None else " is reached"
        )
    if blocked != FREE:
        return f"every allowed hour is nearer than {rules.timing.min_gap_hours:g} hours to another send"
    return f"every allowed hour of the next {SEND_DAYS} days is full"


def _late_hours(choice: SlotChoice, rules: SendRules) -> list[str]:
    """What to add, by channel, where all sends go out at one hour."""
    texts = []
    for channel in choice.candidates.calendars.channels:
        hour = only_hour(rules, channel)
        moved = f", moved to {hour:02d}:00 by the quiet hours" if hour != rules.timing.default_hour else ""
        texts.append("; the log tells no hours, so the default hour is used" + moved)
    return texts
