import numpy as np
import pandas as pd
import pytest

from churnvalue.evaluation.baselines import Prediction
from churnvalue.evaluation.measurement import OURS, Evaluation, flat, grade, table
from churnvalue.evaluation.metrics import auc, brier, normalised_gini

CUTOFF = pd.Timestamp("2024-03-01", tz="UTC")
LEFT = np.array([0.0, 1.0, 0.0, 1.0, 1.0, 0.0, 0.0, 1.0])
P_CHURN = np.array([0.1, 0.9, 0.3, 0.7, 0.4, 0.2, 0.6, 0.8])
SPEND = np.array([50.0, 0.0, 20.0, 0.0, 0.0, 30.0, 5.0, 0.0])
FORETOLD = np.array([40.0, 1.0, 25.0, 5.0, 10.0, 20.0, 8.0, 2.0])
RECENCY = np.array([3.0, 90.0, 50.0, 20.0, 60.0, 10.0, 30.0, 80.0])


def evaluation(**changes):
    given = {
        "cutoff": CUTOFF,
        "targets": pd.DataFrame({"churned": LEFT, "orders": 1 - LEFT, "spend": SPEND}),
        "predictions": {
            OURS: Prediction(P_CHURN, P_CHURN, 1 - P_CHURN, FORETOLD),
            "zero": Prediction(orders=np.zeros(8), spend=np.zeros(8)),
            "recency": Prediction(risk=RECENCY),
        },
    }
    return Evaluation(**{**given, **changes})


def metrics(ours, rivals, error=0.01, spend=None):
    found = {"churn": {OURS: {"auc": ours, "calibration_error": error}}}
    found["churn"] |= {name: {"auc": value} for name, value in rivals.items()}
    if spend:
        found["spend"] = {name: {"normalised_gini": value} for name, value in spend.items()}
    return found


def test_each_method_is_measured_by_what_it_says():
    found = evaluation().metrics()
    assert set(found) == {"churn", "orders", "spend"}
    assert set(found["churn"]) == {OURS, "recency"}
    assert found["churn"][OURS]["auc"] == auc(LEFT, P_CHURN)
    assert found["churn"][OURS]["brier"] == brier(LEFT, P_CHURN)
    assert found["churn"]["recency"]["auc"] == auc(LEFT, RECENCY)
    assert "log_loss" not in found["churn"]["recency"]  # no probability, no log loss
    assert found["spend"][OURS]["normalised_gini"] == normalised_gini(SPEND, FORETOLD)
    assert found["orders"]["zero"]["bias"] == 0


def test_a_log_without_amounts_has_no_spend():
    without = evaluation(targets=evaluation().targets.drop(columns="spend"))
    assert set(without.metrics()) == {"churn", "orders"}
    assert without.deciles() == []


def test_calibration_by_hand():
    low, high = evaluation().calibration(bins=2)
    assert low == {"predicted": pytest.approx((0.1 + 0.2 + 0.3 + 0.4) / 4), "actual": 0.25, "customers": 4}
    assert high == {"predicted": pytest.approx((0.6 + 0.7 + 0.8 + 0.9) / 4), "actual": 0.75, "customers": 4}
    assert sum(group["customers"] for group in evaluation().calibration(bins=50)) == 8


def test_deciles_hold_everyone_lowest_first():
    groups = evaluation().deciles()
    assert [group["predicted"] for group in groups] == sorted(FORETOLD)
    assert [group["actual"] for group in groups] == [0, 0, 0, 5, 0, 30, 20, 50]


def test_lift_by_hand():
    curve = evaluation().lift(steps=4)
    assert [point["share"] for point in curve] == [0, 0.25, 0.5, 0.75, 1]
    assert [point["model"] for point in curve] == [0, 0.5, 0.75, 1, 1]  # .9 .8 | .7 .6(stays) | .4 .3 | …
    assert [point["recency"] for point in curve] == [0, 0.5, 0.75, 1, 1]  # 90 80 | 60 50(stays) | 30(stays) 20 …


def test_order_of_customers_does_not_matter():
    order = np.random.default_rng(3).permutation(8)
    tied = np.round(P_CHURN)
    predictions = {OURS: Prediction(tied, tied, 1 - tied, FORETOLD), "recency": Prediction(risk=np.round(RECENCY, -2))}

    def shuffled(rows):
        chosen = {
            name: Prediction(*(None if part is None else part[rows] for part in vars(made).values()))
            for name, made in predictions.items()
        }
        return evaluation(targets=evaluation().targets.iloc[rows], predictions=chosen)

    one, other = shuffled(np.arange(8)), shuffled(order)
    assert one.metrics() == other.metrics()
    assert (one.calibration(), one.deciles(), one.lift()) == (other.calibration(), other.deciles(), other.lift())


@pytest.mark.parametrize(
    ("found", "letter"),
    [
        (metrics(0.8, {"recency": 0.7, "pareto_nbd": 0.75}), "A"),
        (metrics(0.8, {"recency": 0.7, "pareto_nbd": 0.75}, error=0.02), "A"),
        (metrics(0.8, {"recency": 0.7, "pareto_nbd": 0.75}, error=0.03), "B"),
        (metrics(0.8, {"recency": 0.7, "pareto_nbd": 0.75}, error=0.05), "C"),
        (metrics(0.8, {"recency": 0.7, "pareto_nbd": 0.85}), "D"),
        (metrics(0.8, {"recency": 0.7, "pareto_nbd": 0.803}), "A"),  # less than half a per cent apart is a tie
        (metrics(0.8, {"recency": 0.7, "pareto_nbd": 0.806}), "D"),
        (metrics(0.8, {"recency": 0.9, "pareto_nbd": 0.7}), "F"),
        (metrics(0.8, {"last_window": 0.81}), "F"),
        (metrics(0.8, {"recency": 0.7}, spend={OURS: 0.5, "bg_nbd": 0.6, "last_window": 0.4}), "D"),
        (metrics(0.8, {"recency": 0.7}, spend={OURS: 0.5, "bg_nbd": 0.4, "zero": np.nan}), "A"),
    ],
)
def test_grades(found, letter):
    assert grade(found).letter == letter


def test_a_rival_near_nothing_is_not_divided_by():
    found = metrics(0.8, {"recency": 0.8001}, spend={OURS: 0.5, "zero": 1e-17})
    assert grade(found).words.startswith("ranks leavers as well as recency; probabilities off by")


def test_a_grade_in_words():
    found = metrics(0.75, {"recency": 0.6, "bg_nbd": 0.8}, error=0.034, spend={OURS: 0.6, "last_window": 0.5})
    assert grade(found).words == (
        "ranks leavers 6.2 % worse than BG/NBD; ranks spend 20.0 % better than the last window repeated; "
        "probabilities off by 3.4 points on average"
    )


def test_single_names_and_a_table():
    found = {"churn": {OURS: {"auc": 0.8}, "recency": {"auc": 0.7}}}
    assert flat(found) == {"churn.ours.auc": 0.8, "churn.recency.auc": 0.7}
    assert table(found) == {"churn": {"metrics": {"auc": 0.8}, "baselines": {"recency": {"auc": 0.7}}}}
