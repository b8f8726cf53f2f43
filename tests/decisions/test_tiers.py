import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from churnvalue.decisions.tiers import SERVICE_LEVELS, TierRules, percentile, service_level, tiers
from churnvalue.errors import DefinitionError, OutputError


def scores(clv, p90=None, orders=None):
    clv = np.asarray(clv, dtype=float)
    return pd.DataFrame(
        {
            "customer_id": [f"c{number:03d}" for number in range(len(clv))],
            "orders": np.ones(len(clv)) if orders is None else orders,
            "clv": clv,
            "clv_p10": clv / 2,
            "clv_p90": clv * 1.5 if p90 is None else p90,
        }
    )


def test_tiers_by_hand():
    #            elite  valuable  growable  steady: p90 short of 90  steady  …  below zero
    clv = [100.0, 90.0, 40.0, 39.0, 30.0, 20.0, 10.0, 5.0, -1.0, 1.0]
    p90 = [150.0, 120.0, 95.0, 89.0, 31.0, 21.0, 11.0, 6.0, 200.0, -0.5]
    assert tiers(scores(clv, p90)).tolist() == [
        "elite",
        "most valuable",
        "most growable",
        "steady",
        "steady",
        "steady",
        "steady",
        "steady",
        "below zero",  # the mean is below zero
        "below zero",  # nine in ten outcomes are
    ]


def test_shares():
    counted = pd.Series(tiers(scores(np.arange(1.0, 3001.0)))).value_counts()
    assert counted.to_dict() == {"steady": 2400, "most valuable": 597, "elite": 3}
    wide = tiers(scores(np.arange(1.0, 11.0)), TierRules(elite_share=0.3, valuable_share=0.5))
    assert wide.tolist() == ["steady"] * 5 + ["most valuable"] * 2 + ["elite"] * 3


def test_growth_must_be_far():
    # 80 of 100 is within reach of the top (81), but less than twice what the customer is worth already.
    clv = [50.0, 81.0, *[1.0] * 6, 100.0, 45.0]
    p90 = [90.0, 90.0, *[1.5] * 6, 110.0, 90.0]
    assert tiers(scores(clv, p90))[[0, 9]].tolist() == ["steady", "most growable"]


def test_ties_go_by_id():
    table = scores([5.0] * 10)
    first = dict(zip(table["customer_id"], tiers(table), strict=True))
    turned = table[::-1]
    assert first == dict(zip(turned["customer_id"], tiers(turned), strict=True))
    assert first["c000"] == "elite"
    assert percentile(table) == pytest.approx(np.full(10, 50.0))


def test_log_without_amounts_ranks_by_orders():
    table = scores([np.nan] * 5, orders=[0.1, 0.5, 0.2, 0.9, 0.3])
    assert tiers(table).tolist() == ["steady", "steady", "steady", "elite", "steady"]
    assert percentile(table) == pytest.approx([10.0, 70.0, 30.0, 90.0, 50.0])


def test_unknown_value_ranks_last():
    assert percentile(scores([np.nan, -3.0, 8.0])) == pytest.approx([100 / 6, 50.0, 500 / 6])


def test_one_and_none():
    assert tiers(scores([3.0])).tolist() == ["elite"]
    assert tiers(scores([-3.0])).tolist() == ["below zero"]
    assert len(tiers(scores([]))) == len(percentile(scores([]))) == 0


@given(st.lists(st.integers(-3, 5), min_size=1, max_size=30), st.randoms(use_true_random=False))
@settings(max_examples=40, deadline=None)
def test_order_of_rows_does_not_matter(values, random):
    table = scores(values)
    order = list(range(len(values)))
    random.shuffle(order)
    assert tiers(table)[order].tolist() == tiers(table.iloc[order]).tolist()
    assert percentile(table)[order].tolist() == percentile(table.iloc[order]).tolist()
    ranks = percentile(table)
    assert ((ranks > 0) & (ranks < 100)).all()


def test_service_levels():
    assert [service_level(tier) for tier in SERVICE_LEVELS] == [
        "preferred",
        "preferred",
        "standard",
        "self-service",
        "charged",
    ]
    with pytest.raises(DefinitionError, match="Did you mean 'elite'"):
        service_level("elit")


def test_missing_column():
    with pytest.raises(OutputError, match="must have the column 'clv_p90'"):
        tiers(scores([1.0]).drop(columns="clv_p90"))
