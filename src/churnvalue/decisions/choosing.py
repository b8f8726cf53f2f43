"""Who is held out, who explores, and what everybody else gets: one allocation for levels of service and actions."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from churnvalue.config import Retention
from churnvalue.decisions.allocation import NONE, Allocation, Floor, Limits, allocate_within
from churnvalue.decisions.assignment import (
    EXPLOIT,
    EXPLORE,
    HOLDOUT,
    draw,
    explore_order,
    explore_within,
    hashes,
    uniform,
)
from churnvalue.decisions.candidates import Candidates
from churnvalue.decisions.options import Options, options
from churnvalue.decisions.service import TODAY
from churnvalue.decisions.tiers import TIERS, places_of

EXPLORE_SHARE = 0.2

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Draws:
    """Who is held out, who explores which action (-1 for none), and with which probability."""

    group: npt.NDArray[np.str_]
    drawn: Ints
    rates: Floats


def draws_of(customers: Candidates, retention: Retention, salt: str) -> Draws:
    """Hold out, and explore within a share of budget and capacities."""
    ids, cost, occasion = customers.ids, customers.worth.cost, customers.occasion
    held_out = uniform(ids, salt, HOLDOUT) < retention.holdout
    share = EXPLORE_SHARE * retention.budget / max(len(cost), 1)
    affordable = np.divide(share, cost, out=np.full(len(cost), np.inf), where=cost > 0)
    limits = np.floor(np.minimum(affordable, EXPLORE_SHARE * customers.capacity))
    chosen = draw(customers.eligible, ids, f"{salt} {occasion}")
    order = explore_order(ids, salt, occasion)
    drawn, rates = explore_within(np.where(held_out, NONE, chosen), order, retention.explore, limits)
    return Draws(np.select([held_out, drawn != NONE], [HOLDOUT, EXPLORE], default=EXPLOIT), drawn, rates)


def decide(customers: Candidates, draws: Draws, retention: Retention, salt: str) -> tuple[Allocation, Ints, Ints]:
    """Return the allocation, and each customer's level of service that pays (-1 for today's) and planned action.

    Who is held out or explores draws on the budget for service alone; a second row, which uses nothing, tells which action
    they would get.
    """
    tie = hashes(customers.ids, salt, "tie")
    apart = draws.group != EXPLOIT
    pairs, n, told = options(customers, apart), len(tie), np.flatnonzero(apart)
    allocation = allocate_within(
        pairs.profit,
        pairs.cost,
        _limits(customers, pairs, draws, retention),
        np.concatenate([tie, ~tie[told]]),
        np.arange(n + len(told)) < n,
    )
    own, as_told = allocation.choice[:n], allocation.choice[n:]
    levels, actions = np.append(pairs.level, TODAY), np.append(pairs.action, NONE)
    chosen, planned = levels[own], actions[own]
    planned[told] = actions[as_told]
    # Served as beside the planned action, where money was set aside for it, they differ in the action alone.
    paid, row = np.column_stack([pairs.cost[n:], np.zeros(len(told))]), np.arange(len(told))
    spare = levels[as_told]
    alone = [_pair(pairs, level) for level in (*range(customers.service.profit.shape[1]), TODAY)]
    only_level = np.array(alone, dtype=np.int64)[spare]
    affordable = paid[row, only_level] <= paid[row, own[told]] + 1e-12
    chosen[told] = np.where(affordable, spare, chosen[told])
    return allocation, chosen, planned


def _pair(pairs: Options, level: int) -> int:
    """Return the option of a level without action; the last, nothing, for today's."""
    found = np.flatnonzero((pairs.level == level) & (pairs.action == NONE))
    return int(found[0]) if len(found) else NONE


def level_given(customers: Candidates, chosen: Ints) -> Ints:
    """Level of service of each customer: the one that pays; where none can be valued the first of their tier."""
    first = customers.service.first
    if not customers.service.profit.shape[1]:
        return chosen
    unvalued = (first != TODAY) & (customers.service.profit[np.arange(len(first)), first] == 0.0)
    return np.where((chosen == TODAY) & unvalued, first, chosen)


def _limits(customers: Candidates, pairs: Options, draws: Draws, retention: Retention) -> Limits:
    """Return what is left of budget and capacities beside exploration, and the floors."""
    used = np.bincount(draws.drawn[draws.drawn != NONE], minlength=len(customers.worth.cost)).astype(np.float64)
    spent = float(used @ customers.worth.cost)
    names = [action.id for action in retention.actions]
    tier = places_of(customers.scores["tier"]).astype(np.int64)
    floors = []
    for floor in retention.floors:
        action = None if floor.action is None else names.index(floor.action)
        exploring = (draws.drawn != NONE if action is None else draws.drawn == action) & (
            tier == TIERS.index(floor.tier)
        )
        due = max(floor.customers - int(exploring.sum()), 0)
        floors.append(Floor(TIERS.index(floor.tier), pairs.with_action(action), due, f"tier '{floor.tier}'"))
    segment = np.concatenate([tier, tier[draws.group != EXPLOIT]])
    capacity = np.concatenate([customers.capacity - used, customers.service.capacity])
    return Limits(max(retention.budget - spent, 0.0), capacity, pairs.uses, tuple(floors), segment)
