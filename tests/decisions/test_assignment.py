import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from churnvalue.decisions.assignment import assign, draw, explore_within, hashes, propensity, uniform

IDS = [str(number) for number in range(20_000)]


def test_a_known_hash_stays_what_it_is():
    # Would a rerun next year hold out the same customers? Only while this number stays.
    assert hashes(["00123"], "salt", "holdout").tolist() == [13424162644009063501]


def test_uniform_is_even_and_unrelated_between_salts_and_purposes():
    one, other, third = (
        uniform(IDS, "a", "holdout"),
        uniform(IDS, "b", "holdout"),
        uniform(IDS, "a", "explore"),
    )
    counts, _ = np.histogram(one, bins=20, range=(0, 1))
    assert ((counts - 1000) ** 2 / 1000).sum() < 43.8  # chi-squared, 19 degrees of freedom, .001
    for unrelated in (other, third):
        assert abs(np.corrcoef(one, unrelated)[0, 1]) < 0.03


def test_purpose_and_salt_do_not_run_into_each_other():
    assert hashes(["x"], "b c", "a").tolist() != hashes(["x"], "c", "a b").tolist()


def test_shares():
    groups = assign(IDS, "salt", 0.05, 0.1)
    assert (groups == "holdout").mean() == pytest.approx(0.05, abs=0.005)
    assert (groups == "explore").mean() == pytest.approx(0.095, abs=0.007)  # a tenth of the others
    assert set(assign(IDS[:50], "salt", 0.0, 0.0)) == {"exploit"}


def test_holdout_stays_over_occasions_and_grows_with_its_share():
    first, second = assign(IDS, "salt", 0.05, 0.5, "2011-09-01"), assign(IDS, "salt", 0.1, 0.5, "2011-10-01")
    assert set(second[first == "holdout"]) == {"holdout"}
    kept = first == "exploit"
    assert (second[kept] == "explore").mean() == pytest.approx(0.45, abs=0.02)  # drawn anew


@given(st.lists(st.text(max_size=8), unique=True, max_size=20), st.randoms(use_true_random=False))
@settings(max_examples=30, deadline=None)
def test_a_customer_does_not_depend_on_the_others(ids, random):
    alone = {one: str(assign([one], "s", 0.3, 0.3)[0]) for one in ids}
    random.shuffle(ids)
    assert dict(zip(ids, assign(ids, "s", 0.3, 0.3).tolist(), strict=True)) == alone


def test_draw_is_even_among_options():
    options = np.tile([True, False, True], (len(IDS), 1))
    options[0] = False
    drawn = draw(options, IDS, "salt")
    assert drawn[0] == -1
    assert (drawn == 0).mean() == pytest.approx(0.5, abs=0.015)
    assert not (drawn == 1).any()


def test_explore_within_limits():
    drawn = np.array([0, 0, 0, 1, 1, -1])
    order = np.array([0.3, 0.1, 0.2, 0.05, 0.9, 0.0])
    done, rates = explore_within(drawn, order, 0.5, np.array([2.0, 5.0]))
    assert done.tolist() == [-1, 0, 0, 1, -1, -1]  # the two lowest of action 0; 0.9 does not explore
    assert rates.tolist() == [0.3, 0.5]  # where the limit of action 0 binds; as configured


def test_no_exploration_with_a_propensity_below_the_floor():
    done, rates = explore_within(np.zeros(3, int), np.array([0.001, 0.0015, 0.4]), 0.5, np.array([1.0, 9.0]))
    assert done.tolist() == [-1, -1, -1]  # .0015 / 2 actions < .001
    assert rates.tolist() == [0.0, 0.5]


def test_propensity_by_hand():
    explored = np.array([[0.05, 0.05], [0.1, 0.0]])
    chances = propensity(explored, np.array([1, -1]), 0.2)
    assert chances == pytest.approx(
        np.array(
            [
                [0.8 * 0.05, 0.8 * (0.05 + 0.9), 0.2],
                [0.8 * 0.1, 0.0, 0.2 + 0.8 * 0.9],
            ]
        )
    )
    assert chances.sum(axis=1) == pytest.approx([1.0, 1.0])
