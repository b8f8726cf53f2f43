"""Whither: the newest window against the one before it."""

from churnvalue.features.registry import feature
from churnvalue.features.sentences import Sentence
from churnvalue.views import Column, History


@feature(
    title="{things} of the last {days} days against the {days} before",
    unit="ratio",
    says=Sentence(
        "as many {things} in the last {days} days as in the {days} before",
        zero="no {things} in the last {days} days, some in the {days} before",
        less="{percent} fewer {things} in the last {days} days than in the {days} before",
        more="{percent} more {things} in the last {days} days than in the {days} before",
        absent="no {things} in the {days} days before the last {days}",
    ),
)
def count_trend(history: History, kind: str, days: int) -> Column:
    """Events of ``kind`` in the last ``days`` for each in the ``days`` before; null without any before."""
    events = history.of(kind)
    return events.last(days).count() / events.count_between(days, 2 * days)


@feature(
    title="money of the last {days} days against the {days} before",
    unit="ratio",
    says=Sentence(
        "spent as much in the last {days} days as in the {days} before",
        zero="spent nothing in the last {days} days, something in the {days} before",
        less="spent {percent} less in the last {days} days than in the {days} before",
        more="spent {percent} more in the last {days} days than in the {days} before",
        absent="spent nothing in the {days} days before the last {days}",
    ),
)
def amount_trend(history: History, kind: str, days: int) -> Column:
    """Amount of ``kind`` in the last ``days`` for each unit of money in the ``days`` before; null without any before."""
    events = history.of(kind)
    return events.last(days).total() / events.total_between(days, 2 * days).at_least(0)


@feature(
    title="{things} of the last {days} days against the usual pace",
    unit="ratio",
    says=Sentence(
        "{things} at their usual pace {in_days}",
        zero="no {things} {in_days}",
        less="{percent} fewer {things} {in_days} than at their usual pace",
        more="{percent} more {things} {in_days} than at their usual pace",
        absent="no {things} so far",
    ),
)
def pace(history: History, kind: str, days: int) -> Column:
    """Events of ``kind`` a day in the last ``days``, against events a day since the first (at least ``days`` back)."""
    events = history.of(kind)
    usual = events.count() / events.age_of_oldest().at_least(days)
    return events.last(days).count() / days / usual
