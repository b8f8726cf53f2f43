"""What is left of a budget when the queue is cut: spent on the most efficient moves that it still pays."""

from dataclasses import dataclass
from heapq import heapify, heappop, heappush

import numpy as np

from churnvalue.decisions.allocation.blocks import Blocks, Choices, Floats, Totals
from churnvalue.decisions.allocation.hulls import best_moves

_ROWS = 512
_GAP = 1e-8


def fill(blocks: Blocks, choice: list[Choices], money: float, totals: Totals, bound: float) -> Totals:
    """Spend what is left on the most efficient moves that it still pays, changing ``choice``; return the new totals."""
    while bound - totals[1] > _GAP * bound:
        candidates = _candidates(blocks, choice, money - totals[0])
        if candidates is None:
            break
        added = candidates.fill(choice, money - totals[0])
        totals = (totals[0] + added[0], totals[1] + added[1], totals[2] + added[2])
    return totals


def best_efficiency(blocks: Blocks, choice: list[Choices]) -> float:
    """Efficiency of the best move of all if money were no object."""
    best = 0.0
    for number, block in enumerate(blocks()):
        efficiency = np.empty(len(block.profit))
        best_moves(block.profit, block.cost, block.charged, choice[number], np.inf, efficiency)
        best = max(best, float(efficiency.max(initial=0.0)))
    return best


@dataclass(frozen=True, eq=False)
class _Candidates:
    """The customers whose best move is most efficient; ``last``: key of the first left out, before which it is safe."""

    where: list[tuple[int, int]]
    tie_key: list[int]
    profit: Floats
    cost: Floats
    last: tuple[float, int]

    def fill(self, choice: list[Choices], money: float) -> Totals:
        """Take moves while they are surely the best that ``money`` pays; return cost, profit and customers added."""
        before = [int(choice[block][row]) for block, row in self.where]
        now = before.copy()
        queue = [move for k in range(len(now)) if (move := self._best(k, now[k], money)) is not None]
        heapify(queue)
        left, gained = money, 0.0
        while queue and queue[0][:2] < self.last:
            _, _, k, option, extra, gain = heappop(queue)
            if extra <= left:
                now[k], left, gained = option, left - extra, gained + gain
            move = self._best(k, now[k], left)
            if move is not None:
                heappush(queue, move)
        for (block, row), option in zip(self.where, now, strict=True):
            choice[block][row] = option
        return money - left, gained, sum(old < 0 <= new for old, new in zip(before, now, strict=True))

    def _best(self, k: int, now: int, money: float) -> tuple[float, int, int, int, float, float] | None:
        gain = self.profit[k] - (self.profit[k, now] if now >= 0 else 0.0)
        extra = self.cost[k] - (self.cost[k, now] if now >= 0 else 0.0)
        options = np.flatnonzero((gain > 0) & (extra <= money))
        if not len(options):
            return None
        gain, extra = gain[options], extra[options]
        efficiency = np.divide(gain, extra, out=np.full(len(gain), np.inf), where=extra > 0)
        best = int(np.lexsort((-gain, -efficiency))[0])
        return -float(efficiency[best]), self.tie_key[k], k, int(options[best]), float(extra[best]), float(gain[best])


def _candidates(blocks: Blocks, choice: list[Choices], money: float) -> _Candidates | None:
    """The customers whose best move within ``money`` is most efficient; None where nobody has any."""
    found = []
    for number, block in enumerate(blocks()):
        efficiency = np.empty(len(block.profit))
        best_moves(block.profit, block.cost, block.charged, choice[number], money, efficiency)
        rows = np.flatnonzero(efficiency > 0)
        if len(rows) > _ROWS:
            # Equals at the edge are all kept, so that the tie key decides between them.
            edge = np.partition(efficiency[rows], -_ROWS - 1)[-_ROWS - 1]
            rows = rows[efficiency[rows] >= edge]
        cost = np.broadcast_to(block.cost, block.profit.shape)
        # Copies, since a view of one row would keep its whole block in memory.
        for key in zip(-efficiency[rows], block.tie_key[rows].tolist(), rows.tolist(), strict=True):
            found.append((float(key[0]), key[1], number, key[2], block.profit[key[2]].copy(), cost[key[2]].copy()))
        found = sorted(found, key=lambda one: one[:2])[: _ROWS + 1]
    if not found:
        return None
    last = found[_ROWS][:2] if len(found) > _ROWS else (np.inf, 0)
    kept = found[:_ROWS]
    return _Candidates(
        [(one[2], one[3]) for one in kept],
        [one[1] for one in kept],
        np.array([one[4] for one in kept], dtype=np.float64),
        np.array([one[5] for one in kept], dtype=np.float64),
        last,
    )
