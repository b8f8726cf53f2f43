"""One budget: the queue of all customers' steps, most efficient first, cut where the money ends.

The multiple-choice knapsack by efficiency (Sinha and Zoltners 1979). The cut is found from a histogram, so nothing is sorted
but the steps of one bin, and customers may come in blocks that are never in memory together.
"""

from dataclasses import dataclass
from math import fsum

import numpy as np
import pandas as pd

from churnvalue.decisions.allocation.blocks import ROUNDING, Block, Blocks, Bools, Choices, Floats, Ints, side_by_side
from churnvalue.decisions.allocation.curves import curve_budgets, curve_table, walked
from churnvalue.decisions.allocation.filling import best_efficiency, fill
from churnvalue.decisions.allocation.hulls import (
    BINS,
    COST,
    COST_REST,
    CUSTOMERS,
    PROFIT,
    PROFIT_REST,
    STEPS,
    cut,
    joined,
    spread,
)
from churnvalue.errors import DefinitionError

_NONE = -1
_EVERY_STEP = 1 << 14  # as many steps are walked one by one for the curve, more are read from the histogram


@dataclass(frozen=True, eq=False)
class Spending:
    """What one budget buys: choices block by block, the price of money, totals, what no plan can exceed, the curve."""

    choice: list[Choices]
    price: float
    cost: float
    profit: float
    bound: float
    curve: pd.DataFrame


@dataclass(frozen=True, eq=False)
class _Steps:
    """Steps in the order of the queue: block, row, old and new option; extra cost, gain, efficiency; who pays."""

    places: Ints
    numbers: Floats
    charged: Bools


def spend(blocks: Blocks, budget: float) -> Spending:
    """Return what ``budget`` buys: two passes over the customers, more while a single option still makes a difference.

    More budget never earns less: every choice is the most efficient that the money left can pay.

    Raises:
        DefinitionError: If something is not a number, or a cost negative or infinite.
    """
    money = budget * ROUNDING
    histogram, dearest = _histogram(blocks, np.inf)
    everything = histogram
    if dearest > money:
        # What alone is dearer than the budget must not block what is not.
        histogram, _ = _histogram(blocks, money)
    used, sums = _sums(histogram)
    bins = int(np.searchsorted(np.cumsum(sums[0]), money, side="right"))  # how many whole bins the money buys
    at = int(used[bins]) if bins < len(used) else -1
    choice, steps = _cut(blocks, histogram, money, at, at)
    whole = sums[:, :bins]
    spent = fsum(whole[0]) + np.cumsum(steps.numbers[:, 0] * steps.charged)
    over = np.flatnonzero((spent > money) & steps.charged)
    stop = int(over[0]) if len(over) else len(spent)
    places = steps.places[:stop]
    for number in np.unique(places[:, 0]):
        mine = places[places[:, 0] == number]
        choice[number][mine[:, 1]] = mine[:, 3]
    paid = np.flatnonzero(steps.charged[:stop])
    taken = np.array([*steps.numbers[paid, :2].T, steps.places[paid, 2] == _NONE])
    bought, earned, customers = map(fsum, np.hstack([whole, taken]))
    price = float(steps.numbers[min(stop, len(spent) - 1), 2]) if len(spent) else 0.0
    bound = earned + price * max(budget - bought, 0.0)
    totals = fill(blocks, choice, money, (bought, earned, customers), bound)
    if price == 0.0 and dearest > money:
        price = best_efficiency(blocks, choice)
    curve = curve_table(*_curve(blocks, everything, budget), (budget, *totals, price))
    return Spending(choice, price, totals[0], totals[1], bound, curve)


def _histogram(blocks: Blocks, ceiling: float) -> tuple[Floats, float]:
    """Steps by bins of efficiency and the cost of the dearest worthwhile option."""
    histogram, dearest = np.zeros((BINS, 6)), 0.0

    def spread_out(part: Block) -> tuple[Floats, float, int]:
        own = np.zeros((BINS, 6))
        return own, *spread(part.profit, part.cost, part.charged, ceiling, own)

    for block in blocks():
        for _, (own, highest, invalid) in side_by_side(block, spread_out):
            if invalid:
                raise DefinitionError(
                    f"Profit must not be NaN and cost must be finite and at least 0, but {invalid} pairs are not so. "
                    "Give a profit of minus infinity and a cost of 0 where an option is not allowed."
                )
            histogram, dearest = joined(histogram, own), max(dearest, highest)
    return histogram, dearest


def _sums(histogram: Floats) -> tuple[Ints, Floats]:
    """The bins that hold steps, best first, with their cost, profit and customers. Shapes (bins,), (3, bins)."""
    used = np.flatnonzero(histogram[:, STEPS])[::-1]
    held = histogram[used]
    return used, np.array(
        [held[:, COST] + held[:, COST_REST], held[:, PROFIT] + held[:, PROFIT_REST], held[:, CUSTOMERS]]
    )


def _cut(blocks: Blocks, histogram: Floats, ceiling: float, low: int, high: int) -> tuple[list[Choices], _Steps]:
    """Choices by the steps above bin ``high``, and the steps of bins ``low`` to ``high`` in the order of the queue."""
    size = int(histogram[max(low, 0) : high + 1, STEPS].sum())
    choices, parts = [], []

    def cut_off(block: Block) -> tuple[Choices, Ints, Floats]:
        choice = np.empty(len(block.profit), dtype=np.int16)
        places, numbers = np.empty((size, 3), dtype=np.int64), np.empty((size, 3))
        found = cut(block.profit, block.cost, ceiling, low, high, choice, places, numbers)
        return choice, places[:found].copy(), numbers[:found].copy()

    for number, block in enumerate(blocks()):
        made = side_by_side(block, cut_off)
        choices.append(np.concatenate([choice for _, (choice, _, _) in made]))
        for start, (_, places, numbers) in made:
            places[:, 0] += start
            rows = places[:, 0]
            parts.append((np.insert(places, 0, number, axis=1), numbers, block.charged[rows], block.tie_key[rows]))
    if not parts:
        return [], _Steps(np.empty((0, 4), np.int64), np.empty((0, 3)), np.empty(0, bool))
    places, numbers, charged, tie_key = (np.concatenate(part) for part in zip(*parts, strict=True))
    order = np.lexsort((tie_key, -numbers[:, 2]))
    return choices, _Steps(places[order], numbers[order], charged[order])


def _curve(blocks: Blocks, histogram: Floats, budget: float) -> tuple[Floats, Floats]:
    """Budgets, and what each from 0 to that for everything worthwhile buys."""
    used, sums = _sums(histogram)
    budgets = curve_budgets(float(sums[0].sum()), budget)
    if histogram[used, STEPS].sum() <= _EVERY_STEP:
        return budgets, walked(*_all_steps(blocks, histogram), budgets)
    running = np.column_stack([np.zeros(3), np.cumsum(sums, axis=1)])
    with np.errstate(divide="ignore", invalid="ignore"):
        efficiency = np.nan_to_num(np.append(sums[1] / sums[0], 0.0), posinf=0.0)
    # Inside a bin efficiencies are alike, so money buys it evenly.
    at = np.searchsorted(running[0], budgets * ROUNDING, side="right") - 1
    following = np.minimum(at + 1, len(used))
    width = running[0, following] - running[0, at]
    part = np.divide(budgets - running[0, at], width, out=np.zeros(len(budgets)), where=width > 0).clip(0.0, 1.0)
    points = running[:, at] + part * (running[:, following] - running[:, at])
    return budgets, np.column_stack([*points, efficiency[at]])


def _all_steps(blocks: Blocks, histogram: Floats) -> tuple[Ints, Floats]:
    """Every step of charged customers in the order of the queue; customers are numbered through all blocks."""
    choice, steps = _cut(blocks, histogram, np.inf, 0, BINS - 1)
    starts = np.cumsum([0, *(len(c) for c in choice)])
    places = steps.places[steps.charged]
    return np.column_stack([starts[places[:, 0]] + places[:, 1], places[:, 2:]]), steps.numbers[steps.charged]


def every_step(block: Block) -> tuple[Ints, Floats]:
    """Return the queue of a block whole: row, old and new option; extra cost, gain, efficiency."""
    return _all_steps(lambda: [block], _histogram(lambda: [block], np.inf)[0])
