"""Which customer gets which option, so that a budget and capacities earn the most, with a bound on what any plan could earn.

An option is whatever a customer can get at most one of: an action, or a pair of service level and action. This module knows
nothing of customers or of what the options are.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from churnvalue.decisions.allocation.blocks import Block, Bools, Floats, Ints, Numbers, plain
from churnvalue.decisions.allocation.contested import contest, contested_curve, told
from churnvalue.decisions.allocation.limits import Limits, check, check_floors
from churnvalue.decisions.allocation.prices import Problem
from churnvalue.decisions.allocation.queues import Spending, spend
from churnvalue.errors import DefinitionError

NONE = -1
_PROVEN = 1e-7


@dataclass(frozen=True, eq=False)
class Allocation:
    """What each customer gets.

    Attributes:
        choice: Index of the option, -1 for none; shape (n,).
        price: Profit that the next unit of money would add; 0 when the budget is enough for everything
            worthwhile.
        cost: Money spent on charged customers.
        profit: What it earns.
        bound: What no plan within the limits can exceed.
        curve: Columns budget, cost, expected_profit, customers, marginal_profit; budgets rise from 0 to the
            whole cost of everything worthwhile and include the given one.
        capacity_price: Profit that one more place of each resource would add, shape (R,).
        floor_price: Profit that one customer less of each floor would add, shape (F,).
    """

    choice: Ints
    price: float
    cost: float
    profit: float
    bound: float
    curve: pd.DataFrame
    capacity_price: Floats
    floor_price: Floats

    @property
    def gap(self) -> float:
        """Share of the bound that the plan may fall short of the best; 0 where it is proven to be the best."""
        return max(self.bound - self.profit, 0.0) / self.bound if self.bound > 0 else 0.0


def allocate(
    profit: npt.ArrayLike,
    cost: npt.ArrayLike,
    budget: float,
    capacity: npt.ArrayLike | None = None,
    tie_key: npt.NDArray[np.uint64] | None = None,
    charged: Bools | None = None,
) -> Allocation:
    """Return at most one option for each customer, within the budget and the capacity (A,) of each option.

    ``allocate_within`` with each option as a resource of its own; no capacities mean no limits. Without keys, rows that are
    alike in every number are told apart by their order alone.

    A call or a letter for each of three customers: what it earns, and what it costs.

    >>> found = allocate([[9.0, 4.0], [8.0, 5.0], [3.0, 2.0]], [[4.0, 1.0]] * 3, budget=6.0)
    >>> found.choice  # one call, two letters
    array([0, 1, 1])
    >>> found.cost, found.profit, round(found.price, 2)
    (6.0, 16.0, 1.0)
    """
    profits, costs = np.asarray(profit), np.asarray(cost)
    rooms = np.full(profits.shape[-1], np.inf) if capacity is None else np.asarray(capacity, dtype=np.float64)
    keys = _content_ranks(profits, costs) if tie_key is None else tie_key
    return allocate_within(profits, costs, Limits(budget, rooms, np.eye(len(rooms))), keys, charged)


def _content_ranks(profit: Numbers, cost: Numbers) -> npt.NDArray[np.uint64]:
    """Place of each row in the order of their numbers; of equal rows the first comes first."""
    if profit.ndim != 2 or cost.shape != profit.shape:
        return np.arange(len(profit), dtype=np.uint64)  # refused by the checks that follow
    rank = np.empty(len(profit), np.uint64)
    rank[np.lexsort((*cost.T, *profit.T, np.zeros(len(profit))))] = np.arange(len(profit), dtype=np.uint64)
    return rank


def allocate_within(
    profit: Numbers,
    cost: Numbers,
    limits: Limits,
    tie_key: npt.NDArray[np.uint64],
    charged: Bools | None = None,
) -> Allocation:
    """Return at most one option for each customer, within all limits.

    With a budget alone: every customer's steps to better options stand in one queue by what they add for each unit of money;
    more budget never earns less. With capacities or floors: the optimum, proven, where up to 3000 pairs of a customer and an
    option compete; beyond, a plan with the gap that it states, usually below a thousandth, and smaller the more customers.

    Args:
        profit: Shape (n, A); minus infinity where the option is not allowed. Only what is above 0 is chosen, save for a floor.
        cost: Shape (n, A), at least 0.
        limits: Budget, capacities, floors.
        tie_key: Shape (n,), distinct: decides between equals, so that the order of rows never does.
        charged: Shape (n,): who uses up budget and capacity. The others are told what they would get at the
            same prices.

    Raises:
        DefinitionError: If shapes differ, a cost is negative, something is not a number, or no plan can keep the floors.
    """
    charged = np.ones(len(profit), dtype=bool) if charged is None else charged
    uses = np.zeros((profit.shape[-1], 0)) if limits.uses is None else np.asarray(limits.uses, dtype=np.float64)
    check(profit, cost, limits, uses, (tie_key, charged))
    block = plain(profit, cost, tie_key, charged)
    alone = spend(lambda: [block], limits.budget)
    resources = _scarce(block, limits, uses)
    if not _contested(alone, block, limits, uses, resources):
        return Allocation(
            np.concatenate(alone.choice).astype(np.int64), alone.price, alone.cost, alone.profit, alone.bound, alone.curve,
            np.zeros(len(limits.capacity)), np.zeros(len(limits.floors)),
        )  # fmt: skip
    return _compete(block, limits, uses, resources)


def _scarce(block: Block, limits: Limits, uses: Floats) -> Ints:
    """Resources for which there may be more charged customers than places; a floor may call for those who do not pay."""
    least = -np.inf if limits.floors else 0.0
    wanted = [
        np.isfinite(room) and int(((block.profit[:, uses[:, r] > 0] > least).any(axis=1) & block.charged).sum()) > room
        for r, room in enumerate(limits.capacity)
    ]
    return np.flatnonzero(wanted)


def _contested(alone: Spending, block: Block, limits: Limits, uses: Floats, resources: Ints) -> bool:
    """Whether the budget's own plan does not keep the other limits, or may not be the best that does."""
    if not len(resources) and not limits.floors:
        return False
    choice = np.where(block.charged, alone.choice[0], NONE)
    counts = np.bincount(choice[choice >= 0], minlength=len(uses))
    kept = (counts @ uses[:, resources] <= limits.capacity[resources]).all()
    segment = np.zeros(len(choice), dtype=np.int64) if limits.segment is None else limits.segment
    for floor in limits.floors:
        mine = choice[(segment == floor.segment) & (choice >= 0)]
        kept &= floor.options[mine].sum() >= floor.customers
    return not kept or alone.bound - alone.profit > _PROVEN * alone.bound


def _compete(block: Block, limits: Limits, uses: Floats, resources: Ints) -> Allocation:
    """Settle several limits, of those customers only for whom anything pays or who may fill a floor."""
    segment = np.zeros(len(block.profit), dtype=np.int64) if limits.segment is None else np.asarray(limits.segment)
    segments = max([int(segment.max(initial=0)), *(floor.segment for floor in limits.floors)]) + 1
    table = np.zeros((segments, len(uses), len(resources) + len(limits.floors)))
    table[:, :, : len(resources)] = uses[:, resources]
    for number, floor in enumerate(limits.floors, len(resources)):
        table[floor.segment, floor.options, number] = -1.0
    floored = np.asarray((table < 0).any(axis=2))[segment]
    wanted = (block.profit > 0) | (floored & np.isfinite(block.profit))
    useful = np.flatnonzero(wanted.any(axis=1))
    useful = useful[np.argsort(block.tie_key[useful], kind="stable")]
    least = [-float(floor.customers) for floor in limits.floors]
    bounds = np.array([limits.budget, *np.floor(limits.capacity[resources].clip(0.0)), *least])

    def problem_of(rows: Ints) -> Problem:
        cost = np.broadcast_to(block.cost, block.profit.shape)
        profit, cost = (np.ascontiguousarray(part[rows], dtype=np.float64) for part in (block.profit, cost))
        return Problem(profit, cost, segment[rows].astype(np.int64), table, bounds)

    rows = useful[block.charged[useful]]
    problem = problem_of(rows)
    check_floors(problem, limits, len(resources))
    draw = _uniform(block.tie_key[rows])
    settled = contest(problem, draw)
    if settled is None:
        raise DefinitionError(
            f"Floors must fit into budget and capacities, but {[floor.customers for floor in limits.floors]} customers cannot be "
            "held at once. Lower a floor, or raise the budget or a capacity."
        )
    choice = np.full(len(block.profit), NONE, dtype=np.int64)
    choice[rows] = settled.choice
    others = useful[~block.charged[useful]]
    choice[others] = told(problem_of(others), settled.prices)
    capacity_price = np.zeros(len(limits.capacity))
    capacity_price[resources] = settled.prices[1 : 1 + len(resources)]
    return Allocation(
        choice,
        float(settled.prices[0]),
        float(problem.used(settled.choice)[0]),
        problem.earned(settled.choice),
        settled.bound,
        contested_curve(problem, draw, settled),
        capacity_price,
        settled.prices[1 + len(resources) :],
    )


def _uniform(tie_key: npt.NDArray[np.uint64]) -> Floats:
    """Numbers in [0, 1) that look random but belong to the key (splitmix64, Steele, Lea and Flood 2014)."""
    mixed = tie_key * np.uint64(0x9E3779B97F4A7C15) + np.uint64(0x9E3779B97F4A7C15)
    mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return np.asarray((mixed ^ (mixed >> np.uint64(31))) >> np.uint64(11)) * 2.0**-53
