"""When to write to those whom a plan chose: hours of activity, earlier sends and consents, read from the log."""

import numpy as np
import numpy.typing as npt
import pandas as pd

from churnvalue import clock
from churnvalue.clock import DAY
from churnvalue.config import Config, FromColumn
from churnvalue.decisions.sending.rules import Audience, SendRules
from churnvalue.decisions.sending.schedule import SendPlan, plan_messages, schedule
from churnvalue.events.log import MISSING, EventLog
from churnvalue.sweep import slot_counts
from churnvalue.timing.habit import SlotHabit
from churnvalue.timing.machine_made import machine_made

_ACTIVITY = ("visit",)  # beside the outcome's kind: what customers do of their own accord, unlike opening what we send
_SENT, _UNSUBSCRIBED = "message_sent", "unsubscribe"
_EARLIER_DAYS = 90  # what came since then judges how habits are learnt
_WEEK = 7

Floats = npt.NDArray[np.float64]


def moments(
    log: EventLog, config: Config, plan: pd.DataFrame, scores: pd.DataFrame, cutoff: int
) -> tuple[SendPlan, tuple[str, ...]]:
    """Return the hour of each message of a plan, and notes on what it rests on.

    Args:
        log: As it was known before the cutoff.
        config: Rules of sending, actions and their channels.
        plan: By customer_id.
        scores: The same customers in the same order.
        cutoff: Sends go out in the seven days that start with it.
    """
    rows = pd.Index(log.customers.to_pandas()).get_indexer(plan["customer_id"])
    zones = _zones(log, config, rows)
    habit, notes = _habit(log, config, cutoff, rows)
    audience = Audience(
        customer_id=plan["customer_id"].tolist(),
        zones=zones,
        habit=habit,
        value=scores["clv"].to_numpy(dtype=np.float64),
        day_weight=_day_weight(scores),
        past_sends=_happened(log, _SENT, cutoff - _WEEK * DAY, cutoff),
        unsubscribed=_happened(log, _UNSUBSCRIBED, clock.BEGINNING, cutoff)[["customer_id", "channel"]],
    )
    rules = SendRules(
        as_of=cutoff,
        timing=config.timing,
        channels={action.id: action.channel for action in config.retention.actions},
        day_granularity=log.days_only,
        salt=config.project,
    )
    planned = schedule(plan_messages(plan, rules), audience, rules)
    return planned, (*notes, *planned.notes)


def _zones(log: EventLog, config: Config, rows: npt.NDArray[np.int64]) -> str | list[str]:
    timezone = config.timing.timezone
    if not isinstance(timezone, FromColumn):
        return timezone
    codes = np.where(rows >= 0, log.zones.codes[rows], MISSING)
    return ["UTC" if code == MISSING else log.zones.names[code] for code in codes]


def _habit(
    log: EventLog, config: Config, cutoff: int, rows: npt.NDArray[np.int64]
) -> tuple[npt.NDArray[np.float32], tuple[str, ...]]:
    """Return each customer's distribution over the hours of the week, from what no machine did."""
    counts, earlier = np.zeros((len(log.customers), 168)), np.zeros((len(log.customers), 168))
    left_out: dict[str, int] = {}
    customer = np.repeat(np.arange(len(log.customers)), np.diff(log.start))
    for kind in dict.fromkeys((config.outcome.kind, *_ACTIVITY)):
        places = np.flatnonzero(log.kind.codes == log.kind.code(kind))
        found = machine_made(customer[places], log.event_time[places])
        made = places[found.mask]
        left_out = {reason: left_out.get(reason, 0) + events for reason, events in found.events.items()}
        for total, until in ((counts, cutoff), (earlier, cutoff - _EARLIER_DAYS * DAY)):
            total += slot_counts(log, kind, clock.before(until), until)
            made_before = made[(log.event_time[made] < until) & (log.known_at[made] < until)]
            slots = clock.hour_of_week(log.wall_clock[made_before]).astype(np.int64)
            np.subtract.at(total, (customer[made_before], slots), 1.0)
    own = np.where(rows[:, None] >= 0, counts[rows], 0.0)
    habit = SlotHabit().fit(counts, earlier=earlier).predict(own)
    said = ", ".join(f"{events:,} for {reason}" for reason, events in sorted(left_out.items()) if events)
    return habit, (f"Events left out of the hours of activity as made by machines: {said}.",) if said else ()


def _day_weight(scores: pd.DataFrame) -> Floats:
    """Probability of coming back on each of the next seven days, the hazard being even within the week."""
    within = scores["p_return_7d"].to_numpy(dtype=np.float64)
    silent = (1.0 - np.nan_to_num(within, nan=0.5)[:, None]) ** (np.arange(_WEEK + 1) / _WEEK)
    return np.asarray(-np.diff(silent, axis=1))


def _happened(log: EventLog, kind: str, start: int, end: int) -> pd.DataFrame:
    """Return customer_id, channel and event_time of the events of a kind known before ``end``."""
    code = log.kind.code(kind)
    places = np.flatnonzero(
        (log.kind.codes == code) & (log.event_time >= start) & (log.event_time < end) & (log.known_at < end)
    )
    customer = np.searchsorted(log.start, places, side="right") - 1
    channels = np.array([*log.channel.names, None], dtype=object)
    return pd.DataFrame(
        {
            "customer_id": log.customers.take(customer).to_pandas().astype("str"),
            "channel": pd.array(channels[log.channel.codes[places]], dtype="str"),
            "event_time": pd.to_datetime(log.event_time[places], unit="us", utc=True),
        }
    )
