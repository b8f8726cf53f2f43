import numpy as np
import pytest

from churnvalue.errors import ChurnvalueError
from churnvalue.timing.survival_metrics import brier_of_customers, concordance, integrated_brier, restricted_mean


def test_restricted_mean_is_the_area_below_the_curve():
    curve = np.array([[1.0, 0.5, 0.0], [1.0, 1.0, 1.0]])
    assert restricted_mean(curve).tolist() == [1.0, 2.0]  # .75 + .25 and both days


def test_concordance_by_hand():
    days = np.array([1.0, 3.0, 3.0, 5.0])
    observed = np.array([True, True, False, False])
    # Pairs: (1, 3), (1, 3 silent), (1, 5), (3, 3 silent), (3, 5): five; two silent ones are none.
    assert concordance(days, observed, np.array([1.0, 2.0, 3.0, 4.0])) == 1.0
    assert concordance(days, observed, np.array([4.0, 3.0, 2.0, 1.0])) == 0.0
    assert concordance(days, observed, np.ones(4)) == 0.5
    assert concordance(days, observed, np.array([2.0, 2.0, 3.0, 4.0])) == pytest.approx(4.5 / 5)  # one tie of five
    assert np.isnan(concordance(days, np.zeros(4, dtype=bool), days))


def test_concordance_agrees_with_every_pair_counted_one_by_one():
    generator = np.random.default_rng(4)
    days, observed = generator.integers(0, 9, 60) * 1.0, generator.random(60) < 0.6
    predicted = generator.integers(0, 12, 60) * 1.0
    right = pairs = 0.0
    for i in range(60):
        for j in range(60):
            if observed[i] and (days[i] < days[j] or (days[i] == days[j] and not observed[j])):
                pairs += 1
                right += 1.0 if predicted[i] < predicted[j] else 0.5 * (predicted[i] == predicted[j])
    assert concordance(days, observed, predicted) == pytest.approx(right / pairs)


def test_brier_by_hand():
    curve = np.array([[1.0, 0.5, 0.2], [1.0, 0.5, 0.2]])
    days, observed = np.array([0.0, 2.0]), np.array([True, False])
    # Back on the first day: errors 0, .25, .04; never back: 0, .25, .64. Trapezoids over two days.
    expected = [(0.125 + 0.145) / 2, (0.125 + 0.445) / 2]
    assert brier_of_customers(days, observed, curve) == pytest.approx(expected)
    assert integrated_brier(days, observed, curve) == pytest.approx(np.mean(expected))


def test_a_curve_longer_than_what_was_followed_is_refused():
    with pytest.raises(ChurnvalueError, match=r"followed for 2 days, but some only for 1\."):
        integrated_brier(np.array([1.0]), np.array([False]), np.ones((1, 3)))
