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
from churnvalue.language import N_, _, marked
from churnvalue.timing.calendar import SEND_DAYS
from churnvalue.timing.response import EXPERIMENT, RATES

_DAYS = marked(
    "on Mondays", "on Tuesdays", "on Wednesdays", "on Thursdays", "on Fridays", "on Saturdays", "on Sundays"
)  # fmt: skip
# Each in three forms: the best hour of all; the best that was not full; the best beside the customer's other messages.
_RESPONSE = (
    N_("{share:.1f} % are expected to respond, the best of all allowed"),
    N_("{share:.1f} % are expected to respond, the best of all allowed and not full"),
    N_("{share:.1f} % are expected to respond, the best of all allowed beside the other messages"),
)
_COUNTED = (
    N_("by the response counted in this hour, the best of all allowed; without an experiment no claim"),
    N_("by the response counted in this hour, the best of all allowed and not full; without an experiment no claim"),
    N_(
        "by the response counted in this hour, the best of all allowed beside the other messages; without an experiment no "
        "claim"
    ),
)
_UNKNOWN = (
    N_("no time of activity is known: the first day"),
    N_("no time of activity is known: the first day and not full"),
    N_("no time of activity is known: the first day beside the other messages"),
)
_ACTIVE = (
    N_("{share:.1f} % of activity is expected {when}, the most of all allowed"),
    N_("{share:.1f} % of activity is expected {when}, the most of all allowed and not full"),
    N_("{share:.1f} % of activity is expected {when}, the most of all allowed beside the other messages"),
)
_BEST, _NOT_FULL, _BESIDE = range(3)


def reasons(choice: SlotChoice, messages: Messages, rules: SendRules, p_slot: npt.NDArray[np.float64]) -> list[str]:
    """One sentence a message; ``p_slot`` is the activity expected in its hour."""
    found = choice.candidates
    place = np.maximum(choice.given, 0)
    rows = np.arange(len(place))
    best = found.net.argmax(axis=1) if found.net.size else place
    several = np.asarray(np.isin(messages.owner, messages.owner[messages.place > 0]), dtype=bool)
    form = np.where(choice.given == best, _BEST, np.where(several, _BESIDE, _NOT_FULL)).tolist()
    chance = (found.p_response[rows, place] if found.net.size else p_slot).tolist()
    slots = found.calendars.slot[found.calendar, place].tolist() if found.net.size else []
    late = _late_hours(choice, rules)
    tiers = found.evidence.tolist()
    pays = np.asarray((found.net > 0).any(axis=1)).tolist()
    texts = []
    for row, (given, group, number) in enumerate(zip(choice.given.tolist(), choice.group, found.channel, strict=True)):
        tier, late_hour = tiers[row], late[number] if rules.day_granularity or tiers[row] == NONE_KNOWN else ""
        if group == HOLDOUT:
            text = _("not sent: held out, to measure what sends change")
        elif given == NONE:
            text = _why_not(int(found.blocked[row]), rules, found.calendars.channels[number].id)
            if found.blocked[row] == FREE and not pays[row]:
                text = _("not sent: it would cost more than it is expected to bring, fatigue counted")
            elif found.blocked[row] == FREE and several[row]:
                text = _("not sent: no hour is left beside the customer's other messages and within capacity")
        elif group == EXPLORE:
            moved = "" if given == choice.wished[row] else "; " + _("the hour drawn first was full")
            text = _("drawn at random among the allowed hours, to learn what timing changes") + moved + late_hour
        elif tier == EXPERIMENT and not np.isnan(chance[row]):
            text = _(_RESPONSE[form[row]], share=100 * chance[row])
        elif tier == RATES:
            text = _(_COUNTED[form[row]])
        elif tier == NONE_KNOWN:
            text = _(_UNKNOWN[form[row]]) + late_hour
        else:
            when = _(_DAYS[slots[row] // 24]) if rules.day_granularity else _("in this hour of the week")
            text = _(_ACTIVE[form[row]], share=100 * p_slot[row], when=when) + late_hour
        texts.append(text)
    return texts


def _why_not(blocked: int, rules: SendRules, channel: str) -> str:
    """Which rule left a message without an hour."""
    if blocked == NO_CONSENT:
        return _("not sent: the customer has unsubscribed from {channel}", channel=channel)
    if blocked == EXPIRED:
        return _("not sent: it expires before the first allowed hour")
    if blocked == CAPPED:
        own = rules.timing.channel(channel).max_per_week
        if rules.timing.max_per_week == 0:
            return _("not sent: [timing] max_per_week is 0")
        most = rules.timing.max_per_week
        if own is None:
            return _("not sent: the cap of {most} messages a week is reached", most=most)
        return _(
            "not sent: the cap of {most} messages a week, {own} by {channel}, is reached",
            most=most,
            own=own,
            channel=channel,
        )
    if blocked != FREE:
        return _(
            "not sent: every allowed hour is nearer than {hours:g} hours to another send",
            hours=rules.timing.min_gap_hours,
        )
    return _("not sent: every allowed hour of the next {days} days is full", days=SEND_DAYS)


def _late_hours(choice: SlotChoice, rules: SendRules) -> list[str]:
    """What to add, by channel, where all sends go out at one hour."""
    texts = []
    for channel in choice.candidates.calendars.channels:
        hour = only_hour(rules, channel)
        if hour != rules.timing.default_hour:
            told = _(
                "the log tells no hours, so the default hour is used, moved to {hour:02d}:00 by the quiet hours",
                hour=hour,
            )
        else:
            told = _("the log tells no hours, so the default hour is used")
        texts.append(f"; {told}")
    return texts
