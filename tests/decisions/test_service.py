import numpy as np
import pandas as pd
import pytest

from churnvalue.config import Retention, ServiceLevel
from churnvalue.decisions.service import TODAY, service_value
from churnvalue.errors import OutputError

DEFAULT = Retention().service_levels


def customer(tier="elite", p_churn=0.4, clv=60.0, cost=10.0):
    row = {"customer_id": "a", "tier": tier, "p_churn": p_churn, "clv": clv, "cost_to_serve": cost}
    return pd.DataFrame([row])


def level(name="one", **given):
    return ServiceLevel(**{"id": name, "tiers": ("elite", "steady", "below zero"), **given})


def profit(table, *levels):
    return service_value(table, levels).profit[0].tolist()


def test_worth_by_hand():
    # V given staying: 60 / .6 = 100.
    better = level(cost_factor=1.5, save_rate=(1, 19))  # keeps .05 of the .4 who would leave: 2.00 for 5.00
    worse = level(cost_factor=0.5, loss_rate=0.01)  # loses .01 of the .6: .60, and saves 5.00
    charged = level(fee=3.0, cost_factor=1.0, loss_rate=0.1)  # loses 6.00; .6 - .06 pay 3.00
    assert profit(customer(), level(), better, worse, charged) == pytest.approx([0.0, -3.0, 4.4, -6.0 + 0.54 * 3])


def test_only_what_is_dearer_than_today_is_spent():
    found = service_value(customer(), [level(cost_factor=factor) for factor in (0.0, 0.5, 1.0, 1.5, 3.0)])
    assert found.cost[0].tolist() == [0.0, 0.0, 0.0, 5.0, 20.0]
    assert found.profit[0].tolist() == [10.0, 5.0, 0.0, -5.0, -20.0]


def test_staying_goes_by_the_mean_save_rate():
    found = service_value(customer(), [level(save_rate=(6, 14), loss_rate=0.1)])
    assert found.profit[0, 0] == pytest.approx(100 * (0.4 * 0.3 - 0.6 * 0.1))
    assert found.save_rate.tolist() == pytest.approx([0.3])


def test_losing_who_costs_more_than_they_bring_earns():
    below = customer("below zero", p_churn=0.5, clv=-10.0)  # -20 given staying
    assert profit(below, level(loss_rate=0.2)) == pytest.approx([0.5 * 0.2 * 20])


def test_only_the_levels_of_the_tier_are_open_and_no_saving_below_zero():
    table = pd.concat([customer(tier) for tier in ("elite", "steady", "below zero", "most growable")])
    levels = [
        level("paid", save_rate=(1, 1)),
        level("plain"),
        level("full", capacity=0),
        level("top", tiers=("elite",)),
    ]
    found = service_value(table, levels)
    assert np.isfinite(found.profit).tolist() == [
        [True, True, False, True],
        [True, True, False, False],
        [False, True, False, False],
        [False] * 4,
    ]
    assert found.first.tolist() == [0, 0, 1, TODAY]
    assert found.capacity.tolist() == [np.inf, np.inf, 0.0, np.inf]
    assert found.notes == ("No service level is open to most growable; they are served as today.",)


@pytest.mark.parametrize("gone", [{"cost": 0.0}, {"clv": np.nan, "cost": np.nan}])
def test_without_costs_or_amounts_the_first_level_of_the_tier_is_given(gone):
    table = pd.concat([customer(tier, **gone) for tier in ("elite", "steady", "below zero")])
    found = service_value(table, DEFAULT)
    assert [DEFAULT[first].id for first in found.first] == ["preferred", "standard", "self-service"]
    assert np.isfinite(found.profit).sum(axis=1).tolist() == [1, 1, 1]
    assert np.where(np.isfinite(found.profit), found.profit, 0.0).tolist() == np.zeros((3, 4)).tolist()
    assert not found.cost.any()
    assert "cannot be told for anyone, for want of amounts or of [value] cost" in found.notes[0]
    assert "below zero self-service, elite preferred, steady standard" in found.notes[0]


def test_one_customer_without_a_number_is_counted():
    table = pd.concat([customer(), customer(clv=np.nan)])
    found = service_value(table, DEFAULT)
    assert np.isfinite(found.profit).sum(axis=1).tolist() == [2, 1]
    assert found.notes[0].startswith("What a level of service is worth cannot be told for 1 customers")


def test_no_levels_and_no_customers():
    assert service_value(customer(), ()).profit.shape == (1, 0)
    assert service_value(customer(), ()).first.tolist() == [TODAY]
    assert service_value(customer().iloc[:0], DEFAULT).profit.shape == (0, 4)


def test_order_of_rows_does_not_matter():
    table = pd.concat([customer(p_churn=p, clv=v) for p, v in ((0.1, 5.0), (0.9, 40.0), (0.5, -3.0))])
    found, turned = (service_value(each, DEFAULT).profit for each in (table, table[::-1]))
    assert found.tolist() == turned[::-1].tolist()


def test_missing_column():
    with pytest.raises(OutputError, match=r"columns \['cost_to_serve'\], but they are missing"):
        service_value(customer().drop(columns="cost_to_serve"), DEFAULT)
