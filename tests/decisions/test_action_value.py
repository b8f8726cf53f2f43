from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import beta, norm

from churnvalue.config import Action
from churnvalue.decisions.action_value import action_value, p_profit, value_given_staying
from churnvalue.decisions.candidates import assumed_effects

CALL = Action(id="call", contact_cost=4.0, save_rate=(6.0, 14.0))
VOUCHER = Action(id="voucher", contact_cost=0.05, incentive=10.0, redemption=0.3, save_rate=(4.0, 16.0))


def test_value_given_staying_is_bounded():
    # 30 / .5; 30 / .2; and no more than five times beyond
    assert value_given_staying(np.full(3, 30.0), np.array([0.5, 0.8, 0.99])) == pytest.approx([60.0, 150.0, 150.0])


def worth(clv, p_churn, *actions):
    clv, p_churn = np.array(clv), np.array(p_churn)
    return action_value(clv, p_churn, actions, assumed_effects(p_churn, actions))


def chances(value, option, action, effects=None):
    p_churn = np.full(len(option), 0.5)
    return p_profit(value, np.array(option), p_churn, (action,), effects or assumed_effects(p_churn, (action,)))


def test_action_value_by_hand():
    value = worth([70.0, np.nan], [0.5, 0.5], CALL, VOUCHER)
    assert value.stake[0] == pytest.approx(140.0)
    assert value.cost == pytest.approx([4.0, 3.05])  # .05 + .3 · 10
    assert value.gained[0] == pytest.approx([21.0, 14.0])  # .5 · 140 · 6/20, · 4/20
    assert value.profit[0] == pytest.approx([17.0, 10.95])
    assert value.profit_p10[0, 0] == pytest.approx(70.0 * beta(6, 14).ppf(0.1) - 4.0)
    assert value.profit_p90[0, 1] == pytest.approx(70.0 * beta(4, 16).ppf(0.9) - 3.05)
    assert np.isnan(value.profit[1]).all()


def test_probability_and_break_even_by_hand():
    value = worth([70.0, 70.0, np.nan], [0.5] * 3, CALL)
    assert value.break_even[0, 0] == pytest.approx(4.0 / 140.0)
    assert chances(value, [0, -1, 0], CALL) == pytest.approx(
        [beta(6, 14).sf(4.0 / 140.0 / 0.5), np.nan, np.nan], nan_ok=True
    )


def test_those_who_would_have_stayed_count():
    # For those who stay the action adds a tenth of V = 140; fatigue takes 1: .15 · 140 · 1.1 + .5 · 14 - 1 - 4.
    action = CALL.model_copy(update={"spend_change": 0.1, "fatigue": 1.0})
    value = worth([70.0], [0.5], action)
    assert value.profit[0, 0] == pytest.approx(0.15 * 154.0 + 7.0 - 1.0 - 4.0)
    assert value.break_even[0, 0] == pytest.approx((4.0 - 6.0) / 154.0)
    assert chances(value, [0], action).tolist() == [1.0]  # it pays even if nobody is kept


def test_measured_effects_are_taken_as_normal():
    effects = replace(
        assumed_effects(np.array([0.5]), (CALL,)),
        stay=np.array([[0.05]]),
        stay_p10=np.array([[0.05 - 1.2815515655 * 0.02]]),
        stay_p90=np.array([[0.05 + 1.2815515655 * 0.02]]),
        evidence=np.array(["experiment"]),
    )
    value = action_value(np.array([70.0]), np.array([0.5]), (CALL,), effects)
    assert chances(value, [0], CALL, effects) == pytest.approx([norm.sf((4.0 / 140.0 - 0.05) / 0.02)])
