"""What they cost and whether they were served well: returns."""

from churnvalue.features.registry import feature
from churnvalue.features.sentences import Sentence
from churnvalue.views import Column, History


@feature(
    title="returns for a purchase {in_days}",
    unit="ratio",
    says=Sentence(
        "{value} returns for every purchase {in_days}",
        zero="no returns {in_days}",
        absent="no purchases {in_days}",
    ),
    reads=("return", "purchase"),
)
def return_share(history: History, days: int | None = None) -> Column:
    """Returns for every purchase in the last ``days``, or ever; null without purchases."""
    return history.of("return").last(days).count() / history.of("purchase").last(days).count()


@feature(
    title="share of money returned",
    unit="share",
    says=Sentence("{percent} of the money spent was returned", zero="returned nothing", absent="no amounts known"),
    reads=("return", "purchase"),
)
def returned_amount_share(history: History, days: int | None = None) -> Column:
    """Money returned as a share of money spent in the last ``days``, or ever."""
    return 0.0 - history.of("return").last(days).total() / history.of("purchase").last(days).total()


@feature(
    title="tickets for a purchase {in_days}",
    unit="tickets for a purchase",
    says=Sentence(
        "{value} tickets for every purchase {in_days}",
        zero="no tickets {in_days}",
        absent="no purchases {in_days}",
    ),
    reads=("ticket", "purchase"),
)
def ticket_share(history: History, days: int | None = None) -> Column:
    """Tickets for every purchase in the last ``days``, or ever; null without purchases."""
    return history.of("ticket").last(days).count() / history.of("purchase").last(days).count()
