import numpy as np
import pandas as pd
import pytest

from churnvalue.report.thresholds import Terms, reached, terms

TOLD = [
    {"p_churn": 0.0, "customers": 100, "leavers": 40},
    {"p_churn": 0.5, "customers": 50, "leavers": 30},
    {"p_churn": 0.6, "customers": 45, "leavers": 29},
    {"p_churn": 0.9, "customers": 10, "leavers": 9},
    {"p_churn": 0.95, "customers": 0, "leavers": 0},
]
RISK, STAKE = np.array([0.9, 0.6, 0.2]), np.array([100.0, 50.0, np.nan])


def test_who_is_caught_and_who_is_contacted_for_nothing_is_counted():
    half, most = reached(TOLD, RISK, None, None)
    assert (half.p_churn, half.customers, half.customer_share) == (0.5, 50, 0.5)
    assert (half.caught, half.caught_share, half.falsely) == (30, 0.75, 20)
    assert (most.customers, most.caught_share, most.falsely) == (10, pytest.approx(0.225), 1)
    assert (half.cost, half.profit, half.best) == (None, None, False)


def test_profit_is_what_is_kept_beyond_the_cost():
    half, most = reached(TOLD, RISK, STAKE, Terms("call", 2.0, 0.1, False))
    assert half.worth == pytest.approx(80.0)  # (.9 · 100 + .6 · 50) / 1.5
    assert (half.cost, half.profit) == (100.0, pytest.approx(140.0))  # 30 leavers · .1 · 80 - 50 · 2
    assert (most.cost, most.profit) == (20.0, pytest.approx(70.0))  # 9 · .1 · 100 - 10 · 2
    assert (half.best, most.best) == (True, False)


def test_a_measured_effect_keeps_a_share_of_all_but_no_more_than_leave():
    half, most = reached(TOLD, RISK, STAKE, Terms("call", 0.0, 0.1, True))
    assert (half.profit, most.profit) == (pytest.approx(400.0), pytest.approx(100.0))  # 5 · 80, 1 · 100
    half, most = reached(TOLD, RISK, STAKE, Terms("call", 0.0, 0.95, True))
    assert (half.profit, most.profit) == (pytest.approx(2400.0), pytest.approx(900.0))  # 30 · 80, 9 · 100


def test_where_every_threshold_loses_none_is_best():
    assert not any(row.best for row in reached(TOLD, RISK, STAKE, Terms("call", 99.0, 0.1, False)))


def test_a_customer_below_zero_is_worth_nothing_to_keep():
    _, most = reached(TOLD, RISK, np.array([-5.0, 1.0, 1.0]), Terms("call", 1.0, 0.5, False))
    assert (most.worth, most.profit) == (0.0, -10.0)


@pytest.mark.parametrize("odd", [None, "text", [None], [{"p_churn": "a"}], {}])
def test_odd_reports_have_no_thresholds(odd):
    assert reached(odd, RISK, STAKE, Terms("call", 1.0, 0.1, False)) == []


def test_terms_are_those_of_the_action_planned_for_most():
    plan = pd.DataFrame(
        {
            "planned_action": ["mail", "mail", "call", "none", "none"],
            "action": ["mail", "none", "call", "none", "none"],  # the second is held out
            "cost": [3.0, 0.0, 4.0, 0.0, 0.0],
            "p_stay_change": [0.1, 0.2, 0.3, 0.0, 0.0],
            "evidence": ["assumption", "assumption", "experiment", "assumption", "assumption"],
        }
    )
    found = terms(plan, np.array([0.6, 0.9, 0.5, 0.1, 0.2]))
    assert (found.action, found.cost, found.measured) == ("mail", 3.0, False)
    assert found.kept == pytest.approx(0.2)  # .3 of 1.5
    measured = terms(plan.assign(evidence="experiment"), np.array([0.6, 0.9, 0.5, 0.1, 0.2]))
    assert (measured.kept, measured.measured) == (pytest.approx(0.15), True)  # .3 of 2 customers
    assert terms(plan.assign(planned_action="none"), np.ones(5)) is None
    assert terms(plan.drop(columns="p_stay_change"), np.ones(5)) is None
