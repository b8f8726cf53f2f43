import numpy as np
import pytest
from scipy import sparse

from churnvalue.errors import DefinitionError
from churnvalue.timing.held_out import HeldOut, checked_earlier, held_out
from churnvalue.timing.week import SLOTS, TO_DAYS


def table(*rows):
    counts = np.zeros((len(rows), SLOTS))
    for row, slots in enumerate(rows):
        np.add.at(counts[row], list(slots), 1)
    return counts


def test_one_event_of_each_is_left_out():
    counts = table([3, 3, 40], [7], [1, 2], [])
    folds = held_out(counts, None, np.arange(4), seed=0)
    assert len(folds) == 5  # few customers: several draws
    for fold in folds:
        assert fold.segment.tolist() == [0, 2]  # the others have no second event
        assert (fold.known + fold.later).toarray() == pytest.approx(counts[[0, 2]])
        assert fold.later.sum(axis=1).tolist() == [1, 1]
    assert len({tuple(fold.later.nonzero()[1]) for fold in folds}) > 1


def test_what_came_later_is_the_last_fold():
    counts = np.repeat(table([3, 5, 5, 6], [7], [8, 9]), 150, axis=0)
    earlier = np.repeat(table([3], [7], [8]), 150, axis=0)
    fold = held_out(counts, earlier, np.arange(450), seed=0)[-1]
    assert fold.known.toarray() == pytest.approx(earlier[np.r_[0:150, 300:450]])
    assert fold.later[[0], :].toarray()[0, [5, 6]] == pytest.approx([2 / 3, 1 / 3])
    assert len(held_out(counts[:9], earlier[:9], np.arange(9), seed=0)) == 5  # too few came again


def test_loss_by_hand_and_on_days():
    held = HeldOut(sparse.csr_array(table([1])), sparse.csr_array(table([0, 30]) / 2), np.zeros(1, dtype=np.int64))
    probability = np.full((1, SLOTS), 0.001)
    probability[0, [0, 30]] = [0.5, 0.1]
    assert held.loss(probability) == pytest.approx([-(np.log(0.5) + np.log(0.1)) / 2])
    assert held.on(TO_DAYS).later.toarray()[0].tolist() == [0.5, 0.5, 0, 0, 0, 0, 0]


def test_earlier_must_be_part_of_the_counts():
    counts = table([1], [2])
    assert checked_earlier(counts * 0, counts).shape == counts.shape
    with pytest.raises(DefinitionError, match="must be part of the counts of the same 2 customers"):
        checked_earlier(table([1]), counts)
    with pytest.raises(DefinitionError, match="some counts are larger"):
        checked_earlier(table([1, 1], [2]), counts)
