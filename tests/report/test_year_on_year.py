import pandas as pd
import pytest

from churnvalue.report.year_on_year import TODAY, YEAR_AGO, portfolio_rows

TABLE = pd.DataFrame(
    {
        "formed": [TODAY, YEAR_AGO, YEAR_AGO, YEAR_AGO, YEAR_AGO],
        "tier": ["elite", "elite", "steady", "below zero", "all"],
        "customers": [10, 100, 200, 0, 300],
        "revenue": [5.0, 90.0, 150.0, 0.0, 240.0],
        "revenue_before": [float("nan"), 100.0, 200.0, 0.0, 300.0],
        "kept": [float("nan"), 0.9, 0.75, float("nan"), 0.8],
        "kept_error": [float("nan"), 0.02, 0.05, float("nan"), 0.03],
        "kept_beyond_base": [float("nan"), 0.1, -0.05, float("nan"), 0.0],
        "left": [float("nan"), 0.01, 0.0, float("nan"), 0.005],
        "left_error": [float("nan"), 0.02, 0.0, float("nan"), 0.01],
        "left_beyond_base": [float("nan"), 0.005, -0.005, float("nan"), 0.0],
    }
)


def test_portfolios_of_a_year_ago_have_intervals_and_stand_against_all():
    elite, steady, whole = portfolio_rows(TABLE, YEAR_AGO)
    assert (elite.tier, elite.customers, elite.revenue_before) == ("elite", 100, 100.0)
    assert (elite.kept.low, elite.kept.high) == pytest.approx((0.8608, 0.9392))  # .9 ± 1.96 · .02
    assert elite.kept.apart  # all have .8
    assert not steady.kept.apart
    assert not whole.kept.apart
    assert elite.left.low == 0.0
    assert (steady.left.value, steady.left.low) == (0.0, None)  # an error of 0 tells nothing


def test_what_is_not_known_stays_unknown():
    (today,) = portfolio_rows(TABLE, TODAY)
    assert (today.revenue, today.revenue_before, today.contribution, today.kept.value) == (5.0, None, None, None)
    assert not today.kept.apart


def test_few_customers_have_no_interval():
    few = portfolio_rows(TABLE.assign(customers=5), YEAR_AGO)
    assert few[0].kept.value == 0.9
    assert few[0].kept.low is None


def test_an_older_plan_has_no_portfolios():
    assert portfolio_rows(None, TODAY) == portfolio_rows(pd.DataFrame({"tier": ["elite"]}), TODAY) == []
