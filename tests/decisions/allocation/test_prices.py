import numpy as np
import pytest

from churnvalue.decisions.allocation.core import linear_prices
from churnvalue.decisions.allocation.prices import Problem, find_prices, settle, smoothed


def problem(customers):
    random = np.random.default_rng(1)
    cost = random.uniform(0.5, 5.0, (customers, 3))
    profit = random.lognormal(1, 1, (customers, 1)) * random.uniform(0.0, 1.0, (customers, 3)) * 8 - cost
    uses = np.zeros((2, 3, 2))
    uses[:, 1, 0] = 1.0  # option 1 has a capacity
    uses[1, 2, 1] = -1.0  # in segment 1 a floor wants option 2
    limits = np.array([1.5, 0.03, -0.2]) * customers
    return Problem(profit, cost, random.integers(0, 2, customers), uses, limits)


def sum_at(made, prices, temperature):
    gradient, hessian = np.zeros(3), np.zeros((3, 3))
    arguments = (made.profit, made.cost, made.segment, made.uses, made.charge(prices), prices, temperature)
    return smoothed(*arguments, gradient, hessian), gradient, np.tril(hessian) / temperature


def test_slopes_are_those_of_the_smoothed_sum():
    made, at, temperature, step = problem(50), np.array([0.7, 1.1, 0.9]), 0.5, 1e-5
    _, gradient, hessian = sum_at(made, at, temperature)
    for limit in range(3):
        ahead, behind = (sum_at(made, at + sign * step * np.eye(3)[limit], temperature) for sign in (1, -1))
        assert gradient[limit] == pytest.approx((ahead[0] - behind[0]) / (2 * step), rel=1e-6)
        slope = (ahead[1] - behind[1]) / (2 * step)
        np.testing.assert_allclose(np.r_[hessian[limit, : limit + 1]], slope[: limit + 1], rtol=1e-5, atol=1e-8)


def test_prices_are_those_of_the_linear_relaxation():
    made = problem(900)
    exact = linear_prices(made)
    found, temperature = find_prices(made, np.arange(900))
    assert (exact > 0).all()
    np.testing.assert_allclose(found, exact, rtol=0.05)
    assert made.bound(found) == pytest.approx(made.bound(exact), rel=2e-6)
    choice, margin = np.empty(900, np.int64), np.empty(900)
    draw = np.random.default_rng(2).random(900)
    best = settle(made.profit, made.cost, made.segment, made.charge(found), found[0], temperature, draw, choice, margin)
    assert best + made.limits @ found == pytest.approx(made.bound(found))
    assert (np.abs(made.used(choice) - made.limits) < 15).all()


def test_a_sample_leads_to_the_prices_of_all():
    made = problem(4000)
    np.testing.assert_allclose(
        find_prices(made, np.arange(0, 4000, 4))[0], find_prices(made, np.arange(4000))[0], rtol=1e-3
    )
