"""How long ago."""

from churnvalue.features.registry import feature
from churnvalue.features.sentences import Sentence
from churnvalue.views import Column, History


@feature(
    title="days since the last {thing}",
    unit="days",
    says=Sentence("last {thing} {value} days ago", absent="no {things} so far"),
)
def days_since_last(history: History, kind: str) -> Column:
    """Days from the latest event of ``kind`` to the cutoff; null if there was none."""
    return history.of(kind).age_of_newest()


@feature(
    title="days since the first {thing}",
    unit="days",
    says=Sentence("first {thing} {value} days ago", absent="no {things} so far"),
)
def days_since_first(history: History, kind: str) -> Column:
    """Days from the earliest event of ``kind`` to the cutoff: the tenure; null if there was none."""
    return history.of(kind).age_of_oldest()


@feature(
    title="days from the first to the last {thing}",
    unit="days",
    says=Sentence("{value} days from the first to the last {thing}", absent="no {things} so far"),
)
def days_first_to_last(history: History, kind: str) -> Column:
    """Days from the earliest to the latest event of ``kind``: the recency t_x of buy-till-you-die models."""
    events = history.of(kind)
    return events.age_of_oldest() - events.age_of_newest()
