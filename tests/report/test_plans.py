import numpy as np
import pandas as pd
import pytest

from churnvalue.report.plans import calendar, customer_rows, plan_summary, profit_curve, service_levels
from churnvalue.report.summary import ordered_scores

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


def test_messages_are_counted_by_hour_of_the_week():
    times = ["2011-09-05T10:00:00+01:00", "2011-09-05T10:00:00+01:00", "2011-09-11T23:00:00+01:00"]
    sends = pd.DataFrame(
        {"customer_id": ["a", "b", "b"], "channel": ["email", "email", "sms"], "slot": [10, 10, 167]}
    ).assign(send_at_local=times)
    found = calendar(sends)
    assert (found.messages, found.customers) == (3, 2)
    assert found.hours[0][10] == 2  # Monday, ten o'clock
    assert found.hours[6][23] == 1  # Sunday, the last hour
    assert found.weekdays == [2, 0, 0, 0, 0, 0, 1]
    assert found.channels == [("email", 2), ("sms", 1)]
    assert (found.first, found.last) == ("2011-09-05", "2011-09-11")


def test_customers_shown_are_those_acted_on_and_the_most_valuable(make_report):
    data = make_report(4000)
    found = customer_rows(ordered_scores(data.scores), data.plan, data.sends, True)
    assert len(found) == 500
    values = [row["clv"] for row in found]
    assert values == sorted(values, reverse=True)
    shown = {row["customer_id"] for row in found}
    best = data.plan.sort_values("expected_profit", ascending=False)["customer_id"].head(300)
    richest = data.scores.sort_values("clv", ascending=False)["customer_id"].head(200)
    assert set(best) | set(richest) <= shown
    by_id = data.plan.set_index("customer_id")["action"]
    assert all(row["action"] == by_id[row["customer_id"]].replace("none", "") for row in found)
    assert all(len(row["why"]) == 2 for row in found)


def test_the_first_message_of_a_customer_is_shown(small_scores):
    sends = pd.DataFrame({"customer_id": ["a", "a"], "send_at_local": ["2011-09-07T09:00", "2011-09-05T09:00"]})
    found = customer_rows(ordered_scores(small_scores).assign(p_return_30d=0.1), None, sends, True)
    assert [(row["customer_id"], row["send_at"]) for row in found[:2]] == [
        ("a", "2011-09-05T09:00"),
        ("b", ""),
    ]
