import numpy as np
import pandas as pd
import pytest

from churnvalue.report.evidence import driver_rows, reasons, scoreboards


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


def test_reasons_come_from_the_training_report(small_scores):
    importance = [
        {"feature": "count", "text": "Purchases", "effect": -1.0},
        {"feature": "last", "text": "Days since", "effect": 3.0},
        {"feature": "unnamed", "effect": None},
    ]
    found = reasons({"models": {"churn": {"importance": importance}}}, small_scores)
    assert found == [("Days since", 0.75), ("Purchases", 0.25)]


def test_reasons_come_from_the_drivers_without_a_training_report():
    drivers = [
        np.array([{"feature": "days_since_last", "effect": 0.6}, {"feature": "count", "effect": -0.2}]),
        [{"feature": "days_since_last", "effect": 0.0}, {"feature": "count", "effect": 0.2}],
        None,
    ]
    scores = pd.DataFrame({"drivers": pd.Series(drivers, dtype=object)})
    assert reasons({}, scores) == [("days since last", pytest.approx(0.6)), ("count", pytest.approx(0.4))]
    assert reasons({}, scores.drop(columns="drivers")) == []


def test_drivers_are_read_from_any_sequence():
    assert driver_rows(np.array([{"text": "a"}])) == driver_rows([{"text": "a"}]) == [{"text": "a"}]
    assert driver_rows(None) == driver_rows(float("nan")) == []
