"""Estimators on their own, as a data scientist takes them out of the package, and every example in a docstring."""

import doctest
import importlib
import json
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.dummy import DummyClassifier, DummyRegressor
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.model_selection import cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import check_estimator

from churnvalue import decisions, models, timing
from churnvalue.decisions import allocate
from churnvalue.errors import ConfigError, DefinitionError, HistoryError
from churnvalue.models import BetaGeoNBD, GammaGamma, HurdleRegressor, ParetoNBD
from churnvalue.timing import SlotHabit, slot_counts

SOURCE = Path(models.__file__).parents[2]
PACKAGES = pytest.mark.parametrize("package", [decisions, models, timing], ids=lambda package: package.__name__)
WITH_EXAMPLES = sorted(
    ".".join(path.relative_to(SOURCE).with_suffix("").parts)
    for path in SOURCE.glob("churnvalue/**/*.py")
    if ">>> " in path.read_text(encoding="utf-8")
)


@pytest.mark.parametrize("name", WITH_EXAMPLES)
def test_examples_in_docstrings_hold(name: str) -> None:
    importlib.import_module(name)
    # Not as an attribute of its package, where a function may have taken the module's name.
    tried = doctest.testmod(sys.modules[name])
    assert tried.attempted > 0
    assert tried.failed == 0


@PACKAGES
def test_public_names_are_there_and_others_are_errors(package: ModuleType) -> None:
    assert all(callable(getattr(package, name)) for name in package.__all__)
    with pytest.raises(AttributeError, match=f"module '{package.__name__}' has no attribute 'ParetoNDB'"):
        package.ParetoNDB  # noqa: B018


def test_importing_the_packages_is_quick() -> None:
    heavy = ("pandas", "lightgbm", "numba", "scipy", "sklearn")
    code = (
        "import json, sys, churnvalue.decisions, churnvalue.models, churnvalue.timing;"
        f"print(json.dumps([name for name in {heavy!r} if name in sys.modules]))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert json.loads(done.stdout) == []


# Customers as the lifetimes package summarises them, in weeks.
LIFETIMES = pd.DataFrame(
    {
        "frequency": [2, 1, 0, 7, 0, 3],
        "recency": [30.43, 1.71, 0.0, 29.43, 0.0, 5.0],
        "T": [38.86, 38.86, 38.86, 38.86, 20.0, 30.0],
        "monetary_value": [22.35, 11.77, 0.0, 73.74, 0.0, 20.0],
    },
    index=pd.Index(["1", "2", "3", "4", "5", "6"], name="customer_id"),
)
OURS = LIFETIMES.rename(columns={"T": "age", "monetary_value": "amount"})


@pytest.mark.parametrize("model", [ParetoNBD(), BetaGeoNBD(), GammaGamma()], ids=lambda model: type(model).__name__)
def test_customers_may_come_as_lifetimes_names_them(model: ParetoNBD | GammaGamma) -> None:
    assert model.get_params() == {"prior_sd": 2.0}
    assert clone(model).fit(LIFETIMES).parameters() == clone(model).fit(OURS).parameters()


def test_own_names_come_first_and_a_missing_column_is_named_both_ways() -> None:
    both = OURS.assign(T=1.0)
    assert ParetoNBD().fit(both).parameters() == ParetoNBD().fit(OURS).parameters()
    with pytest.raises(DefinitionError, match="must have a column 'age' or 'T'"):
        ParetoNBD().fit(LIFETIMES.drop(columns="T"))


def test_published_customers_of_cdnow() -> None:
    # Fader, Hardie and Lee (2005): two repeat purchases, the last in week 30.43 of 38.86; 1.226 expected in 39 weeks.
    buying = BetaGeoNBD.from_parameters({"r": 0.243, "alpha": 4.414, "a": 0.793, "b": 2.426})
    assert buying.expected_purchases(LIFETIMES, 39.0)[0] == pytest.approx(1.226, abs=5e-4)
    # (6.25 · (15.44 + 2 · 22.35)) / (6.25 · 2 + 3.74 - 1)
    paying = GammaGamma.from_parameters({"p": 6.25, "q": 3.74, "v": 15.44})
    assert paying.expected_amount(LIFETIMES)[0] == pytest.approx(24.6637, abs=1e-4)


def amounts(customers: int = 1500, seed: int = 4) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Features, amounts, and the expectation of these: logistic chances, log-normal amounts of standard deviation 0.8."""
    generator = np.random.default_rng(seed)
    features = generator.normal(size=(customers, 3))
    chance = 1 / (1 + np.exp(1.0 - features[:, 0]))
    middle = 3.0 + 0.5 * features[:, 1]
    drawn = np.exp(middle + 0.8 * generator.normal(size=customers))
    return features, np.where(generator.random(customers) < chance, drawn, 0.0), chance * np.exp(middle + 0.32)


LINEAR = HurdleRegressor(LogisticRegression(), LinearRegression())


def test_hurdle_smears_by_what_was_foretold_out_of_fold() -> None:
    model = HurdleRegressor(DummyClassifier(), DummyRegressor()).fit([[0], [1], [2], [3]], [0.0, 1.0, 2.0, 4.0])
    # Each amount foretold by the two others: 1 by √(2·4), 2 by √(1·4), 4 by √(1·2).
    smearing = (1 + 2 + 4) / (8**0.5 + 4**0.5 + 2**0.5)
    assert model.smearing_ == pytest.approx(smearing)
    assert model.p_positive([[9]]) == pytest.approx([0.75])
    assert model.predict([[9]]) == pytest.approx([0.75 * smearing * 8 ** (1 / 3)])


@pytest.mark.parametrize("model", [LINEAR, HurdleRegressor()], ids=["linear", "trees"])
def test_hurdle_finds_the_expected_amounts_whatever_the_order_of_rows(model: HurdleRegressor) -> None:
    features, spent, expected = amounts()
    said = clone(model).fit(features, spent).predict(features)
    assert said.mean() == pytest.approx(spent.mean(), rel=0.05)
    assert np.corrcoef(said, expected)[0, 1] > 0.85
    assert clone(model).fit(features, spent).smearing_ == pytest.approx(np.exp(0.8**2 / 2), rel=0.15)
    turned = np.random.default_rng(0).permutation(len(spent))
    again = clone(model).fit(features[turned], spent[turned]).predict(features)
    assert (again == said).all()


def test_hurdle_is_an_estimator_of_scikit_learn() -> None:
    failed = [
        one["check_name"] for one in check_estimator(LINEAR, on_skip=None, on_fail=None) if one["status"] == "failed"
    ]
    assert failed == []
    features, spent, _ = amounts(300)
    scores = cross_val_score(make_pipeline(StandardScaler(), LINEAR), features, spent, cv=3)
    assert scores.shape == (3,)
    assert np.isfinite(scores).all()


def test_hurdle_takes_missing_values_where_its_parts_do() -> None:
    features, spent, _ = amounts(300)
    features[::7, 2] = np.nan
    assert np.isfinite(HurdleRegressor().fit(features, spent).predict(features)).all()
    with pytest.raises(ValueError, match="contains NaN"):
        clone(LINEAR).fit(features, spent)


def test_hurdle_knows_logs_without_a_hurdle() -> None:
    features = [[0.0], [1.0], [2.0]]
    assert clone(LINEAR).fit(features, [0.0, 0.0, 0.0]).predict(features).tolist() == [0.0, 0.0, 0.0]
    always = clone(LINEAR).fit(features, np.exp([1.0, 2.0, 3.0]))
    assert always.p_positive(features).tolist() == [1.0, 1.0, 1.0]
    assert always.predict(features) == pytest.approx(np.exp([1.0, 2.0, 3.0]))
    assert clone(LINEAR).fit(features, [0.0, 0.0, 5.0]).smearing_ == 1.0
    with pytest.raises(HistoryError, match="Amounts must be at least 0, but -2 came"):
        clone(LINEAR).fit(features, [0.0, -2.0, 5.0])


def test_slots_are_hours_of_the_local_week(table) -> None:
    events = table("""
        who  at                     # in London
        bob  2024-01-01T23:30       # Monday 23:30
        ann  2024-07-01T00:30       # summer: Monday 01:30
        ann  2024-07-01T00:59:59    # the same hour
        ann  2024-03-31T01:00       # Sunday, when 02:00 has just begun
    """)
    counts = slot_counts(events["who"], pd.to_datetime(events["at"], format="ISO8601"), "Europe/London")
    assert counts.index.tolist() == ["ann", "bob"]
    assert counts.index.name == "who"
    assert counts.shape == (2, 168)
    assert counts.loc["ann", [1, 6 * 24 + 2]].tolist() == [2, 1]
    assert counts.loc["bob", 23] == 1
    assert counts.to_numpy().sum() == 4


def test_slots_need_a_customer_a_time_and_a_zone() -> None:
    who, at = pd.Series(["ann", None]), pd.Series(pd.to_datetime(["2024-01-01", "2024-01-02"]))
    with pytest.raises(HistoryError, match="2 customers and 2 times came, 1 of them missing"):
        slot_counts(who, at)
    with pytest.raises(HistoryError, match="1 customers and 2 times came"):
        slot_counts(who[:1], at)
    with pytest.raises(ConfigError, match="must be an IANA name"):
        slot_counts(who[:1], at[:1], "London")


def test_a_habit_is_an_estimator() -> None:
    habit = clone(SlotHabit(seed=3))
    assert habit.get_params() == {"seed": 3}
    times = pd.Series(pd.date_range("2024-01-01 09:00", periods=80, freq="7D"))
    counts = slot_counts(pd.Series([f"{number % 40:02d}" for number in range(80)]), times)
    assert (habit.fit(counts).predict(counts).argmax(axis=1) == 9).all()


# Profit and cost of a call and of a letter.
PROFIT = [[9, 4], [8, 5], [3, 2]]
COST = [[4, 1], [4, 1], [4, 1]]


def test_allocation_by_hand() -> None:
    found = allocate(PROFIT, COST, 6)
    assert found.choice.tolist() == [0, 1, 1]  # 9 + 5 + 2, for 4 + 1 + 1
    assert (found.cost, found.profit) == (6, 16)
    assert found.price == pytest.approx(1.0)  # the next step: a call for the second, 3 more for 3
    assert allocate(PROFIT, COST, 100).choice.tolist() == [0, 0, 0]
    assert allocate(PROFIT, COST, 0).choice.tolist() == [-1, -1, -1]


def test_capacities_have_prices() -> None:
    found = allocate(PROFIT, COST, 100, capacity=[1, 1])
    assert found.choice.tolist() == [0, 1, -1]  # 9 + 5, where 8 + 4 is the other way
    assert found.profit == 14
    assert found.price == 0.0
    # Strong duality: what the places are worth, and what customers gain beyond their prices, is the profit.
    gains = np.maximum(np.array(PROFIT) - found.capacity_price, 0.0).max(axis=1)
    assert found.capacity_price.sum() + gains.sum() == pytest.approx(14.0)


def test_allocation_belongs_to_the_customers_not_to_their_order() -> None:
    generator = np.random.default_rng(9)
    profit, cost = generator.integers(0, 20, (200, 3)).astype(float), generator.integers(1, 9, (200, 3)).astype(float)
    turned = generator.permutation(200)
    for capacity in (None, [30, 20, 10]):
        here, there = (allocate(profit[o], cost[o], 150.0, capacity) for o in (np.arange(200), turned))
        assert there.profit == pytest.approx(here.profit)
        of = {tuple(key): set() for key in np.hstack([profit, cost])}
        again = {key: set() for key in of}
        for order, choices, found in ((np.arange(200), of, here), (turned, again, there)):
            for key, choice in zip(np.hstack([profit, cost])[order], found.choice, strict=True):
                choices[tuple(key)].add(int(choice))
        assert of == again


def test_allocation_refuses_shapes_that_do_not_fit() -> None:
    with pytest.raises(DefinitionError, match="Profit and cost must have the shape"):
        allocate(PROFIT, COST[:1], 5.0)
    with pytest.raises(DefinitionError, match="Profit and cost must have the shape"):
        allocate(PROFIT[0], COST[0], 5.0)
