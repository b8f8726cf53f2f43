from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import Bounds, LinearConstraint, milp
from scipy.sparse import csr_matrix

from churnvalue.decisions.allocation import Floor, Limits, allocate, allocate_within
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
@settings(max_examples=16, deadline=None, derandomize=True)
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
    assert best <= allocation.bound + 1e-6
    if (capacity < len(profit)).any():
        assert earned == pytest.approx(best) or allocation.capacity_price.sum() == 0


def optimum(profit, cost, limits, whole=True):
    """The best profit by HiGHS, of options whole or in parts; limits as in ``Limits``."""
    customers, options = profit.shape
    row, option = np.divmod(np.flatnonzero(np.isfinite(profit).ravel()), options)
    pairs = np.arange(len(row))
    if not len(row):
        return None if any(floor.customers for floor in limits.floors) else 0.0
    one_each = csr_matrix((np.ones(len(row)), (row, pairs)), shape=(customers, len(row)))
    rules = [LinearConstraint(one_each, ub=1), LinearConstraint(cost[row, option].reshape(1, -1), ub=limits.budget)]
    if limits.uses is not None:
        rules.append(
            LinearConstraint(np.asarray(limits.uses, float)[option].T, ub=np.minimum(limits.capacity, customers))
        )
    for floor in limits.floors:
        fills = (limits.segment[row] == floor.segment) & floor.options[option]
        rules.append(LinearConstraint(fills.astype(float).reshape(1, -1), lb=floor.customers))
    solved = milp(
        -profit[row, option],
        constraints=rules,
        integrality=np.full(len(row), int(whole)),
        bounds=Bounds(0, 1),
        options={"mip_rel_gap": 0.0},
    )
    return None if solved.x is None else -solved.fun


def made(customers, seed=4):
    random = np.random.default_rng(seed)
    worth = random.lognormal(3, 1, customers) * random.beta(2, 5, customers)
    cost = np.tile([4.0, 3.05, 1.0], (customers, 1))
    return worth[:, None] * random.uniform([0.2, 0.1, 0.0], [0.4, 0.3, 0.15], (customers, 3)) - cost, cost


@pytest.mark.parametrize(
    ("capacity", "gap"),
    [([np.inf, np.inf, np.inf], 0.001), ([20.0, 40.0, np.inf], 1e-7), ([10.0, 10.0, 10.0], 1e-7)],
)
def test_close_to_the_integer_optimum(capacity, gap):
    profit, cost = made(400)
    limits = Limits(300.0, np.array(capacity), np.eye(3))
    best = optimum(profit, cost, limits)
    allocation = allocate_within(profit, cost, limits, keys(400))
    assert (1 - gap) * best <= allocation.profit <= best + 1e-6
    assert allocation.profit <= best + 1e-6 <= allocation.bound + 2e-6
    assert allocation.gap <= gap


def test_the_bound_of_one_budget_is_the_linear_optimum():
    profit, cost = made(3000)
    for budget in (0.5, 30.0, 900.0, 1e5):
        allocation = allocate_within(profit, cost, Limits(budget), keys(3000))
        payable = np.where(cost <= budget, profit, -np.inf)
        assert allocation.bound == pytest.approx(
            optimum(payable, cost, Limits(budget), whole=False), rel=1e-9, abs=1e-9
        )
        assert allocation.profit <= allocation.bound + 1e-9


def test_many_customers_come_close_to_a_bound_that_is_nearly_the_linear_optimum():
    profit, cost = made(6000)
    random = np.random.default_rng(2)
    segment = random.integers(0, 3, 6000)
    # Options 0 and 1 share a resource; segment 2 must get option 2 more often than pays.
    limits = Limits(
        2000.0,
        np.array([250.0, 900.0]),
        np.array([[1, 0], [1, 1], [0, 1]]),
        (Floor(2, np.array([False, False, True]), 400),),
        segment,
    )
    allocation = allocate_within(profit, cost, limits, keys(6000))
    linear = optimum(profit, cost, limits, whole=False)
    assert allocation.bound == pytest.approx(linear, rel=1e-5)
    assert allocation.gap < 1e-5
    earned, spent = totals(profit, cost, allocation.choice)
    assert (earned, spent) == pytest.approx((allocation.profit, allocation.cost))
    assert spent <= 2000.0 * (1 + 1e-12)
    given = allocation.choice[allocation.choice >= 0]
    assert (np.bincount(given, minlength=3) @ limits.uses <= limits.capacity).all()
    assert ((allocation.choice == 2) & (segment == 2)).sum() >= 400
    assert allocation.floor_price[0] > 0
    assert (allocation.capacity_price > 0).any()
    assert (np.diff(allocation.curve["expected_profit"]) >= -1e-9).all()

    turn = random.permutation(6000)
    turned = allocate_within(
        profit[turn],
        cost[turn],
        Limits(2000.0, limits.capacity, limits.uses, limits.floors, segment[turn]),
        keys(6000)[turn],
    )
    assert turned.choice.tolist() == allocation.choice[turn].tolist()
    assert turned.curve.equals(allocation.curve)


def test_equals_are_told_apart_by_the_key_alone():
    profit, cost = np.full((3000, 2), 5.0) * [1.0, 1.2], np.tile([1.0, 2.0], (3000, 1))
    for limits in (Limits(1000.5), Limits(3000.0, np.array([700.0]), np.array([[0], [1]]))):
        allocation = allocate_within(profit, cost, limits, keys(3000))
        turn = np.random.default_rng(3).permutation(3000)
        turned = allocate_within(profit[turn], cost[turn], limits, keys(3000)[turn])
        assert turned.choice.tolist() == allocation.choice[turn].tolist()
        assert allocation.gap < 1e-3
    assert np.bincount(allocation.choice + 1).tolist() == [0, 3000] or allocation.cost == 3000.0


@st.composite
def floored(draw):
    profit, cost, capacity = draw(problems())
    customers, options = profit.shape
    segment = np.array(draw(st.lists(st.integers(0, 1), min_size=customers, max_size=customers)))
    wanted = np.array(draw(st.lists(st.booleans(), min_size=options, max_size=options)))
    shared = np.array(draw(st.lists(st.integers(0, 1), min_size=options, max_size=options)))
    floors = (Floor(draw(st.integers(0, 1)), wanted, draw(st.integers(0, 2))),)
    return profit, cost, Limits(float(draw(st.integers(0, 12))), capacity[:1], shared[:, None], floors, segment)


@given(floored())
@settings(max_examples=16, deadline=None, derandomize=True)
def test_floors_by_brute_force(problem):
    profit, cost, limits = problem
    best = optimum(profit, cost, limits)
    if best is None:
        with pytest.raises(DefinitionError, match=r"[Ff]loor"):
            allocate_within(profit, cost, limits, keys(len(profit)))
        return
    allocation = allocate_within(profit, cost, limits, keys(len(profit)))
    earned, spent = totals(profit, cost, allocation.choice)
    floor = limits.floors[0]
    mine = allocation.choice[(limits.segment == floor.segment) & (allocation.choice >= 0)]
    assert floor.options[mine].sum() >= floor.customers
    assert spent <= limits.budget + 1e-9
    assert (limits.uses[allocation.choice[allocation.choice >= 0], 0].sum() <= limits.capacity).all()
    alone = allocate_within(profit, cost, Limits(limits.budget), keys(len(profit)))
    # Where the budget's own plan keeps all limits and is proven the best, or all was decided exactly.
    assert earned == pytest.approx(best, abs=1e-6) or earned == alone.profit
    assert best <= allocation.bound + 1e-6


def test_floors_that_cannot_be_held_are_named():
    profit, cost = np.array([[-1.0], [2.0], [-np.inf]]), np.full((3, 1), 2.0)
    everything = np.array([True])

    def floor(customers, budget=9.0, capacity=np.inf):
        limits = Limits(
            budget, np.array([capacity]), np.ones((1, 1)), (Floor(0, everything, customers),), np.zeros(3, int)
        )
        return allocate_within(profit, cost, limits, keys(3))

    assert floor(2).choice.tolist() == [0, 0, -1]
    assert floor(2).profit == pytest.approx(1.0)
    assert floor(1).choice.tolist() == [-1, 0, -1]
    with pytest.raises(DefinitionError, match=r"there are 2\. Lower the floor"):
        floor(3)
    with pytest.raises(DefinitionError, match=r"costs at least 4\.00, but the budget is 3\.00"):
        floor(2, budget=3.0)
    with pytest.raises(DefinitionError, match="cannot be held at once"):
        floor(2, capacity=1.0)
    with pytest.raises(DefinitionError, match="need the segment of every customer"):
        allocate_within(profit, cost, Limits(1.0, floors=(Floor(0, everything, 1),)), keys(3))


def test_a_dear_option_does_not_block_a_small_budget():
    # 5,000 could have the dear option, which is worth more for each unit of money; the budget pays the cheap one only.
    profit, cost = np.tile([900.0, 2.0], (5000, 1)), np.tile([100.0, 1.0], (5000, 1))
    for budget, dear, cheap in ((50.0, 0, 50), (150.0, 1, 50), (0.5, 0, 0)):
        choice = allocate_within(profit, cost, Limits(budget), keys(5000)).choice
        assert np.bincount(choice + 1, minlength=3)[1:].tolist() == [dear, cheap]
    curve = allocate_within(profit, cost, Limits(0.5), keys(5000)).curve
    assert curve[curve["budget"] == 0.5]["expected_profit"].tolist() == [0.0]


def test_floats_and_a_cost_for_all_are_taken_as_they_are():
    profit, price = made(500)[0].astype(np.float32), np.array([4.0, 3.0, 1.0], np.float32)
    wide = allocate_within(profit.astype(float), np.tile(price.astype(float), (500, 1)), Limits(200.0), keys(500))
    narrow = allocate_within(profit, np.broadcast_to(price, profit.shape), Limits(200.0), keys(500))
    assert narrow.choice.tolist() == wide.choice.tolist()
    assert (narrow.profit, narrow.price) == (wide.profit, wide.price)


def test_many_steps_and_few_give_the_same_curve(monkeypatch):
    profit, cost = made(9000)
    many = allocate_within(profit, cost, Limits(800.0), keys(9000))
    monkeypatch.setattr("churnvalue.decisions.allocation.queues._EVERY_STEP", 10)
    binned = allocate_within(profit, cost, Limits(800.0), keys(9000))
    assert binned.choice.tolist() == many.choice.tolist()
    np.testing.assert_allclose(binned.curve["expected_profit"], many.curve["expected_profit"], rtol=1e-2)
    np.testing.assert_allclose(binned.curve["cost"], many.curve["cost"], atol=4.0)


def many_options(customers, seed=8):
    """Eight actions and three levels of service, each with places for a few; money for some."""
    random = np.random.default_rng(seed)
    action, level = np.divmod(np.arange(1, 36), 4)
    uses = np.zeros((35, 11))
    uses[np.arange(35)[action > 0], action[action > 0] - 1] = 1.0
    uses[np.arange(35)[level > 0], 7 + level[level > 0]] = 1.0
    price = np.append(0.0, random.uniform(0.5, 8.0, 8))[action] + np.append(0.0, [1.0, 2.5, 4.0])[level]
    worth = random.lognormal(4.5, 1, (customers, 1)) * random.beta(2, 5, (customers, 1))
    profit = worth * random.uniform(0.0, 0.5, (customers, 35)) - price
    capacity = np.floor(customers * random.uniform(0.02, 0.1, 11))
    return profit, np.tile(price, (customers, 1)), capacity, uses


@pytest.mark.parametrize("per_customer", [0.2, 0.8])
def test_many_options_and_capacities(per_customer):
    profit, cost, capacity, uses = many_options(300)
    assert (profit > 0).sum() > 3000  # so not decided as a whole
    limits = Limits(300 * per_customer, capacity, uses)
    allocation = allocate_within(profit, cost, limits, keys(300))
    linear = optimum(np.where(profit > 0, profit, -np.inf), cost, limits, whole=False)
    assert allocation.bound <= linear * (1 + 1e-5)
    assert allocation.gap < 5e-4
    earned, spent = totals(profit, cost, allocation.choice)
    assert (earned, spent) == pytest.approx((allocation.profit, allocation.cost))
    assert spent <= limits.budget * (1 + 1e-12)
    assert (uses[allocation.choice[allocation.choice >= 0]].sum(axis=0) <= capacity).all()


def test_the_bound_holds_where_few_pairs_could_be_better():
    profit, cost, capacity, uses = many_options(200)
    limits = Limits(60.0, capacity, uses)
    allocation = allocate_within(profit, cost, limits, keys(200))
    whole = optimum(np.where(profit > 0, profit, -np.inf), cost, limits)
    assert allocation.profit <= whole + 1e-6
    assert whole <= allocation.bound + 1e-6


def test_who_finds_no_room_goes_on_to_the_next_option():
    # Five places for the cheap option; then everyone may have the dear one, which earns less for each unit of money.
    profit, cost = np.tile([3.0, 8.0], (40, 1)), np.tile([1.0, 4.0], (40, 1))
    limits = Limits(80.0, np.array([5.0, np.inf]), np.eye(2))
    curve = allocate_within(profit, cost, limits, keys(40)).curve
    assert curve.iloc[-1][["budget", "cost", "expected_profit", "customers"]].tolist() == [160.0, 160.0, 320.0, 40.0]


def test_the_curve_comes_near_to_what_each_budget_could_earn():
    profit, cost, capacity, uses = many_options(300)
    curve = allocate_within(profit, cost, Limits(90.0, capacity, uses), keys(300)).curve
    assert curve["budget"].iloc[-1] > 200.0
    for row in curve.iloc[[10, 40, 70, 100]].itertuples():
        best = allocate_within(profit, cost, Limits(row.budget, capacity, uses), keys(300))
        assert 0.94 * best.profit <= row.expected_profit <= best.bound * (1 + 1e-9)
    assert (np.diff(curve["expected_profit"]) >= 0).all()


def test_nobody_and_nothing():
    assert len(allocate(np.zeros((0, 2)), np.zeros((0, 2)), 5.0, UNLIMITED, keys(0)).choice) == 0
    assert allocate(np.zeros((2, 0)), np.zeros((2, 0)), 5.0, np.zeros(0), keys(2)).choice.tolist() == [-1, -1]


def test_input_is_checked():
    good = np.ones((2, 2))
    with pytest.raises(DefinitionError, match=r"but \(2, 2\), \(1, 2\), \(2,\), \(2, 2\) and .* came"):
        allocate(good, good[:1], 1.0, UNLIMITED, keys(2))
    with pytest.raises(DefinitionError, match="cost must be finite and at least 0, but 4 pairs"):
        allocate(good, -good, 1.0, UNLIMITED, keys(2))
    with pytest.raises(DefinitionError, match="must not be NaN"):
        allocate(good * np.nan, good, 1.0, UNLIMITED, keys(2))
    with pytest.raises(DefinitionError, match="budget must be finite and at least 0"):
        allocate(good, good, np.nan, UNLIMITED, keys(2))
