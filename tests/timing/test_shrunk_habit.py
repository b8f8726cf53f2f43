import numpy as np
import pytest
from scipy import sparse

from churnvalue.timing.held_out import HeldOut
from churnvalue.timing.shrunk_habit import ShrunkHabit
from churnvalue.timing.week import circle_kernel

KERNELS = {"0": circle_kernel(4, 0.0), "1": circle_kernel(4, 1.0)}
COMMON = np.array([0.4, 0.3, 0.2, 0.1])


def learned(later):
    known = np.array([[3.0, 0, 0, 0], [0, 0, 3.0, 0]] * 50)
    held = HeldOut(sparse.csr_array(known), sparse.csr_array(later), np.zeros(100, dtype=np.int64))
    return ShrunkHabit(kernels=KERNELS, types=1).choose([held], COMMON).fit(held.known, COMMON), held


def test_those_who_come_back_at_their_hour_keep_it():
    habit, held = learned(np.array([[1.0, 0, 0, 0], [0, 0, 1.0, 0]] * 50))
    assert (habit.kernel_, habit.concentration_) == ("0", 3.0)
    types = (np.array([150.0, 0, 150, 0]) + 120 * COMMON) / 420  # the prior is 0.4 of the events
    assert habit.predict(held.known)[0] == pytest.approx((np.array([3.0, 0, 0, 0]) + 3 * types) / 6)


def test_those_who_come_back_at_any_hour_get_what_the_types_say():
    types = (np.array([150.0, 0, 150, 0]) + 120 * COMMON) / 420  # the prior is 0.4 of the events
    habit, held = learned(np.tile(types, (100, 1)))
    assert habit.concentration_ == np.inf
    assert habit.predict(held.known) == pytest.approx(habit.types_.predict(held.known))


def test_an_event_is_lent_where_others_are():
    habit, _ = learned(np.tile(COMMON, (100, 1)))
    habit.kernel_, habit.concentration_ = "1", 3.0
    own = habit.fit(sparse.csr_array(np.eye(4)), COMMON).spread_[0]
    near = KERNELS["1"][0] * COMMON
    assert own == pytest.approx(near / near.sum())
    assert own[1] == pytest.approx(3 * own[3])  # as far, but three times as common
