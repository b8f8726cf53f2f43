from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from churnvalue.config import parse_config
from churnvalue.evaluation.baselines import Prediction
from churnvalue.evaluation.measurement import OURS, Evaluation
from churnvalue.jobs.promotion import objections
from churnvalue.models.definition import Gate

CONFIG = parse_config({"events": [{"source": "x"}]}, ".")
CUTOFF = pd.Timestamp("2024-06-01", tz="UTC")


def loaded(name, target, metric, *baselines):
    gate = Gate(metric=metric, higher=True, baselines=baselines)
    return {name: SimpleNamespace(definition=SimpleNamespace(gate=gate, target=target))}


def learned(customers, noise):
    """A verdict on a base in which every method sees the truth through its own noise."""
    rng = np.random.default_rng(3)
    left = (rng.random(customers) < 0.4).astype(float)
    spend = np.where(left > 0, 0.0, rng.gamma(2.0, 20.0, customers))
    made = {}
    for method, spread in noise.items():
        risk = left + spread * rng.standard_normal(customers)
        made[method] = Prediction(risk=risk, spend=None if method == "recency" else spend * rng.gamma(3, 1, customers))
    targets = pd.DataFrame({"churned": left, "spend": spend})
    return SimpleNamespace(evaluation=Evaluation(CUTOFF, targets, made))


def judged(found, definitions):
    return objections({}, found, definitions, None, CONFIG)


CHURN = loaded("churn", "churned", "auc", "recency", "bg_nbd")


def test_a_set_that_beats_all_of_its_baselines_may_be_promoted_without_a_word():
    assert judged(learned(2000, {OURS: 0.3, "recency": 2.0, "bg_nbd": 1.0}), CHURN) == ([], [])


def test_every_baseline_that_is_ahead_is_a_reason():
    reasons, remarks = judged(learned(2000, {OURS: 2.0, "recency": 0.3, "bg_nbd": 0.5}), CHURN)
    assert [reason.split(" with ")[0][-7:].strip() for reason in reasons] == ["recency", "bg_nbd"]
    assert remarks == []


def test_what_few_customers_cannot_tell_is_a_remark():
    reasons, remarks = judged(learned(60, {OURS: 0.6, "recency": 2.5, "bg_nbd": 0.6}), CHURN)
    assert reasons == []
    assert len(remarks) == 1
    assert "cannot be told apart on 60 customers" in remarks[0]


@pytest.mark.parametrize("baseline", ["recency", "pareto_nbd"])
def test_a_baseline_that_says_nothing_of_spend_is_not_compared(baseline):
    spend = loaded("spend", "spend", "normalised_gini", baseline)
    found = learned(500, {OURS: 1.0, "recency": 1.0, "pareto_nbd": 1.0})
    reasons, remarks = judged(found, spend)
    assert bool(reasons + remarks) == (baseline == "pareto_nbd")


def test_without_a_later_window_nothing_is_judged():
    reasons, remarks = judged(SimpleNamespace(evaluation=None), CHURN)
    assert reasons == ["no later window to judge on: the history holds only one closed window apart"]
    assert remarks == []


def test_a_window_in_which_all_are_alike_gives_no_verdict_and_says_so():
    found = learned(300, {OURS: 0.3, "bg_nbd": 1.0})
    found.evaluation.targets["spend"] = 0.0
    reasons, remarks = judged(found, loaded("spend", "spend", "normalised_gini", "bg_nbd"))
    assert (reasons, remarks) == (
        [],
        ["spend: not judged, for in the newest window all 300 customers have 0 as 'spend'"],
    )
