"""Prices of a budget, of capacities and of floors that together hold: the dual of the allocation, by Newton's method.

Given prices every customer takes the option with the highest profit less what it uses. The sum of these, and of the limits at
their prices, is a bound on every plan (Lagrange), lowest at the right prices. It has a kink wherever somebody changes their
mind, so the maximum is smoothed at a falling temperature (Nesterov 2005); each temperature starts where the last one ended.
"""

from dataclasses import dataclass

import numba
import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

# Temperatures as parts of the best profit of a mean customer.
_FROM, _TO = 0.3, 3e-5
_COOLING = 0.3
_SAMPLED = 1.5e-3
_ITERATIONS, _HALVINGS = 30, 25
_CLOSE = 1e-10
_FAR = 30.0  # temperatures below the best, beyond which an option is as good as impossible


@dataclass(frozen=True, eq=False)
class Problem:
    """Customers who compete.

    Attributes:
        profit: Shape (n, A), minus infinity where not allowed.
        cost: Shape (n, A).
        segment: Shape (n,), in 0…S-1.
        uses: Shape (S, A, D): what an option uses of each limit but money: 1 of a capacity, -1 of a floor.
        limits: Shape (1 + D,): money, capacities, floors as negative numbers.
    """

    profit: Floats
    cost: Floats
    segment: Ints
    uses: Floats
    limits: Floats

    def take(self, rows: Ints, limits: Floats) -> "Problem":
        """Return the problem of some customers under other limits."""
        return Problem(self.profit[rows], self.cost[rows], self.segment[rows], self.uses, limits)

    def charge(self, prices: Floats) -> Floats:
        """Return what each option uses of all limits but money, at their prices. Shape (S, A)."""
        return np.asarray(self.uses @ prices[1:])

    def used(self, choice: Ints) -> Floats:
        """Return what choices use of each limit."""
        acts = np.flatnonzero(choice >= 0)
        mine = choice[acts]
        return np.append(self.cost[acts, mine].sum(), self.uses[self.segment[acts], mine].sum(axis=0))

    def earned(self, choice: Ints) -> float:
        """Return the profit of choices."""
        acts = np.flatnonzero(choice >= 0)
        return float(self.profit[acts, choice[acts]].sum())

    def bound(self, prices: Floats) -> float:
        """Return what no plan can exceed, whatever the prices (Lagrange)."""
        net = self.profit - prices[0] * self.cost - self.charge(prices)[self.segment]
        return float(net.max(axis=1, initial=0.0).sum() + self.limits @ prices)


@numba.njit(cache=True, nogil=True)
def smoothed(profit, cost, segment, uses, charge, prices, temperature, gradient, hessian):  # type: ignore[no-untyped-def]  # noqa: PLR0913
    """Return the smoothed sum of the customers' best; add minus what they use to ``gradient``, its slope to ``hessian``.

    ``charge`` (segments, options): what an option uses of all limits but money, at their prices.
    """
    n, options = profit.shape
    limits = len(prices)
    value, weight, use, mean = np.empty(options), np.empty(options), np.empty(limits), np.empty(limits)
    # An option uses few of many limits: money first, then those listed.
    which, count = np.zeros((len(uses), options, limits), np.int64), np.ones((len(uses), options), np.int64)
    for s in range(len(uses)):
        for a in range(options):
            for d in range(1, limits):
                if uses[s, a, d - 1] != 0.0:
                    which[s, a, count[s, a]] = d
                    count[s, a] += 1
    total = 0.0
    for i in range(n):
        s = segment[i]
        best = 0.0
        for a in range(options):
            value[a] = profit[i, a] - prices[0] * cost[i, a] - charge[s, a]
            best = max(best, value[a])
        mass = np.exp(-best / temperature) if best < _FAR * temperature else 0.0
        rivals = 0
        for a in range(options):
            weight[a] = np.exp((value[a] - best) / temperature) if value[a] > best - _FAR * temperature else 0.0
            mass += weight[a]
            rivals += weight[a] > 0.0
        total += best + temperature * np.log(mass)
        if rivals == 0:
            continue
        for d in range(limits):
            mean[d] = 0.0
        sure = mass == 1.0
        for a in range(options):
            if weight[a] > 0.0:
                chance = weight[a] / mass
                for p in range(count[s, a]):
                    d = which[s, a, p]
                    use[p] = cost[i, a] if p == 0 else uses[s, a, d - 1]
                    mean[d] += chance * use[p]
                    if not sure:
                        for q in range(p + 1):
                            hessian[d, which[s, a, q]] += chance * use[p] * use[q]
        for d in range(limits):
            gradient[d] -= mean[d]
            if not sure:
                for e in range(d + 1):
                    hessian[d, e] -= mean[d] * mean[e]
    return total


@numba.njit(cache=True, nogil=True)
def settle(profit, cost, segment, charge, price, temperature, draw, choice, margin):  # type: ignore[no-untyped-def]  # noqa: PLR0913
    """Return the exact sum of the customers' best; fill ``choice`` and by how much the best beats the second best.

    Who is all but indifferent takes an option as ``draw``, uniform in [0, 1), falls on the smoothed chances, so that equals
    are spread as limits need it.
    """
    n, options = profit.shape
    value = np.empty(options)
    total = 0.0
    for i in range(n):
        best, second = 0.0, -np.inf
        choice[i] = -1
        for a in range(options):
            value[a] = profit[i, a] - price * cost[i, a] - charge[segment[i], a]
            if value[a] > best:
                best, second = value[a], best
                choice[i] = a
            else:
                second = max(second, value[a])
        total += best
        margin[i] = best - second
        if margin[i] < _FAR * temperature:
            mass = np.exp(-best / temperature)
            for a in range(options):
                mass += np.exp((value[a] - best) / temperature)
            left = draw[i] * mass - np.exp(-best / temperature)
            if left < 0.0:
                choice[i] = -1
            else:
                for a in range(options):
                    chance = np.exp((value[a] - best) / temperature)
                    if chance > 0.0:
                        choice[i] = a
                        left -= chance
                        if left < 0.0:
                            break
    return total


def find_prices(problem: Problem, sample: Ints) -> tuple[Floats, float]:
    """Return prices, at least 0, that minimise the bound, and the temperature at which they do.

    First of ``sample`` alone, rows that stand for all, then of all from there.
    """
    scale = float(problem.profit.max(axis=1, initial=0.0).mean()) or 1.0
    share = len(sample) / max(len(problem.profit), 1)
    small = problem.take(sample, problem.limits * share)
    prices, part = np.zeros(len(problem.limits)), _FROM
    while part > _TO:
        # Colder than the sample is fine-grained, all must be asked.
        prices = _descend(small if part > _SAMPLED or share == 1.0 else problem, prices, scale * part)
        part *= _COOLING
    return _descend(problem, prices, scale * _TO), scale * _TO


def _descend(problem: Problem, prices: Floats, temperature: float) -> Floats:
    """Newton's method on the smoothed bound, prices held at 0 or above (Bertsekas 1982)."""
    value, gradient, hessian = _evaluate(problem, prices, temperature)
    for _ in range(_ITERATIONS):
        free = np.flatnonzero((prices > 0) | (gradient < 0))
        if not len(free):
            break
        curvature = hessian[np.ix_(free, free)]
        # Where nobody is near a change of mind there is no curvature; a little keeps the step finite.
        floor = (np.abs(problem.limits[free]) + np.diag(curvature) * temperature + 1.0) / temperature * 1e-6
        step = np.zeros(len(prices))
        step[free] = -np.linalg.solve(curvature + np.diag(floor), gradient[free])
        if -float(gradient @ step) <= _CLOSE * abs(value):
            break
        for _ in range(_HALVINGS):
            moved = np.maximum(prices + step, 0.0)
            tried = _evaluate(problem, moved, temperature)
            if tried[0] <= value + 1e-4 * float(gradient @ (moved - prices)):
                break
            step = step * 0.5
        else:
            break
        prices, (value, gradient, hessian) = moved, tried
    return prices


def _evaluate(problem: Problem, prices: Floats, temperature: float) -> tuple[float, Floats, Floats]:
    gradient, hessian = problem.limits.copy(), np.zeros((len(prices), len(prices)))
    arguments = (problem.profit, problem.cost, problem.segment, problem.uses, problem.charge(prices))
    value = smoothed(*arguments, prices, temperature, gradient, hessian) + float(problem.limits @ prices)
    lower = np.tril(hessian)
    return value, gradient, (lower + lower.T - np.diag(np.diag(lower))) / temperature
