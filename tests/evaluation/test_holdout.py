import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import norm, ttest_ind

from churnvalue.errors import HistoryError
from churnvalue.evaluation.holdout import difference


def drawn(seed, size=400, share=0.3):
    generator = np.random.default_rng(seed)
    before = generator.normal(size=(size, 2))
    group = (generator.random(size) < share).astype(np.int64)
    outcome = 2.0 + 3.0 * before[:, 0] + group * (1.0 + before[:, 0]) + generator.normal(size=size)
    return outcome, group, before


def test_without_covariates_it_is_welchs_t_test():
    # Even and symmetric, so neither the bend nor the kurtosis has a say beyond Welch's.
    treated, held_out = np.tile([0.0, 3.0, 9.0, 12.0], 5), np.tile([1.0, 3.0, 4.0, 6.0], 4)
    found = difference(np.concatenate([treated, held_out]), np.repeat([1, 0], [20, 16]))
    expected = ttest_ind(treated, held_out, equal_var=False).confidence_interval(0.95)
    assert found.value == pytest.approx(2.5)  # 6 - 3.5
    assert found.se == pytest.approx(np.sqrt(treated.var(ddof=1) / 20 + held_out.var(ddof=1) / 16))
    assert (found.low, found.high) == pytest.approx(expected, abs=1e-3)


def test_a_bend_for_amounts_with_a_long_tail():
    amounts = np.array([0.0, 0, 0, 0, 0, 0, 1, 2, 4, 30])
    found = difference(np.concatenate([amounts, np.zeros(9), [1.0]]), np.repeat([1, 0], 10))
    assert found.high - found.value > 1.5 * (found.value - found.low)  # too low more often than too high


def test_shares_by_agresti_and_caffo():
    outcome = np.repeat([1.0, 0, 1, 0], [7, 3, 2, 6])  # 7 of 10 and 2 of 8
    found = difference(outcome, np.repeat([1, 0], [10, 8]))
    high, low = 8 / 12, 3 / 10
    se = np.sqrt(high * (1 - high) / 12 + low * (1 - low) / 10)
    assert found.value == pytest.approx(0.45)
    assert (found.low, found.high) == pytest.approx(
        (high - low - norm.ppf(0.975) * se, high - low + norm.ppf(0.975) * se)
    )


def test_nobody_leaving_is_no_certainty():
    found = difference(np.ones(15), np.repeat([1, 0], [12, 3]))
    assert found.value == 0.0
    assert found.low < -0.05
    assert found.high > 0.3


def test_the_adjusted_difference_is_lins_regression():
    outcome, group, before = drawn(1)
    found = difference(outcome, group, before)
    centred = before - before.mean(axis=0)
    design = np.column_stack([np.ones(len(group)), group, centred, centred * group[:, None]])
    assert found.value == pytest.approx(np.linalg.lstsq(design, outcome, rcond=None)[0][1])
    # HC2 by the book, and the part that says that customers are a sample.
    inverse = np.linalg.inv(design.T @ design)
    residual = outcome - design @ inverse @ design.T @ outcome
    leverage = np.einsum("nk,kl,nl->n", design, inverse, design)
    meat = (design * (residual**2 / (1 - leverage))[:, None]).T @ design
    slopes = (inverse @ design.T @ outcome)[4:]
    moved = slopes @ np.cov(centred.T, bias=True) @ slopes / len(group)
    assert found.se == pytest.approx(np.sqrt((inverse @ meat @ inverse)[1, 1] + moved), rel=0.01)
    assert found.se < 0.6 * difference(outcome, group).se
    assert found.note == "adjusted for 2 covariates"


def test_small_groups_bear_few_covariates():
    outcome, group, before = drawn(2, size=200, share=0.85)  # about 30 held out: one covariate
    assert difference(outcome, group, before).note == "adjusted for 1 covariates"
    constant = np.column_stack([np.ones(200), before])
    assert difference(outcome, group, constant).value == pytest.approx(difference(outcome, group, before).value)


def test_weights_undo_unequal_chances():
    # Chances of .8 and .2 by a property that the outcome depends on: the plain difference is off, the weighted is not.
    generator = np.random.default_rng(3)
    likely = generator.random(20_000) < 0.5
    chance = np.where(likely, 0.8, 0.2)
    group = (generator.random(20_000) < chance).astype(np.int64)
    outcome = 5.0 * likely + 1.0 * group + generator.normal(size=20_000)
    weight = 1 / np.where(group == 1, chance, 1 - chance)
    assert difference(outcome, group).value > 3.5
    found = difference(outcome, group, weight=weight)
    assert found.low < 1.0 < found.high
    assert found.value == pytest.approx(1.0, abs=0.1)


def test_those_in_neither_group_do_not_count():
    outcome, group, _ = drawn(4, size=60)
    more = difference(np.append(outcome, [1e6, np.nan]), np.append(group, [-1, -1]))
    assert more == difference(outcome, group)


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 1000))
def test_the_order_of_rows_does_not_matter(seed):
    outcome, group, before = drawn(seed, size=120)
    order = np.random.default_rng(seed).permutation(120)
    one, other = difference(outcome, group, before), difference(outcome[order], group[order], before[order])
    assert (one.value, one.low, one.high) == pytest.approx((other.value, other.low, other.high))


def test_where_nothing_can_be_said_there_are_words():
    alone = difference(np.array([1.0, 2.0, 3.0]), np.array([1, 1, 0]))
    assert (alone.value, alone.known, alone.conclusive) == (None, False, False)
    assert alone.note == "2 were treated and 1 held out; at least 2 of each are needed"
    same = difference(np.full(8, 2.5), np.repeat([1, 0], 4))
    assert "all have the same outcome" in same.note
    assert same.times(3.0) == same


@pytest.mark.parametrize(("outcome", "weight"), [([1.0, np.nan, 2, 3], [1, 1, 1, 1]), ([1.0, 2, 2, 3], [1, 0, 1, 1])])
def test_what_cannot_be_is_refused(outcome, weight):
    with pytest.raises(HistoryError, match="Outcomes must be finite and weights above 0"):
        difference(np.array(outcome), np.array([1, 1, 0, 0]), weight=np.array(weight, float))
