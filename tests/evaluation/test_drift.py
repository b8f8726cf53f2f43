"""Drift by hand-computed tables, by samples in which nothing has moved, and by logs in which something has."""

import json
from dataclasses import replace
from math import log

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from churnvalue.config import Drift
from churnvalue.errors import DriftError
from churnvalue.evaluation.drift import DriftCounts, judge, ks, psi, require_no_refusal
from churnvalue.evaluation.drift_domain import Domain
from churnvalue.evaluation.drift_reference import Reference, binned

LIMITS = Drift()
NAMES = ("visits", "orders_90d", "spend_90d", "silence")


def counts(*numbers):
    return np.array(numbers, dtype=np.int64)


def population(customers, seed, shift=0.0):
    """Features as logs have them: many zeros, a long tail, some unknown."""
    rng = np.random.default_rng(seed)
    visits = rng.poisson(0.6 + shift, customers).astype(float)
    silence = rng.exponential(40, customers) * (1 + shift)
    silence[rng.random(customers) < 0.3] = np.nan
    orders = np.minimum(rng.geometric(0.5, customers) - 1, 9.0)
    spend = np.where(orders > 0, rng.lognormal(3 + 2 * shift, 1, customers), 0.0)
    return pd.DataFrame({"visits": visits, "orders_90d": orders, "spend_90d": spend, "silence": silence})


def scores_of(features):
    risk = 1 / (1 + np.exp(features["visits"] + 0.2 * features["orders_90d"] - 1))
    return pd.DataFrame({"p_churn": risk, "clv": features["spend_90d"] * 2})


def reference_of(features, quarantined=0.01):
    scores = scores_of(features)
    return Reference(
        cutoff=0,
        customers=len(features),
        quarantined=quarantined,
        features=tuple(binned(features[name], f"number of {name}", steady=name != "silence") for name in NAMES),
        scores=tuple(binned(scores[name], name, steady=True) for name in scores),
    )


def verdict_on(features, reference, quarantined=0.01, limits=LIMITS):
    return judge(DriftCounts(reference).add(features, scores_of(features)), quarantined, limits)


@pytest.fixture(scope="module")
def training():
    return reference_of(population(4000, seed=1))


def test_psi_is_the_sum_over_bins_less_what_chance_brings():
    # Shares of 100.5 and 50.5 of 151 + 0.5 … written out: three bins, each count raised by a half.
    then, now = counts(0, 100, 300), counts(50, 150, 200)
    p, q = [0.5 / 401.5, 100.5 / 401.5, 300.5 / 401.5], [50.5 / 401.5, 150.5 / 401.5, 200.5 / 401.5]
    by_hand = sum((b - a) * log(b / a) for a, b in zip(p, q, strict=True)) - 2 * (1 / 400 + 1 / 400)
    distance, sure = psi(then, now)
    assert distance == pytest.approx(by_hand)
    assert sure


def test_bins_that_nobody_was_ever_in_change_nothing():
    assert psi(counts(0, 70, 0, 30), counts(0, 30, 0, 70)) == psi(counts(70, 30), counts(30, 70))


@pytest.mark.parametrize(("then", "now"), [((5, 0), (9, 0)), ((0, 0), (3, 4)), ((3, 4), (0, 0))])
def test_one_bin_or_no_customers_tell_nothing(then, now):
    assert psi(counts(*then), counts(*now)) == (0.0, False)


def test_ks_is_the_largest_distance_of_cumulative_shares():
    # 0.1 0.5 1.0 against 0.2 0.3 1.0
    assert ks(counts(10, 40, 50), counts(4, 2, 14)) == pytest.approx(0.2)
    assert ks(counts(1, 1), counts(0, 0)) == 0.0


def test_chunks_add_up_to_the_whole(training):
    now = population(1000, seed=2)
    said = scores_of(now)
    whole = DriftCounts(training).add(now, said)
    one_by_one = DriftCounts(training)
    for start in range(0, 1000, 300):
        one_by_one = one_by_one.add(now[start : start + 300], said[start : start + 300])
    halves = DriftCounts(training).add(now[500:], said[500:]).merge(DriftCounts(training).add(now[:500], said[:500]))
    assert judge(one_by_one, 0.0, LIMITS) == judge(whole, 0.0, LIMITS) == judge(halves, 0.0, LIMITS)
    assert whole.customers == 1000
    assert DriftCounts(training).customers == 0


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 10**6), then=st.sampled_from([60, 300, 4000]), now=st.sampled_from([30, 200, 3000]))
def test_another_sample_of_the_same_customers_is_no_alarm(seed, then, now):
    reference = reference_of(population(then, seed))
    verdict = verdict_on(population(now, seed + 1), reference)
    assert verdict["status"] == "ok"
    assert verdict["notes"] == []


def test_a_shift_of_everything_is_an_alarm_that_names_what_moved_most(training):
    verdict = verdict_on(population(500, seed=3, shift=1.0), training)
    assert verdict["status"] == "warn"
    assert verdict["features"][0]["psi"] > 0.25
    assert f"{verdict['features'][0]['title']} ({verdict['features'][0]['psi']:.2f})" in verdict["notes"][0]
    assert "scores have moved since training: " in verdict["notes"][1]
    assert [one["name"] for one in verdict["scores"]] == ["p_churn", "clv"]


def test_a_single_feature_that_moved_far_is_worth_a_warning(training):
    now = population(500, seed=3).assign(orders_90d=np.arange(500) % 2 * 99.0)
    verdict = judge(DriftCounts(training).add(now, pd.DataFrame()), 0.0, Drift(refuse=1.0))
    assert verdict["status"] == "warn"
    assert verdict["notes"][0].startswith(
        "1 of 3 features have moved by a PSI above 0.25, most of all number of orders_90d"
    )
    assert "p_churn, clv was foretold at training, but is not now" in verdict["notes"]


def test_everyone_alike_where_one_in_ten_was_not_is_a_source_that_stopped():
    visits = pd.Series([0.0] * 900 + [1.0] * 100, name="visits")
    training = Reference(0, 1000, 0.0, (binned(visits, "number of visits", steady=True),), ())
    found = {}
    for customers in (299, 301):  # of whom 29.9 and 30.1 should have visited
        now = pd.DataFrame({"visits": [0.0] * customers})
        found[customers] = judge(DriftCounts(training).add(now, pd.DataFrame()), 0.0, Drift(warn=1.0))
    assert found[299]["status"] == "ok"
    assert found[301]["status"] == "warn"
    assert found[301]["features"][0]["status"] == "constant"
    assert found[301]["notes"] == [
        "everyone is alike in number of visits, unlike at training; see whether every source still delivers"
    ]


def test_what_grows_with_the_calendar_is_shown_and_not_counted(training):
    now = population(500, seed=3)
    verdict = verdict_on(now.assign(silence=now["silence"] + 500), training)
    assert verdict["status"] == "ok"
    grown = next(one for one in verdict["features"] if one["name"] == "silence")
    assert grown["status"] == "grows"
    assert grown["psi"] > 2


def test_a_feature_that_nobody_has_any_more_is_refused_unless_forced(training):
    verdict = verdict_on(population(500, seed=3).assign(silence=np.nan), training)
    assert verdict["status"] == "refused"
    assert verdict["features"][0] | {"psi": 0, "ks": 0} == {
        "name": "silence", "title": "number of silence", "status": "gone", "psi": 0, "ks": 0,
    }  # fmt: skip
    said = "nobody of 500 customers has a value of number of silence, which most had at training. Check .* --force"
    with pytest.raises(DriftError, match=said):
        require_no_refusal(verdict, force=False)
    require_no_refusal(verdict, force=True)


def test_half_of_the_features_far_off_is_refused_and_the_limit_is_the_users(training):
    now = population(500, seed=3).assign(orders_90d=99.0, visits=99.0)
    assert "2 of 3 features have moved by a PSI above 2, " in verdict_on(now, training)["notes"][0]
    assert verdict_on(now, training)["status"] == "refused"
    assert verdict_on(now, training, limits=Drift(refuse=1e6))["status"] == "warn"
    assert verdict_on(now[:99], training)["status"] == "warn"  # too few customers to refuse


@pytest.mark.parametrize(
    ("before", "now", "status"),
    [(0.0, 0.015, "ok"), (0.0, 0.03, "warn"), (0.02, 0.11, "warn"), (0.02, 0.13, "refused"), (0.225, 0.25, "ok")],
)
def test_many_more_quarantined_rows_than_at_training(training, before, now, status):
    verdict = verdict_on(population(500, seed=4), replace(training, quarantined=before), quarantined=now)
    assert verdict["status"] == status
    assert verdict["quarantine"] == {"now": now, "training": before}
    assert len(verdict["notes"]) == (status != "ok")


def test_the_domain_classifier_is_told_and_explains_a_warning(training):
    now = population(500, seed=3, shift=1.0)
    found = Domain(auc=0.91234, error=0.01, customers=500, strongest=("visits",))
    verdict = judge(DriftCounts(training).add(now, scores_of(now)), 0.0, LIMITS, found)
    assert (verdict["domain_auc"], verdict["domain_error"]) == (0.9123, 0.01)
    assert "a classifier tells customers now from then with AUC 0.91 (± 0.02), most by visits" in verdict["notes"]


def test_the_verdict_is_plain_json(training):
    verdict = verdict_on(population(500, seed=3, shift=1.0), training)
    assert json.loads(json.dumps(verdict)) == verdict
    assert verdict["reference"] == "4,000 customers as of 1970-01-01"
