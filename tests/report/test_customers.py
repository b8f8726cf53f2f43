import pandas as pd

from churnvalue.report.customers import customer_rows, listed_customers
from churnvalue.report.summary import ordered_scores
from churnvalue.report.told import told_by


def test_customers_shown_are_those_acted_on_and_the_most_valuable(make_report):
    data = make_report(4000)
    listed = listed_customers(ordered_scores(data.scores), data.plan, True)
    told = told_by(data.scores, list(listed["customer_id"]))
    found = customer_rows(listed, data.plan, data.sends, told)
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
    listed = listed_customers(ordered_scores(small_scores), None, True)
    found = customer_rows(listed, None, sends, {})
    assert [(row["customer_id"], row["send_at"]) for row in found[:2]] == [
        ("a", "2011-09-05T09:00"),
        ("b", ""),
    ]


def test_a_reason_tells_whether_it_speaks_for_leaving(small_scores):
    drivers = [
        {"text": "silent", "effect": 0.4},
        {"text": "came often", "effect": -0.2},
        {"text": "third", "effect": 0.1},
    ]
    listed = listed_customers(ordered_scores(small_scores), None, True)
    first, second, *_ = customer_rows(listed, None, None, {"a": drivers})
    assert first["why"] == [("silent", True), ("came often", False)]
    assert second["why"] == []


def test_customers_of_the_same_value_stand_by_id_and_unknown_values_last(small_scores):
    scores = ordered_scores(small_scores.assign(clv=[5.0, float("nan"), 5.0, 7.0, 5.0]))
    assert list(listed_customers(scores, None, True)["customer_id"]) == ["d", "a", "c", "e", "b"]
