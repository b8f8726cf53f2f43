"""Which hour each message gets: the one that is worth most within caps, gaps and capacities, or one drawn at random.

This module knows what each hour is worth, not why.
"""

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import pandas as pd

from churnvalue.clock import HOUR
from churnvalue.decisions.assignment import EXPLOIT, EXPLORE, HOLDOUT, assign, explore_order, uniform
from churnvalue.decisions.sending.calendars import HOURS, channel_caps
from churnvalue.decisions.sending.candidates import Candidates, candidates
from churnvalue.decisions.sending.kernels import NONE, respond
from churnvalue.decisions.sending.prices import SendAssignment, SendProblem, assign_slots
from churnvalue.decisions.sending.rules import Audience, Messages, SendRules
from churnvalue.decisions.sending.worth import at_risk
from churnvalue.timing.response import SlotResponse

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class SlotChoice:
    """For each message the number of a candidate of its calendar, -1 for none.

    Attributes:
        candidates: What could have been chosen; the others of an explorer's messages give way to the one drawn.
        group: holdout, explore or exploit.
        wished: What would be given if no hour were ever full.
        given: What is given.
        propensity: Probability of what was given over the hash of the id, at the prices of the plan; NaN where nothing is
            given, and for the further messages of a customer while anyone explores.
        assignment: The plan of those who do not explore, with its bound.
    """

    candidates: Candidates
    group: npt.NDArray[np.object_]
    wished: Ints
    given: Ints
    propensity: Floats
    assignment: SendAssignment


@dataclass(frozen=True, eq=False)
class _Draws:
    """Rows that explore, the candidates drawn, and those given: the drawn or, where it is full, the next with room."""

    rows: Ints
    drawn: Ints
    given: Ints


def choose_slots(
    messages: Messages, audience: Audience, rules: SendRules, response: SlotResponse | None = None
) -> SlotChoice:
    """Choose the hour of every message.

    Of a customer who explores, the message worth most goes out in an allowed hour drawn evenly; the others are planned
    around it. Only messages that a random hour pays for on average explore.
    """
    ids = messages.table["customer_id"].to_numpy(dtype=object)[messages.place == 0].tolist()
    occasion = f"send {rules.as_of}"
    timing, salt = rules.timing, f"{rules.salt} sends"
    group = assign(ids, salt, timing.holdout, timing.explore, occasion)[messages.owner].astype(object)
    past = _past(messages, audience)
    found = candidates(messages, audience, rules, response, past)
    held = group == HOLDOUT
    may_explore = (messages.place == 0) & ~held & _pays(found)
    group[(group == EXPLORE) & ~may_explore] = EXPLOIT
    draws = _draw(found, np.flatnonzero(group == EXPLORE), messages, salt, occasion)

    capacity = _capacity(found)
    draws = _place(found, draws, capacity, explore_order(ids, salt, occasion)[messages.owner])
    net = np.where(held[:, None], np.float32(-np.inf), found.net)
    problem = _problem(messages, audience, rules, replace(found, net=net), capacity)
    rest = _after_draws(problem, messages, audience, (found, draws, rules, response, past))
    assignment = assign_slots(rest)

    wished, given = assignment.wished.copy(), assignment.choice.copy()
    wished[draws.rows], given[draws.rows] = draws.drawn, draws.given
    best = _best(problem, assignment)
    size = found.allowed.sum(axis=1)
    even = np.divide(timing.explore, size, out=np.zeros(len(size)), where=may_explore)
    explores = np.where(may_explore, timing.explore, 0.0)
    meant = np.where(group == EXPLORE, given == best, True)
    propensity = (1.0 - timing.holdout) * (even + (1.0 - explores) * meant)
    unknown = (given == NONE) | ((messages.place > 0) & (timing.explore > 0))
    propensity = np.where(held, timing.holdout, np.where(unknown, np.nan, propensity))
    return SlotChoice(found, group, wished, given, propensity, assignment)


def _past(messages: Messages, audience: Audience) -> pd.DataFrame:
    """owner, channel and send_at of other sends to those written to."""
    if audience.past_sends is None or not len(audience.past_sends):
        return pd.DataFrame({"owner": [], "channel": [], "send_at": []}).astype({"owner": "int64", "send_at": "int64"})
    known = pd.Index(list(audience.customer_id), dtype="str").take(messages.customer)
    owner = known.get_indexer(pd.Index(audience.past_sends["customer_id"].astype("str")))
    times = pd.to_datetime(audience.past_sends["event_time"], utc=True).astype("datetime64[us, UTC]").astype("int64")
    table = pd.DataFrame(
        {"owner": owner, "channel": audience.past_sends["channel"].to_numpy(), "send_at": times.to_numpy()}
    )
    return table[table["owner"] >= 0]


def _pays(found: Candidates) -> Bools:
    """Whether a message is worth sending in an allowed hour drawn at random."""
    known = found.allowed & np.isfinite(found.net)
    total = np.where(known, found.net, 0.0).sum(axis=1, dtype=np.float64)
    return np.asarray(known.any(axis=1) & (total > 0))


def _draw(found: Candidates, rows: Ints, messages: Messages, salt: str, occasion: str) -> _Draws:
    """One allowed hour for each row, all equally likely by the hash of the id."""
    ids = messages.table["customer_id"].to_numpy(dtype=object)[rows].tolist()
    allowed = found.allowed[rows]
    rank = np.floor(uniform(ids, f"{salt} {occasion}", "slot") * allowed.sum(axis=1)).astype(np.int64)
    drawn = (allowed.cumsum(axis=1) > rank[:, None]).argmax(axis=1) if len(rows) else np.zeros(0, np.int64)
    return _Draws(rows, drawn, drawn)


def _capacity(found: Candidates) -> Floats:
    """Room of every channel and hour; shape (channels · hours,)."""
    each = [np.inf if one.capacity_per_hour is None else one.capacity_per_hour for one in found.calendars.channels]
    return np.repeat(np.array(each, dtype=np.float64), HOURS)


def _resource(found: Candidates) -> Ints:
    """Which channel and hour each candidate of a calendar uses."""
    channel = np.arange(len(found.calendars.slots)) % max(len(found.calendars.channels), 1)
    return channel[:, None] * HOURS + found.calendars.hour


def _place(found: Candidates, draws: _Draws, capacity: Floats, order: Floats) -> _Draws:
    """Give explorers what they drew, or the next hour with room; takes it out of ``capacity``."""
    given, resource = draws.drawn.copy(), _resource(found)
    for k in np.lexsort((draws.rows, order[draws.rows])):
        row = draws.rows[k]
        own = np.flatnonzero(found.allowed[row])
        free = own[capacity[resource[found.calendar[row], own]] >= 1]
        given[k] = free[np.searchsorted(free, given[k]) % len(free)] if len(free) else NONE
        if given[k] != NONE:
            capacity[resource[found.calendar[row], given[k]]] -= 1
    return _Draws(draws.rows, draws.drawn, given)


def _problem(
    messages: Messages, audience: Audience, rules: SendRules, found: Candidates, capacity: Floats
) -> SendProblem:
    """The numbers of a plan."""
    calendars = found.calendars
    at = np.full((len(calendars.slots), HOURS), NONE, np.int64)
    moments = np.full((len(calendars.zones), HOURS), NONE, np.int64)
    for number, own in enumerate(calendars.slots):
        hours = calendars.hour[number, : len(own.slot)]
        at[number, hours] = np.arange(len(own.slot))
        moments[number // len(calendars.channels), hours] = own.send_at
    usual = (rules.as_of // HOUR + np.arange(HOURS)) * HOUR
    moments = np.where(moments == NONE, usual, moments)
    gap = int(rules.timing.min_gap_hours * HOUR)
    reach = np.array([np.searchsorted(one, one - gap, side="right") - 1 for one in moments], dtype=np.int64)
    first = np.append(np.flatnonzero(messages.place == 0), len(messages.place)).astype(np.int64)
    return SendProblem(
        found.net, found.calendar, _resource(found), calendars.hour, at, first, found.zone,
        reach.reshape(len(calendars.zones), HOURS), found.channel, found.recent, found.recent_channel,
        rules.timing.max_per_week, channel_caps(calendars), np.array(rules.unsubscribe_rates),
        at_risk(messages, audience, rules), capacity,
    )  # fmt: skip


def _after_draws(
    problem: SendProblem,
    messages: Messages,
    audience: Audience,
    made: tuple[Candidates, _Draws, SendRules, SlotResponse | None, pd.DataFrame],
) -> SendProblem:
    """The plan of everyone else: what explores is given, and an explorer's other messages keep away from it."""
    found, draws, rules, response, past = made
    net = problem.net.copy()
    net[draws.rows] = -np.inf
    several = np.isin(messages.owner, messages.owner[messages.place > 0])[draws.rows] & (draws.given != NONE)
    if not several.any():
        return problem._replace(net=net)
    rows, given = draws.rows[several], draws.given[several]
    names = np.array([one.id for one in found.calendars.channels], dtype=object)
    sent = pd.DataFrame(
        {
            "owner": messages.owner[rows],
            "channel": names[found.channel[rows]],
            "send_at": found.calendars.send_at[found.calendar[rows], given],
        }
    )
    owners = np.unique(messages.owner[rows])
    other = np.flatnonzero(np.isin(messages.owner, owners))
    before = pd.concat([past[past["owner"].isin(owners)], sent])
    around = candidates(
        messages.of(owners), audience, rules, response, before.assign(owner=np.searchsorted(owners, before["owner"])),
        (found.calendars, found.channel[other], found.zone[owners]),
    )  # fmt: skip
    later = messages.place[other] > 0
    other = other[later]
    net[other] = around.net[later]
    recent, same = problem.recent.copy(), problem.recent_channel.copy()
    recent[other], same[other] = around.recent[later], around.recent_channel[later]
    return problem._replace(net=net, recent=recent, recent_channel=same)


def _best(problem: SendProblem, assignment: SendAssignment) -> Ints:
    """What everyone would get at the prices of the plan if nobody explored."""
    choice, load = np.full(len(problem.net), NONE, np.int64), np.zeros(len(problem.capacity))
    respond(problem, np.arange(len(problem.first) - 1, dtype=np.int64), assignment.prices, choice, load)
    return choice
