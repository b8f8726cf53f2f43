"""Which customer gets which action, so that a budget and the capacity of each action earn the most.

The multiple-choice knapsack by efficiency: every customer's next better action stands in one queue, ordered
by the profit it adds for each unit of money it adds. The budget only says where the queue stops, so more
budget never earns less. This module knows nothing of customers or of what the actions are.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from churnvalue.errors import DefinitionError

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]

NONE = -1
CURVE_POINTS = 101
_TOTALS = ("cost", "expected_profit", "customers", "marginal_profit")
# Sums of prices such as 3.05 miss the exact budget by rounding alone.
_ROUNDING = 1.0 + 1e-12


@dataclass(frozen=True, eq=False)
class Allocation:
    """What each customer gets.

    Attributes:
        choice: Index of the action, -1 for none; shape (n,).
        price: Profit that the next unit of money would add; 0 when the budget is enough for everything
            worthwhile.
        cost: Money spent on charged customers.
        profit: What it earns.
        curve: Columns budget, cost, expected_profit, customers, marginal_profit; budgets rise from 0 to the
            whole cost of everything worthwhile and include the given one.
    """

    choice: Ints
    price: float
    cost: float
    profit: float
    curve: pd.DataFrame


@dataclass(frozen=True, eq=False)
class _Queue:
    """Steps in the order in which money buys them: each moves a customer to a better action."""

    row: Ints
    old: Ints
    new: Ints
    extra: Floats
    gain: Floats
    efficiency: Floats

    def take(self, keep: npt.NDArray[np.int64] | slice) -> "_Queue":
        return _Queue(
            self.row[keep],
            self.old[keep],
            self.new[keep],
            self.extra[keep],
            self.gain[keep],
            self.efficiency[keep],
        )


def allocate(
    profit: Floats,
    cost: Floats,
    budget: float,
    capacity: Floats,
    tie_key: npt.NDArray[np.uint64],
    charged: Bools | None = None,
) -> Allocation:
    """Return at most one action for each customer, within the budget and the capacity of each action.

    A heuristic: on large populations the budget is used up to less than the cost of one action, and what it
    loses to the optimum is about that; binding capacities may cost more. To keep a dear action from blocking
    a small budget, the cheapest action alone, the cheapest two and so on are tried as well, and the best of
    these plans is kept.

    Args:
        profit: Shape (n, A); minus infinity where the action is not allowed. Only what is above 0 is ever
            chosen.
        cost: Shape (n, A), at least 0.
        budget: Money for all charged customers together.
        capacity: Shape (A,): how many charged customers may get each action; infinity for no limit.
        tie_key: Shape (n,), distinct: decides between equals, so that the order of rows never does.
        charged: Shape (n,): who uses up budget and capacity. The others are told what they would get at the
            same price.

    Raises:
        DefinitionError: If shapes differ, a cost is negative or something is not a number.
    """
    _check(profit, cost, capacity, tie_key)
    charged = np.ones(len(profit), dtype=bool) if charged is None else charged
    order = np.argsort(tie_key, kind="stable")
    profit, cost, charged = profit[order], cost[order], charged[order]
    # Rows for which nothing pays never enter the queue.
    useful = np.flatnonzero((profit > 0).any(axis=1))
    profit, cost, charged = profit[useful], cost[useful], charged[useful]
    lowest = np.where(profit > 0, cost, np.inf).min(axis=0, initial=np.inf)
    cheapest_first = np.argsort(lowest, kind="stable")
    tables, queues = [], []
    for size in range(1, profit.shape[1] + 1):
        room = np.zeros(profit.shape[1])
        room[cheapest_first[:size]] = capacity[cheapest_first[:size]]
        queues.append(_queue(profit, cost, room, charged))
        tables.append(_totals(queues[-1], charged))
    whole = max((float(table["cost"].iloc[-1]) for table in tables), default=0.0)
    budgets = np.unique(np.append(np.linspace(0.0, whole, CURVE_POINTS), budget))
    curve, best = _curve(tables, budgets)
    at = int(np.searchsorted(budgets, budget))
    choice = np.full(len(order), NONE, dtype=np.int64)
    if queues:
        taken = queues[best[at]]
        stop = _affordable(taken, charged, budget)
        choice[order[useful[taken.row[:stop]]]] = taken.new[:stop]
    point = curve.iloc[at]
    return Allocation(
        choice, float(point["marginal_profit"]), float(point["cost"]), float(point["expected_profit"]), curve
    )


def _queue(profit: Floats, cost: Floats, capacity: Floats, charged: Bools) -> _Queue:
    """Return all worthwhile steps, most efficient first, as far as capacities allow.

    Whenever an action is full the steps that are left are worked out anew without it.
    """
    current = np.full(len(profit), NONE, dtype=np.int64)
    room = capacity.astype(np.float64)
    is_open = room >= 1
    parts = []
    while is_open.any():
        steps = _steps(profit, cost, current, np.flatnonzero(is_open))
        end, full = len(steps.row), NONE
        for action in np.flatnonzero(is_open & np.isfinite(room)).tolist():
            used = np.cumsum(((steps.new == action) * 1.0 - (steps.old == action)) * charged[steps.row])
            over = np.flatnonzero(used > room[action])
            if len(over) and over[0] < end:
                end, full = int(over[0]), action
        steps = steps.take(slice(0, end))
        parts.append(steps)
        current[steps.row] = steps.new
        for action in range(len(room)):
            room[action] -= charged[steps.row[steps.new == action]].sum()
            room[action] += charged[steps.row[steps.old == action]].sum()
        if full == NONE:
            break
        is_open[full] = False
    if not parts:
        return _steps(profit, cost, current, np.zeros(0, dtype=np.int64))
    return _Queue(*(np.concatenate([getattr(part, name) for part in parts]) for name in _Queue.__dataclass_fields__))


def _steps(profit: Floats, cost: Floats, current: Ints, actions: Ints) -> _Queue:
    """Steps along each customer's upper hull of profit over cost, from ``current``, most efficient first."""
    rows = np.arange(len(profit))
    had = current >= 0
    old, last = current.copy(), np.full(len(profit), np.inf)
    now_profit = np.where(had, profit[rows, current], 0.0)
    now_cost = np.where(had, cost[rows, current], 0.0)
    found: list[_Queue] = []
    for _ in actions:
        gain = profit[np.ix_(rows, actions)] - now_profit[:, None]
        extra = cost[np.ix_(rows, actions)] - now_cost[:, None]
        with np.errstate(divide="ignore", invalid="ignore"):
            efficiency = np.where(gain > 0, np.where(extra > 0, gain / extra, np.inf), -np.inf)
        top = efficiency.max(axis=1, initial=-np.inf)
        moving = np.flatnonzero(top > -np.inf)
        best = np.where(efficiency == top[:, None], gain, -np.inf)[moving].argmax(axis=1)
        rows, old = rows[moving], old[moving]
        # Rounding must not let a customer's second step overtake the first.
        last = np.minimum(last[moving], top[moving])
        found.append(_Queue(rows, old, actions[best], extra[moving, best], gain[moving, best], last))
        old = actions[best]
        now_profit, now_cost = profit[rows, old], cost[rows, old]
    if not found:
        nothing, empty = np.zeros(0, dtype=np.int64), np.zeros(0)
        return _Queue(nothing, nothing, nothing, empty, empty, empty)
    steps = _Queue(*(np.concatenate([getattr(part, name) for part in found]) for name in _Queue.__dataclass_fields__))
    # What costs nothing is ordered by what it adds; among all other equals earlier rows, so smaller tie keys,
    # come first.
    free_gain = np.where(np.isinf(steps.efficiency), -steps.gain, 0.0)
    return steps.take(np.lexsort((free_gain, -steps.efficiency)))


def _totals(queue: _Queue, charged: Bools) -> pd.DataFrame:
    """Cost, profit, customers after 0, 1, 2 … charged steps, and the efficiency of the step that follows."""
    paid = queue.take(np.flatnonzero(charged[queue.row]))

    def running(values: npt.NDArray[np.generic]) -> Floats:
        return np.concatenate([[0.0], np.cumsum(values)])

    # Rounding may turn a cost that does not change into one that falls by a trifle.
    spent = np.maximum.accumulate(running(paid.extra))
    customers = running(paid.old == NONE)
    marginal = np.append(paid.efficiency, 0.0)
    return pd.DataFrame(np.column_stack([spent, running(paid.gain), customers, marginal]), columns=list(_TOTALS))


def _affordable(queue: _Queue, charged: Bools, budget: float) -> int:
    """How many steps from the front of the queue the budget buys."""
    spent = np.maximum.accumulate(np.cumsum(queue.extra * charged[queue.row])) if len(queue.row) else np.zeros(0)
    return int(np.searchsorted(spent, budget * _ROUNDING, side="right"))


def _curve(tables: list[pd.DataFrame], budgets: Floats) -> tuple[pd.DataFrame, Ints]:
    """For each budget the totals of the best queue, and which it is; of equals the one with most actions."""
    best = np.zeros(len(budgets), dtype=np.int64)
    totals = np.zeros((len(budgets), len(_TOTALS)))
    for index, table in enumerate(tables):
        stop = np.searchsorted(table["cost"].to_numpy(), budgets * _ROUNDING, side="right") - 1
        reached = table.to_numpy(dtype=np.float64)[stop]
        better = reached[:, 1] >= totals[:, 1]
        best[better], totals[better] = index, reached[better]
    curve = pd.DataFrame(totals, columns=list(_TOTALS)).astype({"customers": np.int64})
    curve.insert(0, "budget", budgets)
    return curve, best


def _check(profit: Floats, cost: Floats, capacity: Floats, tie_key: npt.NDArray[np.uint64]) -> None:
    """Refuse what cannot be allocated."""
    if (
        profit.ndim != 2
        or cost.shape != profit.shape
        or capacity.shape != profit.shape[1:]
        or len(tie_key) != len(profit)
    ):
        raise DefinitionError(
            "Profit and cost must have the shape (customers, actions), capacity one entry an action, tie_key "
            f"one a customer, but {profit.shape}, {cost.shape}, {capacity.shape} and {tie_key.shape} came."
        )
    if np.isnan(profit).any() or not np.isfinite(cost).all() or (cost < 0).any() or np.isnan(capacity).any():
        raise DefinitionError(
            "Profit must not be NaN and cost must be finite and at least 0, but some are not. "
            "Give a profit of minus infinity where an action is not allowed."
        )
