from dataclasses import replace

import lightgbm as lgb
import numpy as np
import pandas as pd
import pytest
from scipy.special import logit

from churnvalue.errors import RegistryError
from churnvalue.models.link_model import LinkModel, walking_once


@pytest.mark.parametrize("name", ["churn", "orders", "spend"])
@pytest.mark.parametrize("intercept", [0.0, -0.7])
def test_contributions_and_base_add_up_to_the_link(base, name, intercept):
    model = replace(base.links[name], intercept=intercept)
    parts = model.contributions(base.features)
    assert parts.shape == (len(base.features), len(model.features) + 1)
    np.testing.assert_allclose(parts.sum(axis=1), model.on_link(base.features), rtol=0, atol=1e-9)


def test_predictions_are_the_inverse_link(base):
    churn, spend = base.links["churn"], base.links["spend"]
    p_churn = churn.predict(base.features)
    assert ((p_churn > 0) & (p_churn < 1)).all()
    np.testing.assert_allclose(logit(p_churn), churn.on_link(base.features), atol=1e-9)
    np.testing.assert_allclose(np.log(spend.predict(base.features)), spend.on_link(base.features), atol=1e-12)


@pytest.mark.parametrize("name", ["churn", "spend"])
def test_a_shift_moves_every_customer_alike_on_the_link(base, name):
    model = base.links[name]
    moved = replace(model, intercept=0.25)
    np.testing.assert_allclose(moved.on_link(base.features) - model.on_link(base.features), 0.25, atol=1e-12)
    same = moved.contributions(base.features)[:, :-1] == model.contributions(base.features)[:, :-1]
    assert same.all()


def test_the_link_is_bounded_so_that_nothing_is_certain(base):
    for level in (-1e6, 1e6):
        p_churn = replace(base.links["churn"], intercept=level).predict(base.features)
        assert ((p_churn > 0) & (p_churn < 1)).all()
        assert np.isfinite(replace(base.links["spend"], intercept=level).predict(base.features)).all()


def test_neither_order_nor_number_of_columns_changes_a_score(base):
    model = base.links["churn"]
    shuffled = base.features[base.features.columns[::-1]].assign(unrelated=1.0)
    assert (model.predict(shuffled) == model.predict(base.features)).all()
    assert (model.contributions(shuffled) == model.contributions(base.features)).all()


def test_a_customer_is_scored_the_same_alone_and_among_others(base):
    model = base.links["spend"]
    alone = np.concatenate([model.predict(base.features.iloc[[row]]) for row in range(30)])
    assert (alone == model.predict(base.features)[:30]).all()


def test_a_missing_feature_is_named_with_a_near_match(base):
    frame = base.features.rename(columns={"days_since_last_purchase": "days_since_lst_purchase"})
    with pytest.raises(
        RegistryError, match=r"'days_since_last_purchase' is missing\. Did you mean 'days_since_lst_purchase'\?"
    ):
        base.links["churn"].predict(frame)
    with pytest.raises(RegistryError, match=r"'days_since_last_purchase' is missing and 1 more\."):
        base.links["churn"].contributions(frame.drop(columns="repeat_days_purchase"))


def test_the_same_trees_are_walked_once_for_the_same_frame(monkeypatch) -> None:
    rng = np.random.default_rng(1)
    frame = pd.DataFrame({"a": rng.random(300), "b": rng.random(300)})
    booster = lgb.train({"objective": "binary", "verbose": -1}, lgb.Dataset(frame.to_numpy(), frame["a"] > 0.5), 3)
    text = booster.model_to_string()
    one, copy = LinkModel(text, ("a", "b"), "logit"), LinkModel(str(text), ("a", "b"), "logit", intercept=1.0)
    alone = one.on_link(frame)
    walks = []
    predict = lgb.Booster.predict
    monkeypatch.setattr(lgb.Booster, "predict", lambda *a, **k: walks.append(1) or predict(*a, **k))
    with walking_once():
        np.testing.assert_array_equal(one.on_link(frame), alone)
        np.testing.assert_array_equal(copy.on_link(frame), alone + 1.0)
        np.testing.assert_array_equal(one.on_link(frame.iloc[:10]), alone[:10])
        np.testing.assert_array_equal(one.on_link(frame.iloc[10:20]), alone[10:20])
    assert len(walks) == 3
    one.on_link(frame)
    assert len(walks) == 4
