import json

import numpy as np
import pandas as pd
import pytest

from churnvalue.evaluation.equity import equity, held_by_foretold_tops, positive, tops, total


def scores(clv, half=1.0):
    clv = np.asarray(clv, dtype=float)
    return pd.DataFrame({"clv": clv, "clv_p10": clv - half, "clv_p90": clv + half})


def test_the_sum_with_both_of_its_ranges_by_hand():
    found = total(np.array([10.0, 20.0]), np.array([7.0, 16.0]), np.array([13.0, 24.0]))
    assert found.value == 30.0
    assert (found.low, found.high) == (25.0, 35.0)  # half of the root of 6^2 + 8^2 is 5
    assert (found.together_low, found.together_high) == (23.0, 37.0)


def test_the_top_hold_their_part_of_what_is_positive():
    (top,) = tops(np.array([-50.0, 60.0, 30.0, 10.0, np.nan]), shares=(0.2,))
    assert (top.customers, top.value_share) == (1, pytest.approx(0.6))  # one of five; 60 of 100


def test_a_share_of_few_customers_is_one_customer_at_least():
    assert [top.customers for top in tops(np.ones(30))] == [1, 1, 6]
    assert tops(np.ones(30))[-1].value_share == pytest.approx(0.2)


def test_nobody_worth_anything_leaves_nothing_to_share():
    assert tops(np.array([-1.0, 0.0])) == []
    assert equity(scores([-1.0, 0.0])).tops == ()


def test_unknown_values_count_as_nothing_and_a_log_without_money_has_no_equity():
    known, unknown = equity(scores([3.0, 5.0])), equity(scores([3.0, np.nan, 5.0]))
    assert unknown.total == known.total
    assert unknown.customers == 3
    assert equity(scores([np.nan, np.nan])) is None
    assert equity(scores([])) is None


def test_facts_are_plain_numbers_for_a_manifest():
    facts = equity(scores([3.0, 1.0], half=0.5)).facts()
    assert json.loads(json.dumps(facts)) == facts
    assert (facts["customers"], facts["value"]) == (2, 4.0)
    assert [top["share"] for top in facts["tops"]] == [0.001, 0.01, 0.2]


def test_positive_parts_come_largest_first():
    assert positive(np.array([1.0, -2.0, np.nan, 3.0])).tolist() == [3.0, 1.0, 0.0, 0.0]


def test_what_the_foretold_top_held_beside_the_most_that_they_could():
    actual, predicted = np.array([50.0, 30.0, 20.0, 0.0]), np.array([1.0, 4.0, 3.0, 2.0])
    (found,) = held_by_foretold_tops(actual, predicted, shares=(0.5,))
    assert (found.held, found.most) == (pytest.approx(0.5), pytest.approx(0.8))  # 30 + 20 of 100, of 50 + 30


def test_equal_predictions_find_nobody_by_luck():
    (found,) = held_by_foretold_tops(np.array([9.0, 0.0, 1.0]), np.zeros(3), shares=(1 / 3,))
    assert found.held == 0.0
    assert held_by_foretold_tops(np.zeros(3), np.zeros(3)) == []
