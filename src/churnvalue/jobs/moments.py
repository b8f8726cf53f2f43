"""When to write to those whom a plan chose: activity, response, fatigue and consents, read from the log."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd

from churnvalue import clock
from churnvalue.clock import DAY
from churnvalue.config import Config, FromColumn
from churnvalue.contacts import NO_ACTION
from churnvalue.decisions.sending.rules import Audience, SendRules
from churnvalue.decisions.sending.schedule import SendPlan, plan_messages, schedule
from churnvalue.events.log import MISSING, EventLog
from churnvalue.events.selection import places
from churnvalue.jobs.activity import read_activity
from churnvalue.jobs.fatigue import SENT, UNSUBSCRIBED, leaving_rates, told
from churnvalue.jobs.past_sends import PastSends
from churnvalue.jobs.responses import learn_response, said

_WEEK = 7

Floats = npt.NDArray[np.float64]


def moments(
    log: EventLog,
    config: Config,
    plan: pd.DataFrame,
    scores: pd.DataFrame,
    cutoff: int,
    past: Sequence[PastSends] = (),
) -> tuple[SendPlan, tuple[str, ...]]:
    """Return the hour of each message of a plan, and notes on what it rests on.

    Args:
        log: As it was known before the cutoff.
        config: Rules of sending, actions and their channels.
        plan: By customer_id.
        scores: The same customers in the same order.
        cutoff: Sends go out in the seven days that start with it.
        past: Sends of earlier plans: those answered show which hours work.
    """
    written = np.flatnonzero(plan["action"] != NO_ACTION)
    scores = scores.iloc[written]
    customers = plan["customer_id"].iloc[written]
    rows = places(log, customers)
    activity = read_activity(log, config.outcome.kind, cutoff)
    response, learned = learn_response(log, config.outcome.kind, activity, past, cutoff)
    rates, fatigue = leaving_rates(log, cutoff)
    audience = Audience(
        customer_id=customers.tolist(),
        zones=_zones(log, config, rows),
        habit=activity.habits(activity.habit(cutoff), cutoff, rows),
        value=scores["clv"].to_numpy(dtype=np.float64),
        day_weight=_day_weight(scores),
        peak_day=scores["second_purchase_day"].to_numpy(np.float64) if "second_purchase_day" in scores else None,
        past_sends=told(log, SENT, cutoff - _WEEK * DAY, cutoff),
        unsubscribed=told(log, UNSUBSCRIBED, clock.BEGINNING, cutoff)[["customer_id", "channel"]],
    )
    rules = SendRules(
        as_of=cutoff,
        timing=config.timing,
        channels={action.id: action.channel for action in config.retention.actions},
        day_granularity=log.days_only,
        salt=config.project,
        unsubscribe_rates=rates,
    )
    messages = plan_messages(plan, rules)
    planned = schedule(messages, audience, rules, response)
    tiers = said(response, sorted(messages["channel"].unique()))
    return planned, (*activity.notes, *learned, *tiers, fatigue, *planned.notes)


def _zones(log: EventLog, config: Config, rows: npt.NDArray[np.int64]) -> str | list[str]:
    timezone = config.timing.timezone
    if not isinstance(timezone, FromColumn):
        return timezone
    codes = np.where(rows >= 0, log.zones.codes[rows], MISSING)
    return ["UTC" if code == MISSING else log.zones.names[code] for code in codes]


def _day_weight(scores: pd.DataFrame) -> Floats:
    """Probability of coming back on each of the next seven days, the hazard being even within the week."""
    within = scores["p_return_7d"].to_numpy(dtype=np.float64)
    silent = (1.0 - np.nan_to_num(within, nan=0.5)[:, None]) ** (np.arange(_WEEK + 1) / _WEEK)
    return np.asarray(-np.diff(silent, axis=1))
