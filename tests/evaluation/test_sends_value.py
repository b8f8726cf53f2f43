import numpy as np
import pandas as pd
import pytest

from churnvalue.evaluation.sends_value import sends_value

SLOTS, EXPLORE = 10, 0.3


def drawn(seed, size=8000, explore=EXPLORE):
    """Sends of which those at the best hour are answered by 40 %, all others by 25 %."""
    generator = np.random.default_rng(seed)
    exploring = generator.random(size) < explore
    best = ~exploring | (generator.integers(0, SLOTS, size) == 0)
    answered = (generator.random(size) < np.where(best, 0.4, 0.25)).astype(float)
    sends = pd.DataFrame(
        {
            "customer_id": [f"c{k:05d}" for k in range(size)],
            "group": np.where(exploring, "explore", "exploit"),
            "propensity": explore / SLOTS + np.where(best, 1 - explore, 0.0),
            "eligible_slots": SLOTS,
        }
    )
    return sends, answered


def test_the_truth_is_found_and_mostly_lies_in_the_intervals():
    evenly = 0.4 / SLOTS + 0.25 * (1 - 1 / SLOTS)
    truths = {"best": 0.4, "random": evenly, "more": 0.4 - evenly}
    found = [sends_value(*drawn(seed, 1000)) for seed in range(60)]
    for name, truth in truths.items():
        estimates = [getattr(one, name) for one in found]
        assert np.mean([one.value for one in estimates]) == pytest.approx(truth, abs=0.015)
        assert np.mean([one.low < truth < one.high for one in estimates]) >= 0.87


def test_a_difference_beyond_chance_is_said():
    found = sends_value(*drawn(1))
    assert found.more.conclusive
    assert found.words.startswith("The chosen hours change the share answered by +")
    assert found.explored == pytest.approx(8000 * EXPLORE * (1 - 1 / SLOTS), rel=0.1)


def test_few_sends_say_how_many_would_do():
    found = sends_value(*drawn(2, 150))
    assert not found.more.conclusive
    assert found.needed > 150
    assert f"About {found.needed:,} sends would show a gain of a tenth." in found.words


def test_without_variation_nothing_is_claimed():
    sends, answered = drawn(3, 100, explore=0.0)
    found = sends_value(sends, answered)
    assert (found.more.value, found.needed, found.explored) == (None, None, 0)
    assert found.answered == pytest.approx(answered.mean())
    assert "cannot be told" in found.words
    assert sends_value(sends.iloc[:0], answered[:0]).answered is None
