import numpy as np
import pandas as pd
import pytest
from benchmarks.retention_hillstrom import ARMS, Test, by_effect_then_value, drawn, rules, within_folds


def test_equal_effects_are_ranked_by_value():
    score = by_effect_then_value(np.array([0.1, 0.1, 0.2, 0.1]), np.array([5.0, 7.0, 0.0, 5.0]))
    assert score.tolist() == [1.0, 2.0, 3.0, 1.0]


def test_ranks_are_of_the_fold_alone():
    best = within_folds(np.array([1.0, 2.0, 30.0, 20.0]), np.array([0, 0, 1, 1]))
    assert best == pytest.approx([0.25, 0.75, 0.75, 0.25])


def test_drawn_visits_follow_the_known_probabilities():
    n = 4000
    X = pd.DataFrame({"recency": np.ones(n), "history": np.ones(n), "womens": np.arange(n) % 2.0})
    test = Test(X, np.arange(n) % 2 * 2, np.zeros(n), np.zeros(n))
    made = drawn(test, np.full(n, 0.1), np.full(n, 0.4), 3000, seed=0)
    assert made.effect == pytest.approx(np.full(3000, 0.3))
    assert set(made.test.arm) == {0, ARMS.index("womens")}
    assert made.test.visit[made.test.arm == 2].mean() == pytest.approx(0.4, abs=0.04)
    assert rules(test, "womens")["rule"][:2].tolist() == [-1.0, 99.0]
