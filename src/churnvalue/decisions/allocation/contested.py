"""Several limits at once: prices that bound every plan, and a plan that keeps all limits and comes close to the bound.

Few customers are decided as a whole. Of many, all but those nearest to indifference follow the prices, and these few are
decided exactly within what the others leave.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from churnvalue.decisions.allocation.blocks import Floats, Ints, plain
from churnvalue.decisions.allocation.core import integer_choice, linear_prices
from churnvalue.decisions.allocation.curves import curve_budgets, curve_table, walked
from churnvalue.decisions.allocation.prices import Problem, find_prices, settle
from churnvalue.decisions.allocation.queues import every_step

_WHOLE = 1000  # as many customers are decided as a whole
_CORE, _WIDER = 400, 4
_EXACT, _CLOSE = 1e-9, 1e-7
_SAMPLE, _CURVE_SAMPLE = 20_000, 5_000
_CURVE_LEVELS = (1 / 16, 1 / 4, 1.0)


@dataclass(frozen=True, eq=False)
class Settled:
    """Choices, the prices of money and of every other limit, and what no plan can exceed."""

    choice: Ints
    prices: Floats
    bound: float


def contest(problem: Problem, draw: Floats) -> Settled | None:
    """Return a plan within all limits; None where there is none.

    ``draw``, shape (n,), uniform in [0, 1) and tied to the customer: decides between equals.
    """
    if len(problem.profit) <= _WHOLE:
        prices = linear_prices(problem)
        found = None if prices is None else integer_choice(problem, _EXACT)
        if prices is None or found is None:
            return None
        return Settled(found[0], prices, min(found[1], problem.bound(prices)))
    prices, temperature = find_prices(problem, _sample(draw, _SAMPLE))
    choice, margin = np.empty(len(draw), dtype=np.int64), np.empty(len(draw))
    best = settle(
        problem.profit,
        problem.cost,
        problem.segment,
        problem.charge(prices),
        prices[0],
        temperature,
        draw,
        choice,
        margin,
    )
    bound = float(best + problem.limits @ prices)
    size = _CORE
    while True:
        size = min(size, len(draw))
        core = np.sort(np.argpartition(margin, size - 1)[:size])
        others = choice.copy()
        others[core] = -1
        few = problem.take(core, problem.limits - problem.used(others))
        found = integer_choice(few, max(_CLOSE * bound / max(few.bound(prices), 1e-300), _EXACT))
        if found is not None:
            others[core] = found[0]
            return Settled(others, prices, bound)
        if size == len(draw):
            return None
        size *= _WIDER


def told(problem: Problem, prices: Floats) -> Ints:
    """Return what customers who use nothing up would choose at these prices."""
    net = problem.profit - prices[0] * problem.cost - problem.charge(prices)[problem.segment]
    best = net.argmax(axis=1) if net.shape[1] else np.zeros(len(net), dtype=np.int64)
    return np.where(net.max(axis=1, initial=0.0) > 0, best, -1)


def _sample(draw: Floats, size: int) -> Ints:
    """Rows that stand for all, whatever their order."""
    return np.sort(np.argpartition(draw, size - 1)[:size]) if size < len(draw) else np.arange(len(draw))


def contested_curve(problem: Problem, draw: Floats, settled: Settled) -> pd.DataFrame:
    """Return what each budget would earn within the other limits: of four queues, each at other prices, the best.

    A queue holds steps in the order of what they earn, net of what they use of the other limits, for each unit of money, and
    passes over what a limit no longer holds. Of many customers a sample stands for all. Floors count at their price, so small
    budgets meet them as far as they can.
    """
    rows = _sample(draw, _CURVE_SAMPLE)
    share = len(rows) / max(len(draw), 1)
    few = problem.take(rows, problem.limits * share)
    dearest = float(np.where(few.profit > 0, few.cost, 0.0).max(axis=1, initial=0.0).sum())
    whole = float(_queue_curve(few, _prices(few, dearest, settled), np.array([dearest]))[0, 0])
    budgets = curve_budgets(whole / share if share else 0.0, float(problem.limits[0]))
    best = np.zeros((len(budgets), 4))
    for level in (*_CURVE_LEVELS, None):
        prices = settled.prices if level is None else _prices(few, whole * level, settled)
        found = _queue_curve(few, prices, budgets * share)
        better = found[:, 1] > best[:, 1]
        best[better] = found[better]
    if share:
        best[:, :3] /= share
    acts = int((settled.choice >= 0).sum())
    plan = (float(problem.limits[0]), float(problem.used(settled.choice)[0]), problem.earned(settled.choice), acts)
    return curve_table(budgets, best, (*plan, float(settled.prices[0])))


def _prices(problem: Problem, money: float, settled: Settled) -> Floats:
    """Prices under another budget; those of the plan where floors cannot be held with so little."""
    other = problem.take(np.arange(len(problem.profit)), np.append(money, problem.limits[1:]))
    if len(problem.profit) <= _WHOLE:
        prices = linear_prices(other)
        return settled.prices if prices is None else prices
    return find_prices(other, np.arange(len(problem.profit)))[0]


def _queue_curve(problem: Problem, prices: Floats, budgets: Floats) -> Floats:
    net = problem.profit - problem.charge(prices)[problem.segment]
    everybody = np.ones(len(net), dtype=bool)
    places, numbers = every_step(plain(net, problem.cost, np.arange(len(net), dtype=np.uint64), everybody))
    rows, old, new = places.T
    numbers[:, 1] = problem.profit[rows, new] - np.where(old >= 0, problem.profit[rows, old], 0.0)
    capacities = np.flatnonzero(problem.limits[1:] >= 0)
    uses = np.maximum(problem.uses[0][:, capacities], 0.0)
    return walked(places, numbers, budgets, uses, np.floor(problem.limits[1:][capacities]))
