import copy

import numpy as np
import pytest

from churnvalue.errors import DefinitionError, HistoryError
from churnvalue.simulate import habit_curves
from churnvalue.timing.habit import Evidence, SlotHabit
from churnvalue.timing.week import SLOTS, by_day, by_hour, captured


def simulated(customers=2000, mean_events=4.0, seed=3, mixing=0.3):
    """Customers who follow mixtures of the simulated habits; counts, the hour of one more event, truth, main habit."""
    random = np.random.default_rng(seed)
    weights = random.dirichlet(np.full(4, mixing), customers)
    truth = weights @ habit_curves()
    counts = np.stack(
        [random.multinomial(n, p) for n, p in zip(random.poisson(mean_events, customers), truth, strict=True)]
    )
    return counts.astype(float), np.array([random.choice(SLOTS, p=p) for p in truth]), truth, weights.argmax(axis=1)


def nats(probability, following):
    return -np.log(probability[np.arange(len(following)), following].astype(float))


@pytest.fixture(scope="module")
def fitted():
    counts, following, truth, _ = simulated()
    return SlotHabit().fit(counts), counts, following, truth


def test_foretells_better_than_common_and_own_histogram_and_nearly_as_the_truth(fitted):
    habit, counts, following, truth = fitted
    loss = nats(habit.predict(counts), following).mean()
    common = nats(np.tile(habit.common_, (len(counts), 1)), following).mean()
    histogram = (counts + 1.0) / (counts.sum(axis=1, keepdims=True) + SLOTS)
    assert loss < nats(histogram, following).mean()
    assert common - loss > 0.5 * (common - nats(truth, following).mean())


def test_finds_better_hours_than_the_best_common_ones_even_from_one_or_two_events(fitted):
    habit, counts, following, truth = fitted
    events = counts.sum(axis=1)
    said, common = habit.predict(counts), np.tile(habit.common_, (len(counts), 1))
    few = (events >= 1) & (events <= 2)
    assert captured(said[few], truth[few]).mean() > 1.2 * captured(common[few], truth[few]).mean()
    assert captured(said, truth).mean() > 1.3 * captured(common, truth).mean()
    assert nats(said[few], following[few]).mean() < nats(common[few], following[few]).mean()
    assert habit.few_.wins
    assert habit.more_.wins


def test_rows_sum_to_one_and_nobody_without_events_differs_from_the_common(fitted):
    habit, counts, _, _ = fitted
    probability = habit.predict(np.vstack([counts, np.zeros(SLOTS)]))
    assert probability.dtype == np.float32
    assert probability.sum(axis=1) == pytest.approx(np.ones(len(counts) + 1), abs=1e-5)
    assert probability[-1] == pytest.approx(habit.common_, abs=1e-7)
    assert (probability > 0).all()


def test_order_of_rows_does_not_matter():
    counts = simulated(customers=400)[0]
    segment = np.array(["x", "y"])[np.arange(400) % 2]
    order = np.random.default_rng(0).permutation(400)
    weights = counts * 0.5 ** (np.arange(SLOTS) / 50)  # fractional, so that sums could round differently
    one = SlotHabit().fit(weights, segment, weights * 0.5)
    other = SlotHabit().fit(weights[order], segment[order], weights[order] * 0.5)
    assert (one.common_ == other.common_).all()
    assert one.few_ == other.few_
    assert one.more_ == other.more_
    assert (one.predict(weights, segment)[order] == other.predict(weights[order], segment[order])).all()


def test_one_customer_does_not_change_what_is_said_of_another(fitted):
    habit, counts, _, _ = fitted
    assert habit.predict(counts[:5]) == pytest.approx(habit.predict(counts)[:5], abs=1e-7)


def test_without_habits_everyone_gets_nearly_the_common_distribution():
    random = np.random.default_rng(5)
    common = random.dirichlet(np.full(SLOTS, 2.0))
    counts = random.multinomial(4, common, size=2000).astype(float)
    habit = SlotHabit().fit(counts)
    following = random.choice(SLOTS, 2000, p=common)
    own, all_alike = habit.predict(counts), np.tile(habit.common_, (2000, 1))
    assert nats(own, following).mean() < nats(all_alike, following).mean() + 0.01


def test_own_events_are_used_only_where_they_win(fitted):
    habit, counts, _, _ = fitted
    events = counts.sum(axis=1)
    loses = copy.copy(habit)
    loses.few_ = Evidence(500, 4.1, 4.0, 0.5, 0.4, 0.02)
    probability = loses.predict(counts)
    assert probability[events <= 2] == pytest.approx(np.tile(habit.common_, ((events <= 2).sum(), 1)), abs=1e-7)
    assert (probability[events > 2] == habit.predict(counts)[events > 2]).all()


@pytest.mark.parametrize(
    ("evidence", "wins"),
    [
        (Evidence(100, 3.9, 4.0, 0.45, 0.44, 0.02), True),
        (Evidence(100, 3.9, 4.0, 0.43, 0.44, 0.02), True),  # within noise
        (Evidence(100, 3.9, 4.0, 0.41, 0.44, 0.02), False),
        (Evidence(100, 4.0, 4.0, 0.50, 0.44, 0.02), False),
        (Evidence(5, np.nan, np.nan, np.nan, np.nan, np.nan), False),
    ],
)
def test_what_it_takes_to_win(evidence, wins):
    assert evidence.wins is wins


def test_segment_moves_those_of_whom_nothing_is_known():
    random = np.random.default_rng(2)
    curves = habit_curves()
    segment = np.repeat(["early", "late"], 700)
    counts = np.stack([random.multinomial(3, curves[0 if s == "early" else 2]) for s in segment]).astype(float)
    habit = SlotHabit().fit(counts, segment)
    early, late, unseen = habit.predict(np.zeros((3, SLOTS)), ["early", "late", "other"])
    assert nats(early[None], curves[0].argmax(keepdims=True)) < nats(unseen[None], curves[0].argmax(keepdims=True))
    assert nats(late[None], curves[2].argmax(keepdims=True)) < nats(unseen[None], curves[2].argmax(keepdims=True))
    assert unseen == pytest.approx(habit.common_, abs=1e-7)
    assert habit.predict(np.zeros((1, SLOTS)))[0] == pytest.approx(habit.common_, abs=1e-7)


def test_what_came_later_judges_too():
    counts = simulated(customers=600, mean_events=8.0)[0]
    earlier = np.random.default_rng(1).binomial(counts.astype(int), 0.6).astype(float)
    assert SlotHabit().fit(counts, None, earlier).more_.customers > SlotHabit().fit(counts).more_.customers


def test_a_log_of_days_says_only_the_day():
    random = np.random.default_rng(6)
    saturdays = random.random(600) < 0.5
    counts = np.zeros((600, SLOTS))
    for row, weekend in enumerate(saturdays):
        np.add.at(counts[row], random.choice([5, 6] if weekend else [0, 1, 2], 5) * 24, 1)
    habit = SlotHabit().fit(counts)
    said = habit.predict(counts)
    assert habit.days_only_
    assert by_hour(habit.common_) == pytest.approx(np.full(24, 1 / 24))
    assert said.reshape(-1, 7, 24).std(axis=2).max() < 1e-7
    assert by_day(said)[saturdays, 5:].sum(axis=1).min() > 0.8
    assert not SlotHabit().fit(np.eye(SLOTS)).days_only_


@pytest.mark.parametrize("counts", [np.zeros((0, SLOTS)), np.zeros((3, SLOTS)), np.eye(SLOTS)[:3]])
def test_without_repeats_all_get_what_is_common(counts):
    habit = SlotHabit().fit(counts)
    assert habit.habit_ is None
    assert habit.predict(counts) == pytest.approx(np.tile(habit.common_, (len(counts), 1)), abs=1e-7)
    assert habit.common_.sum() == pytest.approx(1)
    assert not habit.more_.wins


def test_input_is_checked_and_left_alone(fitted):
    habit, counts, _, _ = fitted
    before = counts.copy()
    habit.predict(counts)
    assert (counts == before).all()
    with pytest.raises(DefinitionError, match=r"must have the shape \(customers, 168\), but \(2, 24\) came"):
        habit.predict(np.ones((2, 24)))
    with pytest.raises(HistoryError, match="at least 0"):
        SlotHabit().fit(np.full((1, SLOTS), np.nan))
    with pytest.raises(DefinitionError, match=r"one segment for each of the 3 customers, but the shape \(2,\) came"):
        SlotHabit().fit(counts[:3], ["a", "b"])
    with pytest.raises(DefinitionError, match="must be part of the counts"):
        SlotHabit().fit(counts, None, counts + 1)
