import pandas as pd

from churnvalue.report.customers import customer_rows
from churnvalue.report.summary import ordered_scores


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
