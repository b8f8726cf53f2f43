import numpy as np
import pytest

from churnvalue.errors import DefinitionError, HistoryError
from churnvalue.timing.habit import SLOTS, SlotHabit, week_kernel


def simulated(customers=3000, mean_events=4.0, seed=3):
    """Customers with a favourite hour on a common day curve; counts, and the hour of one more event."""
    random = np.random.default_rng(seed)
    hours = np.arange(SLOTS) % 24
    common = np.where((hours >= 8) & (hours < 20), 1.0, 0.02)
    favourite = random.choice([9, 12, 18], customers)
    own = common * np.exp(-0.5 * ((hours - favourite[:, None]) / 1.5) ** 2)
    own = 0.8 * own / own.sum(axis=1, keepdims=True) + 0.2 * common / common.sum()
    own /= own.sum(axis=1, keepdims=True)
    counts = np.stack(
        [random.multinomial(n, p) for n, p in zip(random.poisson(mean_events, customers), own, strict=True)]
    )
    return counts.astype(float), np.array([random.choice(SLOTS, p=p) for p in own]), favourite


@pytest.fixture(scope="module")
def fitted():
    counts, following, favourite = simulated()
    return SlotHabit().fit(counts), counts, following, favourite


def test_kernel_goes_round_the_week():
    kernel = week_kernel(1.0, 0.5)
    assert kernel.sum(axis=1) == pytest.approx(np.ones(SLOTS))
    assert kernel[0, 167] == pytest.approx(kernel[0, 1])  # Sunday 23:00 and Monday 01:00 are as near
    assert kernel[0, 24] == pytest.approx(0.5 * kernel[0, 0])  # the same hour of the next day
    assert week_kernel(0.0, 0.0) == pytest.approx(np.eye(SLOTS))


def test_beats_uniform_common_and_own_histogram(fitted):
    habit, counts, following, _ = fitted
    rows = np.arange(len(following))
    events = counts.sum(axis=1, keepdims=True)
    histogram = (counts + 1.0) / (events + SLOTS)
    loss = habit.score(counts, following)
    assert loss < -np.log(habit.common_[following]).mean() - 0.1
    assert loss < -np.log(histogram[rows, following]).mean()
    assert loss < np.log(SLOTS)
    few = (counts.sum(axis=1) >= 1) & (counts.sum(axis=1) <= 2)
    assert habit.score(counts[few], following[few]) < -np.log(habit.common_[following[few]]).mean()


def test_recovers_the_favourite_hour(fitted):
    habit, counts, _, favourite = fitted
    busy = counts.sum(axis=1) >= 5
    by_hour = habit.predict(counts[busy]).reshape(-1, 7, 24).sum(axis=1)
    assert (np.abs(by_hour.argmax(axis=1) - favourite[busy]) <= 2).mean() > 0.9


def test_rows_sum_to_one_and_nobody_without_events_differs_from_the_common(fitted):
    habit, counts, _, _ = fitted
    probability = habit.predict(np.vstack([counts, np.zeros(SLOTS)]))
    assert probability.dtype == np.float32
    assert probability.sum(axis=1) == pytest.approx(np.ones(len(counts) + 1), abs=1e-5)
    assert probability[-1] == pytest.approx(habit.common_, abs=1e-7)
    assert (probability > 0).all()


def test_order_of_rows_does_not_matter(fitted):
    counts = fitted[1]
    order = np.random.default_rng(0).permutation(len(counts))
    weights = counts * 0.5 ** (np.arange(SLOTS) / 50)  # fractional, so that sums could round differently
    one, other = SlotHabit().fit(weights), SlotHabit().fit(weights[order])
    assert (one.common_ == other.common_).all()
    assert one.loss_ == other.loss_
    assert (one.predict(weights)[order] == other.predict(weights[order])).all()


def test_without_habits_everyone_gets_nearly_the_common_distribution():
    random = np.random.default_rng(5)
    common = random.dirichlet(np.full(SLOTS, 2.0))
    counts = random.multinomial(4, common, size=2000).astype(float)
    habit = SlotHabit().fit(counts)
    following = random.choice(SLOTS, 2000, p=common)
    assert habit.concentration_ >= 50
    assert habit.score(counts, following) < -np.log(habit.common_[following]).mean() + 0.01


@pytest.mark.parametrize("counts", [np.zeros((0, SLOTS)), np.zeros((3, SLOTS))])
def test_without_events_all_hours_are_alike(counts):
    habit = SlotHabit().fit(counts)
    assert habit.common_ == pytest.approx(np.full(SLOTS, 1 / SLOTS))
    assert habit.predict(counts).shape == counts.shape
    assert np.isnan(habit.loss_)


def test_leave_one_out_by_hand():
    # Two customers of two events each; a setting that keeps hours apart and lends nothing.
    counts = np.zeros((2, SLOTS))
    counts[0, 10] = 2
    counts[1, [10, 34]] = 1
    habit = SlotHabit(concentrations=(1.0,)).fit(counts)
    common = habit.common_
    spread = week_kernel(habit.bandwidth_hours_, habit.day_leak_) * common
    spread /= spread.sum(axis=1, keepdims=True)
    first = -np.log(0.5 * spread[10, 10] + 0.5 * common[10])  # 1 event left, concentration 1
    second = -0.5 * (np.log(0.5 * spread[34, 10] + 0.5 * common[10]) + np.log(0.5 * spread[10, 34] + 0.5 * common[34]))
    assert habit.loss_ == pytest.approx((first + second) / 2)


def test_input_is_checked_and_left_alone(fitted):
    habit, counts, _, _ = fitted
    before = counts.copy()
    habit.predict(counts)
    assert (counts == before).all()
    with pytest.raises(DefinitionError, match=r"must have the shape \(customers, 168\), but \(2, 24\) came"):
        habit.predict(np.ones((2, 24)))
    with pytest.raises(HistoryError, match="at least 0"):
        SlotHabit().fit(np.full((1, SLOTS), -1.0))
    with pytest.raises(HistoryError, match="at least 0"):
        SlotHabit().fit(np.full((1, SLOTS), np.nan))
