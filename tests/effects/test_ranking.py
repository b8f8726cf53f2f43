import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from churnvalue.effects.ranking import Estimate, gain_at, mean_gain, mean_of, paired, qini, ranks, top, uplift_at

scores = st.lists(st.integers(0, 4), min_size=2, max_size=20)
quick = settings(max_examples=50, deadline=None)


def test_qini_by_hand():
    score, effect = np.array([4.0, 3.0, 2.0, 1.0]), np.array([8.0, 4.0, 0.0, -4.0])
    assert ranks(score).tolist() == [0.125, 0.375, 0.625, 0.875]
    assert qini(score, effect).mean() == pytest.approx((8 * 0.375 + 4 * 0.125 + 4 * 0.375) / 4)
    assert qini(-score, effect).mean() == pytest.approx(-qini(score, effect).mean())
    assert qini(np.zeros(4), effect).mean() == 0.0


def test_gain_and_uplift_by_hand():
    score, effect = np.array([4.0, 3.0, 2.0, 1.0]), np.array([8.0, 4.0, 0.0, -4.0])
    assert gain_at(score, effect, 0.5).mean() == pytest.approx(3.0)  # (8 + 4) / 4
    assert gain_at(score, effect, 1.0).mean() == pytest.approx(2.0)
    assert uplift_at(score, effect, 0.5) == Estimate(6.0, pytest.approx(np.sqrt(8) / 2))
    assert top(np.array([1.0, 1.0, 1.0, 0.0]), 0.25).tolist() == pytest.approx([1 / 3, 1 / 3, 1 / 3, 0])


@given(scores, st.floats(0.05, 1))
@quick
def test_exactly_the_share_is_treated_and_equal_scores_alike(score, share):
    score = np.array(score, dtype=np.float64)
    weight = top(score, share)
    assert weight.sum() == pytest.approx(share * len(score))
    assert all(np.ptp(weight[score == one]) == 0 for one in np.unique(score))


@given(scores, st.randoms(use_true_random=False))
@settings(max_examples=20, deadline=None)
def test_the_mean_gain_is_the_area_under_the_curve_and_order_does_not_matter(score, random):
    score = np.array(score, dtype=np.float64)
    effect = np.array([random.uniform(-1, 1) for _ in score])
    # The curve is straight between shares of whole customers, so trapezoids between those give its area.
    curve = [0.0, *(gain_at(score, effect, treated / len(score)).mean() for treated in range(1, len(score) + 1))]
    assert mean_gain(score, effect).mean() == pytest.approx(np.trapezoid(curve, dx=1 / len(score)), abs=1e-12)
    order = np.random.default_rng(0).permutation(len(score))
    assert qini(score[order], effect[order]) == pytest.approx(qini(score, effect)[order])


def test_standard_errors_are_clustered_by_customer():
    values = np.array([1.0, 1.0, 3.0, 3.0])
    assert mean_of(values).se == pytest.approx(values.std(ddof=1) / 2)
    by_customer = mean_of(values, np.array([1, 1, 2, 2], dtype=np.uint64))
    assert by_customer == Estimate(2.0, pytest.approx(np.array([1.0, 3.0]).std(ddof=1) / np.sqrt(2)))
    assert np.isnan(mean_of(values[:1]).se)


def test_a_clear_gain_is_one_standard_error_above_nothing():
    assert paired(np.array([2.0, 3.0, 4.0]), np.array([1.0, 1.0, 1.0])).clear
    assert not paired(np.array([1.0, -1.0, 0.1]), np.zeros(3)).clear
    assert not paired(np.ones(3), np.ones(3)).clear
