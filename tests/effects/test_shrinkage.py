import numpy as np
import pytest
from scipy.stats import beta

from churnvalue.effects.ranking import Estimate
from churnvalue.effects.shrinkage import assumed_average, believed, harm, pooled, slope

WHO = np.arange(20_000, dtype=np.uint64)


def test_the_slope_undoes_an_exaggeration():
    generator = np.random.default_rng(0)
    truth = generator.normal(0.05, 0.02, 20_000)
    scores = truth + generator.normal(0, 0.3, 20_000)
    fold = np.arange(20_000) % 5
    found = slope(2.0 * (truth - 0.05), scores, fold, WHO)
    assert found.value == pytest.approx(0.5, abs=3 * found.se)
    # The least-squares error with a constant variance is right here.
    assert found.se == pytest.approx(0.3 / (0.04 * np.sqrt(20_000)), rel=0.05)
    assert slope(np.full(20_000, 0.1), scores, fold, WHO) == Estimate(0.0, 0.0)


def test_slopes_are_used_within_0_and_1():
    assert [believed(Estimate(value, 0.1)) for value in (-0.3, 0.4, 1.7)] == [0.0, 0.4, 1.0]


def test_an_assumed_save_rate_is_an_average_effect():
    prior = assumed_average(0.5, (6.0, 14.0))
    assert prior == Estimate(pytest.approx(0.15), pytest.approx(0.5 * beta(6, 14).std()))


def test_averages_are_pooled_by_precision():
    both, weight = pooled(Estimate(0.0, 0.1), Estimate(0.2, 0.1))
    assert both == Estimate(pytest.approx(0.1), pytest.approx(0.1 / np.sqrt(2)))
    assert weight == pytest.approx(0.5)
    tiny, weight = pooled(Estimate(-0.5, 0.4), Estimate(0.15, 0.05))
    assert tiny.value > 0.13
    assert weight > 0.98
    large, weight = pooled(Estimate(0.02, 0.001), Estimate(0.15, 0.05))
    assert large.value == pytest.approx(0.02, abs=1e-4)


def test_harm_is_called_harm_only_where_it_is_certain():
    effects = np.repeat([-0.1, 0.1], 1000)
    noise = np.random.default_rng(0).normal(0, 0.3, 2000)
    who = WHO[:2000]
    certain = harm(effects, effects + noise, who)
    assert certain.certain
    assert certain.customers == 1000
    assert certain.lifted(effects).min() == -0.1
    harmless = harm(effects, np.abs(effects) + noise, who)
    assert not harmless.certain
    assert harmless.lifted(effects).min() == 0.0
    assert np.isnan(harm(np.full(3, 0.1), np.ones(3), who[:3]).group.value)


def test_lifting_keeps_the_order_and_the_rest():
    effects = np.array([-0.2, -0.1, 0.1, 0.3, 0.5])
    scores = np.array([0.2, 0.2, 0.2, 0.3, 0.5])  # the pool's mean of .2 is below the next effect, .3, from three on
    found = harm(effects, scores, WHO[:5])
    assert found.knot == 0.3
    assert found.lifted(effects) == pytest.approx([0.0, 0.06, 0.18, 0.3, 0.5])  # .3 · (effect + .2) / .5
    assert found.lifted(np.array([-9.0])).tolist() == [0.0]


def test_a_negative_average_that_is_not_certain_becomes_nothing():
    scores = np.random.default_rng(1).normal(-0.001, 1.0, 1000)
    found = harm(np.full(1000, -0.001), scores, WHO[:1000])
    assert found.lifted(np.full(2, -0.001)).min() == 0.0
