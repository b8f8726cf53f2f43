import json

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.base import clone
from sklearn.exceptions import NotFittedError

from churnvalue.errors import DefinitionError, HistoryError
from churnvalue.models.bg_nbd import BGNBD
from churnvalue.models.gamma_gamma import GammaGamma
from churnvalue.models.likelihood import distinct, histories, on_grid
from churnvalue.models.pareto_nbd import ParetoNBD

PARETO = {"r": 0.55, "alpha": 10.5, "s": 0.6, "beta": 11.7}
BG = {"r": 0.24, "alpha": 4.4, "a": 0.8, "b": 2.4}
GAMMA = {"p": 6.25, "q": 3.74, "v": 15.44}
MODELS = [ParetoNBD.from_parameters(PARETO), BGNBD.from_parameters(BG)]
both = pytest.mark.parametrize("model", MODELS, ids=lambda model: type(model).__name__)


def customers(frequency, recency, age):
    return pd.DataFrame({"frequency": frequency, "recency": recency, "age": age}, dtype=float)


def base(size=300, seed=3):
    """Buyers with rates gamma(0.6, 70) and lifetimes gamma(0.6, 80), in whole days."""
    generator = np.random.default_rng(seed)
    rate, stop = generator.gamma(0.6, 1 / 70, size), generator.gamma(0.6, 1 / 80, size)
    age = generator.integers(1, 700, size).astype(float)
    alive = np.minimum(generator.exponential(1 / stop), age)
    frequency = generator.poisson(rate * alive)
    recency = np.ceil(alive * generator.random(size) ** (1 / np.maximum(frequency, 1)))
    return customers(frequency, np.where(frequency > 0, recency, 0), age)


history = st.tuples(st.integers(0, 60), st.integers(0, 40), st.integers(0, 40)).map(
    lambda h: (h[0], h[1] if h[0] else 0, h[1] + h[2] if h[0] else h[2])
)
bases = st.lists(history, min_size=1, max_size=6).map(lambda rows: customers(*zip(*rows, strict=True)))


@both
@given(rfm=bases)
@settings(max_examples=40, deadline=None)
def test_probabilities_and_counts_stay_in_their_bounds_and_follow_the_horizon(model, rfm):
    horizons = [0.0, 0.5, 7.0, 90.0, 10_000.0]
    silent, purchases = model.p_no_purchase(rfm, horizons), model.expected_purchases(rfm, horizons)
    alive = model.p_alive(rfm)
    assert np.isfinite(model.log_likelihood(rfm)).all()
    assert ((alive >= 0) & (alive <= 1)).all()
    assert (silent[:, 0] == 1).all()
    assert (purchases[:, 0] == 0).all()
    assert (np.diff(silent, axis=1) <= 1e-12).all()
    assert (np.diff(purchases, axis=1) >= 0).all()
    assert (silent >= 0).all()
    # Nobody buys before they return: P(a purchase) is at most the expected number, and at most P(alive).
    assert (1 - silent <= np.minimum(purchases, alive[:, None]) + 1e-9).all()


@both
def test_chance_of_a_first_purchase_and_expected_purchases_start_with_one_slope(model):
    rfm = customers([0, 1, 5, 40], [0, 3, 20, 39], [10, 30, 39, 40])
    step = 1e-5
    first = (1 - model.p_no_purchase(rfm, step)) / step
    rate = model.expected_purchases(rfm, step) / step
    assert first == pytest.approx(rate, rel=1e-3)


@both
def test_several_horizons_are_the_columns_of_one(model):
    rfm = base()
    grid = [30.0, 90.0, 365.0]
    for method in (model.p_no_purchase, model.expected_purchases):
        table = method(rfm, grid)
        assert table.shape == (300, 3)
        for place, horizon in enumerate(grid):
            assert (table[:, place] == method(rfm, horizon)).all()


@both
def test_one_customer_does_not_affect_another(model):
    rfm = base()
    some = rfm.iloc[[5, 250, 17]]
    for method in (model.p_no_purchase, model.expected_purchases):
        assert (method(some, 90.0) == method(rfm, 90.0)[[5, 250, 17]]).all()
    assert (model.p_alive(some) == model.p_alive(rfm)[[5, 250, 17]]).all()


@both
def test_order_of_rows_does_not_change_a_digit_and_input_is_left_alone(model):
    rfm = base()
    before = rfm.copy()
    fitted = clone(model).fit(rfm).parameters()
    assert clone(model).fit(rfm.sample(frac=1, random_state=1)).parameters() == fitted
    pd.testing.assert_frame_equal(rfm, before)


@both
@pytest.mark.parametrize("unit", [1 / 7, 86_400.0, 1e-9])
def test_fit_follows_the_unit_of_time(model, unit):
    rfm = base()
    days = clone(model).fit(rfm)
    other = clone(model).fit(rfm.assign(recency=rfm["recency"] * unit, age=rfm["age"] * unit))
    stretched = {name: value * (unit if name in model.times else 1) for name, value in days.parameters().items()}
    assert other.parameters() == pytest.approx(stretched, rel=1e-4)


@both
def test_gradient_is_the_slope_of_the_log_likelihood(model):
    total = model._total(histories(base()))
    centre = np.array(list(model.parameters().values()))
    step = 1e-6
    for place, slope in enumerate(total(centre)[1]):
        shift = np.where(np.arange(4) == place, step, 0.0)
        up, down = (total(centre * np.exp(sign * shift))[0] for sign in (1, -1))
        assert slope == pytest.approx((up - down) / (2 * step), rel=1e-5)


@both
@pytest.mark.parametrize(
    "rfm",
    [
        customers([0], [0], [10]),
        customers([0], [0], [0]),
        customers([0] * 5, [0] * 5, [1, 2, 3, 4, 500]),
        customers([5000, 3, 0, 0], [300, 20, 0, 0], [301, 100, 5, 100]),
        customers([3] * 50, [30] * 50, [31] * 50),
        customers([5] * 50, [1] * 50, [1000] * 50),
        customers([3, 2], [0, 0], [10, 0]),
        customers([0, 1, 2, 5, 1], [0, 1e-6, 5, 1e5, 0], [1e6, 1e6, 10, 1e6, 1]),
    ],
    ids=["one", "newborn", "one-time", "heavy", "equal", "all gone", "at once", "far apart"],
)
def test_any_base_gives_finite_numbers(model, rfm):
    fitted = clone(model).fit(rfm)
    assert all(0 < value < np.inf for value in fitted.parameters().values())
    grid = [0.0, 1.0, 1000.0]
    for numbers in (
        fitted.log_likelihood(rfm),
        fitted.p_alive(rfm),
        fitted.p_no_purchase(rfm, grid),
        fitted.expected_purchases(rfm, grid),
    ):
        assert np.isfinite(numbers).all()


@pytest.mark.parametrize("model", [*MODELS, GammaGamma.from_parameters(GAMMA)], ids=lambda m: type(m).__name__)
def test_parameters_survive_json_exactly(model):
    parameters = {name: value / 3 * 4 for name, value in model.parameters().items()}
    again = type(model).from_parameters(json.loads(json.dumps(parameters)))
    assert again.parameters() == parameters


def test_times_on_the_grid_keep_every_customer_and_hardly_move_the_fit(monkeypatch):
    rfm = base(2000)
    exact = ParetoNBD().fit(rfm).parameters()
    monkeypatch.setattr("churnvalue.models.likelihood._MANY", 10)
    coarse = on_grid(histories(rfm), 350.0)
    assert coarse.counts.sum() == 2000
    assert (coarse.age >= coarse.recency).all()
    assert ParetoNBD().fit(rfm).parameters() == pytest.approx(exact, rel=0.01)


def test_distinct_rows_come_sorted_with_their_places():
    columns, rows = distinct(np.array([2.0, 1.0, 2.0, 1.0]), np.array([5.0, 9.0, 5.0, 3.0]))
    assert [list(column) for column in columns] == [[1.0, 1.0, 2.0], [3.0, 9.0, 5.0]]
    assert list(rows) == [2, 1, 2, 0]


def test_no_customers_give_no_predictions():
    assert MODELS[0].expected_purchases(customers([], [], []), [30.0, 90.0]).shape == (0, 2)
    assert MODELS[1].p_no_purchase(customers([], [], []), 30.0).shape == (0,)


@both
def test_recency_is_zero_without_a_repeat_purchase(model):
    # Two orders hours apart on one day, or no recency at all.
    rfm, plain = customers([0, 0], [0.3, np.nan], [10, 20]), customers([0, 0], [0, 0], [10, 20])
    assert (model.p_no_purchase(rfm, 30.0) == model.p_no_purchase(plain, 30.0)).all()


def test_impossible_histories_are_refused():
    with pytest.raises(HistoryError, match="row 1 has 2 and 8, 9"):
        ParetoNBD().fit(customers([0, 2], [0, 9], [8, 8]))
    with pytest.raises(HistoryError, match="row 0 has nan and 8, 3"):
        MODELS[0].p_alive(customers([np.nan], [3], [8]))
    with pytest.raises(HistoryError, match="must see a customer"):
        BGNBD().fit(customers([], [], []))
    with pytest.raises(DefinitionError, match=r"column 'recency'\. Did you mean 'recencyy'"):
        ParetoNBD().fit(customers([0], [0], [1]).rename(columns={"recency": "recencyy"}))
    with pytest.raises(HistoryError, match="A horizon must be a finite time >= 0"):
        MODELS[0].expected_purchases(customers([0], [0], [1]), -1.0)


def test_wrong_parameters_are_refused():
    with pytest.raises(DefinitionError, match="ParetoNBD must have r, alpha, s, beta, but r, alpha came"):
        ParetoNBD.from_parameters({"r": 1.0, "alpha": 1.0})
    with pytest.raises(DefinitionError, match="BGNBD must have a positive b, but nan came"):
        BGNBD.from_parameters(BG | {"b": np.nan})
    with pytest.raises(DefinitionError, match="GammaGamma must have q > 1"):
        GammaGamma.from_parameters(GAMMA | {"q": 1.0})
    with pytest.raises(NotFittedError, match="not fitted yet"):
        ParetoNBD().parameters()
