"""History and Future: expressions over what was known before a cutoff, and over what came after it.

These two are the only door to the log. An expression computes nothing when it is written: it names *measures*, which the
sweep computes together, and arithmetic over them. Neither holds the log, so no expression can reach an event it may not see.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from enum import IntEnum
from typing import Any

import numpy as np
import numpy.typing as npt

from churnvalue.errors import DefinitionError, near_match

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
    """One statistic of one stream in the newest ``days`` of the span (all of it if None)."""

    statistic: Statistic
    stream: Stream
    days: int | None = None
    column: str = "amount"


@dataclass(frozen=True)
class Events:
    """Events of one stream in a window; its methods are the measures. Without events counts and totals are 0, all else NaN."""

    stream: Stream
    days: int | None = None

    def last(self, days: int | None) -> "Events":
        """Only the newest ``days``: ``[end - days, end)``; all if None."""
        if days is not None and days < 1:
            raise DefinitionError(f"A window must have at least 1 day, but {days} came.")
        return replace(self, days=days)

    def between(self, first_hour: int, end_hour: int) -> "Events":
        """Only events in the local hours ``[first_hour, end_hour)`` of the day."""
        if not 0 <= first_hour < end_hour <= 24:
            raise DefinitionError(f"Hours must satisfy 0 <= first < end <= 24, but {first_hour}, {end_hour} came.")
        return replace(self, stream=replace(self.stream, hours=(first_hour, end_hour)))

    def on_weekdays(self, first: int, end: int) -> "Events":
        """Only events on the local weekdays ``[first, end)``; Monday is 0."""
        if not 0 <= first < end <= 7:
            raise DefinitionError(f"Weekdays must satisfy 0 <= first < end <= 7, but {first}, {end} came.")
        return replace(self, stream=replace(self.stream, weekdays=(first, end)))

    def through(self, channel: str) -> "Events":
        """Only events of a channel."""
        return replace(self, stream=replace(self.stream, channel=channel))

    def count(self) -> Measure:
        """Number of events."""
        return self._measure(Statistic.COUNT)

    def total(self, column: str = "amount") -> Measure:
        """Sum of a column; null values add nothing."""
        return self._measure(Statistic.TOTAL, column)

    def mean(self, column: str = "amount") -> Column:
        """Mean of a column over the events that have it."""
        return self.total(column) / self._measure(Statistic.KNOWN, column)

    def largest(self, column: str = "amount") -> Measure:
        """Largest value of a column."""
        return self._measure(Statistic.LARGEST, column)

    def smallest(self, column: str = "amount") -> Measure:
        """Smallest value of a column."""
        return self._measure(Statistic.SMALLEST, column)

    def newest(self, column: str = "amount") -> Measure:
        """Value of a column at the latest event that has one."""
        return self._measure(Statistic.NEWEST, column)

    def oldest(self, column: str = "amount") -> Measure:
        """Value of a column at the earliest event that has one."""
        return self._measure(Statistic.OLDEST, column)

    def age_of_newest(self) -> Measure:
        """Days from the latest event to the end of the span."""
        return self._measure(Statistic.AGE_OF_NEWEST)

    def age_of_oldest(self) -> Measure:
        """Days from the earliest event to the end of the span."""
        return self._measure(Statistic.AGE_OF_OLDEST)

    def active_days(self) -> Measure:
        """Local days with at least one event."""
        return self._measure(Statistic.DAYS)

    def gap_mean(self) -> Measure:
        """Mean of the days between successive active days; several events on one day are one."""
        return self._measure(Statistic.GAP_MEAN)

    def gap_sd(self) -> Measure:
        """Sample standard deviation of the gaps; needs two."""
        return self._measure(Statistic.GAP_SD)

    def gap_smallest(self) -> Measure:
        """Shortest gap."""
        return self._measure(Statistic.GAP_SMALLEST)

    def gap_newest(self) -> Measure:
        """Latest gap."""
        return self._measure(Statistic.GAP_NEWEST)

    def distinct_categories(self) -> Measure:
        """Number of distinct categories; 0 without any."""
        return self._measure(Statistic.DISTINCT)

    def top_category_share(self) -> Measure:
        """Share of the most frequent category among all mentions of a category."""
        return self._measure(Statistic.TOP_SHARE)

    def _measure(self, statistic: Statistic, column: str = "amount") -> Measure:
        if column not in VALUE_COLUMNS:
            raise DefinitionError(f"Unknown column '{column}' of an event.{near_match(column, VALUE_COLUMNS)}")
        return Measure(statistic, self.stream, self.days, column)


class History:
    """What was known of a customer before the cutoff."""

    def of(self, kind: str | None = None) -> Events:
        """Events of a kind; of every kind if None."""
        return Events(Stream(kind))


class Future:
    """What a customer did from the cutoff to the horizon."""

    def of(self, kind: str | None = None) -> Events:
        """Events of a kind; of every kind if None."""
        return Events(Stream(kind))


def measures(columns: Iterator[Column] | list[Column]) -> list[Measure]:
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
}


def _column(value: "Column | float") -> Column:
    return value if isinstance(value, Column) else Number(float(value))
