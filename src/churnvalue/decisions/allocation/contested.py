"""Several limits at once: prices that bound every plan, and a plan that keeps all limits and comes close to the bound.

Where few pairs of customer and option compete they are decided as a whole. Of many, all but those nearest to indifference
follow the prices, these few are decided exactly within what the others leave, and exchanges use up the odds and ends. Whoever
would lose more by leaving the prices than the plan falls short of the bound cannot be part of a better plan; if few are left,
these are decided exactly too, which proves the plan.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from churnvalue.decisions.allocation.blocks import ROUNDING, Bools, Floats, Ints, plain
from churnvalue.decisions.allocation.core import competing, integer_choice, linear_prices
from churnvalue.decisions.allocation.curves import curve_budgets, curve_table
from churnvalue.decisions.allocation.exchanges import exchange
from churnvalue.decisions.allocation.hulls import walk_within
from churnvalue.decisions.allocation.prices import Problem, find_prices, settle
from churnvalue.decisions.allocation.queues import every_step

_WHOLE = 3000  # as many pairs are decided as a whole
_EXACT, _CLOSE = 1e-9, 1e-6
_NODES, _FEW_NODES = 500, 100
_CORE, _OPTIONS, _WIDER = 100, 4, 4  # customers decided exactly, and how many options of each on average
_EXCHANGED = 2000
_OTHERS = 16  # options tried where there is no room for the next step
_SAMPLE, _CURVE_SAMPLE = 20_000, 5_000
_CURVE_LEVELS = (1 / 16, 1 / 4, 1 / 2, 1.0)


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
    if competing(problem).sum() <= _WHOLE:
        prices = linear_prices(problem)
        found = None if prices is None else integer_choice(problem, _EXACT, _NODES)
        if prices is None or found is None:
            return None
        return Settled(found[0], prices, min(found[1], problem.bound(prices)))
    prices, temperature = find_prices(problem, _sample(draw, _SAMPLE))
    follow, margin = np.empty(len(draw), dtype=np.int64), np.empty(len(draw))
    best = settle(
        problem.profit,
        problem.cost,
        problem.segment,
        problem.charge(prices),
        prices[0],
        temperature,
        draw,
        follow,
        margin,
    )
    settled = _near(problem, prices, float(best + problem.limits @ prices), follow, margin)
    if settled is None or settled.bound - problem.earned(settled.choice) <= _CLOSE * settled.bound:
        return settled
    return _proven(problem, settled, margin)


def _near(problem: Problem, prices: Floats, bound: float, follow: Ints, margin: Floats) -> Settled | None:
    """Decide those exactly who are nearest to indifference, all others as they ``follow`` the prices; then exchange."""
    size = _CORE
    while True:
        size = min(size, len(margin))
        whole = size == len(margin)
        # Of those who use nothing, however many are indifferent, none can give way.
        core = np.union1d(_nearest(margin, size), _nearest(np.where(follow >= 0, margin, np.inf), size))
        choice = follow.copy()
        choice[core] = -1
        few = problem.take(core, problem.limits - problem.used(choice))
        loss = _loss(few, prices)
        # All options only where there is no other way.
        edge = (
            np.inf
            if whole
            else float(
                np.partition(loss.ravel(), min(len(core) * _OPTIONS, loss.size) - 1)[: len(core) * _OPTIONS].max()
            )
        )
        few = _only(few, loss <= edge)
        found = integer_choice(few, _share(_CLOSE, bound, few.bound(prices)), _FEW_NODES)
        if found is not None:
            choice[core] = found[0]
            break
        if whole:
            return None
        size *= _WIDER
    rows = _nearest(margin, min(_EXCHANGED, len(margin)))
    others = choice.copy()
    others[rows] = -1
    few = problem.take(rows, problem.limits - problem.used(others))
    choice[rows] = exchange(few, prices, choice[rows])
    return Settled(choice, prices, bound)


def _proven(problem: Problem, settled: Settled, margin: Floats) -> Settled:
    """Decide exactly among all pairs that a better plan could hold, if these are few."""
    earned = problem.earned(settled.choice)
    short = settled.bound - earned
    rows = np.flatnonzero(margin <= short)
    if len(rows) > _WHOLE:
        return settled
    choice = told(problem, settled.prices)
    choice[rows] = -1
    few = problem.take(rows, problem.limits - problem.used(choice))
    few = _only(few, _loss(few, settled.prices) <= short)
    if competing(few).sum() > _WHOLE:
        return settled
    found = integer_choice(few, _share(_CLOSE, settled.bound, few.bound(settled.prices)), _FEW_NODES)
    if found is None:
        return settled
    bound = min(max(problem.earned(choice) + found[1], earned), settled.bound)
    choice[rows] = found[0]
    better = choice if problem.earned(choice) > earned else settled.choice
    return Settled(better, settled.prices, max(bound, problem.earned(better)))


def _nearest(margin: Floats, size: int) -> Ints:
    """The rows of the smallest margins."""
    return np.sort(np.argpartition(margin, size - 1)[:size])


def _loss(problem: Problem, prices: Floats) -> Floats:
    """How much worse each option is than the customer's best, at these prices. Shape (n, A)."""
    net = problem.profit - prices[0] * problem.cost - problem.charge(prices)[problem.segment]
    return np.asarray(net.max(axis=1, initial=0.0)[:, None] - net)


def _only(problem: Problem, pairs: Bools) -> Problem:
    """The problem without all other pairs."""
    profit = np.where(pairs, problem.profit, -np.inf)
    return Problem(profit, problem.cost, problem.segment, problem.uses, problem.limits)


def _share(gap: float, whole: float, part: float) -> float:
    """A gap of ``whole`` as one of ``part``."""
    return max(gap * whole / max(part, 1e-300), _EXACT)


def told(problem: Problem, prices: Floats) -> Ints:
    """Return what customers who use nothing up would choose at these prices."""
    net = problem.profit - prices[0] * problem.cost - problem.charge(prices)[problem.segment]
    best = net.argmax(axis=1) if net.shape[1] else np.zeros(len(net), dtype=np.int64)
    return np.where(net.max(axis=1, initial=0.0) > 0, best, -1)


def _sample(draw: Floats, size: int) -> Ints:
    """Rows that stand for all, whatever their order."""
    return np.sort(np.argpartition(draw, size - 1)[:size]) if size < len(draw) else np.arange(len(draw))


def contested_curve(problem: Problem, draw: Floats, settled: Settled) -> pd.DataFrame:
    """Return what each budget would earn within the other limits: of five queues, each at other prices, the best.

    A queue holds steps in the order of what they earn, net of what they use of the other limits, for each unit of money; where
    a limit no longer holds one, the next best is taken. Of many customers a sample stands for all. Floors count at their
    price, so small budgets meet them as far as they can.
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
    if competing(other).sum() <= _WHOLE:
        prices = linear_prices(other)
        return settled.prices if prices is None else prices
    return find_prices(other, np.arange(len(problem.profit)))[0]


def _queue_curve(problem: Problem, prices: Floats, budgets: Floats) -> Floats:
    net = problem.profit - problem.charge(prices)[problem.segment]
    everybody = np.ones(len(net), dtype=bool)
    places, numbers = every_step(plain(net, problem.cost, np.arange(len(net), dtype=np.uint64), everybody))
    others = np.argsort(-(net - prices[0] * problem.cost), axis=1, kind="stable")[:, :_OTHERS]
    options = (problem.profit, problem.cost, net, others)
    capacities = np.flatnonzero(problem.limits[1:] >= 0)
    uses = np.maximum(problem.uses[0][:, capacities], 0.0)
    room = np.floor(problem.limits[1:][capacities])
    nobody = np.full(len(net), -1, dtype=np.int64)
    rows = [
        walk_within(places, numbers[:, 2], options, uses, budget * ROUNDING, room.copy(), nobody.copy())
        for budget in budgets
    ]
    return np.array(rows).reshape(-1, 4)
