"""The rhythm of coming back: gaps between days with an event; several events on one day are one."""

from churnvalue.features.registry import feature
from churnvalue.features.sentences import Sentence
from churnvalue.views import Column, History

_ONCE = "no two days with {things} yet"


@feature(
    title="mean gap between {things}",
    unit="days",
    says=Sentence("a {thing} every {value} days on average", absent=_ONCE),
)
def gap_mean(history: History, kind: str) -> Column:
    """Mean gap; null with fewer than two active days."""
    return history.of(kind).gap_mean()


@feature(
    title="recent gap between {things}",
    unit="days",
    says=Sentence("a {thing} every {value} days of late", absent=_ONCE),
)
def gap_recent(history: History, kind: str) -> Column:
    """Mean gap in which the latest counts most, each older one half as much; null with fewer than two active days."""
    return history.of(kind).gap_recent()


@feature(
    title="how much gaps between {things} vary",
    unit="days",
    says=Sentence("gaps between {things} vary by {value} days", absent="too few gaps between {things} to vary"),
)
def gap_sd(history: History, kind: str) -> Column:
    """Sample standard deviation of the gaps; null with fewer than three active days."""
    return history.of(kind).gap_sd()


@feature(
    title="last gap between {things}",
    unit="days",
    says=Sentence("last came back after {value} days", absent=_ONCE),
)
def gap_last(history: History, kind: str) -> Column:
    """Latest gap."""
    return history.of(kind).gap_newest()


@feature(
    title="shortest gap between {things}",
    unit="days",
    says=Sentence("shortest gap between {things} {value} days", absent=_ONCE),
)
def gap_min(history: History, kind: str) -> Column:
    """Shortest gap."""
    return history.of(kind).gap_smallest()


@feature(
    title="last gap against the usual one",
    unit="ratio",
    says=Sentence(
        "last gap as long as usual",
        less="last gap {percent} shorter than usual",
        more="last gap {percent} longer than usual",
        absent=_ONCE,
    ),
)
def gap_last_to_mean(history: History, kind: str) -> Column:
    """Latest gap as a share of the mean gap."""
    events = history.of(kind)
    return events.gap_newest() / events.gap_mean()


@feature(
    title="share of earlier spans of {days} days with a {thing}",
    unit="share",
    says=Sentence(
        "{percent} of the earlier spans of {days} days held a {thing}",
        zero="none of the earlier spans of {days} days held a {thing}",
        absent="first {thing} less than {days} days ago",
    ),
)
def past_renewal(history: History, kind: str, days: int) -> Column:
    """Share with an event of ``kind`` of the customer's own spans of ``days``, counted back from the cutoff.

    Only whole spans since the first event count; null before there is one.
    """
    return history.of(kind).renewed_share(days)


@feature(
    title="silence against the usual gap",
    unit="ratio",
    says=Sentence("silent for {value} times the usual gap", absent=_ONCE),
)
def silence_to_gap(history: History, kind: str) -> Column:
    """Days since the latest event as a multiple of the mean gap: above 1 the customer is overdue."""
    events = history.of(kind)
    return events.age_of_newest() / events.gap_mean()
