import numpy as np
import pytest
from scipy import sparse

from churnvalue.timing.latent_types import LatentTypes

COMMON = np.full(6, 1 / 6)
TRUTH = np.array([[0.45, 0.45, 0.04, 0.02, 0.02, 0.02], [0.02, 0.02, 0.02, 0.04, 0.45, 0.45]])


def drawn(customers=800, events=6, seed=4):
    random = np.random.default_rng(seed)
    kind = (random.random(customers) < 0.3).astype(int)
    return sparse.csr_array(np.stack([random.multinomial(events, TRUTH[k]) for k in kind]).astype(float)), kind


def test_finds_two_kinds_of_customer():
    counts, kind = drawn()
    types = LatentTypes(types=2, strength=5.0).fit(counts, COMMON)
    order = np.argsort(types.profile_[:, 5])
    assert types.profile_[order] == pytest.approx(TRUTH, abs=0.03)
    assert types.share_[order] == pytest.approx([0.7, 0.3], abs=0.05)
    assert types.predict(counts)[kind == 1].mean(axis=0) == pytest.approx(TRUTH[1], abs=0.04)


def test_one_type_is_all_events_and_the_common_ones():
    counts, _ = drawn()
    total = np.asarray(counts.sum(axis=0)) + 50 * COMMON
    types = LatentTypes(types=1, strength=50.0).fit(counts, COMMON)
    assert types.predict(counts)[0] == pytest.approx(total / total.sum())


def test_posterior_by_hand():
    types = LatentTypes(types=2)
    types.share_ = np.array([0.7, 0.3])
    types.profile_ = TRUTH
    one = sparse.csr_array(np.array([[0.0, 0, 1, 0, 0, 0], [0, 0, 0, 0, 0, 0]]))
    first = 0.7 * 0.04 / (0.7 * 0.04 + 0.3 * 0.02)
    expected = [first * TRUTH[0] + (1 - first) * TRUTH[1], 0.7 * TRUTH[0] + 0.3 * TRUTH[1]]
    assert types.predict(one) == pytest.approx(np.array(expected))


def test_rows_sum_to_one_and_nothing_is_impossible():
    counts, _ = drawn(customers=50)
    said = LatentTypes(types=4).fit(counts, COMMON).predict(counts)
    assert said.sum(axis=1) == pytest.approx(np.ones(50))
    assert (said > 0).all()
