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
from churnvalue.timing.response import EXPERIMENT, RATES, ChannelResponse, SlotResponse
from churnvalue.timing.response_policy import BOTH, COMMON, HABIT, OWN
from churnvalue.timing.week import SLOTS

_BY = {
    HABIT: "by own activity",
    BOTH: "by hour and own activity",
    OWN: "by hour, own activity and own answers",
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
    notes = tuple(f"{count:,} past sends are not learned from: {why}." for why, count in counted.items())
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
        return f"{name}: the hours follow activity; no past send tells of response."
    sends, ranked = int(known.support["sends"].sum()), int(known.support["ranked"].sum())
    aside = f" {known.machine_opens:,} answers were set aside as made by machines." if known.machine_opens else ""
    if known.evidence == RATES:
        return (
            f"{name}: the hours follow the answers counted in {sends:,} sends, {ranked} hours with enough of them; hours were"
            f" not drawn at random, so no claim is made.{aside}"
        )
    if known.evidence == EXPERIMENT:
        return (
            f"{name}: the hours follow response, from {sends:,} sends at hours drawn at random.{_learnt(known)}{aside}"
        )
    return f"{name}: the hours follow activity; {sends:,} past sends do not tell hours apart beyond chance.{aside}"


def _learnt(known: ChannelResponse) -> str:
    """Whether hours are personal, and what that gains."""
    if known.policy == COMMON:
        tried = known.gains.dropna().sort_values("gain", kind="stable")[["gain", "gain_se"]].to_numpy(np.float64)
        gained = f" ({_gain(*tried[-1])})" if len(tried) else ""
        ranked = known.support["ranked"].to_numpy(bool)
        flat = " Hours are not told apart yet: activity decides." if np.ptp(known.shape.by_slot[ranked]) == 0 else ""
        return f" Personal hours are not surely better than those best for all{gained}, which are used.{flat}"
    chosen = known.gains[known.gains["policy"] == known.policy]
    gain = _gain(*chosen[["gain", "gain_se"]].to_numpy(np.float64)[0])
    return f" They are chosen {_BY[known.policy]}: {gain} than those best for all, on sends not learned from."


def _gain(gain: float, error: float) -> str:
    return f"{100 * gain:+.1f} ± {100 * error:.1f} points answered"
