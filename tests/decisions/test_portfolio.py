import numpy as np
import pandas as pd
import pytest

from churnvalue.config import Value
from churnvalue.decisions.portfolio import NOW, YEAR_AGO, portfolios
from churnvalue.decisions.tiers import TierRules
from churnvalue.errors import OutputError

VALUE = Value(margin=0.5, cost={"ticket": 10.0})
LOG = """
customer_id event_time  kind      amount
a           2021-11-01  purchase  100     # before everything
a           2022-06-01  purchase  1000
a           2023-06-01  purchase  700
b           2022-06-02  purchase  400     # left
c           2022-06-03  purchase  20
c           2022-06-04  ticket    -
c           2022-06-05  ticket    -       # 10 of margin less 20 of cost
c           2023-06-03  purchase  60
d           2022-06-06  purchase  80
d           2023-07-01  ticket    -
d           2023-07-02  purchase  80
e           2023-08-01  purchase  500     # came later
"""
AS_OF = "2024-01-01"


def scored(tiers, cutoff=AS_OF, clv=10.0):
    return pd.DataFrame(
        {
            "customer_id": list(tiers),
            "cutoff": pd.Timestamp(cutoff, tz="UTC"),
            "tier": list(tiers.values()),
            "clv": clv,
            "p_churn": 0.25,
        }
    )


SCORES = scored({"a": "elite", "c": "steady", "d": "steady", "e": "most valuable"})


@pytest.fixture(scope="module")
def log(log_from):
    return log_from(LOG, as_of=AS_OF)


@pytest.fixture(scope="module")
def told(log):
    return portfolios(log, SCORES, VALUE, rules=TierRules(valuable_share=0.5))


def rows(found, formed):
    return found.table[found.table["formed"] == formed].set_index("tier")


def test_today(told):
    today = rows(told, NOW)
    assert today["customers"].to_dict() == {
        "elite": 1,
        "most valuable": 1,
        "most growable": 0,
        "steady": 2,
        "below zero": 0,
        "all": 4,
    }
    assert today.loc["steady", ["clv", "revenue", "margin", "cost", "contribution"]].tolist() == [20, 140, 70, 10, 60]
    assert today.loc["steady", "revenue_a_customer"] == 70
    assert today.loc["all", "p_churn"] == 0.25
    # Of today's tiers nothing is said about a year ago: that would be a story of survivors.
    assert today.filter(regex="before|left|kept").isna().all(axis=None)


def test_the_portfolio_of_a_year_ago_is_followed_with_those_who_left(told):
    then = rows(told, YEAR_AGO)
    # By margin less cost of 2022: a 500, b 200, d 40, c -10.
    assert then["customers"].to_dict() == {
        "elite": 1,
        "most valuable": 1,
        "most growable": 0,
        "steady": 1,
        "below zero": 1,
        "all": 4,
    }
    assert then["left"].dropna().to_dict() == {
        "elite": 0.0,
        "most valuable": 1.0,
        "steady": 0.0,
        "below zero": 0.0,
        "all": 0.25,
    }
    assert then["revenue_before"].to_dict() == pytest.approx(
        {"elite": 1000, "most valuable": 400, "most growable": 0, "steady": 80, "below zero": 20, "all": 1500}
    )
    assert then.loc["all", ["revenue", "margin", "cost", "contribution"]].tolist() == [840, 420, 10, 410]
    assert then.loc["below zero", ["margin_before", "cost_before", "contribution_before"]].tolist() == [10, 20, -10]
    assert then.loc["elite", "kept"] == pytest.approx(0.7)
    assert then.loc["all", "kept"] == pytest.approx(0.56)
    assert then.loc["elite", "kept_beyond_base"] == pytest.approx(0.14)
    assert then.loc["most valuable", "left_beyond_base"] == pytest.approx(0.75)
    assert then.loc["all", "left_error"] == pytest.approx(np.sqrt(0.25 * 0.75 / 4))
    # 700 - .56 · 1000, 0 - .56 · 400, 60 - .56 · 20, 80 - .56 · 80
    apart = np.array([140, -224, 48.8, 35.2])
    assert then.loc["all", "kept_error"] == pytest.approx(np.sqrt((apart**2).sum()) / 1500)
    assert "Who was growable a year ago cannot be told" in " ".join(told.notes)


def test_earlier_scores_say_who_was_in_which_tier(log):
    earlier = scored({"b": "most growable", "c": "elite", "gone": "elite"}, "2022-12-01", clv=7.0)
    found = portfolios(log, SCORES, VALUE, earlier=earlier)
    then = rows(found, YEAR_AGO)
    assert then.loc["elite", ["customers", "clv", "revenue_before", "revenue", "left"]].tolist() == [2, 14, 20, 60, 0.5]
    assert then.loc["most growable", "left"] == 1.0
    assert found.notes == ("The tiers of a year ago are those of the scores as of 2022-12-01.",)
    with pytest.raises(OutputError, match="at least 365 days older than those of 2024-01-01, but are as of 2023-06-01"):
        portfolios(log, SCORES, VALUE, earlier=scored({"a": "elite"}, "2023-06-01"))


def test_a_log_of_less_than_two_years_makes_fewer_claims(log_from):
    short = "\n".join(line for line in LOG.splitlines() if " 202" not in line or " 2023" in line)
    found = portfolios(log_from(short, as_of=AS_OF), SCORES, VALUE)
    assert found.table["formed"].unique().tolist() == [NOW]
    assert found.notes == (
        "The log holds 214 days before the scores, so a year's figures are those of 214 days.",
        "How a tier has done since a year ago cannot be told: that takes 730 days before the scores, but the log holds 214.",
    )


def test_a_log_without_amounts_is_told_in_customers(log_from):
    bare = pd.DataFrame([line.split("#")[0].split()[:3] for line in LOG.splitlines()[2:]])
    bare.columns = ["customer_id", "event_time", "kind"]
    found = portfolios(log_from(bare, as_of=AS_OF), SCORES.assign(clv=np.nan), VALUE)
    assert found.table.filter(regex="revenue|margin|contribution|kept|clv").isna().to_numpy()[:, :-1].all()
    then = rows(found, YEAR_AGO)
    assert then.loc["all", ["customers", "left", "cost", "cost_before"]].tolist() == [4, 0.25, 10, 20]
    assert found.notes[-1] == "The log holds no amounts, so portfolios are told in customers alone."


def test_nothing_later_has_a_say(log_from, told):
    later = f"{LOG}a 2024-01-01 purchase 5000\nb 2024-02-01 purchase 5000"
    found = portfolios(log_from(later), SCORES, VALUE, rules=TierRules(valuable_share=0.5))
    pd.testing.assert_frame_equal(found.table, told.table)


def test_without_costs_that_is_said(log):
    assert portfolios(log, SCORES, Value()).notes[-1].startswith("No cost of an event is configured")


def test_scores_are_needed(log):
    with pytest.raises(OutputError, match=r"the columns \['tier'\] are missing"):
        portfolios(log, SCORES.drop(columns="tier"), VALUE)
    with pytest.raises(OutputError, match="but there is none"):
        portfolios(log, SCORES.iloc[:0], VALUE)
