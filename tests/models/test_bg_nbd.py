import numpy as np
import pandas as pd
import pytest
from scipy.integrate import dblquad
from scipy.special import beta as beta_function
from scipy.special import hyp2f1
from scipy.stats import beta as beta_distribution
from scipy.stats import gamma as gamma_distribution

from churnvalue.models.bg_nbd import BGNBD, _beta_quadrature

R, ALPHA, A, B = 0.24, 4.4, 0.8, 2.4
MODEL = BGNBD.from_parameters({"r": R, "alpha": ALPHA, "a": A, "b": B})


def customers(frequency, recency, age):
    return pd.DataFrame({"frequency": frequency, "recency": recency, "age": age}, dtype=float)


def simulate(size, age, horizon, seed):
    """Buyers of MODEL seen at one age, and their purchases in the horizon."""
    generator = np.random.default_rng(seed)
    rate, stop = generator.gamma(R, 1 / ALPHA, size), generator.beta(A, B, size)
    time, recency = np.zeros(size), np.zeros(size)
    frequency, later, alive = np.zeros(size), np.zeros(size), np.ones(size, bool)
    while alive.any():
        time = time + generator.exponential(1 / np.maximum(rate, 1e-12))
        known = alive & (time <= age)
        frequency, recency = frequency + known, np.where(known, time, recency)
        later = later + (alive & (time > age) & (time <= age + horizon))
        alive &= (time <= age + horizon) & (generator.random(size) >= stop)
    return customers(frequency, recency, np.full(size, age)), later


@pytest.mark.parametrize("history", [(0, 0.0, 30.0), (1, 4.0, 39.0), (3, 30.0, 39.0)])
def test_likelihood_is_the_mean_over_rates_and_stopping_probabilities(history):
    x, t_x, age = history
    model = BGNBD.from_parameters({"r": 2.0, "alpha": 20.0, "a": 2.0, "b": 3.0})

    def joint(p, rate):
        lived = (1 - p) ** x * rate**x * np.exp(-rate * age)
        stopped = p * (1 - p) ** (x - 1) * rate**x * np.exp(-rate * t_x) if x else 0.0
        return (lived + stopped) * gamma_distribution.pdf(rate, 2, scale=1 / 20) * beta_distribution.pdf(p, 2, 3)

    expected = dblquad(joint, 0, 3, 0, 1, epsrel=1e-9)[0]
    assert np.exp(model.log_likelihood(customers([x], [t_x], [age])))[0] == pytest.approx(expected, rel=1e-6)


def test_predictions_are_right_for_every_kind_of_customer():
    rfm, later = simulate(100_000, 39.0, 39.0, seed=5)
    silent, expected = MODEL.p_no_purchase(rfm, 39.0), MODEL.expected_purchases(rfm, 39.0)
    for frequency in (0, 1, 2, 5):
        group = (rfm["frequency"] == frequency).to_numpy()
        size = group.sum()
        assert size > 500
        error = later[group].std() / np.sqrt(size)
        assert silent[group].mean() == pytest.approx((later[group] == 0).mean(), abs=2 / np.sqrt(size))
        assert expected[group].mean() == pytest.approx(later[group].mean(), abs=4 * error)


def test_one_time_buyers_are_alive_and_their_silence_is_that_of_their_rate():
    rfm = customers([0, 0], [0, 0], [0, 39])
    assert list(MODEL.p_alive(rfm)) == [1.0, 1.0]
    by_hand = ((ALPHA + rfm["age"]) / (ALPHA + rfm["age"] + 39)) ** R
    assert MODEL.p_no_purchase(rfm, 39.0) == pytest.approx(by_hand.to_numpy(), rel=1e-12)


def test_expected_purchases_are_the_published_closed_form():
    rfm = customers([0, 1, 2, 20], [0, 4, 30, 38], [39, 39, 39, 39])
    x, age, horizon = rfm["frequency"], rfm["age"], 39.0
    falls = ((ALPHA + age) / (ALPHA + age + horizon)) ** (R + x)
    series = hyp2f1(R + x, B + x, A + B + x - 1, horizon / (ALPHA + age + horizon))
    closed = (A + B + x - 1) / (A - 1) * (1 - falls * series) * MODEL.p_alive(rfm)
    assert MODEL.expected_purchases(rfm, horizon) == pytest.approx(closed.to_numpy(), rel=1e-9)


def test_quadrature_gives_the_moments_of_the_beta_distribution():
    shapes = np.array([0.3, 2.4, 500.0])
    nodes, weights = _beta_quadrature(0.8, shapes)
    for power in (0, 1, 2, 7):
        moments = beta_function(0.8 + power, shapes) / beta_function(0.8, shapes)
        assert (weights * nodes**power).sum(axis=1) == pytest.approx(moments, rel=1e-10)
