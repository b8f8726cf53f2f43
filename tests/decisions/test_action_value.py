import numpy as np
import pandas as pd
import pytest
from scipy.stats import beta

from churnvalue.config import Action
from churnvalue.decisions.action_value import action_value, candidates, value_given_staying
from churnvalue.errors import OutputError

CALL = Action(id="call", contact_cost=4.0, save_rate=(6.0, 14.0))
VOUCHER = Action(id="voucher", contact_cost=0.05, incentive=10.0, redemption=0.3, save_rate=(4.0, 16.0))


def test_value_given_staying_is_bounded():
    # 30 / .5; 30 / .2; and no more than five times beyond
    assert value_given_staying(np.full(3, 30.0), np.array([0.5, 0.8, 0.99])) == pytest.approx([60.0, 150.0, 150.0])


def test_action_value_by_hand():
    value = action_value(np.array([70.0, np.nan]), np.array([0.5, 0.5]), (CALL, VOUCHER))
    assert value.stake[0] == pytest.approx(140.0)
    assert value.cost == pytest.approx([4.0, 3.05])  # .05 + .3 · 10
    assert value.saved[0] == pytest.approx([21.0, 14.0])  # .5 · 140 · 6/20, · 4/20
    assert value.profit[0] == pytest.approx([17.0, 10.95])
    assert value.profit_p10[0, 0] == pytest.approx(70.0 * beta(6, 14).ppf(0.1) - 4.0)
    assert value.profit_p90[0, 1] == pytest.approx(70.0 * beta(4, 16).ppf(0.9) - 3.05)
    assert np.isnan(value.profit[1]).all()


def table(**columns):
    base = {"cutoff": pd.Timestamp("2011-09-01", tz="UTC"), "p_churn": 0.5, "clv": 70.0, "tier": "steady"}
    return pd.DataFrame({**base, **columns})


def test_who_may_get_what():
    found = candidates(
        table(
            customer_id=["b", "a", "c", "d"],
            clv=[70.0, -5.0, np.nan, 5.0],
            tier=["steady", "steady", "steady", "below zero"],
        ),
        (CALL, VOUCHER.model_copy(update={"capacity": 0})),
    )
    assert found.scores["customer_id"].tolist() == ["a", "b", "c", "d"]
    assert found.eligible.tolist() == [[False, False], [True, False], [False, False], [False, False]]
    assert found.below_zero.tolist() == [True, False, False, True]


def test_an_action_that_would_pay_only_at_a_high_save_rate_may_be_tried():
    # .5 · 2 · clv · s: saves 3.9 at the mean of .3, 5.7 at the 90 % quantile of .44; the call costs 4.
    found = candidates(table(customer_id=["a"], clv=[13.0]), (CALL,))
    assert found.worth.profit[0, 0] < 0 < found.worth.profit_p90[0, 0]
    assert found.eligible.tolist() == [[True]]


def test_scores_are_checked():
    with pytest.raises(OutputError, match=r"must have the columns \['clv', 'tier'\]"):
        candidates(table(customer_id=["a"]).drop(columns=["clv", "tier"]), (CALL,))
    with pytest.raises(OutputError, match="'a' comes twice"):
        candidates(table(customer_id=["a", "b", "a"]), (CALL,))
