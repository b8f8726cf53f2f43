from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import Bounds, LinearConstraint, milp

from churnvalue.decisions.allocation import allocate
from churnvalue.errors import DefinitionError

UNLIMITED = np.array([np.inf, np.inf])


def keys(count):
    return np.random.default_rng(11).permutation(count).astype(np.uint64)


def test_by_hand():
    # Efficiency: a0 10/4, a1 6/3 | b0 2/4, b1 3/3 | c none. a1 → a0 would add 4 for 1.
    profit = np.array([[10.0, 6.0], [2.0, 3.0], [-1.0, 0.0]])
    cost = np.tile([4.0, 3.0], (3, 1))

    def choice(budget, capacity=UNLIMITED):
        return allocate(profit, cost, budget, capacity, keys(3)).choice.tolist()

    assert choice(100.0) == [0, 1, -1]
    assert choice(7.0) == [0, 1, -1]
    assert choice(6.9) == [0, -1, -1]
    assert choice(3.5) == [1, -1, -1]  # too little for the dear action, enough for the cheap one
    assert choice(2.9) == [-1, -1, -1]
    assert choice(100.0, np.array([0.0, 1.0])) == [1, -1, -1]


def test_price_cost_profit_and_curve():
    profit = np.array([[10.0, 6.0], [2.0, 3.0], [-1.0, 0.0]])
    cost = np.tile([4.0, 3.0], (3, 1))
    allocation = allocate(profit, cost, 5.0, UNLIMITED, keys(3))
    assert (allocation.price, allocation.cost, allocation.profit) == (1.0, 4.0, 10.0)  # next: 3 for 3
    whole = allocate(profit, cost, 50.0, UNLIMITED, keys(3))
    assert (whole.price, whole.cost, whole.profit) == (0.0, 7.0, 13.0)
    curve = whole.curve
    assert list(curve.columns) == ["budget", "cost", "expected_profit", "customers", "marginal_profit"]
    assert curve["budget"].iloc[0] == 0.0
    assert curve.iloc[-1].tolist() == [50.0, 7.0, 13.0, 2.0, 0.0]


def test_actions_without_cost_go_where_they_earn_most():
    profit = np.array([[1.0], [5.0], [3.0]])
    allocation = allocate(profit, np.zeros((3, 1)), 0.0, np.array([2.0]), keys(3))
    assert allocation.choice.tolist() == [-1, 0, 0]
    assert (allocation.cost, allocation.profit) == (0.0, 8.0)


def test_who_is_not_charged_is_told_what_the_price_gives():
    profit = np.array([[9.0], [8.0], [7.0], [1.0], [6.0]])
    cost = np.full((5, 1), 2.0)
    charged = np.array([True, False, True, False, True])
    allocation = allocate(profit, cost, 4.0, np.array([2.0]), keys(5), charged)
    assert allocation.choice.tolist() == [0, 0, 0, -1, -1]
    assert (allocation.cost, allocation.profit) == (4.0, 16.0)


def test_budget_is_used_to_the_last_cent():
    profit = np.full((10, 1), 5.0)
    allocation = allocate(profit, np.full((10, 1), 3.05), 9.15, np.array([np.inf]), keys(10))
    assert (allocation.choice >= 0).sum() == 3


@st.composite
def problems(draw):
    customers, actions = draw(st.integers(1, 5)), draw(st.integers(1, 3))
    whole = st.integers(-2, 9)
    profit = np.array(draw(st.lists(whole, min_size=customers * actions, max_size=customers * actions)), float)
    cost = np.array(
        draw(st.lists(st.integers(0, 5), min_size=customers * actions, max_size=customers * actions)), float
    )
    capacity = np.array(draw(st.lists(st.sampled_from([0, 1, 2, np.inf]), min_size=actions, max_size=actions)), float)
    return profit.reshape(customers, actions), cost.reshape(customers, actions), capacity


def totals(profit, cost, choice):
    rows = np.flatnonzero(choice >= 0)
    return profit[rows, choice[rows]].sum(), cost[rows, choice[rows]].sum()


@given(problems(), st.integers(0, 15), st.integers(0, 5), st.randoms(use_true_random=False))
@settings(max_examples=80, deadline=None)
def test_properties(problem, budget, more, random):
    profit, cost, capacity = problem
    tie = keys(len(profit))
    allocation = allocate(profit, cost, float(budget), capacity, tie)
    earned, spent = totals(profit, cost, allocation.choice)
    assert spent <= budget + 1e-9
    assert (earned, spent) == pytest.approx((allocation.profit, allocation.cost))
    assert (np.bincount(allocation.choice[allocation.choice >= 0], minlength=len(capacity)) <= capacity).all()
    assert (profit[allocation.choice >= 0].max(axis=1, initial=0) > 0).all()

    richer = allocate(profit, cost, float(budget + more), capacity, tie)
    assert richer.profit >= allocation.profit - 1e-9
    curve = richer.curve
    assert (np.diff(curve["expected_profit"]) >= -1e-9).all()
    at = curve[curve["budget"] == budget + more].iloc[0]
    assert at["expected_profit"] == richer.profit

    order = list(range(len(profit)))
    random.shuffle(order)
    turned = allocate(profit[order], cost[order], float(budget), capacity, tie[order])
    assert turned.choice.tolist() == allocation.choice[order].tolist()
    assert (turned.profit, turned.price) == (allocation.profit, allocation.price)

    best = max(
        totals(profit, cost, np.array(choice))[0]
        for choice in product(range(-1, profit.shape[1]), repeat=len(profit))
        if totals(profit, cost, np.array(choice))[1] <= budget
        and (np.bincount(np.array(choice)[np.array(choice) >= 0], minlength=len(capacity)) <= capacity).all()
    )
    assert earned <= best + 1e-9


def integer_optimum(profit, cost, budget, capacity):
    customers, actions = profit.shape
    one_each = np.kron(np.eye(customers), np.ones((1, actions)))
    per_action = np.tile(np.eye(actions), (1, customers))
    solved = milp(
        -profit.ravel(),
        constraints=[
            LinearConstraint(one_each, ub=1),
            LinearConstraint(cost.reshape(1, -1), ub=budget),
            LinearConstraint(per_action, ub=np.minimum(capacity, customers)),
        ],
        integrality=np.ones(profit.size),
        bounds=Bounds(0, 1),
    )
    return -solved.fun


@pytest.mark.parametrize(
    ("capacity", "gap"),
    [([np.inf, np.inf, np.inf], 0.001), ([20.0, 40.0, np.inf], 0.02), ([10.0, 10.0, 10.0], 0.03)],
)
def test_close_to_the_integer_optimum(capacity, gap):
    random = np.random.default_rng(4)
    worth = random.lognormal(3, 1, 400) * random.beta(2, 5, 400)
    cost = np.tile([4.0, 3.05, 1.0], (400, 1))
    profit = worth[:, None] * random.uniform([0.2, 0.1, 0.0], [0.4, 0.3, 0.15], (400, 3)) - cost
    best = integer_optimum(profit, cost, 300.0, np.array(capacity))
    allocation = allocate(profit, cost, 300.0, np.array(capacity), keys(400))
    assert (1 - gap) * best <= allocation.profit <= best + 1e-6


def test_nobody_and_nothing():
    assert len(allocate(np.zeros((0, 2)), np.zeros((0, 2)), 5.0, UNLIMITED, keys(0)).choice) == 0
    assert allocate(np.zeros((2, 0)), np.zeros((2, 0)), 5.0, np.zeros(0), keys(2)).choice.tolist() == [-1, -1]


def test_input_is_checked():
    good = np.ones((2, 2))
    with pytest.raises(DefinitionError, match=r"but \(2, 2\), \(1, 2\), \(2,\) and \(2,\) came"):
        allocate(good, good[:1], 1.0, UNLIMITED, keys(2))
    with pytest.raises(DefinitionError, match="cost must be finite and at least 0"):
        allocate(good, -good, 1.0, UNLIMITED, keys(2))
    with pytest.raises(DefinitionError, match="must not be NaN"):
        allocate(good * np.nan, good, 1.0, UNLIMITED, keys(2))
