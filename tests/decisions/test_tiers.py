import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from churnvalue.decisions.tiers import TierRules, attainable, percentile, tiers
from churnvalue.errors import DefinitionError, OutputError


def scores(clv, attainable=None, risk=0.0, orders=None):
    clv = np.asarray(clv, dtype=float)
    return pd.DataFrame(
        {
            "customer_id": [f"c{number:03d}" for number in range(len(clv))],
            "orders": np.ones(len(clv)) if orders is None else orders,
            "clv": clv,
            "p_below_zero": np.broadcast_to(risk, len(clv)),
            "cost_to_serve": np.full(len(clv), 10.0),
            "attainable": clv if attainable is None else attainable,
        }
    )


def test_tiers_by_hand():
    #            elite  valuable  growable  attainable is not twice 39, 30 …          below zero
    clv = [100.0, 90.0, 40.0, 39.0, 30.0, 20.0, 10.0, 5.0, -1.0, 1.0]
    high = [150.0, 190.0, 95.0, 77.0, 31.0, 21.0, 11.0, 6.0, 200.0, 50.0]
    risk = [0.4, 0.0, 0.5, 0.0, 0.0, 0.0, 0.0, 0.0, 0.2, 0.51]
    assert tiers(scores(clv, high, risk)).tolist() == [
        "elite",
        "most valuable",
        "most growable",
        *["steady"] * 5,
        "below zero",  # the mean is below zero
        "below zero",  # more likely than not they cost more than they bring
    ]


def test_shares():
    counted = pd.Series(tiers(scores(np.arange(1.0, 3001.0)))).value_counts()
    assert counted.to_dict() == {"steady": 2400, "most valuable": 597, "elite": 3}
    wide = tiers(scores(np.arange(1.0, 11.0)), TierRules(elite_share=0.3, valuable_share=0.5))
    assert wide.tolist() == ["steady"] * 5 + ["most valuable"] * 2 + ["elite"] * 3


def test_the_widest_gaps_are_the_most_growable():
    clv = [100.0, *[10.0] * 9]
    high = [100.0, 21.0, 90.0, 80.0, *[70.0] * 6]
    rules = TierRules(valuable_share=0.1, growable_share=0.2)
    assert tiers(scores(clv, high), rules).tolist() == ["elite", "steady", *["most growable"] * 2, *["steady"] * 6]


def test_the_threshold_of_below_zero_is_the_configuration_s():
    table = scores([5.0, 4.0, 3.0], risk=[0.0, 0.3, 0.6])
    found = {threshold: tiers(table, TierRules(below_zero=threshold)).tolist() for threshold in (0.2, 0.5, 1.0)}
    assert [sum(tier == "below zero" for tier in each) for each in found.values()] == [2, 1, 0]


def test_ties_go_by_id():
    table = scores([5.0] * 10)
    first = dict(zip(table["customer_id"], tiers(table), strict=True))
    turned = table[::-1]
    assert first == dict(zip(turned["customer_id"], tiers(turned), strict=True))
    assert first["c000"] == "elite"
    assert percentile(table) == pytest.approx(np.full(10, 50.0))


def test_log_without_amounts_ranks_by_orders():
    table = scores([np.nan] * 5, orders=[0.1, 0.5, 0.2, 0.9, 0.3], risk=np.nan).assign(cost_to_serve=np.nan)
    assert tiers(table).tolist() == ["steady", "steady", "steady", "elite", "steady"]
    assert tiers(table, previous=pd.Series({"c001": "elite"})).tolist()[3] == "elite"
    assert percentile(table) == pytest.approx([10.0, 70.0, 30.0, 90.0, 50.0])


def test_unknown_value_ranks_last():
    assert percentile(scores([np.nan, -3.0, 8.0])) == pytest.approx([100 / 6, 50.0, 500 / 6])


def test_one_and_none():
    assert tiers(scores([3.0])).tolist() == ["elite"]
    assert tiers(scores([-3.0])).tolist() == ["below zero"]
    assert len(tiers(scores([]))) == len(percentile(scores([]))) == 0
    assert len(attainable(scores([]).assign(p_churn=[]), np.zeros(0, int), np.zeros(0))) == 0


# Earlier tiers


def before(tier, *numbers):
    return {f"c{number:03d}": tier for number in numbers}


def test_a_tier_is_kept_until_its_rank_is_passed_by_a_tenth():
    # 100 customers, the top 20 are most valuable: who was, up to rank 22; who was not, from rank 18.
    table = scores(np.arange(100.0, 0.0, -1.0))
    earlier = pd.Series(before("most valuable", *range(20, 23)) | before("steady", *range(17, 20)))
    found = tiers(table, previous=earlier)
    assert found[20:23].tolist() == ["most valuable", "most valuable", "steady"]
    assert found[17:20].tolist() == ["most valuable", "steady", "steady"]
    assert found[16] == "most valuable"  # new: placed by the boundary itself
    assert tiers(table, TierRules(margin=0.0), earlier).tolist() == tiers(table).tolist()


def test_there_is_always_an_elite_customer():
    table = scores(np.arange(5.0, 0.0, -1.0))
    assert tiers(table, previous=pd.Series(before("elite", 1))).tolist()[:2] == ["elite", "steady"]


@pytest.mark.parametrize(
    ("risk", "was_below", "was_steady", "new"),
    [(0.44, False, False, False), (0.46, True, False, False), (0.54, True, False, True), (0.56, True, True, True)],
)
def test_below_zero_is_left_and_entered_beyond_a_tenth_of_the_probability(risk, was_below, was_steady, new):
    table = scores([9.0, 2.0, 2.0, 2.0], risk=[0.0, risk, risk, risk])
    found = tiers(table, previous=pd.Series(before("below zero", 1) | before("steady", 2)))
    assert (found[1:] == "below zero").tolist() == [was_below, was_steady, new]


def test_a_high_threshold_can_still_be_passed():
    found = tiers(scores([9.0, 2.0], risk=[0.0, 0.96]), TierRules(below_zero=0.95), pd.Series(before("steady", 1)))
    assert found[1] == "below zero"  # .955 would do


def test_a_mean_about_zero_does_not_flicker():
    # A tenth of the cost to serve, 10, is 1.
    table = scores([50.0, -0.9, -1.1, 0.9, 1.1, -0.1])
    earlier = pd.Series(before("steady", 1, 2) | before("below zero", 3, 4))
    found = tiers(table, TierRules(valuable_share=0.1), earlier) == "below zero"
    assert found.tolist() == [False, False, True, True, False, True]


def test_growable_is_kept_a_little_below_the_factor():
    table = scores([99.0, 10.0, 10.0, 10.0], [99.0, 19.0, 19.0, 19.0])
    found = tiers(table, TierRules(growable_share=1.0), pd.Series(before("most growable", 1) | before("steady", 2)))
    assert found.tolist() == ["elite", "most growable", "steady", "steady"]


def test_an_earlier_tier_must_be_one():
    with pytest.raises(DefinitionError, match=r"'elit' came\. Did you mean 'elite'"):
        tiers(scores([1.0]), previous=pd.Series({"c000": "elit"}))


@given(st.lists(st.integers(-3, 5), min_size=1, max_size=30), st.randoms(use_true_random=False))
@settings(max_examples=40, deadline=None)
def test_order_of_rows_does_not_matter_and_a_second_look_changes_nothing(values, random):
    table = scores(values, np.abs(values) * 3.0)
    order = list(range(len(values)))
    random.shuffle(order)
    found = tiers(table)
    assert found[order].tolist() == tiers(table.iloc[order]).tolist()
    assert percentile(table)[order].tolist() == percentile(table.iloc[order]).tolist()
    ranks = percentile(table)
    assert ((ranks > 0) & (ranks < 100)).all()
    earlier = pd.Series(found, index=table["customer_id"])
    again = tiers(table, previous=earlier)
    assert again.tolist() == found.tolist()


# Attainable value


def base(clv, p_churn=0.5):
    return pd.DataFrame({"clv": np.asarray(clv, dtype=float), "p_churn": np.broadcast_to(p_churn, len(clv))})


def test_attainable_is_what_the_best_fifth_of_peers_reach():
    # Two needs of 51 customers each: given staying 0, 2 … 100 and 0, 20 … 1,000; the 80 % quantiles are 80 and 800.
    table = base(np.concatenate([np.arange(51.0), np.arange(51.0) * 10]))
    needs = np.repeat([0, 1], 51)
    found = attainable(table, needs, np.full(102, 100.0))
    assert found[0] == pytest.approx(0.5 * 80)
    assert found[51] == pytest.approx(0.5 * 800)
    assert found[50] == pytest.approx(50.0)  # already above: 50 > 40
    # Who is likelier to stay can attain more of it.
    likely = attainable(table.assign(p_churn=np.where(np.arange(102) == 0, 0.1, 0.5)), needs, np.full(102, 100.0))
    assert likely[0] == pytest.approx(0.9 * 80)


def test_few_peers_give_way_to_all_of_the_same_tenure_and_then_to_everyone():
    tenure = np.repeat([10.0, 1000.0], [40, 120])
    table = base(np.repeat([1.0, 5.0], [40, 120]))
    alone = np.arange(160)  # nobody shares a need
    assert attainable(table, alone, tenure)[[0, 159]] == pytest.approx([1.0, 5.0])
    few = attainable(base([1.0, 2.0, 9.0]), np.zeros(3, int), np.array([1.0, np.nan, 900.0]))
    assert few == pytest.approx([0.5 * np.quantile([2, 4, 18], 0.8)] * 2 + [9.0])


def test_attainable_is_never_less_than_value_and_unknown_where_value_is():
    rng = np.random.default_rng(3)
    table = base(rng.lognormal(3, 1, 300), rng.random(300))
    table.loc[5, "clv"] = np.nan
    needs, tenure = rng.integers(-1, 4, 300), rng.integers(0, 900, 300).astype(float)
    found = attainable(table, needs, tenure)
    assert np.isnan(found).tolist() == table["clv"].isna().tolist()
    known = np.arange(300) != 5
    assert (found[known] >= table["clv"][known]).all()
    order = rng.permutation(300)
    assert attainable(table.iloc[order], needs[order], tenure[order])[known[order]].tolist() == (
        found[order][known[order]].tolist()
    )


@pytest.mark.parametrize("column", ["clv", "orders", "attainable", "p_below_zero", "cost_to_serve"])
def test_missing_column(column):
    with pytest.raises(OutputError, match=f"must have the column '{column}'"):
        tiers(scores([np.nan]).drop(columns=column))
