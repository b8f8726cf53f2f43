"""History and Future, and the events that they give: where every measure is named."""

from collections.abc import Callable
from dataclasses import dataclass, replace

from churnvalue.errors import DefinitionError, near_match
from churnvalue.views.columns import VALUE_COLUMNS, Column, Measure, Statistic, Stream

_LONGEST = 36_500  # days


@dataclass(frozen=True)
class Events:
    """Events of one stream in a window; its methods are the measures. Without events counts and totals are 0, all else NaN."""

    stream: Stream
    days: int | None = None

    def last(self, days: int | None) -> "Events":
        """Only the newest ``days``: ``[end - days, end)``; all if None."""
        return replace(self, days=None if days is None else _checked(days))

    def between(self, first_hour: int, end_hour: int) -> "Events":
        """Only events in the local hours ``[first_hour, end_hour)`` of the day."""
        if not 0 <= first_hour < end_hour <= 24:
            raise DefinitionError(f"Hours must satisfy 0 <= first < end <= 24, but {first_hour}, {end_hour} came.")
        return replace(self, stream=replace(self.stream, hours=(first_hour, end_hour)))

    def on_weekdays(self, first: int, end: int) -> "Events":
        """Only events on the local weekdays ``[first, end)``; Monday is 0."""
        if not 0 <= first < end <= 7:
            raise DefinitionError(f"Weekdays must satisfy 0 <= first < end <= 7, but {first}, {end} came.")
        return replace(self, stream=replace(self.stream, weekdays=(first, end)))

    def through(self, channel: str) -> "Events":
        """Only events of a channel."""
        return replace(self, stream=replace(self.stream, channel=channel))

    def count(self) -> Measure:
        """Number of events."""
        return self._measure(Statistic.COUNT)

    def total(self, column: str = "amount") -> Measure:
        """Sum of a column; null values add nothing."""
        return self._measure(Statistic.TOTAL, column)

    def count_between(self, first_days: int, end_days: int) -> Column:
        """Number of events in ``[end - end_days, end - first_days)``."""
        return self._between_days(Events.count, first_days, end_days)

    def total_between(self, first_days: int, end_days: int) -> Column:
        """Sum of the amounts in ``[end - end_days, end - first_days)``, to millionths."""
        return self._between_days(Events.total, first_days, end_days).to_millionths()

    def mean(self, column: str = "amount") -> Column:
        """Mean of a column over the events that have it."""
        return self.total(column) / self._measure(Statistic.KNOWN, column)

    def largest(self, column: str = "amount") -> Measure:
        """Largest value of a column."""
        return self._measure(Statistic.LARGEST, column)

    def repeat_total(self, column: str = "amount") -> Measure:
        """Sum of a column over all but the earliest local day with an event."""
        return self._measure(Statistic.REPEAT_TOTAL, column)

    def smallest(self, column: str = "amount") -> Measure:
        """Smallest value of a column."""
        return self._measure(Statistic.SMALLEST, column)

    def newest(self, column: str = "amount") -> Measure:
        """Value of a column at the latest event that has one."""
        return self._measure(Statistic.NEWEST, column)

    def oldest(self, column: str = "amount") -> Measure:
        """Value of a column at the earliest event that has one."""
        return self._measure(Statistic.OLDEST, column)

    def age_of_newest(self) -> Measure:
        """Days from the latest event to the end of the span."""
        return self._measure(Statistic.AGE_OF_NEWEST)

    def age_of_oldest(self) -> Measure:
        """Days from the earliest event to the end of the span."""
        return self._measure(Statistic.AGE_OF_OLDEST)

    def active_days(self) -> Measure:
        """Local days with at least one event."""
        return self._measure(Statistic.DAYS)

    def gap_mean(self) -> Measure:
        """Mean of the days between successive active days; several events on one day are one."""
        return self._measure(Statistic.GAP_MEAN)

    def gap_sd(self) -> Measure:
        """Sample standard deviation of the gaps; needs two."""
        return self._measure(Statistic.GAP_SD)

    def gap_smallest(self) -> Measure:
        """Shortest gap."""
        return self._measure(Statistic.GAP_SMALLEST)

    def gap_newest(self) -> Measure:
        """Latest gap."""
        return self._measure(Statistic.GAP_NEWEST)

    def gap_recent(self) -> Measure:
        """Mean gap in which the latest counts most: each older gap weighs half as much as the one after it."""
        return self._measure(Statistic.GAP_RECENT)

    def renewed_share(self, days: int) -> Measure:
        """Share with an event of the blocks of ``days`` that lie between the earliest event and the end, counted from the end.

        NaN while there is no whole block.
        """
        return replace(self._measure(Statistic.RENEWED_SHARE), block_days=_checked(days))

    def distinct_categories(self) -> Measure:
        """Number of distinct categories; 0 without any."""
        return self._measure(Statistic.DISTINCT)

    def top_category_share(self) -> Measure:
        """Share of the most frequent category among all mentions of a category."""
        return self._measure(Statistic.TOP_SHARE)

    def _between_days(self, measure: "Callable[[Events], Column]", first_days: int, end_days: int) -> Column:
        if not 0 <= first_days < end_days:
            raise DefinitionError(f"Days must satisfy 0 <= first < end, but {first_days}, {end_days} came.")
        reached = measure(self.last(end_days))
        return reached - measure(self.last(first_days)) if first_days else reached

    def _measure(self, statistic: Statistic, column: str = "amount") -> Measure:
        if column not in VALUE_COLUMNS:
            raise DefinitionError(f"Unknown column '{column}' of an event.{near_match(column, VALUE_COLUMNS)}")
        return Measure(statistic, self.stream, self.days, column)


class History:
    """What was known of a customer before the cutoff."""

    def of(self, kind: str | None = None) -> Events:
        """Events of a kind; of every kind if None."""
        return Events(Stream(kind))


class Future:
    """What a customer did from the cutoff to the horizon."""

    def of(self, kind: str | None = None) -> Events:
        """Events of a kind; of every kind if None."""
        return Events(Stream(kind))


def _checked(days: int) -> int:
    if not 1 <= days <= _LONGEST:
        bound = "at least 1 day" if days < 1 else f"at most {_LONGEST:,} days"
        raise DefinitionError(f"A window must have {bound}, but {days} came.")
    return days
