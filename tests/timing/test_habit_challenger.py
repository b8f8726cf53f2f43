import numpy as np
import pytest
from scipy import sparse

from churnvalue.simulate import habit_curves
from churnvalue.timing.habit_challenger import challenge
from churnvalue.timing.held_out import HeldOut
from churnvalue.timing.week import SLOTS


def held(customers, seed=0):
    """Half of the customers follow the early habit, half the evening one; three events known, one held out."""
    random = np.random.default_rng(seed)
    truth = habit_curves()[np.where(random.random(customers) < 0.5, 0, 2)]
    known = np.stack([random.multinomial(3, p) for p in truth]).astype(float)
    later = np.stack([random.multinomial(1, p) for p in truth]).astype(float)
    return HeldOut(sparse.csr_array(known), sparse.csr_array(later), np.zeros(customers, dtype=np.int64)), truth


def test_corrects_a_forecast_that_overlooks_habits():
    evidence, truth = held(1500)
    flat = np.tile(truth.mean(axis=0), (1500, 1))
    challenger, said = challenge(evidence, flat, seed=0)
    assert challenger is not None
    assert challenger.gain == pytest.approx((evidence.loss(flat) - evidence.loss(said)).mean())
    assert challenger.gain > 2 * challenger.error
    assert said.sum(axis=1) == pytest.approx(np.ones(1500))
    unseen, _ = held(300, seed=1)
    corrected = challenger.correct(unseen.known, flat[:300], unseen.segment)
    assert unseen.loss(corrected).mean() < unseen.loss(flat[:300]).mean() - 0.3


def test_the_truth_is_left_alone():
    evidence, truth = held(1500)
    challenger, said = challenge(evidence, truth, seed=0)
    assert challenger is None
    assert said is truth


def test_small_logs_are_not_asked():
    evidence, _ = held(200)
    flat = np.full((200, SLOTS), 1 / SLOTS)
    assert challenge(evidence, flat, seed=0)[0] is None
