"""Columns: a number for each customer, as an expression over measures; nothing is computed when it is written."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from enum import IntEnum
from typing import Any

import numpy as np
import numpy.typing as npt

from churnvalue.errors import DefinitionError

Floats = npt.NDArray[np.float64]
VALUE_COLUMNS = ("amount", "quantity", "lines")


class Statistic(IntEnum):
    """What the sweep can compute of a stream of events inside a window."""

    COUNT = 0  # events
    KNOWN = 1  # events whose column is not null
    TOTAL = 2  # sum of a column, 0 without events
    LARGEST = 3
    SMALLEST = 4
    NEWEST = 5  # column of the latest event that has one
    OLDEST = 6
    AGE_OF_NEWEST = 7  # days from the latest event to the end of the window
    AGE_OF_OLDEST = 8
    DAYS = 9  # local days with an event
    GAP_MEAN = 10  # days between successive days with an event
    GAP_SD = 11
    GAP_SMALLEST = 12
    GAP_NEWEST = 13
    DISTINCT = 14  # categories
    TOP_SHARE = 15  # of all category mentions, the share of the most frequent one
    REPEAT_TOTAL = 16  # sum of a column over all but the oldest day with an event
    GAP_RECENT = 17  # mean gap in which each older gap weighs half as much
    RENEWED_SHARE = 18  # of the blocks of days since the oldest event, the share with an event


class Column:
    """A number for each customer, not yet computed; NaN where it is undefined. Division by zero is undefined."""

    def __add__(self, other: "Column | float") -> "Column":
        return Formula("+", (self, _column(other)))

    def __radd__(self, other: float) -> "Column":
        return Formula("+", (_column(other), self))

    def __sub__(self, other: "Column | float") -> "Column":
        return Formula("-", (self, _column(other)))

    def __rsub__(self, other: float) -> "Column":
        return Formula("-", (_column(other), self))

    def __mul__(self, other: "Column | float") -> "Column":
        return Formula("*", (self, _column(other)))

    def __rmul__(self, other: float) -> "Column":
        return Formula("*", (_column(other), self))

    def __truediv__(self, other: "Column | float") -> "Column":
        return Formula("/", (self, _column(other)))

    def __rtruediv__(self, other: float) -> "Column":
        return Formula("/", (_column(other), self))

    def __gt__(self, other: "Column | float") -> "Column":
        return Formula(">", (self, _column(other)))

    def at_least(self, lowest: "Column | float") -> "Column":
        """Return the larger of this and ``lowest``."""
        return Formula("at_least", (self, _column(lowest)))

    def at_most(self, largest: "Column | float") -> "Column":
        """Return the smaller of this and ``largest``."""
        return Formula("at_most", (self, _column(largest)))

    def or_else(self, other: "Column | float") -> "Column":
        """Return this, or ``other`` where this is undefined."""
        return Formula("or_else", (self, _column(other)))

    def log1p(self) -> "Column":
        """Return log(1 + x)."""
        return Formula("log1p", (self,))

    def to_millionths(self) -> "Column":
        """Return this rounded to millionths: a difference of sums is rarely an exact zero."""
        return Formula("to_millionths", (self,))


@dataclass(frozen=True)
class Number(Column):
    """The same number for everyone."""

    value: float


@dataclass(frozen=True)
class Formula(Column):
    """Arithmetic over columns."""

    operation: str
    operands: tuple[Column, ...]


@dataclass(frozen=True)
class Stream:
    """Which events: of a kind and channel (any if None), in some hours of the local day and days of the local week."""

    kind: str | None = None
    channel: str | None = None
    hours: tuple[int, int] = (0, 24)
    weekdays: tuple[int, int] = (0, 7)


@dataclass(frozen=True)
class Measure(Column):
    """One statistic of one stream in the newest ``days`` of the span (all of it if None).

    ``column`` is what it sums or picks, ``block_days`` the length of the blocks that it counts; others do not look at them.
    """

    statistic: Statistic
    stream: Stream
    days: int | None = None
    column: str = "amount"
    block_days: int = 0


def measures(columns: Iterable[Column]) -> list[Measure]:
    """Return the distinct measures that ``columns`` ask for, in order of first use."""
    found: dict[Measure, None] = {}

    def collect(column: Column) -> None:
        if isinstance(column, Measure):
            found.setdefault(column)
        elif isinstance(column, Formula):
            for operand in column.operands:
                collect(operand)

    for column in columns:
        collect(column)
    return list(found)


def evaluate(column: Column, measured: Mapping[Measure, Floats]) -> Floats:
    """Return the values of an expression from the values of its measures. Shape (customers,)."""
    if isinstance(column, Measure):
        return measured[column]
    if isinstance(column, Number):
        return np.asarray(column.value, dtype=np.float64)
    if isinstance(column, Formula):
        with np.errstate(divide="ignore", invalid="ignore"):
            operands = [evaluate(operand, measured) for operand in column.operands]
            return np.asarray(_OPERATIONS[column.operation](*operands), dtype=np.float64)
    raise DefinitionError(f"A feature must return an expression over History, but {type(column).__name__} came.")


def _divide(left: Floats, right: Floats) -> Floats:
    return np.where(right == 0, np.nan, left / right)


_OPERATIONS: dict[str, Callable[..., Any]] = {
    "+": np.add,
    "-": np.subtract,
    "*": np.multiply,
    "/": _divide,
    ">": lambda left, right: np.where(np.isnan(left) | np.isnan(right), np.nan, left > right),
    "at_least": np.maximum,
    "at_most": np.minimum,
    "or_else": lambda left, right: np.where(np.isnan(left), right, left),
    "log1p": np.log1p,
    "to_millionths": lambda values: np.round(values, 6) + 0.0,
}


def _column(value: "Column | float") -> Column:
    return value if isinstance(value, Column) else Number(float(value))
