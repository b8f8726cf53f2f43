import numpy as np
import pytest
from scipy.special import expit

from churnvalue.models.stacking import PRIOR, Window, stack


def window(seed, trees_weight, buying_weight, level=0.0, rows=20_000):
    """A window of leavers whose log-odds are known to be a mixture of two parts."""
    generator = np.random.default_rng(seed)
    trees, buying = generator.normal(size=(2, rows))
    left = generator.random(rows) < expit(level + trees_weight * trees + buying_weight * buying)
    return Window(trees, buying, left.astype(float))


def test_finds_the_weights_that_made_the_outcomes_whatever_the_levels():
    windows = [window(1, 1.0, 0.2, level=-1.0), window(2, 1.0, 0.2, level=1.0)]
    trees, buying = stack(windows, "logit")
    assert trees == pytest.approx(1.0, abs=0.08)
    assert buying == pytest.approx(0.2, abs=0.06)


def test_counts_of_purchases_too():
    generator = np.random.default_rng(4)
    trees, buying = generator.normal(0, 0.6, size=(2, 30_000))
    orders = generator.poisson(np.exp(-0.5 + 0.3 * trees + 0.9 * buying)).astype(float)
    assert stack([Window(trees, buying, orders)], "log") == pytest.approx((0.3, 0.9), abs=0.05)


def test_leans_to_a_half_each_where_there_is_little_to_learn_from():
    few = stack([window(3, 1.5, 0.0, rows=100)], "logit")
    assert few == pytest.approx(PRIOR["logit"], abs=0.12)
    assert stack([], "logit") == PRIOR["logit"] == (0.5, 0.5)


def test_weights_are_never_negative():
    trees, buying = stack([window(5, 1.0, -0.8)], "logit")
    assert trees > 0.7
    assert 0.0 <= buying < 0.1


def test_nobody_with_the_outcome_is_no_lesson():
    nobody = Window(np.arange(5.0), np.arange(5.0), np.zeros(5))
    assert stack([nobody], "log") == PRIOR["log"]


def test_a_mean_of_two_blurred_views_of_money_spreads_customers_too_little():
    # Each part sees the truth through its own noise and is calibrated alone; half of each is then too timid.
    generator = np.random.default_rng(8)
    truth = generator.normal(0, 1, 200_000)
    trees, buying = (0.8 * (truth + generator.normal(0, 0.5, len(truth))) for _ in range(2))
    orders = generator.poisson(np.exp(truth - 1)).astype(float)
    assert sum(stack([Window(trees, buying, orders)], "log")) > 1.05
    assert sum(stack([], "log")) == pytest.approx(1.1)
