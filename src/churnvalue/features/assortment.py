"""What they buy: how wide, how loyal to one category."""

from churnvalue.features.registry import feature
from churnvalue.features.sentences import Sentence
from churnvalue.views import Column, History


@feature(
    title="number of categories {in_days}",
    unit="categories",
    says=Sentence("{value} different categories {in_days}", zero="no categories {in_days}"),
)
def distinct_categories(history: History, kind: str, days: int | None = None) -> Column:
    """Distinct categories of ``kind`` in the last ``days``, or ever; 0 without any."""
    return history.of(kind).last(days).distinct_categories()


@feature(
    title="share of the favourite category",
    unit="share",
    says=Sentence("{percent} of lines in one category", absent="no categories known"),
)
def top_category_share(history: History, kind: str, days: int | None = None) -> Column:
    """Share of the most frequent category among all mentions of a category."""
    return history.of(kind).last(days).top_category_share()
