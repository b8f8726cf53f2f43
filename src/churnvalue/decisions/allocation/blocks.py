"""Customers as the kernels take them: whole, or in blocks that are never in memory together."""

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import pairwise
from os import cpu_count
from typing import TypeVar

import numpy as np
import numpy.typing as npt

Numbers = npt.NDArray[np.float64] | npt.NDArray[np.float32]
Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]
Choices = npt.NDArray[np.int16]
Totals = tuple[float, float, float]  # cost, profit, customers


Made = TypeVar("Made")
_ROWS_A_PART = 250_000

# Sums of prices such as 3.05 miss the exact budget by rounding alone.
ROUNDING = 1.0 + 1e-12


@dataclass(frozen=True, eq=False)
class Block:
    """Customers. Profit and cost of shape (n, options), both in doubles or both in floats; cost may be (1, options)."""

    profit: Numbers
    cost: Numbers
    tie_key: npt.NDArray[np.uint64]
    charged: Bools

    def rows(self, start: int, stop: int) -> "Block":
        """Return some of the customers, without a copy."""
        cost = self.cost if len(self.cost) == 1 else self.cost[start:stop]
        return Block(self.profit[start:stop], cost, self.tie_key[start:stop], self.charged[start:stop])


Blocks = Callable[[], Iterable[Block]]


def side_by_side(block: Block, work: Callable[[Block], Made]) -> list[tuple[int, Made]]:
    """Return what ``work`` makes of each part of a block, with the part's first row; as many at a time as there are cores.

    How a block is divided follows from its size alone, so that no sum depends on the machine.
    """
    count = len(block.profit) // _ROWS_A_PART
    if count < 2:
        return [(0, work(block))]
    edges = [len(block.profit) * part // count for part in range(count + 1)]
    parts = [block.rows(start, stop) for start, stop in pairwise(edges)]
    with ThreadPoolExecutor(cpu_count()) as pool:
        return list(zip(edges[:-1], pool.map(work, parts), strict=True))


def plain(profit: Numbers, cost: Numbers, tie_key: npt.NDArray[np.uint64], charged: Bools) -> Block:
    """Return a block of arrays as the kernels take them, without a copy where they are so already."""
    if profit.dtype != np.float32 or cost.dtype != np.float32:
        profit, cost = np.asarray(profit, dtype=np.float64), np.asarray(cost, dtype=np.float64)
    if len(cost) > 1 and cost.strides[0] == 0:
        cost = cost[:1]
    return Block(
        read_only(profit), read_only(cost), np.asarray(tie_key, np.uint64), read_only(np.asarray(charged, bool))
    )


def read_only(array: npt.NDArray[np.generic]) -> npt.NDArray:  # type: ignore[type-arg]
    """Return a contiguous view that cannot be written to, so that kernels are compiled once for all callers."""
    view = np.ascontiguousarray(array).view()
    view.flags.writeable = False
    return view
