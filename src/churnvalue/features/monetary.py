"""How much."""

from churnvalue.features.registry import feature
from churnvalue.features.sentences import Sentence
from churnvalue.views import Column, History

_NONE = "no amounts of {things} known"


@feature(
    title="money of {things} {in_days}",
    unit="money",
    says=Sentence("spent {value} {in_days}", zero="spent nothing {in_days}"),
)
def amount_total(history: History, kind: str, days: int | None = None) -> Column:
    """Sum of the amounts of ``kind`` in the last ``days``, or ever; 0 if there was none."""
    return history.of(kind).last(days).total()


@feature(
    title="money a {thing} {in_days}",
    unit="money",
    says=Sentence("{value} a {thing} {in_days}", absent=_NONE),
)
def amount_mean(history: History, kind: str, days: int | None = None) -> Column:
    """Mean amount of ``kind`` in the last ``days``, or ever."""
    return history.of(kind).last(days).mean()


@feature(
    title="largest {thing} {in_days}",
    unit="money",
    says=Sentence("largest {thing} {in_days} {value}", absent=_NONE),
)
def amount_max(history: History, kind: str, days: int | None = None) -> Column:
    """Largest amount of ``kind`` in the last ``days``, or ever."""
    return history.of(kind).last(days).largest()


@feature(
    title="money of the last {thing}",
    unit="money",
    says=Sentence("last {thing} worth {value}", absent=_NONE),
)
def amount_last(history: History, kind: str) -> Column:
    """Amount of the latest event of ``kind``."""
    return history.of(kind).newest()


@feature(
    title="money of the first {thing}",
    unit="money",
    says=Sentence("first {thing} worth {value}", absent=_NONE),
)
def amount_first(history: History, kind: str) -> Column:
    """Amount of the earliest event of ``kind``."""
    return history.of(kind).oldest()


@feature(
    title="money a day with a repeat {thing}",
    unit="money",
    says=Sentence("{value} a day with repeat {things}", absent="no repeat {things}"),
)
def repeat_amount_mean(history: History, kind: str) -> Column:
    """Mean amount of ``kind`` a day, the whole first day left out; null for one-day buyers. For Gamma-Gamma.

    Several events on a day are one purchase of that model; a day whose amounts are unknown counts as nothing spent.
    """
    events = history.of(kind)
    return events.repeat_total() / (events.active_days() - 1).at_least(0)


@feature(
    title="lines a {thing} {in_days}",
    unit="lines",
    says=Sentence("{value} lines a {thing} {in_days}", absent="no {things} in that time"),
)
def lines_mean(history: History, kind: str, days: int | None = None) -> Column:
    """Mean number of lines of ``kind``: the size of the basket."""
    return history.of(kind).last(days).mean("lines")


@feature(
    title="units a {thing} {in_days}",
    unit="units",
    says=Sentence("{value} units a {thing} {in_days}", absent="no quantities known"),
)
def quantity_mean(history: History, kind: str, days: int | None = None) -> Column:
    """Mean quantity of ``kind``."""
    return history.of(kind).last(days).mean("quantity")


@feature(
    title="money a unit",
    unit="money",
    says=Sentence("{value} a unit", absent="no quantities known"),
)
def unit_price(history: History, kind: str) -> Column:
    """Amount of ``kind`` a unit, over all events."""
    events = history.of(kind)
    return events.total() / events.total("quantity")
