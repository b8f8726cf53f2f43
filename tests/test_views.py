"""Expressions: what they name, and the arithmetic of columns with what is undefined."""

from collections.abc import Callable

import numpy as np
import pytest

from churnvalue.errors import DefinitionError
from churnvalue.views import Column, Future, History, Measure, Number, Statistic, Stream, evaluate, measures

COUNT = History().of("purchase").count()
TOTAL = History().of("purchase").total()
NAN = float("nan")


def value(column: Column, count: float = 4.0, total: float = 10.0) -> float:
    """The value of an expression where the customer has ``count`` purchases of ``total`` in all."""
    return float(evaluate(column, {COUNT: np.array([count]), TOTAL: np.array([total])})[0])


@pytest.mark.parametrize(
    ("column", "expected"),
    [
        (COUNT + TOTAL, 14.0),
        (COUNT + 1, 5.0),
        (1 + COUNT, 5.0),
        (COUNT - TOTAL, -6.0),
        (COUNT - 1, 3.0),
        (1 - COUNT, -3.0),
        (COUNT * TOTAL, 40.0),
        (2 * COUNT, 8.0),
        (TOTAL / COUNT, 2.5),
        (TOTAL / 4, 2.5),
        (2 / COUNT, 0.5),
        (TOTAL > COUNT, 1.0),
        (COUNT > TOTAL, 0.0),
        (COUNT > 4, 0.0),
        (COUNT.at_least(6), 6.0),
        (COUNT.at_least(TOTAL), 10.0),
        (COUNT.at_most(3), 3.0),
        (COUNT.or_else(7), 4.0),
        ((COUNT - 3).log1p(), np.log(2.0)),
        (TOTAL - COUNT - 1, 5.0),  # (10 - 4) - 1
        (TOTAL - (COUNT - 1), 7.0),
        ((TOTAL / 3).to_millionths(), 3.333333),
        ((TOTAL - 10.0000001).to_millionths(), 0.0),
    ],
)
def test_arithmetic(column: Column, expected: float) -> None:
    assert value(column) == expected


@pytest.mark.parametrize("column", [TOTAL / COUNT, 1 / COUNT, COUNT / COUNT, TOTAL / (COUNT * 1.0)])
def test_division_by_zero_is_undefined(column: Column) -> None:
    assert np.isnan(value(column, count=0.0))


@pytest.mark.parametrize(
    "column",
    [COUNT + 1, 1 - COUNT, COUNT > 1, TOTAL > COUNT, COUNT.at_least(30), COUNT.at_most(1), COUNT.log1p(), 1 / COUNT],
)
def test_what_is_undefined_stays_undefined(column: Column) -> None:
    assert np.isnan(value(column, count=NAN))


def test_or_else_fills_what_is_undefined() -> None:
    assert value(COUNT.or_else(7), count=NAN) == 7.0
    assert value((TOTAL / COUNT).or_else(TOTAL), count=0.0) == 10.0


def test_a_number_is_the_same_for_everyone() -> None:
    assert evaluate(Number(3.0), {}) == 3.0


def test_evaluating_changes_no_measure() -> None:
    measured = {COUNT: np.array([0.0, 4.0]), TOTAL: np.array([0.0, 10.0])}
    evaluate((TOTAL / COUNT).or_else(0).at_least(1), measured)
    assert measured[COUNT].tolist() == [0.0, 4.0]
    assert measured[TOTAL].tolist() == [0.0, 10.0]


def test_evaluating_anything_else_is_refused() -> None:
    with pytest.raises(DefinitionError, match="must return an expression over History, but float came"):
        evaluate(3.0, {})  # type: ignore[arg-type]


def test_equal_measures_are_found_once() -> None:
    events = History().of("purchase").last(30)
    columns = [events.count() / events.total(), events.count(), 1 - events.total()]
    assert measures(columns) == [events.count(), events.total()]


def test_a_mean_needs_the_total_and_the_number_of_known_values() -> None:
    stream = Stream("visit")
    assert measures([History().of("visit").mean("lines")]) == [
        Measure(Statistic.TOTAL, stream, None, "lines"),
        Measure(Statistic.KNOWN, stream, None, "lines"),
    ]


def test_filters_narrow_and_do_not_change_what_they_narrow() -> None:
    visits = History().of("visit")
    narrow = visits.last(7).between(8, 20).on_weekdays(5, 7).through("app")
    assert narrow.stream == Stream("visit", "app", (8, 20), (5, 7))
    assert narrow.days == 7
    assert visits.stream == Stream("visit")
    assert narrow.last(None).days is None


def test_history_and_future_name_the_same_measures() -> None:
    assert History().of("purchase").count() == Future().of("purchase").count()


@pytest.mark.parametrize("days", [0, -1])
def test_a_window_has_a_day_at_least(days: int) -> None:
    with pytest.raises(DefinitionError, match=f"at least 1 day, but {days} came"):
        History().of().last(days)


@pytest.mark.parametrize("days", [36_501, 10**12])
def test_a_window_ends_within_a_century(days: int) -> None:
    with pytest.raises(DefinitionError, match=f"at most 36,500 days, but {days} came"):
        History().of().last(days)


def test_a_window_before_the_newest_days_is_a_difference() -> None:
    events = History().of("purchase")
    assert events.count_between(7, 14) == events.last(14).count() - events.last(7).count()
    assert events.count_between(0, 14) == events.last(14).count()
    assert measures([events.total_between(7, 14)]) == [events.last(14).total(), events.last(7).total()]


@pytest.mark.parametrize("days", [(7, 7), (8, 7), (-1, 7)])
def test_a_window_before_the_newest_days_ends_after_it_begins(days: tuple[int, int]) -> None:
    with pytest.raises(DefinitionError, match="0 <= first < end"):
        History().of().count_between(*days)


@pytest.mark.parametrize("hours", [(-1, 5), (5, 5), (6, 5), (0, 25)])
def test_hours_are_checked(hours: tuple[int, int]) -> None:
    with pytest.raises(DefinitionError, match="0 <= first < end <= 24"):
        History().of().between(*hours)


@pytest.mark.parametrize("weekdays", [(-1, 5), (5, 5), (0, 8)])
def test_weekdays_are_checked(weekdays: tuple[int, int]) -> None:
    with pytest.raises(DefinitionError, match="0 <= first < end <= 7"):
        History().of().on_weekdays(*weekdays)


@pytest.mark.parametrize("ask", ["total", "mean", "largest", "smallest", "newest", "oldest"])
def test_an_unknown_column_names_a_near_match(ask: str) -> None:
    method: Callable[[str], Column] = getattr(History().of(), ask)
    with pytest.raises(DefinitionError, match=r"Unknown column 'ammount' of an event\. Did you mean 'amount'\?"):
        method("ammount")
