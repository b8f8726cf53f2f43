import numpy as np
import pandas as pd
import pytest
from scipy.integrate import quad
from scipy.special import gammaln, hyp2f1

from churnvalue.errors import HistoryError
from churnvalue.models.pareto_nbd import ParetoNBD
from churnvalue.models.stopping import chance_of_stopping, stops_first

MODEL = ParetoNBD.from_parameters({"r": 0.55, "alpha": 10.5, "s": 0.6, "beta": 11.7})
WIDE = [
    (0.55, 10.5, 0.6, 11.7),
    (0.55, 11.7, 0.6, 10.5),
    (2.0, 5.0, 0.1, 300.0),
    (0.3, 90.0, 3.0, 2.0),
    (1, 8, 1, 8),
]


def customers(frequency, recency, age):
    return pd.DataFrame({"frequency": frequency, "recency": recency, "age": age}, dtype=float)


def model(r, alpha, s, beta):
    return ParetoNBD.from_parameters({"r": r, "alpha": alpha, "s": s, "beta": beta})


def simulate(size, horizon, seed):
    """Buyers of MODEL, and their purchases in the horizon."""
    generator = np.random.default_rng(seed)
    rate = generator.gamma(MODEL.r_, 1 / MODEL.alpha_, size)
    life = generator.exponential(1 / generator.gamma(MODEL.s_, 1 / MODEL.beta_, size))
    age = generator.choice([0.0, 5.0, 20.0, 39.0], size)
    alive = np.minimum(life, age)
    frequency = generator.poisson(rate * alive)
    # The latest of n uniform times is the n-th root of one.
    recency = np.where(frequency > 0, alive * generator.random(size) ** (1 / np.maximum(frequency, 1)), 0)
    later = generator.poisson(rate * (np.minimum(life, age + horizon) - alive))
    return customers(frequency, recency, age), later


@pytest.mark.parametrize("parameters", WIDE)
@pytest.mark.parametrize("history", [(0, 0.0, 0.0), (0, 0.0, 30.0), (1, 4.0, 39.0), (7, 30.0, 39.0), (40, 38.0, 39.0)])
def test_likelihood_is_the_integral_over_the_time_of_stopping(parameters, history):
    r, alpha, s, beta = parameters
    x, t_x, age = history
    stopped = quad(lambda y: (alpha + y) ** -(r + x) * (beta + y) ** -(s + 1), t_x, age, epsabs=0, epsrel=1e-12)[0]
    lived = (alpha + age) ** -(r + x) * (beta + age) ** -s
    expected = gammaln(r + x) - gammaln(r) + r * np.log(alpha) + s * np.log(beta) + np.log(lived + s * stopped)
    assert model(*parameters).log_likelihood(customers([x], [t_x], [age]))[0] == pytest.approx(expected, rel=1e-11)


@pytest.mark.parametrize("parameters", WIDE)
def test_likelihood_is_the_published_difference_of_hypergeometric_functions(parameters):
    r, alpha, s, beta = parameters
    x, t_x, age = 3, 20.0, 39.0
    n, high, b = r + s + x, max(alpha, beta), (s + 1 if alpha >= beta else r + x)

    def part(y):
        return hyp2f1(n, b, n + 1, abs(alpha - beta) / (high + y)) / (high + y) ** n

    lived = (alpha + age) ** -(r + x) * (beta + age) ** -s
    inner = lived + s / n * (part(t_x) - part(age))
    expected = gammaln(r + x) - gammaln(r) + r * np.log(alpha) + s * np.log(beta) + np.log(inner)
    assert model(*parameters).log_likelihood(customers([x], [t_x], [age]))[0] == pytest.approx(expected, rel=1e-11)


@pytest.mark.parametrize("x", [0, 2, 30, 3000])
@pytest.mark.parametrize("ratio", [1e-4, 0.1, 1.0, 9.0, 1e4])
def test_chance_of_stopping_first_is_that_of_competing_waiting_times(x, ratio):
    r, s = 0.3, 0.6
    chance = stops_first(r, s, np.array([float(x)]), np.array([ratio]))[0][0]
    alone = chance_of_stopping(r, s, np.array([float(x)]), np.array([ratio]))[0]
    assert alone == pytest.approx(chance, rel=1e-13)

    def density(log_wait):
        wait = np.exp(log_wait)
        return np.exp(-(r + x) * np.log1p(wait) - (s + 1) * np.log1p(wait / ratio)) * s / ratio * wait

    edges = np.arange(-60.0, 61.0, 4.0)
    pieces = [quad(density, low, low + 4, epsabs=0, epsrel=1e-12)[0] for low in edges[:-1]]
    assert chance == pytest.approx(sum(pieces), rel=1e-9)


def test_predictions_are_right_for_every_kind_of_customer():
    rfm, later = simulate(200_000, 39.0, seed=11)
    silent, expected = MODEL.p_no_purchase(rfm, 39.0), MODEL.expected_purchases(rfm, 39.0)
    for frequency in (0, 1, 2):
        for age in (0.0, 5.0, 20.0, 39.0):
            group = (rfm["frequency"] == frequency) & (rfm["age"] == age)
            size = group.sum()
            if size < 500:
                continue
            error = later[group].std() / np.sqrt(size)
            assert silent[group].mean() == pytest.approx((later[group] == 0).mean(), abs=2 / np.sqrt(size))
            assert expected[group].mean() == pytest.approx(later[group].mean(), abs=4 * error)


def test_a_day_old_customer_is_the_population():
    newborn = customers([0], [0], [0])
    r, alpha, s, beta = MODEL.parameters().values()
    assert MODEL.p_alive(newborn)[0] == 1.0
    # Schmittlein, Morrison and Colombo (1987), equation 17.
    expected = r * beta / (alpha * (s - 1)) * (1 - (beta / (beta + 39)) ** (s - 1))
    assert MODEL.expected_purchases(newborn, 39.0)[0] == pytest.approx(expected, rel=1e-12)


def test_stopping_shape_of_one_is_no_exception():
    rfm = customers([0, 4], [0, 12], [20, 20])
    at, near = (model(0.5, 10, s, 12).expected_purchases(rfm, 50.0) for s in (1.0, 1.0 + 1e-9))
    assert at == pytest.approx(near, rel=1e-7)


def test_discounted_purchases_are_the_discounted_increments():
    rfm = customers([0, 4, 9], [0, 12, 19], [20, 20, 20])
    rate, horizon = 0.01, 150.0
    edges = np.linspace(0, horizon, 30_001)
    steps = np.diff(MODEL.expected_purchases(rfm, edges), axis=1)
    present = steps @ np.exp(-rate * (edges[:-1] + edges[1:]) / 2)
    assert MODEL.discounted_purchases(rfm, horizon, rate) == pytest.approx(present, rel=1e-8)


def test_discounting_at_zero_counts_and_at_any_rate_takes_away():
    rfm = customers([0, 4], [0, 12], [0, 20])
    plain = MODEL.expected_purchases(rfm, 1000.0)
    assert MODEL.discounted_purchases(rfm, 1000.0, 0.0) == pytest.approx(plain, rel=1e-10)
    worth = np.array([MODEL.discounted_purchases(rfm, 1000.0, rate) for rate in (0.0, 0.001, 0.1, 100.0)])
    assert (np.diff(worth, axis=0) < 0).all()
    assert (MODEL.discounted_purchases(rfm, 0.0, 0.1) == 0).all()
    # At a rate far above all others only the present rate of buying counts.
    now = MODEL.expected_purchases(rfm, 1e-7) / 1e-7
    assert MODEL.discounted_purchases(rfm, 1000.0, 1e4) == pytest.approx(now / 1e4, rel=1e-3)


def test_a_negative_discount_rate_is_refused():
    with pytest.raises(HistoryError, match=r"must be finite and >= 0, but 10\.0 and -0\.1 came"):
        MODEL.discounted_purchases(customers([0], [0], [1]), 10.0, -0.1)
