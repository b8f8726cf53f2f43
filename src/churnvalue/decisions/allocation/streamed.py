"""The allocation of one budget over customers who are never in memory together.

Two passes: one for the histogram of steps, one for the choices; more only while a single option still makes a difference to the
whole. What stays is the histogram and two bytes a customer.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa

from churnvalue.decisions.allocation.blocks import Block, Choices, plain
from churnvalue.decisions.allocation.queues import spend
from churnvalue.errors import DefinitionError

Batches = Callable[[], Iterable[pa.RecordBatch]]


@dataclass(frozen=True)
class OptionColumns:
    """Which columns hold profit and cost of each option, the tie key (whole numbers, distinct), and who is charged.

    A null profit, or minus infinity, where the option is not allowed. ``charged`` None: all are.
    """

    profit: tuple[str, ...]
    cost: tuple[str, ...]
    tie_key: str
    charged: str | None = None


@dataclass(frozen=True, eq=False)
class StreamedAllocation:
    """What each customer gets; the numbers are those of ``Allocation``."""

    choice: tuple[Choices, ...]
    price: float
    cost: float
    profit: float
    bound: float
    curve: pd.DataFrame

    def batches(self) -> Iterator[pa.RecordBatch]:
        """Yield the choices, -1 for none, as batches with one column ``choice``: the rows of the batches that were read."""
        for choice in self.choice:
            yield pa.record_batch({"choice": pa.array(choice)})


def allocate_streamed(read: Batches, columns: OptionColumns, budget: float) -> StreamedAllocation:
    """Return at most one option for each customer within a budget, as ``allocate`` does without capacities.

    ``read`` begins to read anew each time it is called, and gives the same batches in the same order. Of a large Parquet file
    it should read one row group at a time: ``ParquetFile.iter_batches`` over the whole file holds on to what it has read.

    Raises:
        DefinitionError: If something is not a number, a cost is negative, or the batches are not the same again.
    """
    if not np.isfinite(budget) or budget < 0:
        raise DefinitionError(f"The budget must be finite and at least 0, but {budget} came. Give an amount of money.")
    if len(columns.profit) != len(columns.cost):
        raise DefinitionError(
            f"Each option needs a column of profit and one of cost, but {len(columns.profit)} and {len(columns.cost)} came."
        )
    sizes: list[list[int]] = []

    def blocks() -> Iterator[Block]:
        sizes.append([])
        for batch in read():
            sizes[-1].append(batch.num_rows)
            if sizes[-1] != sizes[0][: len(sizes[-1])]:
                break
            yield _block(batch, columns)
        if sizes[-1] != sizes[0]:
            raise DefinitionError(
                f"Reading anew must give the same batches, but {len(sizes[0])} came first with {sum(sizes[0])} rows, then others. "
                "Read from something that does not change."
            )

    spent = spend(blocks, budget)
    return StreamedAllocation(tuple(spent.choice), spent.price, spent.cost, spent.profit, spent.bound, spent.curve)


def _block(batch: pa.RecordBatch, columns: OptionColumns) -> Block:
    number = (
        np.float32
        if all(batch.schema.field(n).type == pa.float32() for n in columns.profit + columns.cost)
        else np.float64
    )
    profit, cost = (np.empty((batch.num_rows, len(names)), dtype=number) for names in (columns.profit, columns.cost))
    for option, name in enumerate(columns.profit):
        column = batch.column(name)
        profit[:, option] = column.fill_null(-np.inf) if column.null_count else column
    for option, name in enumerate(columns.cost):
        cost[:, option] = batch.column(name)
    tie_key = batch.column(columns.tie_key).to_numpy(zero_copy_only=False)
    charged: npt.NDArray[np.bool_] = np.ones(batch.num_rows, dtype=bool)
    if columns.charged is not None:
        charged = batch.column(columns.charged).to_numpy(zero_copy_only=False)
    return plain(profit, cost, tie_key, charged)
