"""What past sends tell of the hour: those of earlier plans, and the messages that the log itself holds.

The hours of plans were drawn with known chances; why the log's own messages went out when they did is not known, so that they
only count. Where both speak of a channel, the plans are believed.
"""

from collections import Counter
from collections.abc import Sequence

import numpy as np

from churnvalue.events.log import EventLog
from churnvalue.jobs.activity import Activity
from churnvalue.jobs.past_sends import PastSends, sends_of_log, sends_of_plans
from churnvalue.language import N_, _, translated
from churnvalue.timing.response import EXPERIMENT, RATES, ChannelResponse, SlotResponse
from churnvalue.timing.response_policy import BOTH, COMMON, HABIT, OWN
from churnvalue.timing.week import SLOTS

_BY = {
    HABIT: N_("by own activity"),
    BOTH: N_("by hour and own activity"),
    OWN: N_("by hour, own activity and own answers"),
}


def learn_response(
    log: EventLog, outcome: str, activity: Activity, past: Sequence[PastSends], cutoff: int
) -> tuple[SlotResponse | None, tuple[str, ...]]:
    """Return what past sends tell of the hour, None if there are none, and notes on what was left out.

    Args:
        log: As it was known before the cutoff.
        outcome: Kind of event that counts as an answer to a plan's send, beside opening and clicking.
        activity: Of the customers of the log.
        past: Sends of earlier plans, earliest first.
        cutoff: Sends whose time to answer ends later are not learned from.
    """
    if log.days_only:
        return None, ()
    planned, habit, left_out = sends_of_plans(log, outcome, activity, past, cutoff)
    own, more_left_out = sends_of_log(log, cutoff)
    counted = Counter(left_out) + Counter(more_left_out)
    notes = tuple(
        _("{count:,} past sends are not learned from: {why}.", count=count, why=why) for why, count in counted.items()
    )
    if not len(planned.slot) and not len(own.slot):
        return None, notes
    # What the log's own messages tell is the same for all customers: their habit is not asked.
    even = np.broadcast_to(np.float32(1.0 / SLOTS), (len(own.slot), SLOTS))
    return SlotResponse().fit(planned, habit).beside(SlotResponse().fit(own, even)), notes


def said(response: SlotResponse | None, channels: Sequence[str]) -> tuple[str, ...]:
    """Say in a sentence a channel what its hours rest on, and how many answers were set aside."""
    known = {} if response is None else response.channels_
    return tuple(_tier(name, known.get(name)) for name in channels)


def _tier(name: str, known: ChannelResponse | None) -> str:
    if known is None:
        return _("{channel}: the hours follow activity; no past send tells of response.", channel=name)
    sends, ranked = int(known.support["sends"].sum()), int(known.support["ranked"].sum())
    if known.evidence == RATES:
        said = [
            _(
                "{channel}: the hours follow the answers counted in {sends:,} sends, {ranked} hours with enough of them; hours "
                "were not drawn at random, so no claim is made.",
                channel=name,
                sends=sends,
                ranked=ranked,
            )
        ]
    elif known.evidence == EXPERIMENT:
        follows = _(
            "{channel}: the hours follow response, from {sends:,} sends at hours drawn at random.",
            channel=name,
            sends=sends,
        )
        said = [follows, *_learnt(known)]
    else:
        said = [
            _(
                "{channel}: the hours follow activity; {sends:,} past sends do not tell hours apart beyond chance.",
                channel=name,
                sends=sends,
            )
        ]
    if known.machine_opens:
        said.append(_("{answers:,} answers were set aside as made by machines.", answers=known.machine_opens))
    return " ".join(said)


def _learnt(known: ChannelResponse) -> list[str]:
    """Whether hours are personal, and what that gains."""
    if known.policy == COMMON:
        tried = known.gains.dropna().sort_values("gain", kind="stable")[["gain", "gain_se"]].to_numpy(np.float64)
        ranked = known.support["ranked"].to_numpy(bool)
        if len(tried):
            said = _(
                "Personal hours are not surely better than those best for all ({gain}), which are used.",
                gain=_gain(*tried[-1]),
            )
        else:
            said = _("Personal hours are not surely better than those best for all, which are used.")
        flat = np.ptp(known.shape.by_slot[ranked]) == 0
        return [said, _("Hours are not told apart yet: activity decides.")] if flat else [said]
    chosen = known.gains[known.gains["policy"] == known.policy]
    gain = _gain(*chosen[["gain", "gain_se"]].to_numpy(np.float64)[0])
    return [
        _(
            "They are chosen {by}: {gain} than those best for all, on sends not learned from.",
            by=translated(_BY[known.policy]),
            gain=gain,
        )
    ]


def _gain(gain: float, error: float) -> str:
    return _("{gain:+.1f} ± {error:.1f} points answered", gain=100 * gain, error=100 * error)
