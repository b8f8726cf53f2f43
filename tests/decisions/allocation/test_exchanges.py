from itertools import product

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from churnvalue.decisions.allocation.exchanges import exchange
from churnvalue.decisions.allocation.prices import Problem


def problem(profit, cost, uses, limits):
    profit, cost = np.array(profit, float), np.array(cost, float)
    segment = np.zeros(len(profit), np.int64)
    return Problem(profit, cost, segment, np.array([uses], float), np.array(limits, float))


def kept(made, choice):
    return (made.used(np.array(choice)) <= made.limits).all()


def test_one_two_and_three_at_once_by_hand():
    # One place for option 0, 6 to spend.
    made = problem([[5.0, 3.0], [6.0, 1.0], [-1.0, 2.0]], [[4.0, 2.0], [4.0, 1.0], [1.0, 1.0]], [[1], [0]], [6.0, 1.0])
    prices = np.zeros(2)
    # One: the second customer goes down a step; two: 3 + 6 for 6 takes the place from the first.
    assert exchange(made, prices, np.array([0, -1, -1])).tolist() == [1, 0, -1]
    # Three: 9 for 4 takes the money of both who have 3 for 2; nobody else can make room for it at a gain as high.
    three = problem([[3.0], [3.0], [4.0], [9.0]], [[2.0], [2.0], [2.0], [4.0]], [[0]], [6.0, 9.0])
    assert exchange(three, prices, np.array([0, 0, 0, -1])).tolist() == [-1, -1, 0, 0]


@given(st.integers(0, 10_000))
@settings(max_examples=25, deadline=None, derandomize=True)
def test_limits_stay_kept_and_nothing_is_lost(seed):
    random = np.random.default_rng(seed)
    profit = random.integers(-2, 9, (4, 2)).astype(float)
    profit[random.random((4, 2)) < 0.2] = -np.inf
    made = problem(profit, random.integers(0, 5, (4, 2)), [[1, 0], [1, -1]], [random.integers(2, 9), 2.0, -1.0])
    plans = [np.array(plan) for plan in product((-1, 0, 1), repeat=4)]
    plans = [plan for plan in plans if kept(made, plan) and np.isfinite(made.earned(plan))]
    for plan in plans[:5]:
        found = exchange(made, random.random(3), plan)
        assert kept(made, found)
        assert made.earned(found) >= made.earned(plan)
        # Of four customers three may change at once: whoever differs in fewer than four from a better plan is led there.
        near = [other for other in plans if (other != found).sum() <= 2]
        assert made.earned(found) >= max(made.earned(other) for other in near) - 1e-6
