from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from churnvalue.models.buy_till_you_die import summary
from churnvalue.models.customer_value import (
    Terms,
    ValueModel,
    _Spread,
    cost_features,
    is_sent,
    mean_cost_an_order,
)
from made_customers import COST

YEAR = 365


@dataclass(frozen=True)
class Said:
    """Stands for a link model: says the same of everyone."""

    value: float
    features: tuple[str, ...] = ()

    def predict(self, frame):
        return np.full(len(frame), self.value)


@dataclass(frozen=True)
class Steady:
    """Stands for buy till you die: nobody stops, and everybody orders at one rate a day."""

    rate: float
    kind: str = "purchase"
    features: tuple[str, ...] = ()

    def orders(self, frame, days):
        return np.tile(self.rate * np.asarray(days), (len(frame), 1))

    def p_no_purchase(self, frame, days):
        return np.full(len(frame), np.exp(-self.rate * days))


def customer(orders=0.0, tickets=0.0, messages=0.0, since_first=400.0):
    return pd.DataFrame(
        {
            "event_count_purchase_365d": [orders],
            "event_count_ticket_365d": [tickets],
            "event_count_message_sent_365d": [messages],
            "days_since_first_purchase": [since_first],
        }
    )


def model(terms, spend=220.0, p_churn=0.2, rate=0.02, cost_an_order=0.0):
    said = None if spend is None else Said(spend)
    return ValueModel(Said(p_churn), said, Steady(rate), terms, dispersion=0.5, cost_an_order=cost_an_order)


def clv(terms, frame, **arguments):
    return model(terms, **arguments).predict(frame)["clv"].iloc[0]


# One year, discounted from its middle at 21 %: 1 / 1.21 ** 0.5 = 1 / 1.1.
ONE_YEAR = Terms(horizon_days=YEAR, value_days=YEAR, margin=0.5, discount_rate=0.21, cost={})


def test_one_period_by_hand():
    assert clv(ONE_YEAR, customer()) == pytest.approx(100.0)  # 0.5 * 220 / 1.1
    assert clv(replace(ONE_YEAR, discount_rate=0.0), customer()) == pytest.approx(110.0)


def test_cost_of_what_the_customer_causes_goes_by_the_order():
    terms = replace(ONE_YEAR, cost={"ticket": 6.0})
    # 3 tickets at 6 over 4 orders, and 2 orders at the base's 1.00: 20 / 6 an order; 11 orders a year, / 1.1 = 10.
    found = clv(terms, customer(orders=4, tickets=3), rate=11 / YEAR, cost_an_order=1.0)
    assert found == pytest.approx(100.0 - 10 * 20 / 6)
    # Without a history the base's cost stands.
    assert clv(terms, customer(), rate=11 / YEAR, cost_an_order=1.0) == pytest.approx(100.0 - 10 * 1.0)


def test_cost_of_what_we_send_goes_by_the_day():
    terms = replace(ONE_YEAR, cost={"message_sent": 0.11})
    # 730 messages in a year at .11 are 80.30 a year, / 1.1 = 73.
    assert clv(terms, customer(messages=730)) == pytest.approx(100.0 - 73.0)
    # Half a year of tenure with 365 messages: the same rate.
    assert clv(terms, customer(messages=365, since_first=182.5)) == pytest.approx(100.0 - 73.0)
    # A tenure of ten days counts as ninety: 9 messages, .1 a day.
    assert clv(terms, customer(messages=9, since_first=10)) == pytest.approx(100.0 - 0.1 * 0.11 * YEAR / 1.1)


def test_a_customer_who_costs_more_than_they_bring_is_worth_less_than_nothing():
    terms = replace(ONE_YEAR, cost={"ticket": 60.0})
    found = model(terms, rate=11 / YEAR).predict(customer(orders=4, tickets=8)).iloc[0]
    assert found["clv"] == pytest.approx(100.0 - 10 * 480 / 6)
    assert found["clv_p10"] <= found["clv"] < 0


def test_beyond_the_horizon_spend_goes_on_as_purchases_do():
    terms = replace(ONE_YEAR, horizon_days=90, value_days=1095, discount_rate=0.0)
    # 90 days bring 0.5 * 220; three years of a steady customer 1095 / 90 times that.
    assert clv(terms, customer()) == pytest.approx(110.0 * 1095 / 90)


def test_discounting_comes_near_the_integral():
    terms = replace(ONE_YEAR, horizon_days=90, value_days=1095, discount_rate=0.1)
    force = np.log(1.1) / YEAR
    integral = 110.0 / 90 * (1 - np.exp(-force * 1095)) / force
    assert clv(terms, customer()) == pytest.approx(integral, rel=2e-3)


def test_the_tail_is_that_of_pareto_nbd(base):
    terms = Terms(horizon_days=90, value_days=1095, margin=0.35, discount_rate=0.1, cost={})
    value = ValueModel(base.blend("churn"), Said(100.0), base.buying, terms, 0.8, 0.0).predict(base.features)["clv"]
    rfm = summary(base.features, "purchase")
    discounted = base.buying.purchases.discounted_purchases(rfm, 1095, np.log(1.1) / YEAR)
    expected = 0.35 * 100.0 * discounted / base.buying.purchases.expected_purchases(rfm, 90)
    np.testing.assert_allclose(value, expected, rtol=0.01)


def test_a_value_horizon_within_the_outcome_s_takes_its_share():
    terms = replace(ONE_YEAR, value_days=73, discount_rate=0.0)
    assert clv(terms, customer()) == pytest.approx(110.0 / 5)


def test_value_grows_with_its_horizon_and_falls_with_the_discount():
    terms = replace(ONE_YEAR, horizon_days=90)
    longer = [clv(replace(terms, value_days=days), customer()) for days in (30, 90, 365, 1095, 3650)]
    dearer = [clv(replace(terms, discount_rate=rate, value_days=1095), customer()) for rate in (0.0, 0.1, 1.0, 10.0)]
    assert (np.diff(longer) > 0).all()
    assert (np.diff(dearer) < 0).all()


# Bounds


@given(st.floats(0, 1), st.floats(1e-12, 5), st.integers(1, 1000), st.integers(1, 4000))
@settings(max_examples=60, deadline=None)
def test_whatever_is_said_stays_in_its_bounds(p_churn, rate, horizon_days, value_days):
    terms = Terms(horizon_days, value_days, 0.35, 0.1, {"ticket": 5.0})
    found = model(terms, p_churn=p_churn, rate=rate).predict(customer(orders=2, tickets=1)).iloc[0]
    assert np.isfinite(found.to_numpy()).all()
    assert found["clv_p10"] <= found["clv"] <= found["clv_p90"]


def test_without_amounts_there_is_no_value(base):
    terms = Terms(90, 365, 0.35, 0.1, COST)
    found = ValueModel(base.blend("churn"), None, base.buying, terms, 1.0, 1.0).predict(base.features)
    assert list(found) == ["clv", "clv_p10", "clv_p90", "p_below_zero", "cost_to_serve"]
    assert found.isna().all(axis=None)


# What it reads


def test_the_base_s_cost_of_an_order():
    frame = pd.concat([customer(orders=4, tickets=3, messages=50), customer(orders=1, tickets=2)])
    assert mean_cost_an_order(frame, "purchase", COST) == pytest.approx(6.0 * 5 / 5)  # messages are not theirs
    assert mean_cost_an_order(customer(tickets=3), "purchase", COST) == pytest.approx(18.0)
    assert mean_cost_an_order(frame, "purchase", {}) == 0.0


def test_messages_are_ours_all_else_is_theirs():
    assert [is_sent(kind) for kind in ("message_sent", "message_sent_sms", "ticket", "message_open")] == [
        *(True, True, False, False)
    ]


def test_every_feature_that_is_read_is_an_input(base):
    terms = Terms(90, 365, 0.35, 0.1, COST)
    value = ValueModel(base.blend("churn"), base.blend("spend"), base.buying, terms, 0.8, 1.0)
    assert {feature.name for feature in cost_features("purchase", COST)} <= set(value.inputs)
    assert len(set(value.inputs)) == len(value.inputs)
    found = value.predict(base.features[list(value.inputs)])
    assert found.equals(value.predict(base.features))
    assert found.index.equals(base.features.index)


# How value may turn out


def test_risk_and_interval_are_of_one_distribution():
    # Who comes back (.8) brings a lognormal margin and causes orders; who does not costs what is sent.
    terms = replace(ONE_YEAR, cost={"ticket": 6.0, "message_sent": 0.11})
    said = model(terms, rate=11 / YEAR, p_churn=0.2)
    found = said.predict(customer(orders=4, tickets=24, messages=100)).iloc[0]
    caused, sent = 10 * 144 / 6, 100 * 0.11 / 1.1
    rng = np.random.default_rng(5)
    margin = rng.lognormal(np.log(100 / 0.8) - 0.5**2 / 2, 0.5, 400_000)
    back = rng.random(len(margin)) < 0.8
    value = np.where(back, margin - caused / 0.8, 0.0) - sent
    assert found["cost_to_serve"] == pytest.approx(caused + sent)
    assert found["clv"] == pytest.approx(value.mean(), abs=0.3)
    assert found["p_below_zero"] == pytest.approx((value[back] < 0).mean(), abs=0.003)
    assert found["clv_p10"] == pytest.approx(np.quantile(value, 0.1), abs=1.0)
    assert found["clv_p90"] == pytest.approx(np.quantile(value, 0.9), abs=1.0)


def test_the_silent_cost_what_is_sent_and_no_orders():
    terms = replace(ONE_YEAR, cost={"ticket": 6.0, "message_sent": 0.11})
    found = model(terms, rate=11 / YEAR, p_churn=0.95).predict(customer(orders=4, tickets=1, messages=100)).iloc[0]
    assert found["clv_p10"] == pytest.approx(-10.0)


def test_risk_rises_with_cost_and_is_nothing_without():
    frame = customer(orders=4, tickets=3)
    risks = [
        model(replace(ONE_YEAR, cost={"ticket": cost}), rate=11 / YEAR).predict(frame)["p_below_zero"].iloc[0]
        for cost in (0.0, 5.0, 20.0, 80.0, 1e6)
    ]
    assert risks[0] == 0.0
    assert (np.diff(risks) > 0).all()
    assert risks[-1] == pytest.approx(1.0)


@given(st.floats(0.001, 0.999), st.floats(0, 300), st.floats(0, 50), st.floats(0.01, 0.99))
@settings(max_examples=60, deadline=None)
def test_quantiles_rise_with_the_level(p_silent, caused, sent, level):
    spread = _Spread(*(np.array([each]) for each in (p_silent, 100.0, caused, sent)), dispersion=0.8)
    low, high = spread.quantile(level * 0.99)[0], spread.quantile(level)[0]
    assert low <= high
    assert (spread.p_below_zero() <= 1).all()
