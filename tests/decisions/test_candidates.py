import numpy as np
import pandas as pd
import pytest

from churnvalue.config import Action, Retention
from churnvalue.decisions.candidates import Known, candidates
from churnvalue.errors import OutputError

CALL = Action(id="call", contact_cost=4.0, save_rate=(6.0, 14.0))
VOUCHER = Action(id="voucher", contact_cost=0.05, incentive=10.0, redemption=0.3, save_rate=(4.0, 16.0))


def table(**columns):
    base = {"cutoff": pd.Timestamp("2011-09-01", tz="UTC"), "p_churn": 0.5, "clv": 70.0, "tier": "steady"}
    return pd.DataFrame({**base, **columns})


def found_with(scores, actions, known=None):
    return candidates(scores, Retention(actions=actions), known or Known())


def test_who_may_get_what():
    found = found_with(
        table(
            customer_id=["b", "a", "c", "d"],
            clv=[70.0, -5.0, np.nan, 5.0],
            tier=["steady", "steady", "steady", "below zero"],
        ),
        (CALL, VOUCHER.model_copy(update={"capacity": 0})),
    )
    assert found.scores["customer_id"].tolist() == ["a", "b", "c", "d"]
    assert found.eligible.tolist() == [[False, False], [True, False], [False, False], [False, False]]
    assert found.below_zero.tolist() == [False, False, False, True]


def test_an_action_that_would_pay_only_at_a_high_save_rate_may_be_tried():
    # .5 · 2 · clv · s: saves 3.9 at the mean of .3, 5.7 at the 90 % quantile of .44; the call costs 4.
    found = found_with(table(customer_id=["a"], clv=[13.0]), (CALL,))
    assert found.worth.profit[0, 0] < 0 < found.worth.profit_p90[0, 0]
    assert found.eligible.tolist() == [[True]]


def test_scores_are_checked():
    with pytest.raises(OutputError, match=r"must have the columns \['clv', 'tier'\]"):
        found_with(table(customer_id=["a"]).drop(columns=["clv", "tier"]), (CALL,))
    with pytest.raises(OutputError, match="'a' comes twice"):
        found_with(table(customer_id=["a", "b", "a"]), (CALL,))


def test_an_action_is_open_to_its_tiers():
    only = VOUCHER.model_copy(update={"tiers": ("elite", "below zero")})
    scores = table(customer_id=["a", "b", "c"], tier=["elite", "steady", "below zero"])
    assert found_with(scores, (only, CALL)).eligible.tolist() == [[True, True], [False, True], [True, False]]


def test_excluded_are_not_eligible():
    found = found_with(table(customer_id=["a", "b"]), (CALL,), Known(excluded={"b": "asked to be left alone"}))
    assert found.eligible.tolist() == [[True], [False]]
    assert found.excluded == ["", "asked to be left alone"]


def test_a_tier_that_is_none_is_refused():
    with pytest.raises(OutputError, match=r"Tiers of scores must be tiers, but 'elit' came\. Did you mean 'elite'\?"):
        found_with(table(customer_id=["a"], tier=["elit"]), (CALL,))
