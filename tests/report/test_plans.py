import numpy as np
import pandas as pd
import pytest

from churnvalue.report.plans import at_stake, next_money, of_customers, plan_summary, profit_curve, service_levels

MONEY = ["expected_profit", "profit_p10", "profit_p90", "cost"]
COLUMNS = ["customer_id", "tier", "service_level", "action", *MONEY, "group", "evidence", "reason"]


def plan_of(*lines: str) -> pd.DataFrame:
    table = pd.DataFrame([line.split("|") for line in lines], columns=COLUMNS)
    return table.astype(dict.fromkeys(MONEY, float)).assign(policy_version="v1")


PLAN = plan_of(
    "a|top|personal|call|10|2|20|4|exploit|assumption|best",
    "b|top|personal|none|0|0|0|0|holdout|assumption|held out",
    "c|rest|standard|mail|3|-1|6|1|explore|experiment|drawn",
    "d|rest|standard|mail|2|1|4|1|exploit|assumption|best",
    "e|rest|standard|none|0|0|0|0|exploit|assumption|risk is 7% only",
)


def test_the_plan_is_summed_by_action():
    found = plan_summary(PLAN)
    call, mail = found.actions
    assert (call.action, call.customers, call.cost, call.profit) == ("call", 1, 4.0, 10.0)
    assert (mail.customers, mail.exploring, mail.cost) == (2, 1, 2.0)
    assert (mail.profit, mail.low, mail.high) == (5.0, 0.0, 10.0)
    assert mail.evidence == "assumption, experiment"
    assert (found.whole.customers, found.whole.cost, found.whole.profit) == (3, 6.0, 15.0)
    assert found.left_alone == [("held out", 1), ("risk is 7% only", 1)]
    assert found.groups == {"exploit": 3, "explore": 1, "holdout": 1}
    assert found.assumed == pytest.approx(2 / 3)
    assert found.policies == "v1"


def test_a_plan_that_acts_on_nobody():
    found = plan_summary(PLAN.assign(action="none"))
    assert (found.actions, found.whole.customers, found.assumed) == ([], 0, None)
    assert sum(n for _, n in found.left_alone) == 5


def test_reasons_that_differ_in_numbers_alone_are_counted_together():
    reasons = [f"would earn £{n}.{n}0 less than it costs" for n in range(1, 31)] + ["held out"] * 40
    plan = pd.concat([PLAN.iloc[[1]]] * 70).assign(reason=reasons, customer_id=[f"{n}" for n in range(70)])
    assert plan_summary(plan).left_alone == [("held out", 40), ("would earn … less than it costs", 30)]


def test_too_many_reasons_end_in_a_rest():
    reasons = [f"reason {letter}" for letter in "abcdefghijklmno"]
    plan = pd.concat([PLAN.iloc[[1]]] * 15).assign(reason=reasons)
    found = plan_summary(plan).left_alone
    assert len(found) == 11
    assert found[-1] == ("", 5)


def test_service_levels_of_each_tier():
    assert service_levels(PLAN) == {"top": "personal", "rest": "standard"}


def test_the_curve_rises_by_budget_and_keeps_its_ends():
    budget = np.arange(1000.0)[::-1]
    curve = pd.DataFrame({"budget": budget, "expected_profit": np.sqrt(budget)})
    found = profit_curve(curve)
    assert (len(found), found[0], found[-1]) == (150, (0.0, 0.0), (999.0, pytest.approx(999**0.5)))
    assert found == sorted(found)
    assert profit_curve(curve.iloc[:0]) == []


def test_what_the_next_money_earns_is_read_off_the_curve():
    curve = [(0.0, 0.0), (100.0, 50.0), (300.0, 90.0)]
    assert next_money(curve, 100.0) == pytest.approx(20.0)
    assert next_money(curve, 400.0) == 0.0  # beyond the curve nothing more can be earned
    assert next_money(curve, None) is None
    assert next_money(curve[:1], 100.0) is None


def test_evidence_is_of_those_the_action_was_chosen_for():
    plan = PLAN.assign(planned_action=["call", "none", "call", "mail", "mail"])
    plan["evidence"] = ["experiment", "assumption", "experiment", "assumption", "assumption"]
    found = {row.action: row.evidence for row in plan_summary(plan).actions}
    assert found == {"call": "experiment", "mail": "assumption"}  # c explores mail; its evidence is of the call
    assert plan_summary(plan).assumed == pytest.approx(0.5)


def test_service_adds_to_cost_and_profit_and_today_comes_last():
    plan = PLAN.assign(service_cost=[3.0, 2.0, 0.0, 0.0, 0.0], service_profit=[5.0, 4.0, 1.0, 0.0, 0.0])
    plan["service_level"] = ["personal", "personal", "standard", "as today", "as today"]
    found = plan_summary(plan)
    assert [(row.level, row.customers, row.cost, row.profit) for row in found.services] == [
        ("personal", 2, 5.0, 9.0),
        ("standard", 1, 0.0, 1.0),
        ("as today", 2, 0.0, 0.0),
    ]
    assert (found.cost, found.profit) == (11.0, 25.0)  # 6 + 5, 15 + 10
    assert plan_summary(PLAN).services == []


def test_what_to_offer_next_is_counted_and_the_chance_to_pay_averaged():
    plan = PLAN.assign(next_category=["toys", None, "toys", "books", ""], p_profit=[0.9, np.nan, 0.5, 0.7, np.nan])
    found = plan_summary(plan)
    assert found.offers == [("toys", 2), ("books", 1)]
    assert [row.p_profit for row in found.actions] == pytest.approx([0.9, 0.6])
    assert found.whole.p_profit == pytest.approx(0.7)
    assert plan_summary(PLAN).offers == []
    assert plan_summary(PLAN).whole.p_profit is None


def test_reasons_are_told_without_what_is_said_of_one_customer_alone():
    reasons = [
        "83 % likely to leave, 40.25 at stake; call at 4.00 is expected to earn -3.10, but its capacity went to better cases",
        "12 % likely to leave, 9.00 at stake; call at 4.00 is expected to earn 1.00, but its capacity went to better cases"
        "; preferred instead of today's service is expected to earn 2.10",
        "3 % likely to leave, 9.00 at stake; mail at 1.00 would cost more than it is expected to save",
        "held out to measure the plan; charged instead of today's service is expected to earn 1.15",
        "held out to measure the plan",
    ]
    assert plan_summary(PLAN.assign(action="none", reason=reasons)).left_alone == [
        ("call would pay, but its capacity went to better cases", 2),
        ("held out to measure the plan", 2),
        ("mail would cost more than it is expected to save", 1),
    ]


def test_at_stake_is_what_those_who_leave_would_bring(small_scores):
    plan = pd.DataFrame({"customer_id": ["b", "a", "c"], "stake": [10.0, 20.0, -50.0]})
    stake = of_customers(small_scores, plan, "stake")
    assert list(stake[:3]) == [20.0, 10.0, -50.0]
    assert np.isnan(stake[3:]).all()
    risk = small_scores["p_churn"].to_numpy()
    assert at_stake(risk, stake) == pytest.approx(19.0)  # .9 of 20, .1 of 10, no loss of c
    assert at_stake(risk, None) is None
    assert of_customers(small_scores, plan[["customer_id"]], "stake") is None


def test_numbers_of_the_same_customers_in_the_same_order_are_taken_as_they_stand(small_scores):
    plan = pd.DataFrame({"customer_id": list("abcde"), "stake": [5.0, 4.0, 3.0, 2.0, 1.0]})
    assert list(of_customers(small_scores, plan, "stake")) == [5.0, 4.0, 3.0, 2.0, 1.0]


def test_the_range_of_a_plan_adds_up_the_ranges_of_its_actions():
    found = plan_summary(PLAN)
    assert (found.low, found.high) == (found.whole.low, found.whole.high) == (2.0, 30.0)  # 2 - 1 + 1, 20 + 6 + 4
