from dataclasses import dataclass

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import lognorm

from churnvalue.models.outcome_models import ChurnModel, OrdersModel, SpendModel, fit_dispersion, hurdle_quantile


@dataclass(frozen=True)
class Said:
    """Stands for a link model: says what it is told to."""

    values: tuple[float, ...]
    features: tuple[str, ...] = ("days_since_last_purchase",)

    def predict(self, frame):
        return np.array(self.values)


def rows(count):
    return pd.DataFrame({"days_since_last_purchase": np.zeros(count)}, index=[f"c{i}" for i in range(count)])


shares = st.floats(0, 1)
amounts = st.floats(1e-3, 1e6)
dispersions = st.floats(0.05, 3)
quick = settings(max_examples=60, deadline=None)


def test_orders_are_never_below_the_probability_of_one():
    model = OrdersModel(Said((0.2, 0.9, 3.0)), Said((0.5, 0.5, 0.01)))
    found = model.predict(rows(3))
    assert found["orders"].tolist() == [0.5, 0.9, 3.0]  # 1 - .5 is more than .2
    assert found.index.tolist() == ["c0", "c1", "c2"]


def test_real_models_are_coherent(base):
    churn, orders, spend = (base.blend(name) for name in ("churn", "orders", "spend"))
    p_churn = ChurnModel(churn, (0.3, 0.6)).predict(base.features)["p_churn"]
    assert (OrdersModel(orders, churn).predict(base.features)["orders"] >= 1 - p_churn).all()
    money = SpendModel(spend, churn, 0.8).predict(base.features)
    assert (money[["spend_p10", "spend_p50", "spend_p90"]].diff(axis=1).iloc[:, 1:] >= 0).all(axis=None)
    assert (money.loc[p_churn > 0.5, "spend_p50"] == 0).all()
    assert (money.loc[p_churn < 0.5, "spend_p50"] > 0).all()
    assert (p_churn > 0.5).any()
    assert money.index.equals(base.features.index)


@given(st.lists(st.tuples(shares, amounts), min_size=1, max_size=20), dispersions)
@quick
def test_quantiles_of_spend_never_decrease(customers, dispersion):
    p_churn, spend = zip(*customers, strict=True)
    money = SpendModel(Said(spend), Said(p_churn), dispersion).predict(rows(len(customers)))
    low, middle, high = (money[f"spend_p{level}"].to_numpy() for level in (10, 50, 90))
    assert (low <= middle).all()
    assert (middle <= high).all()
    assert (middle[np.array(p_churn) > 0.5] == 0).all()
    assert np.isfinite(money.to_numpy()).all()


@given(st.floats(0.01, 0.99), st.floats(0, 0.98), amounts, dispersions)
@quick
def test_the_quantile_is_that_of_a_hurdle_lognormal_with_the_given_mean(level, p_zero, mean, dispersion):
    among_buyers = lognorm(s=dispersion, scale=mean / (1 - p_zero) * np.exp(-(dispersion**2) / 2))
    assert (1 - p_zero) * among_buyers.mean() == pytest.approx(mean)
    found = hurdle_quantile(level, np.array([p_zero]), np.array([mean]), dispersion)[0]
    if level <= p_zero:
        assert found == 0
    elif 1e-5 < (level - p_zero) / (1 - p_zero) < 1 - 1e-5:
        assert p_zero + (1 - p_zero) * among_buyers.cdf(found) == pytest.approx(level)
    if level - p_zero > 0.001:
        assert found == pytest.approx(among_buyers.ppf((level - p_zero) / (1 - p_zero)), rel=1e-6)


def test_certain_leavers_and_nobody_who_pays_have_quantiles_of_zero():
    assert hurdle_quantile(0.9, np.array([1.0]), np.array([0.0]), 1.0).tolist() == [0.0]
    assert hurdle_quantile(0.9, np.array([0.2]), np.array([0.0]), 1.0)[0] == pytest.approx(0.0, abs=1e-300)


@pytest.mark.parametrize("dispersion", [0.2, 0.7, 1.5, 2.5])
def test_dispersion_of_a_simulation_is_found_again(dispersion):
    rng = np.random.default_rng(int(10 * dispersion))
    p_churn, mean = rng.uniform(0.05, 0.8, 20_000), rng.lognormal(4, 1, 20_000)
    buys = rng.random(20_000) >= p_churn
    amount = mean / (1 - p_churn) * np.exp(dispersion * rng.standard_normal(20_000) - dispersion**2 / 2)
    assert fit_dispersion(np.where(buys, amount, 0.0), mean, p_churn) == pytest.approx(dispersion, rel=0.05)


def test_too_few_buyers_tell_no_dispersion():
    spend = np.where(np.arange(100) < 29, 10.0, 0.0)
    assert fit_dispersion(spend, np.full(100, 5.0), np.full(100, 0.5)) == 1.0


def test_dispersion_stays_in_its_bounds():
    same = np.full(50, 10.0)
    assert 0.05 <= fit_dispersion(same, same, np.zeros(50)) < 0.06
    assert fit_dispersion(np.exp(np.linspace(-40, 40, 50)), same, np.zeros(50)) <= 3.0


def test_bands_part_the_base_at_their_bounds():
    model = ChurnModel(Said(()), (0.2, 0.6))
    assert model.band(np.array([0.0, 0.199, 0.2, 0.599, 0.6, 1.0])).tolist() == [
        *("low", "low", "medium", "medium", "high", "high")
    ]
    assert model.inputs == ("days_since_last_purchase",)
