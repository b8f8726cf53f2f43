from itertools import permutations

import numpy as np
import pytest

from churnvalue.models.blend import Blend, reference_of
from churnvalue.models.buy_till_you_die import summary

NAMES = ("churn", "orders", "spend")


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("horizon_days", [90, 273])
def test_contributions_and_base_add_up_to_the_link(base, name, horizon_days):
    blend = base.blend(name, horizon_days=horizon_days)
    parts = blend.contributions(base.features)
    assert parts.shape == (len(base.features), len(blend.features) + 1)
    np.testing.assert_allclose(parts.sum(axis=1), blend.on_link(base.features), atol=1e-9)
    assert np.ptp(parts[:, -1]) == pytest.approx(0.0, abs=1e-12)  # the base is everyone's


def test_shares_of_buy_till_you_die_are_the_mean_over_all_orders_of_joining(base):
    blend = base.blend("spend", trees_weight=0.0, level=0.0)
    rows = base.features.iloc[:20]
    rfm = summary(rows, "purchase")
    rfm = rfm.assign(amount=rfm["amount"].fillna(blend.reference["amount"]))
    players = ("frequency", "recency", "age", "amount")
    shares = {player: np.zeros(len(rows)) for player in players}
    for order in permutations(players):  # the definition of Shapley, written down
        joined: tuple[str, ...] = ()
        for player in order:
            before = blend._buying(blend._mixed(rfm, joined))
            joined = (*joined, player)
            shares[player] += (blend._buying(blend._mixed(rfm, joined)) - before) / 24
    parts = blend.contributions(rows)
    for player, share in shares.items():
        column = list(blend.features).index(blend.buying.feature(player))
        np.testing.assert_allclose(parts[:, column], share, atol=1e-9)


def test_weights_of_one_and_nothing_are_the_trees_alone(base):
    trees = base.links["churn"]
    alone = base.blend("churn", trees_weight=1.0, buying_weight=0.0, level=0.0)
    np.testing.assert_allclose(alone.predict(base.features), trees.predict(base.features))


def test_a_longer_horizon_stretches_as_buying_does(base):
    near, far = (base.blend("orders", horizon_days=days) for days in (90, 273))
    rfm = summary(base.features, "purchase")
    soon, late = (base.buying.purchases.expected_purchases(rfm, days) for days in (90, 273))
    alive = soon > 1e-6  # those whom the theory holds for dead are told apart no further
    stretched = far.predict(base.features) / near.predict(base.features)
    np.testing.assert_allclose(stretched[alive], (late / soon)[alive], rtol=1e-9)
    stay = [base.blend("churn", horizon_days=days).predict(base.features) for days in (90, 273)]
    assert (stay[1] <= stay[0]).all()


def test_lives_as_numbers_and_text(base):
    blend = base.blend("spend")
    again = Blend.from_parameters(blend.parameters(), blend.trees.trees)
    np.testing.assert_array_equal(again.predict(base.features), blend.predict(base.features))


def test_the_reference_is_the_median_customer(base):
    rfm = summary(base.features, "purchase")
    reference = reference_of(rfm)
    assert reference["age"] == np.median(rfm["age"])
    assert reference["recency"] <= reference["age"]
    assert set(reference_of(rfm.assign(amount=np.nan))) == {"frequency", "recency", "age"}
