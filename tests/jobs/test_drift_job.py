"""The reference of a trained shop, and scorings of the same shop later and when something broke."""

import shutil
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from small_shop import AS_OF

from churnvalue import clock
from churnvalue.config import Drift, Population
from churnvalue.engines import read_log
from churnvalue.errors import RegistryError
from churnvalue.evaluation.drift import DriftCounts, judge
from churnvalue.events.selection import of_customers
from churnvalue.features import expand
from churnvalue.frames import described, feature_frame
from churnvalue.jobs import drift
from churnvalue.jobs.champions import load_champions, open_registry
from churnvalue.jobs.drift import REFERENCE, Watch, domain, is_steady, quarantined_share, read_reference
from churnvalue.models.digests import write_digests
from churnvalue.tracking.packages import MODEL_FILES

LATER = "2025-01-15"


@pytest.fixture(scope="module")
def folder(shop):
    return open_registry(shop.config).download("churn", "champion") / MODEL_FILES


@pytest.fixture(scope="module")
def reference(folder):
    return read_reference(folder)


@pytest.fixture(scope="module")
def champions(shop):
    return load_champions(shop.config)


@pytest.fixture(scope="module")
def log(shop):
    """The shop's log six weeks after its models were trained."""
    return read_log(shop.config, clock.micros(LATER))


@pytest.fixture(scope="module")
def judged(shop, champions, reference):
    """A function that scores and judges the shop by a log."""

    def judge_by(log):
        frame = feature_frame(log, champions.features, clock.micros(LATER), shop.config.population)
        counts = DriftCounts(reference).add(frame, champions.predict(frame))
        return judge(counts, quarantined_share(log.account), Drift())

    return judge_by


def test_the_reference_counts_everyone_who_is_scored_at_the_end_of_the_training_log(shop, reference, champions):
    assert reference.customers == len(shop.scores)
    assert clock.moment(reference.cutoff) == AS_OF
    assert [one.name for one in reference.scores] == ["p_churn", "orders", "spend", "clv"]
    features = pd.read_parquet(shop.out / "features.parquet")
    said = shop.scores
    for one in (*reference.features, *reference.scores):
        values = features[one.name] if one.name in features else said[one.name]
        assert one.count(values).tolist() == list(one.counts), one.name
    assert {one.name for one in reference.features} >= set(champions.churn.inputs)


def test_the_reference_names_no_customer(shop, folder):
    text = (folder / REFERENCE).read_text(encoding="utf-8")
    assert not [customer for customer in shop.scores["customer_id"] if f'"{customer}"' in text]
    assert len(text) < 50_000


def test_a_damaged_reference_is_refused_and_an_old_model_has_none(folder, tmp_path):
    copy = tmp_path / "churn"
    shutil.copytree(folder, copy)
    (copy / REFERENCE).write_text("{}", encoding="utf-8")
    with pytest.raises(RegistryError, match=f"{REFERENCE} must be as it was registered, but its bytes changed"):
        read_reference(copy)
    (copy / REFERENCE).unlink()
    write_digests(copy)  # as registered before there were references
    assert read_reference(copy) is None


@pytest.mark.parametrize(
    ("entry", "history", "active", "steady"),
    [
        ({"use": "event_count", "kind": "purchase", "days": 90}, 180, 365, True),
        ({"use": "event_count", "kind": "purchase", "days": 90}, 179, 365, False),
        ({"use": "event_count", "kind": "purchase", "days": "all"}, 9999, 365, False),
        ({"use": "days_since_first", "kind": "purchase"}, 9999, 365, False),
        ({"use": "days_since_last", "kind": "purchase"}, 365, 365, True),
        ({"use": "days_since_last", "kind": "purchase"}, 365, 730, False),
        ({"use": "days_since_last", "kind": "visit"}, 9999, 365, False),
    ],
)
def test_what_stays_as_it_is_while_nothing_changes(entry, history, active, steady):
    (feature,) = expand([entry])
    assert is_steady(feature, history, Population(active_days=active)) is steady


def test_the_same_shop_six_weeks_later_is_no_alarm(judged, log):
    verdict = judged(log)
    assert (verdict["status"], verdict["notes"]) == ("ok", [])
    assert verdict["quarantine"] == {"now": 0.0, "training": 0.0}


def test_a_source_of_visits_that_broke_off_is_a_warning(judged, log):
    late = (log.kind.codes == log.kind.code("visit")) & (log.event_time >= clock.micros(LATER) - 90 * clock.DAY)
    verdict = judged(replace(log, known_at=np.where(late, clock.END, log.known_at)))
    assert verdict["status"] == "warn"
    assert "visits" in verdict["notes"][0]


def test_amounts_in_another_unit_are_a_warning(judged, log):
    verdict = judged(replace(log, amount=log.amount * 100))
    assert verdict["status"] == "warn"
    assert "most of all money of purchases in the last 90 days" in verdict["notes"][0]
    assert "customer value" in verdict["notes"][1]


def test_then_and_now_are_computed_from_one_log(shop, reference, champions, log):
    later = clock.micros(LATER)
    found = domain(log, reference, champions.features, later, shop.config)
    assert 0.4 < found.auc < 0.75
    assert set(found.strongest) <= {one.name for one in reference.features if one.steady}
    assert domain(log, reference, champions.features, reference.cutoff, shop.config) is None


def test_watching_ranges_of_customers_is_watching_all_of_them(shop, reference, champions, log, monkeypatch):
    later = clock.micros(LATER)
    monkeypatch.setattr(drift, "MOST_CUSTOMERS", 250)
    verdicts = []
    for many in (1, 3):
        watch = Watch(reference, log.customers, seed=1)
        place = np.arange(len(log.customers)) * many // len(log.customers)
        for part in range(many):
            some = of_customers(log, place == part)
            frame = described(some, champions.features, later, shop.config.population)
            watch.add(watch.eye.see(some, frame, champions.predict(frame)))
        verdicts.append(watch.verdict(log.account, champions.features, later, shop.config))
    assert verdicts[0] == verdicts[1]
    assert verdicts[0]["domain_auc"] is not None
