import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from churnvalue.errors import ChurnvalueError
from churnvalue.evaluation import metrics

CHANCE_METRICS = [
    metrics.auc,
    metrics.average_precision,
    metrics.log_loss,
    metrics.brier,
    metrics.calibration_error,
]
AMOUNT_METRICS = [metrics.normalised_gini, metrics.spearman, metrics.decile_mape, metrics.rmse, metrics.bias]


def test_gini_is_one_for_the_perfect_order_and_zero_for_none():
    actual = [0.0, 0.0, 1.0, 3.0]
    assert metrics.normalised_gini(actual, [1, 1, 2, 3]) == pytest.approx(1.0)
    assert metrics.normalised_gini(actual, [5, 5, 5, 5]) == pytest.approx(0.0)
    assert metrics.normalised_gini(actual, [3, 3, 2, 1]) == pytest.approx(-1.0)
    # Best: 2 / (4 * 4) * (3 + 4 + 4 + 4) - 5/4 = 0.625.
    # Here 3 and 1 share 2 each: 2 / 16 * (2 + 4 + 4 + 4) - 5/4 = 0.5.
    assert metrics.normalised_gini(actual, [0, 0, 1, 1]) == pytest.approx(0.5 / 0.625)


def test_ranking_metrics_by_hand():
    # Events at ranks 1 and 3 of 4: pairs won 3 of 4; precision 1/1 and 2/3.
    assert metrics.auc([1, 0, 1, 0], [0.9, 0.8, 0.7, 0.1]) == pytest.approx(0.75)
    assert metrics.average_precision([1, 0, 1, 0], [0.9, 0.8, 0.7, 0.1]) == pytest.approx((1 + 2 / 3) / 2)
    assert metrics.auc([1, 0], [0.5, 0.5]) == pytest.approx(0.5)
    assert metrics.spearman([1, 2, 3], [10, 30, 20]) == pytest.approx(0.5)


def test_probability_metrics_by_hand():
    event, probability = [1, 0], [0.8, 0.4]
    assert metrics.log_loss(event, probability) == pytest.approx(-(np.log(0.8) + np.log(0.6)) / 2)
    assert metrics.brier(event, probability) == pytest.approx((0.04 + 0.16) / 2)
    assert metrics.calibration_error(event, probability) == pytest.approx((0.2 + 0.4) / 2)
    assert metrics.calibration_error(event, probability, bins=1) == pytest.approx(0.1)  # 0.5 against 0.6
    # Four of one probability share their mean 0.75, so no bin is off by more than 0.05.
    assert metrics.calibration_error([1, 1, 1, 0], [0.7] * 4, bins=2) == pytest.approx(0.05)


def test_amount_metrics_by_hand():
    actual, predicted = [2.0, 4.0], [3.0, 5.0]
    assert metrics.rmse(actual, predicted) == 1.0
    assert metrics.bias(actual, predicted) == pytest.approx(8 / 6)
    assert metrics.decile_mape(actual, predicted) == pytest.approx((1 / 2 + 1 / 4) / 2)


def test_deciles_hold_equal_counts_and_leave_out_those_without_amount():
    actual = np.repeat(np.arange(10.0), 2)  # the first decile spends nothing
    assert metrics.decile_mape(actual, actual) == 0.0
    assert metrics.decile_mape(actual, actual * 1.5) == pytest.approx(0.5)
    assert metrics.decile_mape(actual, np.zeros(20)) == pytest.approx(1.0)


def test_metrics_are_undefined_only_where_they_say_so():
    ones, zeros, some = [1.0, 1.0], [0.0, 0.0], [0.2, 0.6]
    undefined = [
        metrics.auc(ones, some),
        metrics.auc(zeros, some),
        metrics.average_precision(zeros, some),
        metrics.normalised_gini(zeros, some),
        metrics.normalised_gini(ones, some),
        metrics.spearman(ones, some),
        metrics.spearman(some, zeros),
        metrics.decile_mape(zeros, some),
        metrics.bias(zeros, some),
        *(metric([], []) for metric in CHANCE_METRICS + AMOUNT_METRICS),
    ]
    assert np.isnan(undefined).all()
    defined = [
        metrics.average_precision(ones, some),
        metrics.log_loss(ones, some),
        metrics.log_loss(zeros, [0.0, 1.0]),
        metrics.brier(zeros, some),
        metrics.calibration_error(zeros, some),
        metrics.rmse(zeros, some),
        metrics.decile_mape(ones, zeros),
    ]
    assert np.isfinite(defined).all()


def test_both_families_come_by_name():
    event, probability = [1, 0, 1, 0], [0.9, 0.8, 0.7, 0.1]
    named = metrics.classification_metrics(event, probability)
    assert named["base_rate"] == 0.5
    assert named["average_precision_of_others"] == pytest.approx((1 + 2 / 3) / 2)
    assert named["auc"] == metrics.auc(event, probability)
    assert set(metrics.amount_metrics(event, probability)) == {metric.__name__ for metric in AMOUNT_METRICS}


rows = st.lists(st.tuples(st.integers(0, 1), st.sampled_from([0.0, 0.25, 0.5, 1.0])), min_size=1, max_size=30)


@given(rows=rows, seed=st.integers(0, 9))
@settings(max_examples=60, deadline=None)
def test_order_of_rows_never_changes_a_digit(rows, seed):
    actual, predicted = np.array(rows, dtype=float).T
    order = np.random.default_rng(seed).permutation(len(rows))
    for metric in CHANCE_METRICS + AMOUNT_METRICS:
        assert np.array_equal(metric(actual, predicted), metric(actual[order], predicted[order]), equal_nan=True)


def test_bootstrap_finds_the_better_of_two_on_the_same_customers():
    generator = np.random.default_rng(0)
    actual = generator.gamma(2.0, 10.0, 400)
    better, worse = actual + generator.normal(0, 3, 400), actual + generator.normal(0, 12, 400)
    difference, low, high = metrics.paired_bootstrap(metrics.rmse, actual, better, worse, seed=1)
    assert difference == metrics.rmse(actual, better) - metrics.rmse(actual, worse)
    assert low < difference < high < 0
    order = generator.permutation(400)
    shuffled = metrics.paired_bootstrap(metrics.rmse, actual[order], better[order], worse[order], seed=1)
    assert shuffled == (difference, low, high)
    assert metrics.paired_bootstrap(metrics.rmse, actual, better, better, seed=1) == (0.0, 0.0, 0.0)


def test_bootstrap_leaves_out_undefined_draws():
    difference, low, high = metrics.paired_bootstrap(metrics.auc, [1, 0, 0], [3, 2, 1], [1, 2, 3], seed=1, draws=50)
    assert (difference, low, high) == (1.0, 1.0, 1.0)  # the event comes first in one and last in the other
    assert np.isnan(metrics.paired_bootstrap(metrics.auc, [1, 1], [1, 2], [2, 1], seed=1, draws=5)).all()


def test_wrong_input_is_refused():
    with pytest.raises(ChurnvalueError, match="must be of one length"):
        metrics.rmse([1.0], [1.0, 2.0])
    with pytest.raises(ChurnvalueError, match="must be finite, but 1 of 2 pairs"):
        metrics.rmse([1.0, np.nan], [1.0, 2.0])
    with pytest.raises(ChurnvalueError, match="must be 0 or 1"):
        metrics.auc([2.0], [1.0])
    with pytest.raises(ChurnvalueError, match=r"must be 0 to 1, but 0\.5 to 1\.5 came"):
        metrics.brier([1, 0], [0.5, 1.5])
    with pytest.raises(ChurnvalueError, match="both predictions must be of one length"):
        metrics.paired_bootstrap(metrics.rmse, [1.0], [1.0, 2.0], [1.0], seed=0)
