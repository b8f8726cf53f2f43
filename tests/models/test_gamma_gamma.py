import numpy as np
import pandas as pd
import pytest
from scipy.integrate import quad
from scipy.stats import gamma

from churnvalue.errors import HistoryError
from churnvalue.models.gamma_gamma import GammaGamma

MODEL = GammaGamma.from_parameters({"p": 6.0, "q": 4.0, "v": 15.0})


def customers(frequency, amount):
    return pd.DataFrame({"frequency": frequency, "amount": amount}, dtype=float)


def simulate(size, seed):
    """Customers of p 6, q 4, v 15 with one to nine repeat purchases."""
    generator = np.random.default_rng(seed)
    frequency = generator.integers(1, 10, size)
    scale = generator.gamma(4.0, 1 / 15.0, size)
    return customers(frequency, generator.gamma(6.0 * frequency) / scale / frequency)


def test_expected_amount_is_shrunk_to_the_population():
    rfm = customers([0, 0, 2, 2, 1000, 3], [np.nan, 0, 30, 60, 60, np.nan])
    expected = [
        30.0,  # 6 * 15 / (4 - 1), the population
        30.0,
        30.0,  # their own is the population's
        54.0,  # 6 * (15 + 2 * 60) / (6 * 2 + 4 - 1)
        59.985007,  # 6 * (15 + 60000) / (6000 + 3): much evidence
        30.0,  # unknown amount
    ]
    assert MODEL.expected_amount(rfm) == pytest.approx(expected, rel=1e-6)


def test_net_returns_count_as_zero():
    rfm = customers([2, 2], [0, -80])
    assert MODEL.expected_amount(rfm) == pytest.approx([6.0, 6.0])  # 6 * 15 / (12 + 3)


def test_expected_amount_is_the_posterior_mean():
    p, q, v, x, own = 6.0, 4.0, 15.0, 3, 50.0

    def weight(nu):
        return gamma.pdf(nu, q, scale=1 / v) * gamma.pdf(own, p * x, scale=1 / (nu * x))

    mean = quad(lambda nu: p / nu * weight(nu), 0, 5)[0] / quad(weight, 0, 5)[0]
    assert MODEL.expected_amount(customers([x], [own]))[0] == pytest.approx(mean, rel=1e-6)


def test_fit_finds_the_parameters_of_a_simulation():
    fitted = GammaGamma().fit(simulate(20_000, seed=2))
    assert fitted.parameters() == pytest.approx(MODEL.parameters(), rel=0.08)
    # What is used of them is far better known than each alone.
    population = fitted.expected_amount(customers([0], [np.nan]))[0]
    assert population == pytest.approx(30.0, rel=0.01)


def test_fit_follows_the_currency_and_ignores_order_and_customers_without_amount():
    rfm = simulate(500, seed=4)
    plain = GammaGamma().fit(rfm).parameters()
    other = GammaGamma().fit(rfm.assign(amount=rfm["amount"] * 1e6)).parameters()
    assert other == pytest.approx(plain | {"v": plain["v"] * 1e6}, rel=1e-4)
    more = pd.concat([rfm, customers([0, 0, 3, 3], [np.nan, 25, -4, np.nan])]).sample(frac=1, random_state=1)
    assert GammaGamma().fit(more).parameters() == plain


@pytest.mark.parametrize(
    "rfm",
    [
        customers([1], [20]),
        customers([1, 2, 3, 4] * 20, [20] * 80),
        customers([1, 1, 1, 3000], [0.001, 5, 7, 1e9]),
        customers([1] * 200, (1 - np.arange(200) / 200) ** -2.0),
        customers([50_000, 2, 1], [5, 6, 7]),
    ],
    ids=["one", "constant", "far apart", "no mean", "frequent"],
)
def test_any_amounts_give_finite_numbers(rfm):
    fitted = GammaGamma().fit(rfm)
    expected = fitted.expected_amount(pd.concat([rfm, customers([0], [np.nan])]))
    assert np.isfinite(expected).all()
    assert (expected > 0).all()


def test_constant_amounts_are_expected_again():
    fitted = GammaGamma().fit(customers([1, 2, 3, 4] * 20, [20] * 80))
    assert fitted.expected_amount(customers([0, 3], [np.nan, 20])) == pytest.approx([20, 20], rel=1e-3)


def test_amounts_without_a_repeat_purchase_are_refused():
    with pytest.raises(HistoryError, match="a repeat purchase of a positive amount"):
        GammaGamma().fit(customers([0, 0, 2], [np.nan, 20, 0]))
