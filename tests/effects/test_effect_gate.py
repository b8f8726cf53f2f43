import numpy as np
import pytest

from churnvalue.effects.gate import choose, gate
from churnvalue.effects.scores import doubly_robust
from churnvalue.effects.trial import make_trial


@pytest.fixture(scope="module")
def judged(made):
    trial = make_trial(made.X, made.arm, made.stayed, made.propensity)
    return trial, doubly_robust(trial), made.effect[trial.position]


def test_the_first_learner_stays_unless_another_is_clearly_better(judged):
    trial, scores, effect = judged
    noise = np.random.default_rng(0).normal(size=effect.shape)
    assert choose({"first": effect, "same": effect + 0.0}, scores, trial) == "first"
    assert choose({"noise": noise, "truth": effect}, scores, trial) == "truth"
    assert choose({"truth": effect, "noise": noise}, scores, trial) == "truth"


def test_individual_effects_must_earn_more_than_value(judged):
    trial, scores, effect = judged
    average = effect.mean(axis=0)
    found = gate(effect, average, scores, None, trial)
    assert found.individual
    assert found.gain.value > found.gain.se
    # A value that ranks as the effects do leaves nothing to gain.
    assert not gate(effect[:, :1], average[:1], scores[:, :1], effect[:, 0], trial).individual
    assert not gate(np.tile(average, (len(effect), 1)), average, scores, None, trial).individual


def test_an_unknown_value_comes_last(judged):
    trial, scores, effect = judged
    value = np.where(np.arange(len(effect)) % 2, np.nan, 1.0)
    lowest = np.where(np.isnan(value), -1.0, value)
    average = effect.mean(axis=0)
    assert gate(effect, average, scores, value, trial) == gate(effect, average, scores, lowest, trial)
