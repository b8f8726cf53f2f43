"""Exchanges: up to three customers change their options at once where that earns more and all limits still hold.

A plan is cut where the next customer no longer fits, so it leaves odds and ends of money and places; exchanges use them up.
"""

import numba
import numpy as np

from churnvalue.decisions.allocation.blocks import Floats, Ints
from churnvalue.decisions.allocation.prices import Problem

_PAIRED, _TRIPLED = 1500, 200  # how many changes, those that lose least at the prices, are tried in twos and threes
_ROUNDS = 100


def exchange(problem: Problem, prices: Floats, choice: Ints) -> Ints:
    """Return ``choice``, which keeps the limits, or one that keeps them too and earns more."""
    # The last column is no option at all.
    profit, cost = (np.column_stack([part, np.zeros(len(part))]) for part in (problem.profit, problem.cost))
    uses = np.concatenate([problem.uses, np.zeros((len(problem.uses), 1, problem.uses.shape[2]))], axis=1)
    net = profit - prices[0] * cost - (uses @ prices[1:])[problem.segment]
    rows = np.arange(len(profit))
    now = np.where(choice < 0, problem.profit.shape[1], choice)
    worth_a_trifle = 1e-10 * float(profit[rows, now].sum())
    for _ in range(_ROUNDS):
        loss = net[rows, now][:, None] - net
        loss[rows, now] = np.inf
        row, option = np.divmod(_least(loss.ravel(), _PAIRED), profit.shape[1])
        gain = profit[row, option] - profit[row, now[row]]
        used = uses[problem.segment[row]]
        change = used[np.arange(len(row)), option] - used[np.arange(len(row)), now[row]]
        need = np.column_stack([cost[row, option] - cost[row, now[row]], change])
        room = problem.limits - problem.used(np.where(now < problem.profit.shape[1], now, -1))
        found = _best(row, gain, need, room, worth_a_trifle, _TRIPLED)
        if found[0] < 0:
            break
        taken = [change for change in found if change >= 0]
        now[row[taken]] = option[taken]
    return np.where(now < problem.profit.shape[1], now, -1)


def _least(loss: Floats, count: int) -> Ints:
    """Places of the smallest numbers, smallest first."""
    count = min(count, int(np.isfinite(loss).sum()))
    places = np.sort(np.argpartition(loss, count - 1)[:count]) if count else np.empty(0, dtype=np.int64)
    return places[np.argsort(loss[places], kind="stable")]


@numba.njit(cache=True, nogil=True)
def _best(row, gain, need, room, least, tripled):  # type: ignore[no-untyped-def]
    """Return the one or two changes, or else three of the first, of most gain together that fit into ``room``; -1 for no change."""
    first, second, third, best = -1, -1, -1, least
    for i in range(len(row)):
        for j in range(i + 1):
            gained = gain[i] + (gain[j] if j < i else 0.0)
            if gained > best and (i == j or row[i] != row[j]):
                fits = True
                for d in range(len(room)):
                    fits &= need[i, d] + (need[j, d] if j < i else 0.0) <= room[d]
                if fits:
                    first, second, best = i, (j if j < i else -1), gained
    if first >= 0:
        return first, second, third
    for i in range(min(tripled, len(row))):
        for j in range(i):
            for k in range(j):
                apart = row[i] != row[j] and row[j] != row[k] and row[i] != row[k]
                if apart and gain[i] + gain[j] + gain[k] > best:
                    fits = True
                    for d in range(len(room)):
                        fits &= need[i, d] + need[j, d] + need[k, d] <= room[d]
                    if fits:
                        first, second, third, best = i, j, k, gain[i] + gain[j] + gain[k]
    return first, second, third
