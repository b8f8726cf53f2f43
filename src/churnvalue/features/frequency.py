"""How often."""

from churnvalue.features.registry import feature
from churnvalue.features.sentences import Sentence
from churnvalue.views import Column, History


@feature(
    title="number of {things} {in_days}",
    unit="events",
    says=Sentence("{value} {events} {in_days}", zero="no {things} {in_days}"),
)
def event_count(history: History, kind: str, days: int | None = None) -> Column:
    """Events of ``kind`` in the last ``days``, or ever; 0 if there was none."""
    return history.of(kind).last(days).count()


@feature(
    title="number of {things} from {end_days} to {first_days} days ago",
    unit="events",
    says=Sentence(
        "{value} {events} from {end_days} to {first_days} days ago",
        zero="no {things} from {end_days} to {first_days} days ago",
    ),
)
def event_count_between(history: History, kind: str, first_days: int, end_days: int) -> Column:
    """Events of ``kind`` from ``end_days`` back to ``first_days`` back: ``[cutoff - end_days, cutoff - first_days)``."""
    return history.of(kind).count_between(first_days, end_days)


@feature(
    title="days with a {thing} {in_days}",
    unit="days",
    says=Sentence("{thing} on {value} days {in_days}", zero="no {things} {in_days}"),
)
def active_days(history: History, kind: str, days: int | None = None) -> Column:
    """Local days with an event of ``kind`` in the last ``days``, or ever."""
    return history.of(kind).last(days).active_days()


@feature(
    title="days with a repeat {thing}",
    unit="days",
    says=Sentence("came back on {value} days", zero="never came back"),
)
def repeat_days(history: History, kind: str) -> Column:
    """Local days with an event of ``kind`` after the first such day: the frequency x of buy-till-you-die models."""
    return (history.of(kind).active_days() - 1).at_least(0)


@feature(
    title="{things} a year",
    unit="events a year",
    says=Sentence("{value} {events} a year since the first", absent="no {things} so far"),
)
def event_rate(history: History, kind: str) -> Column:
    """Events of ``kind`` a year since the first one, which is at least 30 days back in this sum."""
    events = history.of(kind)
    return events.count() / events.age_of_oldest().at_least(30) * 365
