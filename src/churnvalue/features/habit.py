"""When they come: shares of the hours of the day and the days of the week, by the customer's clock."""

from churnvalue.features.registry import feature
from churnvalue.features.sentences import Sentence
from churnvalue.views import Column, History


@feature(
    title="share of {things} from {first_hour} to {end_hour} o'clock",
    unit="share",
    says=Sentence("{percent} of {things} between {first_hour} and {end_hour} o'clock", absent="no {things} so far"),
)
def hour_share(history: History, kind: str, first_hour: int, end_hour: int) -> Column:
    """Share of the events of ``kind`` in the local hours ``[first_hour, end_hour)``."""
    events = history.of(kind)
    return events.between(first_hour, end_hour).count() / events.count()


@feature(
    title="share of {things} on weekends",
    unit="share",
    says=Sentence("{percent} of {things} on weekends", absent="no {things} so far"),
)
def weekend_share(history: History, kind: str) -> Column:
    """Share of the events of ``kind`` on local Saturdays and Sundays."""
    events = history.of(kind)
    return events.on_weekdays(5, 7).count() / events.count()


@feature(
    title="share of {things} on weekday {weekday}",
    unit="share",
    says=Sentence("{percent} of {things} on weekday {weekday} (Monday is 0)", absent="no {things} so far"),
)
def weekday_share(history: History, kind: str, weekday: int) -> Column:
    """Share of the events of ``kind`` on one local weekday; Monday is 0."""
    events = history.of(kind)
    return events.on_weekdays(weekday, weekday + 1).count() / events.count()
