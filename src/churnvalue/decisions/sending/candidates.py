"""Which hours each message may take, what each is worth, and, where there is none, which rule left none."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from churnvalue.clock import HOUR
from churnvalue.decisions.sending.calendars import Calendars, calendars_of, channel_caps
from churnvalue.decisions.sending.fatigue import WEEK
from churnvalue.decisions.sending.kernels import weigh_past
from churnvalue.decisions.sending.rules import Audience, Messages, SendRules
from churnvalue.decisions.sending.worth import weights, worths
from churnvalue.timing.response import SlotResponse

# What leaves a message without an hour, in the order in which it is asked.
FREE, NO_CONSENT, EXPIRED, CAPPED, TOO_NEAR = range(5)

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Candidates:
    """For each message (row) and hour of its calendar, shape (rows, J) unless said otherwise.

    Attributes:
        calendars: The hours.
        calendar: Calendar of each row; shape (rows,).
        channel: Number of its channel; shape (rows,).
        zone: Number of each customer's zone; shape (customers,).
        allowed: Whether the message may go out then.
        net: What that is worth beyond cost and fatigue, weighted by how well the hour suits; minus infinity where it is
            not allowed or not ranked.
        expected: The same without the weight of mere activity: what is expected of the send, in money; NaN where the value
            of the message is not known.
        recent: Other sends to the customer within a week.
        recent_channel: Those on the same channel.
        p_response: Probability of a response; NaN where no send tells.
        blocked: Rule that left no hour; shape (rows,).
        evidence: What the hours rest on; shape (rows,).
    """

    calendars: Calendars
    calendar: Ints
    channel: Ints
    zone: Ints
    allowed: Bools
    net: npt.NDArray[np.float32]
    expected: npt.NDArray[np.float32]
    recent: npt.NDArray[np.int16]
    recent_channel: npt.NDArray[np.int16]
    p_response: npt.NDArray[np.float32]
    blocked: Ints
    evidence: npt.NDArray[np.object_]


def candidates(
    messages: Messages,
    audience: Audience,
    rules: SendRules,
    response: SlotResponse | None,
    past: pd.DataFrame,
    known: tuple[Calendars, Ints, Ints] | None = None,
) -> Candidates:
    """Return every hour each message may take, and what it is worth there.

    Without sends that tell of response, an hour weighs 1 + the share of activity expected in it: it decides between hours
    and never whether a message pays. With them, by the response expected there against the mean allowed hour.
    ``past`` holds owner, channel and send_at of sends made or planned, ``known`` what ``calendars_of`` tells of the messages.
    """
    calendars, channel, zone = known or calendars_of(messages, audience, rules)
    calendar = zone[messages.owner] * len(calendars.channels) + channel
    open_hours = calendars.known[calendar]
    consent = _consent(messages, audience)
    in_time = calendars.send_at[calendar] < messages.expires[:, None]
    near = np.zeros(open_hours.shape, dtype=bool)
    recent, same = np.zeros(open_hours.shape, np.int16), np.zeros(open_hours.shape, np.int16)
    if len(past):
        names = [one.id for one in calendars.channels]
        by = past.sort_values(["owner", "send_at"])
        weigh_past(
            messages.owner, channel, calendar, calendars.send_at,
            np.searchsorted(by["owner"], np.arange(len(messages.customer) + 1)).astype(np.int64),
            by["send_at"].to_numpy(np.int64), pd.Index(names).get_indexer(pd.Index(by["channel"])).astype(np.int64),
            int(rules.timing.min_gap_hours * HOUR), WEEK, near, recent, same,
        )  # fmt: skip
    capped = (recent >= rules.timing.max_per_week) | (same >= channel_caps(calendars)[channel][:, None])
    stages = (
        (NO_CONSENT, consent[:, None]),
        (EXPIRED, in_time),
        (CAPPED, ~capped),
        (TOO_NEAR, ~near),
    )
    allowed, blocked = open_hours, np.full(len(channel), FREE, np.int64)
    for code, fits in stages:
        allowed = allowed & fits
        blocked[(blocked == FREE) & ~allowed.any(axis=1)] = code
    weight, p_response, evidence = weights(calendars, calendar, messages, audience, (response, allowed, rules))
    net, expected = worths(messages, audience, rules, (calendars, channel, recent), (weight, evidence))
    return Candidates(
        calendars, calendar, channel, zone, allowed, np.where(allowed, net, -np.inf).astype(np.float32), expected,
        recent, same, p_response, blocked, evidence,
    )  # fmt: skip


def _consent(messages: Messages, audience: Audience) -> Bools:
    """Whether each message's channel may be used for its customer."""
    lost = audience.unsubscribed
    if lost is None or not len(lost):
        return np.ones(len(messages.owner), dtype=bool)
    ids = lost["customer_id"].astype("str")
    anywhere = set(ids[lost["channel"].isna()])
    here = pd.MultiIndex.from_arrays([ids, lost["channel"].astype("str")])
    wanted = pd.MultiIndex.from_frame(messages.table[["customer_id", "channel"]])
    return np.asarray(~(wanted.isin(here) | messages.table["customer_id"].isin(anywhere)), dtype=bool)
