import numpy as np
import pandas as pd
import pytest

from churnvalue.report.evidence import reasons, scoreboards
from churnvalue.report.told import driver_rows, told_by


def test_the_best_of_each_column_is_marked_by_what_better_means():
    metrics = {"auc": 0.8, "log_loss": 0.5, "bias": 0.9, "base_rate": 0.3}
    baselines = {"recency": {"auc": 0.7, "log_loss": 0.4, "bias": 1.05}, "zero": {"auc": 0.5, "bias": 0.0}}
    (board,) = scoreboards({"models": {"churn": {"version": 3, "metrics": metrics, "baselines": baselines}}})
    assert (board.name, board.version, board.metrics) == ("churn", "3", ["auc", "log_loss", "bias"])
    best = {method: [cell.best for cell in cells] for method, cells in board.methods}
    assert best == {
        "model": [True, False, False],
        "recency": [False, True, True],
        "zero": [False, False, False],
    }
    assert board.methods[2][1][1].value is None


@pytest.mark.parametrize(
    "training",
    [
        {},
        {"models": None},
        {"models": []},
        {"models": {"churn": None}},
        {"models": {"churn": {"metrics": "good"}}},
        {"models": {"churn": {"metrics": {"auc": None, "note": "text"}}}},
    ],
)
def test_odd_training_reports_have_no_scoreboard(training):
    assert scoreboards(training) == []


def test_one_method_alone_is_not_the_best():
    (board,) = scoreboards({"models": {"churn": {"metrics": {"auc": 0.8}}}})
    assert not board.methods[0][1][0].best


def test_reasons_come_from_the_training_report():
    importance = [
        {"feature": "count", "text": "Purchases", "effect": -1.0},
        {"feature": "last", "text": "Days since", "effect": 3.0},
        {"feature": "unnamed", "effect": None},
    ]
    found = reasons({"models": {"churn": {"importance": importance}}}, {"other": 9.0})
    assert found == [("Days since", 0.75), ("Purchases", 0.25)]


def test_reasons_come_from_the_drivers_without_a_training_report():
    assert reasons({}, {"days_since_last": 0.6, "count": 0.4}) == [("days since last", 0.6), ("count", 0.4)]
    assert reasons({}, {}) == []


def test_drivers_are_told_of_those_asked_for():
    drivers = [np.array([{"text": "a"}]), None]
    scores = pd.DataFrame({"customer_id": ["x", "y"], "drivers": pd.Series(drivers, dtype=object)})
    assert told_by(scores, ["x"]) == {"x": [{"text": "a"}]}
    assert told_by(scores, ["y"]) == {"y": []}
    assert told_by(scores.drop(columns="drivers"), ["x"]) == {}


def test_drivers_are_read_from_any_sequence():
    assert driver_rows(np.array([{"text": "a"}])) == driver_rows([{"text": "a"}]) == [{"text": "a"}]
    assert driver_rows(None) == driver_rows(float("nan")) == []
