"""Families by name, and the entries of a definition spelled out."""

from collections.abc import Callable
from typing import Any

import pytest

from churnvalue.errors import DefinitionError
from churnvalue.features import Feature, expand, families, feature, registry
from churnvalue.features.sentences import Sentence
from churnvalue.views import Column, History, evaluate, measures


@pytest.fixture
def private_registry(monkeypatch: pytest.MonkeyPatch) -> None:
    """Families registered in a test are forgotten after it."""
    monkeypatch.setattr(registry, "_FAMILIES", dict(registry._FAMILIES))


def test_families_come_by_name() -> None:
    assert list(families()) == sorted(families())
    assert {"event_count", "days_since_last", "gap_mean", "amount_total"} <= set(families())


@pytest.mark.parametrize("name", list(families()))
def test_every_family_says_its_unit_and_what_it_computes(name: str) -> None:
    family = families()[name]
    assert family.unit
    assert (family.declare.__doc__ or "").strip().endswith((".", "models.", "Gamma-Gamma."))
    assert all(parameter.annotation is not parameter.empty for parameter in family.parameters.values())


@pytest.mark.parametrize(
    ("entry", "names"),
    [
        ({"use": "event_count", "kind": "purchase"}, ["event_count_purchase"]),
        ({"use": "event_count", "kind": "purchase", "days": "all"}, ["event_count_purchase"]),
        ({"use": "event_count", "kind": "purchase", "days": 30}, ["event_count_purchase_30d"]),
        (
            {"use": "event_count", "kind": ["purchase", "visit"], "days": [7, "all"]},
            ["event_count_purchase_7d", "event_count_purchase", "event_count_visit_7d", "event_count_visit"],
        ),
        ({"use": "hour_share", "kind": "visit", "first_hour": 6, "end_hour": 12}, ["hour_share_visit_6_12"]),
        ({"use": "return_share", "days": 90}, ["return_share_90d"]),
        ({"use": "return_share"}, ["return_share"]),
        ({"use": ["gap_mean", "gap_sd"], "kind": "visit"}, ["gap_mean_visit", "gap_sd_visit"]),
    ],
)
def test_names_are_derived(entry: dict[str, Any], names: list[str]) -> None:
    assert [f.name for f in expand([entry])] == names


def test_repeated_features_are_one() -> None:
    entries = [
        {"use": "event_count", "kind": "purchase", "days": [30, 30]},
        {"use": "event_count", "days": 30, "kind": "purchase"},
    ]
    assert len(expand(entries)) == 1


def test_names_of_different_features_differ() -> None:
    entries = [{"use": "event_count", "kind": "purchase", "days": 30}, {"use": "event_count", "kind": "purchase_30d"}]
    message = (
        "'event_count_purchase_30d' would be both event_count with .*'days': 30.* and event_count with .*'purchase_30d'"
    )
    with pytest.raises(DefinitionError, match=message):
        expand(entries)


def test_features_can_be_sorted() -> None:
    features = expand([{"use": "event_count", "kind": ["visit", "purchase"], "days": [30, "all", 7]}])
    assert sorted(features)[0].name.startswith("event_count_purchase")


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ({"use": "event_cuont"}, r"Unknown feature 'event_cuont'\. Did you mean 'event_count'\?"),
        ({}, "Unknown feature 'None'"),
        ({"use": ["event_count", "event_cuont"], "kind": "p"}, "Unknown feature 'event_cuont'"),
        ({"use": "event_count"}, r"'event_count' needs the parameter 'kind'\. Add it"),
        (
            {"use": "event_count", "kind": "p", "dayz": 3},
            r"'event_count' has no parameter 'dayz'\. Did you mean 'days'\?",
        ),
        ({"use": "event_count", "kind": 3}, "'kind' of feature 'event_count' must be str, but 3 came"),
        (
            {"use": "event_count", "kind": "p", "days": True},
            "'days' of feature 'event_count' must be int.*, but True came",
        ),
        ({"use": "event_count", "kind": "p", "days": 1.5}, r"must be int.*, but 1\.5 came"),
        ({"use": "event_count", "kind": "p", "days": "30"}, "must be int.*, but '30' came"),
        ({"use": "weekday_share", "kind": "p", "weekday": "all"}, "'weekday' of feature 'weekday_share' must be int"),
        ({"use": "count_trend", "kind": "p"}, "needs the parameter 'days'"),
    ],
)
def test_entries_that_do_not_fit(entry: dict[str, Any], message: str) -> None:
    with pytest.raises(DefinitionError, match=message):
        expand([entry])


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ({"use": "event_count", "kind": "p", "days": 0}, "at least 1 day, but 0 came"),
        ({"use": "hour_share", "kind": "p", "first_hour": 9, "end_hour": 9}, "0 <= first < end <= 24"),
        ({"use": "weekday_share", "kind": "p", "weekday": 7}, "0 <= first < end <= 7"),
        (
            {"use": "event_count_between", "kind": "p", "first_days": 7, "end_days": 7},
            "0 <= first < end, but 7, 7 came",
        ),
        ({"use": "same_season_count", "kind": "p", "days": 366}, "0 <= first < end, but -1, 365 came"),
        ({"use": "past_renewal", "kind": "p", "days": 0}, "at least 1 day, but 0 came"),
    ],
)
def test_parameters_out_of_bounds(entry: dict[str, Any], message: str) -> None:
    with pytest.raises(DefinitionError, match=message):
        [f.column() for f in expand([entry])]


def test_a_window_longer_than_time_is_refused() -> None:
    with pytest.raises(DefinitionError, match="days"):
        [f.column() for f in expand([{"use": "event_count", "kind": "p", "days": 10**12}])]


@pytest.mark.parametrize(
    ("entry", "kinds"),
    [
        ({"use": "event_count", "kind": "visit"}, {"visit"}),
        ({"use": "return_share"}, {"return", "purchase"}),
        ({"use": "open_rate"}, {"message_sent", "message_open"}),
    ],
)
def test_kinds_are_those_that_the_feature_reads(entry: dict[str, Any], kinds: set[str]) -> None:
    assert expand([entry])[0].kinds == kinds


@pytest.mark.parametrize("name", list(families()))
def test_declared_kinds_are_the_kinds_of_the_expression(name: str) -> None:
    given: dict[str, Any] = {"kind": "visit", "days": 30, "first_hour": 6, "end_hour": 12, "weekday": 2}
    given |= {"first_days": 7, "end_days": 14}
    [one] = expand([{"use": name, **{p: given[p] for p in families()[name].parameters}}])
    assert {m.stream.kind for m in measures([one.column()])} == one.kinds


def test_a_family_of_ones_own(private_registry: None) -> None:
    @feature(
        title="visits to {shop} {in_days}", unit="events", says=Sentence("{value} visits to {shop}"), reads=("visit",)
    )
    def visits_to(history: History, shop: str, days: int | None = None) -> Column:
        """Visits to a shop."""
        return history.of("visit").through(shop).last(days).count()

    [one] = expand([{"use": "visits_to", "shop": "north", "days": 7}])
    assert (one.name, one.unit, one.kinds) == ("visits_to_north_7d", "events", {"visit"})
    assert one.say(3.0) == "3 visits to north"
    assert one.title == "visits to north in the last 7 days"
    assert one.column() == History().of("visit").through("north").last(7).count()


def test_a_name_that_is_taken_is_refused(private_registry: None) -> None:
    def event_count(history: History) -> Column:
        """Something else."""
        return history.of().count()

    register: Callable[..., Any] = feature(title="nothing", unit="events", says=Sentence("{value}"))
    with pytest.raises(DefinitionError, match="'event_count' is defined twice"):
        register(event_count)


def test_a_feature_that_returns_no_expression_is_refused(private_registry: None) -> None:
    def zero(history: History) -> Column:
        """No expression."""
        return 0.0  # type: ignore[return-value]

    feature(title="nothing", unit="events", says=Sentence("{value}"))(zero)
    with pytest.raises(DefinitionError, match="must return an expression over History, but float came"):
        evaluate(Feature("zero", ()).column(), {})
