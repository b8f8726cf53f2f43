import math

import numpy as np
import pandas as pd
import pytest

from churnvalue.evaluation.equity import total
from churnvalue.report.risk_map import risk_map
from churnvalue.report.summary import (
    base,
    by_customer,
    concentration,
    moves,
    ordered_scores,
    thresholds,
    tier_names,
    tiers,
)


def test_totals_of_the_base(small_scores):
    found = base(small_scores)
    assert found.customers == 5
    assert found.leavers == pytest.approx(2.5)  # .9 + .1 + .5 + .3 + .7
    assert found.leaving_share == pytest.approx(0.5)
    assert found.orders == pytest.approx(4.0)
    assert found.spend.value == pytest.approx(40.0)
    # Widths 6 and 8: half the root of 36 + 64.
    assert (found.spend.low, found.spend.high) == (pytest.approx(35.0), pytest.approx(45.0))
    assert found.equity.value == pytest.approx(80.0)
    assert (found.equity.low, found.equity.high) == (pytest.approx(70.0), pytest.approx(90.0))  # 12, 16
    assert (found.equity.together_low, found.equity.together_high) == (
        pytest.approx(66.0),
        pytest.approx(94.0),
    )
    assert (found.at_risk, found.at_risk_customers) == (pytest.approx(40.0), 2)  # 60 − 20
    assert found.at_risk_share == pytest.approx(0.5)


def test_the_interval_of_independent_normal_customers_holds_four_fifths_of_totals():
    rng = np.random.default_rng(5)
    mean, sd = rng.uniform(5, 50, 200), rng.uniform(1, 9, 200)
    estimate = total(mean, mean - 1.2816 * sd, mean + 1.2816 * sd)
    sums = rng.normal(mean, sd, (4000, 200)).sum(axis=1)
    inside = np.mean((sums > estimate.low) & (sums < estimate.high))
    assert inside == pytest.approx(0.8, abs=0.02)


def test_value_concentrates_in_the_most_valuable(small_scores):
    assert concentration(small_scores)[0] == (0.0, 0.0)
    assert dict(concentration(small_scores))[0.4] == pytest.approx(0.9)  # 60 + 30 of 100
    assert concentration(small_scores)[-1] == (1.0, pytest.approx(1.0))
    assert concentration(small_scores.assign(clv=-1.0)) == []


def test_cost_to_serve_and_the_unprofitable_are_known_only_where_scored(small_scores):
    told = small_scores.assign(cost_to_serve=[1.0, 2.0, np.nan, 4.0, 5.0], p_below_zero=[0.6, 0.5, 0.1, np.nan, 0.9])
    assert (base(told).to_serve, base(told).unprofitable) == (12.0, 2)  # one half is not more likely than not
    assert (base(small_scores).to_serve, base(small_scores).unprofitable) == (None, None)


def test_what_is_attainable_is_a_mean_over_the_tier(small_scores):
    first, second = tiers(small_scores.assign(attainable=[80.0, 60.0, np.nan, np.nan, np.nan]), {})
    assert (first.attainable, second.attainable) == (70.0, None)


def test_moves_between_tiers_are_counted_the_most_frequent_first(small_scores):
    found = moves(small_scores.assign(previous_tier=["rest", "top", "top", "top", None]))
    assert (found.stayed, found.moved) == (1, 3)
    assert found.most == [("top", "rest", 2), ("rest", "top", 1)]
    assert moves(small_scores) is None
    assert moves(small_scores.assign(previous_tier=None)) is None


def test_tiers_stand_in_order_of_value(small_scores):
    first, second = tiers(small_scores, {"top": "personal"})
    assert (first.name, first.customers, first.service_level) == ("top", 2, "personal")
    assert (first.customer_share, first.value_share) == (pytest.approx(0.4), pytest.approx(0.9))
    assert (first.p_churn, first.clv) == (pytest.approx(0.5), pytest.approx(45.0))
    assert (second.name, second.service_level) == ("rest", "")
    assert tier_names(small_scores.assign(clv=np.nan)) == ["rest", "top"]  # both .5: by name


def test_thresholds_count_expected_leavers(small_scores):
    *_, fifth, third = thresholds(small_scores)
    assert (fifth.share, fifth.customers, fifth.p_churn) == (0.2, 1, 0.9)
    assert fifth.caught == pytest.approx(0.9)
    assert fifth.caught_share == pytest.approx(0.36)  # .9 of 2.5
    assert fifth.falsely == pytest.approx(0.1)
    assert (third.customers, third.caught) == (2, pytest.approx(1.6))


def test_missing_columns_become_unknown_and_rows_stand_by_id(small_scores):
    shuffled = small_scores.drop(columns=["clv", "band"]).iloc[[3, 0, 4, 1, 2]]
    found = ordered_scores(shuffled)
    assert list(found["customer_id"]) == ["a", "b", "c", "d", "e"]
    assert found["clv"].isna().all()
    assert base(found).at_risk_customers == 0
    assert "clv" not in shuffled
    assert by_customer(small_scores) is small_scores


def test_nobody_can_be_summed_up(small_scores):
    nobody = small_scores.iloc[:0]
    assert base(nobody).leaving_share is None
    assert tiers(nobody, {}) == thresholds(nobody) == risk_map(nobody) == []


def test_the_map_of_few_customers_has_a_dot_each(small_scores):
    known = pd.concat([small_scores, small_scores.assign(customer_id="z", clv=np.nan).iloc[:1]])
    assert risk_map(known)[0] == (0.1, 30.0, 1.0, 0)
    assert len(risk_map(known)) == 5


def test_the_map_of_many_counts_everybody_once_in_the_right_place(make_report):
    scores = make_report(3000).scores
    dots = risk_map(scores)
    assert sum(n for _, _, n, _ in dots) == 3000
    assert len(dots) < 29 * 20
    below = scores["clv"] <= scores["clv"].max() / 1e5
    assert sum(n for _, y, n, _ in dots if y == 0) == below.sum() > (scores["clv"] <= 0).sum()
    # The centre of a hexagon lies within half a cell of its customers, so the means nearly agree.
    mean = sum(x * n for x, _, n, _ in dots) / 3000
    assert mean == pytest.approx(scores["p_churn"].mean(), abs=0.01)
    positive = scores["clv"][~below]
    logs = [(math.log10(y), n) for _, y, n, _ in dots if y > 0]
    middle = sum(y * n for y, n in logs) / sum(n for _, n in logs)
    assert middle == pytest.approx(np.log10(positive).mean(), abs=0.05)


def test_one_value_for_all_is_one_row_of_the_map(make_report):
    scores = make_report(500).scores.assign(clv=12.0)
    assert len({y for _, y, _, _ in risk_map(scores)}) == 1
