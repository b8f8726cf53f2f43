import numpy as np
import pytest

from churnvalue.evaluation.gate import METRICS, Contest, against_baselines, against_champion
from churnvalue.models.definition import Gate

GATE = Gate(metric="auc", higher=True, baselines=("recency", "bg_nbd"))


def methods(ours, recency, bg_nbd=0.5):
    return {"ours": {"auc": ours}, "recency": {"auc": recency}, "bg_nbd": {"auc": bg_nbd}, "zero": {"auc": 9.0}}


def contest(candidate_noise, champion_noise, customers=800):
    rng = np.random.default_rng(5)
    left = (rng.random(customers) < 0.4).astype(float)
    said = [left + noise * rng.standard_normal(customers) for noise in (candidate_noise, champion_noise)]
    return Contest(left, *said)


def test_a_candidate_must_beat_each_of_its_baselines():
    assert against_baselines("churn", GATE, methods(0.8, 0.7), "ours") == []
    assert against_baselines("churn", GATE, methods(0.8, 0.81, 0.9), "ours") == [
        "churn: auc 0.8000 does not beat recency with 0.8100",
        "churn: auc 0.8000 does not beat bg_nbd with 0.9000",
    ]
    assert len(against_baselines("churn", GATE, methods(0.8, 0.8), "ours")) == 1  # a draw is no win


def test_a_baseline_without_a_number_beats_nobody():
    assert against_baselines("churn", GATE, methods(0.8, np.nan), "ours") == []
    assert against_baselines("churn", GATE, {"ours": {"auc": 0.8}}, "ours") == []


def test_a_candidate_without_a_number_beats_nobody_either():
    assert len(against_baselines("churn", GATE, methods(np.nan, 0.5), "ours")) == 2


def test_less_is_better_where_the_gate_says_so():
    gate = GATE.model_copy(update={"higher": False})
    assert against_baselines("churn", gate, methods(0.1, 0.2), "ours") == []
    assert len(against_baselines("churn", gate, methods(0.3, 0.2), "ours")) == 1


def test_much_worse_than_the_champion_is_refused_with_numbers():
    (reason,) = against_champion("churn", GATE, contest(2.0, 0.3), seed=1)
    assert reason.startswith("churn: auc differs from the champion's by -0.")
    assert against_champion("churn", GATE, contest(0.3, 2.0), seed=1) == []


def test_worse_within_noise_is_let_through():
    actual = contest(1.0, 1.0, customers=120)
    swapped = Contest(actual.actual, actual.champion, actual.candidate)
    differences = [
        METRICS["auc"](c.actual, c.candidate) - METRICS["auc"](c.actual, c.champion) for c in (actual, swapped)
    ]
    assert min(differences) < 0
    assert [against_champion("churn", GATE, c, seed=1) for c in (actual, swapped)] == [[], []]


def test_without_a_champion_s_word_there_is_nothing_to_compare():
    assert against_champion("churn", GATE, Contest(np.zeros(3), np.zeros(3), None), seed=1) == []


@pytest.mark.parametrize("metric", METRICS)
def test_every_metric_of_a_gate_is_better_when_higher(metric):
    actual = np.array([0.0, 1.0, 0.0, 1.0, 1.0])
    assert METRICS[metric](actual, actual) > METRICS[metric](actual, 1 - actual)
