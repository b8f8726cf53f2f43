"""How they take our messages."""

from churnvalue.features.registry import feature
from churnvalue.features.sentences import Sentence
from churnvalue.views import Column, History

_UNWRITTEN = "received no messages {in_days}"


@feature(
    title="share of messages opened {in_days}",
    unit="share",
    says=Sentence("opened {percent} of the messages {in_days}", absent=_UNWRITTEN),
    reads=("message_sent", "message_open"),
)
def open_rate(history: History, days: int | None = None) -> Column:
    """Messages opened for every message sent in the last ``days``; null if none was sent."""
    return history.of("message_open").last(days).count() / history.of("message_sent").last(days).count()


@feature(
    title="share of messages clicked {in_days}",
    unit="share",
    says=Sentence("clicked on {percent} of the messages {in_days}", absent=_UNWRITTEN),
    reads=("message_sent", "message_click"),
)
def click_rate(history: History, days: int | None = None) -> Column:
    """Clicks for every message sent in the last ``days``; null if none was sent."""
    return history.of("message_click").last(days).count() / history.of("message_sent").last(days).count()
