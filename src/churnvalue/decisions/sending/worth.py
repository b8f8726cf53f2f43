"""What each message is worth in each hour: its value, how well the hour suits, its cost, and what fatigue may lose."""

import numpy as np
import numpy.typing as npt

from churnvalue.clock import DAY
from churnvalue.decisions.sending.calendars import Calendars
from churnvalue.decisions.sending.rules import Audience, Messages, SendRules
from churnvalue.timing.response import ACTIVITY, EXPERIMENT, SlotResponse
from churnvalue.timing.week import SLOTS

NONE_KNOWN = "none"

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]


def weights(
    calendars: Calendars,
    calendar: Ints,
    messages: Messages,
    audience: Audience,
    given: tuple[SlotResponse | None, Bools, SendRules],
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32], npt.NDArray[np.object_]]:
    """How well each hour suits each message, NaN where it is not ranked; the response expected; and what both rest on.

    A message whose allowed hours past sends do not rank goes by activity.
    """
    response, allowed, rules = given
    weight, p_response = np.ones(allowed.shape, np.float32), np.full(allowed.shape, np.nan, np.float32)
    evidence = np.full(len(calendar), NONE_KNOWN if audience.habit is None else ACTIVITY, dtype=object)
    days = audience.days()
    for number, hours in enumerate(calendars.slots):
        rows = np.flatnonzero(calendar == number)
        channel = calendars.channels[number % len(calendars.channels)].id
        here = np.ix_(rows, np.arange(len(hours.slot)))
        customer = messages.customer[messages.owner[rows]]
        habit = habit_of(audience, customer, rules)
        suits, ranked = habit[:, hours.slot], allowed[here]
        claims = np.zeros((len(rows), 1), dtype=bool)
        tier = ACTIVITY if response is None else response.evidence(channel)
        if response is not None and tier != ACTIVITY:
            ids = np.asarray(audience.customer_id, dtype=object)[customer]
            rate = response.predict(channel, habit, ids)[:, hours.slot]
            told = np.asarray((np.isfinite(rate) & ranked).any(axis=1), dtype=bool)
            ranked = ranked & (np.isfinite(rate) | ~told[:, None])
            suits = np.where(told[:, None], rate, suits)
            evidence[rows[told]] = tier
            if tier == EXPERIMENT:
                claims, p_response[here] = told[:, None], rate
        counted = np.where(ranked, suits * days[customer][:, (hours.send_at - rules.as_of) // DAY], 0.0)
        total = counted.sum(axis=1, keepdims=True)
        share = np.divide(counted, total, out=np.zeros_like(counted), where=total > 0)
        mean = np.where(total > 0, share * ranked.sum(axis=1, keepdims=True), 1.0)
        weight[here] = np.where(ranked, np.where(claims, mean, 1.0 + share), np.nan)
    return weight, p_response, evidence


def habit_of(audience: Audience, rows: Ints, rules: SendRules) -> Floats:
    """Activity of some customers by hour of the week, shape (n, 168); by day where the log knows no hours."""
    if audience.habit is None:
        return np.full((len(rows), SLOTS), 1.0 / SLOTS)
    habit = np.asarray(audience.habit[rows], dtype=np.float64)
    return habit.reshape(-1, 7, 24).sum(axis=2).repeat(24, axis=1) if rules.day_granularity else habit


def at_risk(messages: Messages, audience: Audience, rules: SendRules) -> Floats:
    """What is lost if each customer unsubscribes, in money; shape (customers,)."""
    if audience.value is None:
        return np.zeros(len(messages.customer))
    value = np.nan_to_num(np.asarray(audience.value, np.float64)[messages.customer], nan=0.0)
    return np.asarray(rules.timing.unsubscribe_loss * np.maximum(value, 0.0))


def worths(
    messages: Messages,
    audience: Audience,
    rules: SendRules,
    made: tuple[Calendars, Ints, npt.NDArray[np.int16]],
    weighed: tuple[npt.NDArray[np.float32], npt.NDArray[np.object_]],
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
    """Net worth as it is ranked, and as it is expected, of each message in each hour.

    A message of unknown value is one that was decided on elsewhere: it goes out if it may, and competes for hours with its
    stand-in.
    """
    (calendars, channel, recent), (weight, evidence) = made, weighed
    value = messages.table["value"].to_numpy(np.float64)
    known = ~np.isnan(value)
    cost = np.array([one.cost for one in calendars.channels], dtype=np.float64)[channel]
    effect = np.array([one.effect for one in calendars.channels], dtype=np.float64)[channel]
    worth = np.where(known, value * effect, messages.stand_in)[:, None].astype(np.float32)
    rates = np.array(rules.unsubscribe_rates, np.float32)
    risk = np.where(known, at_risk(messages, audience, rules)[messages.owner], 0.0)[:, None].astype(np.float32)
    spent = np.where(known, cost, 0.0)[:, None].astype(np.float32) + risk * rates[np.minimum(recent, len(rates) - 1)]
    claims = np.asarray(evidence == EXPERIMENT, dtype=bool)[:, None]
    expected = worth * np.where(claims, weight, np.float32(1.0)) - spent
    net = np.where(claims | (expected <= 0), expected, expected * weight)
    return np.where(np.isnan(weight), -np.inf, net), np.where(known[:, None], expected, np.nan).astype(np.float32)
