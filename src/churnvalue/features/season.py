"""The same time of the year: the days that began a year before the cutoff."""

from churnvalue.features.registry import feature
from churnvalue.features.sentences import Sentence
from churnvalue.views import Column, Events, History

_YEAR = 365
_NEW = "no {things} a year ago or earlier"


@feature(
    title="number of {things} in the {days} days that began a year ago",
    unit="events",
    says=Sentence(
        "{value} {events} in the {days} days that began a year ago",
        zero="no {things} in the {days} days that began a year ago",
        absent=_NEW,
    ),
)
def same_season_count(history: History, kind: str, days: int) -> Column:
    """Events of ``kind`` in ``[cutoff - 365, cutoff - 365 + days)``; null for customers whose first is newer than a year."""
    events = history.of(kind)
    return events.count_between(_YEAR - days, _YEAR) / _is_older(events)


@feature(
    title="money of {things} in the {days} days that began a year ago",
    unit="money",
    says=Sentence(
        "spent {value} in the {days} days that began a year ago",
        zero="spent nothing in the {days} days that began a year ago",
        absent=_NEW,
    ),
)
def same_season_amount(history: History, kind: str, days: int) -> Column:
    """Amount of ``kind`` in ``[cutoff - 365, cutoff - 365 + days)``; null for customers whose first is newer than a year."""
    events = history.of(kind)
    return events.total_between(_YEAR - days, _YEAR) / _is_older(events)


def _is_older(events: Events) -> Column:
    """1 for customers who have been there for the whole year, else 0."""
    return 1 - ((_YEAR - events.age_of_oldest()) > 0)
