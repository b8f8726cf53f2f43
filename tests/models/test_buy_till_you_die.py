import json

import numpy as np
import pandas as pd
import pytest

from churnvalue.errors import ChurnvalueError
from churnvalue.models.buy_till_you_die import BuyTillYouDie, inputs, summary
from churnvalue.models.gamma_gamma import GammaGamma
from churnvalue.models.pareto_nbd import ParetoNBD
from made_customers import FEATURES, make_features

COLUMNS = ("repeat_days", "days_first_to_last", "days_since_first", "repeat_amount_mean", "active_days", "event_count")


def frame(*rows):
    """Rows of ``COLUMNS`` for purchases."""
    return pd.DataFrame(rows, columns=[f"{name}_purchase" for name in COLUMNS], dtype=float)


def test_the_summary_counts_in_whole_days():
    rfm = summary(
        frame(
            (2, 30.9, 50.4, 12.5, 3, 4),
            (0, 0.3, 50.0, np.nan, 1, 2),  # two orders of one day are one purchase: no recency
        ),
        "purchase",
    )
    assert rfm["frequency"].tolist() == [2, 0]
    assert rfm["recency"].tolist() == [30, 0]
    assert rfm["age"].tolist() == [50, 50]
    assert rfm["amount"].tolist()[0] == 12.5


def test_the_features_that_are_read_are_all_asked_for():
    names = {feature.name for feature in inputs("visit")}
    assert {f"{name}_visit" for name in COLUMNS} <= names
    assert set(BuyTillYouDie("visit", ParetoNBD(), None, 1.0).features) <= names


def test_it_is_pareto_nbd_times_orders_a_day_and_gamma_gamma(base):
    model, features = base.buying, base.features
    rfm = summary(features, "purchase")
    purchases, amounts = ParetoNBD().fit(rfm), GammaGamma().fit(rfm)
    expected = purchases.expected_purchases(rfm, 90)
    a_day = features["event_count_purchase"].sum() / features["active_days_purchase"].sum()
    assert a_day > 1.1
    np.testing.assert_allclose(model.orders(features, 90), expected * a_day, rtol=1e-12)
    np.testing.assert_allclose(model.spend(features, 90), expected * amounts.expected_amount(rfm), rtol=1e-12)
    np.testing.assert_allclose(model.p_no_purchase(features, 90), purchases.p_no_purchase(rfm, 90), rtol=1e-12)


@pytest.mark.parametrize("estimator", ["pareto_nbd", "bg_nbd"])
def test_parameters_survive_json_exactly(estimator):
    features = make_features(200, seed=5)
    model = BuyTillYouDie.fit(features, "purchase", estimator)
    again = BuyTillYouDie.from_parameters(json.loads(json.dumps(model.parameters())))
    assert again.parameters() == model.parameters()
    assert type(again.purchases) is type(model.purchases)
    for days in (7, 90):
        assert (again.p_no_purchase(features, days) == model.p_no_purchase(features, days)).all()
        assert (again.orders(features, days) == model.orders(features, days)).all()
        assert (again.spend(features, days) == model.spend(features, days)).all()


def test_a_log_without_amounts_has_no_money():
    features = make_features(200, seed=5).assign(repeat_amount_mean_purchase=np.nan)
    model = BuyTillYouDie.fit(features, "purchase")
    assert model.amounts is None
    assert np.isnan(model.spend(features, 90)).all()
    assert (model.orders(features, 90) > 0).all()
    assert BuyTillYouDie.from_parameters(model.parameters()).amounts is None


def test_order_of_rows_does_not_change_a_digit():
    features = make_features(200, seed=5)
    shuffled = features.sample(frac=1, random_state=1)
    assert BuyTillYouDie.fit(shuffled, "purchase").parameters() == BuyTillYouDie.fit(features, "purchase").parameters()


def test_who_is_silent_longer_of_equal_histories_is_likelier_gone(base):
    regular = [(10, 100.0, age, 20.0, 11, 11) for age in (101.0, 150.0, 300.0)]
    silent = base.buying.p_no_purchase(frame(*regular), 90)
    assert (np.diff(silent) > 0).all()


def test_somebody_who_never_bought_does_not_stop_the_others(base):
    # A population may be chosen by another kind than the one foretold: visitors without a purchase.
    never = make_features(3, seed=5).astype(float)
    names = [feature.name for feature in FEATURES if feature.name in never]
    never.loc["c00001", names] = np.nan
    never.loc["c00001", ["repeat_days_purchase", "active_days_purchase", "event_count_purchase"]] = 0.0
    silent = base.buying.p_no_purchase(never, 90)
    assert np.isfinite(silent).all()
    assert silent[[0, 2]].tolist() == base.buying.p_no_purchase(never.iloc[[0, 2]], 90).tolist()


def test_an_unknown_estimator_is_no_model():
    with pytest.raises((KeyError, ChurnvalueError), match="weibull"):
        BuyTillYouDie.fit(make_features(50, seed=5), "purchase", "weibull")
