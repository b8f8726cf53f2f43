import numpy as np
import pandas as pd
import pytest

from churnvalue import explain as reasons
from churnvalue.explain import DRIVER, drivers, importance, sentences
from churnvalue.features import expand
from made_customers import FEATURES, Base, fit, make_base, make_features, make_targets

WINDOWS = expand([{"use": "event_count", "kind": "purchase", "days": [30, 90, "all"]}])


@pytest.fixture(scope="module")
def base() -> Base:
    return make_base()


def said(base, **arguments):
    return drivers(base.blend("churn"), base.features, FEATURES, **arguments)


def test_drivers_are_contributions_strongest_first(base):
    model = base.blend("churn")
    effects = pd.DataFrame(model.contributions(base.features)[:, :-1], columns=list(model.features))
    found = said(base)
    assert found.type.value_type == DRIVER
    assert len(found) == len(base.features)
    for row, listed in enumerate(found.to_pylist()):
        strength = [abs(driver["effect"]) for driver in listed]
        assert 1 <= len(listed) <= 5
        assert strength == sorted(strength, reverse=True)
        for driver in listed:
            assert driver["effect"] == effects.loc[row, driver["feature"]]
            value = base.features[driver["feature"]].iloc[row]
            assert driver["value"] == (None if np.isnan(value) else value)
            assert driver["text"]
        assert strength[0] == effects.loc[row].abs().max()


def test_a_family_speaks_once(base):
    for listed in said(base, most=20).to_pylist():
        families = [
            driver["feature"].split("_purchase")[0].split("_ticket")[0].split("_message")[0] for driver in listed
        ]
        assert len(families) == len(set(families))


def test_what_hardly_matters_is_left_out_but_somebody_speaks(base):
    for listed in said(base, most=20).to_pylist():
        assert all(abs(driver["effect"]) >= 0.005 for driver in listed[1:])
    flat = fit("churn", base.features.iloc[:15], base.targets.iloc[:15].assign(churned=[0.0, 1.0] * 7 + [0.0]))
    silent = drivers(flat, base.features.iloc[:3], FEATURES)
    assert [len(listed) for listed in silent.to_pylist()] == [1, 1, 1]


def test_chunks_and_companions_do_not_change_what_is_said(base, monkeypatch):
    whole = said(base)
    monkeypatch.setattr(reasons, "_ROWS", 37)
    assert said(base).equals(whole)
    one = drivers(base.blend("churn"), base.features.iloc[[17]], FEATURES)
    assert one.to_pylist()[0] == whole.to_pylist()[17]


def test_several_windows_of_a_family_give_the_strongest(base):
    rng = np.random.default_rng(4)
    frame = pd.DataFrame(rng.poisson(3, (400, 3)).astype(float), columns=[feature.name for feature in WINDOWS])
    outcome = pd.DataFrame({"churned": (frame["event_count_purchase_90d"] < 3) * 1.0})
    model = fit("churn", frame, outcome)
    names = {driver["feature"] for listed in drivers(model, frame, WINDOWS).to_pylist() for driver in listed}
    assert names == {"event_count_purchase_90d"}


def test_importance_is_the_mean_absolute_effect(base):
    model = base.blend("spend")
    effects = np.abs(model.contributions(base.features)[:, :-1]).mean(axis=0)
    found = importance(model, base.features, FEATURES, most=4)
    assert [one.effect for one in found] == sorted(effects, reverse=True)[:4]
    assert found[0].feature == model.features[int(effects.argmax())]
    assert found[0].text == next(feature.title for feature in FEATURES if feature.name == found[0].feature)
    assert len(importance(model, base.features, FEATURES)) == len(model.features)


def scored(**changes):
    driver = {"feature": "days_since_last_purchase", "value": 90.0, "effect": 0.7, "text": "last purchase 90 days ago"}
    row = {
        "customer_id": "00123",
        "cutoff": pd.Timestamp("2024-03-01", tz="UTC"),
        "p_churn": 0.755,
        "band": "high",
        "orders": 0.3,
        "spend": 1234.5,
        "spend_p10": 0.0,
        "spend_p90": 4000.0,
        "clv": -3.0,
        "clv_p10": -10.0,
        "clv_p90": 20.0,
        "tier": "below zero",
        "percentile": 4.2,
        "p_return_7d": 0.1,
        "p_return_14d": 0.2,
        "p_return_30d": 0.4,
        "drivers": [driver, {**driver, "effect": -0.25, "text": "13 % more visits"}],
        "spend_drivers": None,
    }
    return pd.Series({**row, **changes})


def test_a_customer_in_words():
    text = sentences(scored(), has_amounts=True)
    assert (
        "Customer 00123, as known before 2024-03-01: 76 % likely to leave (high risk among all), 0.30 orders expected."
        in text
    )
    assert "Expected to spend 1,234.50 within the horizon (80 %: 0.00 to 4,000.00)" in text
    assert "worth -3.00 in present value (-10.00 to 20.00): below zero, above 4 % of customers." in text
    assert "within 7, 14, 30 days: 10 %, 20 %, 40 %." in text
    assert "  last purchase 90 days ago – speaks for leaving (+0.70)" in text
    assert "  13 % more visits – speaks for staying (-0.25)" in text
    assert "What moves their spend" not in text


def test_a_customer_of_a_log_without_amounts_in_words():
    money = dict.fromkeys(("spend", "spend_p10", "spend_p90", "clv", "clv_p10", "clv_p90"), np.nan)
    text = sentences(scored(tier="steady", **money), has_amounts=False)
    assert "The log holds no amounts, so there is no value; by orders: steady." in text
    assert "nan" not in text


def test_the_row_explained_is_left_as_it_was(base):
    features = make_features(20, seed=3)
    before = features.copy()
    drivers(fit("churn", base.features, make_targets(base.features, 4)), features, FEATURES)
    assert features.equals(before)
