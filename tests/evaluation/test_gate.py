import numpy as np
import pytest

from churnvalue.evaluation.gate import METRICS, Contest, Verdict, against_baseline, against_champion
from churnvalue.evaluation.metrics import paired_bootstrap
from churnvalue.models.definition import Gate

GATE = Gate(metric="auc", higher=True, baselines=("recency",))
WORSE_IS_BETTER = GATE.model_copy(update={"higher": False})
EITHER = (against_champion, lambda *given, seed: against_baseline(*given[:2], "recency", *given[2:], seed=seed))


def contest(candidate_noise, rival_noise, customers=800, seed=5):
    rng = np.random.default_rng(seed)
    left = (rng.random(customers) < 0.4).astype(float)
    said = [left + noise * rng.standard_normal(customers) for noise in (candidate_noise, rival_noise)]
    return Contest(left, *said)


def swapped(given):
    return Contest(given.actual, given.rival, given.candidate)


def ahead_in_errors(given):
    """By how many standard errors the candidate is ahead."""
    ahead, low, high = paired_bootstrap(METRICS["auc"], given.actual, given.candidate, given.rival, seed=1)
    return ahead / ((high - low) / 3.92)


def close(least, most):
    """A contest on 200 customers in which the candidate is ahead by so many standard errors."""
    found = (contest(1.0, 1.0, 200, seed) for seed in range(200))
    return next(one for one in found if least < ahead_in_errors(one) < most)


def test_ahead_beyond_noise_is_a_win_without_a_word():
    assert against_baseline("churn", GATE, "recency", contest(0.3, 2.0), seed=1) == Verdict()
    assert against_champion("churn", GATE, contest(0.3, 2.0), seed=1) == Verdict()


def test_behind_beyond_noise_is_refused_with_numbers():
    (reason,) = against_baseline("churn", GATE, "recency", contest(2.0, 0.3), seed=1).reasons
    assert reason.startswith("churn: auc 0.6")
    assert "does not beat recency with 0.9" in reason
    (reason,) = against_champion("churn", GATE, contest(2.0, 0.3), seed=1).reasons
    assert reason.startswith("churn: auc differs from the champion's by -0.")


@pytest.mark.parametrize(("least", "most"), [(-0.9, -0.3), (0.3, 1.5)])
def test_where_customers_are_too_few_to_tell_a_candidate_passes_and_it_is_said(least, most):
    found = against_baseline("churn", GATE, "recency", close(least, most), seed=1)
    assert found.reasons == ()
    assert "cannot be told apart on 200 customers" in found.remarks[0]


def test_a_standard_error_behind_a_baseline_is_too_much_but_not_behind_the_champion():
    behind = close(-1.8, -1.1)
    assert len(against_baseline("churn", GATE, "recency", behind, seed=1).reasons) == 1
    found = against_champion("churn", GATE, behind, seed=1)
    assert found.reasons == ()
    assert "is not worse than the champion's" in found.remarks[0]


def test_ahead_of_the_champion_within_noise_needs_no_word():
    assert against_champion("churn", GATE, close(0.3, 1.5), seed=1) == Verdict()


def test_equal_candidates_pass_five_times_in_six():
    # One standard normal in six is below -1.
    contests = (contest(1.0, 1.0, 150, seed) for seed in range(200))
    passed = [not against_baseline("churn", GATE, "recency", one, seed=1).reasons for one in contests]
    assert np.mean(passed) == pytest.approx(0.84, abs=0.07)


def test_the_same_prediction_is_no_win():
    same = contest(1.0, 1.0)
    copied = Contest(same.actual, same.rival, same.rival)
    assert len(against_baseline("churn", GATE, "recency", copied, seed=1).reasons) == 1
    assert against_champion("churn", GATE, copied, seed=1) == Verdict()  # what serves may be replaced by its like


def test_a_metric_that_is_undefined_for_the_baseline_is_beaten_by_all():
    given = contest(1.0, 1.0)
    nobody_left = Contest(np.zeros(800), given.candidate, given.rival)
    assert against_baseline("churn", GATE, "recency", nobody_left, seed=1) == Verdict()
    ranks = GATE.model_copy(update={"metric": "spearman"})
    flat = np.zeros(800)
    assert against_baseline("churn", ranks, "zero", Contest(given.actual, given.candidate, flat), seed=1) == Verdict()
    assert len(against_baseline("churn", ranks, "zero", Contest(given.actual, flat, given.rival), seed=1).reasons) == 1


@pytest.mark.parametrize("against", EITHER)
def test_less_is_better_where_the_gate_says_so(against):
    given = contest(0.3, 2.0)
    assert len(against("churn", WORSE_IS_BETTER, given, seed=1).reasons) == 1
    assert against("churn", WORSE_IS_BETTER, swapped(given), seed=1) == Verdict()


@pytest.mark.parametrize("against", EITHER)
def test_the_order_of_customers_does_not_matter(against):
    given = contest(1.0, 1.1, 300)
    order = np.random.default_rng(2).permutation(300)
    shuffled = Contest(given.actual[order], given.candidate[order], given.rival[order])
    assert against("churn", GATE, shuffled, seed=1) == against("churn", GATE, given, seed=1)


@pytest.mark.parametrize("metric", METRICS)
def test_every_metric_of_a_gate_is_better_when_higher(metric):
    actual = np.array([0.0, 1.0, 0.0, 1.0, 1.0])
    assert METRICS[metric](actual, actual) > METRICS[metric](actual, 1 - actual)
