import numpy as np
import pytest

from churnvalue.errors import HistoryError
from churnvalue.evaluation.estimate import effective_size, from_influence
from churnvalue.evaluation.naive_policies import Candidates, naive_policies
from churnvalue.evaluation.policy_value import METHODS, Logged, advantage, deterministic, support, value


def logged(action, propensity, outcome, ids=None, covariates=None):
    size = len(action)
    return Logged(
        np.array(ids if ids is not None else [f"c{k:05d}" for k in range(size)], dtype=object),
        np.array(action, dtype=object),
        np.array(propensity, float),
        np.array(outcome, float),
        np.zeros((size, 0)) if covariates is None else covariates,
    )


HAND = logged(["call", "none", "none", "call"], [0.5, 0.5, 0.8, 0.2], [4.0, 1.0, 2.0, 10.0])


def test_by_hand():
    everyone = deterministic(HAND, np.full(4, "call", dtype=object))
    assert HAND.actions == ("call", "none")
    assert value(HAND, everyone, "ips").value == pytest.approx((4 / 0.5 + 10 / 0.2) / 4)
    assert value(HAND, everyone, "snips").value == pytest.approx((4 / 0.5 + 10 / 0.2) / (1 / 0.5 + 1 / 0.2))
    backing = support(HAND, everyone)
    assert (backing.effective, backing.covered, backing.largest) == pytest.approx((49 / 29, 7 / 4, 5.0))


def test_a_policy_that_draws():
    half = np.full((4, 2), 0.5)
    expected = np.mean(0.5 * np.array([4, 1, 2, 10]) / np.array([0.5, 0.5, 0.8, 0.2]))
    assert value(HAND, half, "ips").value == pytest.approx(expected)


def drawn(seed, size=4000):
    """A log with chances by a property that the outcome depends on; true values of call .8, of none .5."""
    generator = np.random.default_rng(seed)
    x = generator.normal(size=(size, 1))
    chance = np.where(x[:, 0] > 0, 0.7, 0.3)
    call = generator.random(size) < chance
    outcome = 0.5 + 2.0 * x[:, 0] + 0.3 * call + generator.normal(size=size)
    return logged(np.where(call, "call", "none"), np.where(call, chance, 1 - chance), outcome, covariates=x)


@pytest.mark.parametrize("method", METHODS)
def test_true_values_are_found(method):
    found = drawn(1)
    call, none = (deterministic(found, np.full(4000, one, dtype=object)) for one in ("call", "none"))
    assert value(found, call, method).value == pytest.approx(0.8, abs=0.2)
    more = advantage(found, call, none, method)
    assert more.low < 0.3 < more.high
    assert more.value == pytest.approx(value(found, call, method).value - value(found, none, method).value)


def test_doubly_robust_is_the_surest():
    found = drawn(2)
    call, none = (deterministic(found, np.full(4000, one, dtype=object)) for one in ("call", "none"))
    errors = {method: advantage(found, call, none, method).se for method in METHODS}
    assert errors["dr"] < 0.6 * errors["snips"]
    assert errors["dr"] < 0.6 * errors["ips"]


@pytest.mark.parametrize("method", METHODS)
def test_the_order_of_rows_does_not_matter(method):
    found, order = drawn(3, 300), np.random.default_rng(3).permutation(300)
    turned = logged(
        found.action[order],
        found.propensity[order],
        found.outcome[order],
        found.customer_id[order],
        found.covariates[order],
    )
    one, other = (value(log, deterministic(log, np.full(300, "call", dtype=object)), method) for log in (found, turned))
    assert (one.value, one.low, one.high) == pytest.approx((other.value, other.low, other.high))


def test_rows_of_one_customer_are_one_fact():
    generator = np.random.default_rng(5)
    influence = np.repeat(generator.normal(size=50), 4)
    influence -= influence.mean()
    apart = from_influence(1.0, influence, np.arange(200), 200.0)
    together = from_influence(1.0, influence, np.repeat(np.arange(50), 4), 200.0)
    assert together.se == pytest.approx(2 * apart.se, rel=0.02)


def test_effective_size():
    assert effective_size(np.ones(7)) == pytest.approx(7)
    assert effective_size(np.array([1.0, 0, 0])) == 1
    assert effective_size(np.zeros(3)) == 0


def test_where_nothing_can_be_said_there_are_words():
    mails = deterministic(HAND, np.full(4, "mail", dtype=object))
    assert value(HAND, mails, "dr").note == "nobody in the log got what this policy would have done"
    calls = deterministic(HAND, np.full(4, "call", dtype=object))
    assert advantage(HAND, calls, calls, "dr").note == "both policies do the same"
    assert not advantage(HAND, calls, mails, "ips").known


@pytest.mark.parametrize("bad", [0.0, 1.2, np.nan])
def test_propensities_that_are_none_are_refused(bad):
    with pytest.raises(HistoryError, match=r"Each propensity must be above 0 and at most 1, but"):
        logged(["call", "none"], [0.5, bad], [1, 1])


def test_outcomes_must_be_numbers():
    with pytest.raises(HistoryError, match=r"Each outcome must be a finite number"):
        logged(["call", "none"], [0.5, 0.5], [1, np.inf])


def test_naive_policies_spend_what_the_plan_spends():
    planned = np.array(["call", "none", "call", "mail", "none"], dtype=object)
    risk = np.array([0.1, 0.9, np.nan, 0.5, 0.7])
    candidates = Candidates(planned, {"call": 4.0, "mail": 1.0}, {"highest risk first": risk})
    found = naive_policies(candidates, ("call", "mail", "none"), "none")
    assert set(found) == {"plan", "none", "call for all", "mail for all", "random", "highest risk first"}
    # 9 is spent; calls, the most frequent action, cost 4: two customers.
    assert found["random"][:, 0].tolist() == [0.4] * 5
    assert found["highest risk first"][:, 0].tolist() == [0, 1, 0, 0, 1]
    assert found["plan"].argmax(axis=1).tolist() == [0, 2, 0, 1, 2]
    assert all(policy.sum(axis=1) == pytest.approx(np.ones(5)) for policy in found.values())
