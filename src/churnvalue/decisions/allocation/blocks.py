"""Customers as the kernels take them: whole, or in blocks that are never in memory together."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Numbers = npt.NDArray[np.float64] | npt.NDArray[np.float32]
Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]
Choices = npt.NDArray[np.int16]
Totals = tuple[float, float, float]  # cost, profit, customers


# Sums of prices such as 3.05 miss the exact budget by rounding alone.
ROUNDING = 1.0 + 1e-12


@dataclass(frozen=True, eq=False)
class Block:
    """Customers. Profit and cost of shape (n, options), both in doubles or both in floats; cost may be (1, options)."""

    profit: Numbers
    cost: Numbers
    tie_key: npt.NDArray[np.uint64]
    charged: Bools


Blocks = Callable[[], Iterable[Block]]


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
