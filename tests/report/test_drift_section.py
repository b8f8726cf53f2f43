import pytest

from churnvalue.report.drift import drift, realised

TOLD = {
    "status": "warn",
    "reference": "training of 2011-06-01",
    "domain_auc": 0.7,
    "scores": [{"name": "p_churn", "psi": 0.2, "ks": 0.1}],
    "features": [{"name": "a_b", "title": "days since", "psi": 0.3, "ks": None, "status": "warn"}] * 25,
    "quarantine": {"now": 0.02, "training": 0.01},
    "notes": ["one", 2],
}


def test_drift_is_read_as_score_wrote_it():
    found = drift(TOLD)
    assert (found.status, found.reference, found.domain_auc) == ("warn", "training of 2011-06-01", 0.7)
    assert (found.scores[0].title, found.scores[0].psi, found.scores[0].status) == ("p churn", 0.2, "")
    assert len(found.features) == 20
    assert (found.features[0].title, found.features[0].ks, found.features[0].status) == ("days since", None, "warn")
    assert (found.quarantined, found.quarantined_then, found.notes) == (0.02, 0.01, ["one"])


@pytest.mark.parametrize("odd", [None, {}, {"status": "fine"}, {"status": ["ok"]}, [TOLD], "ok"])
def test_without_a_known_status_there_is_no_drift(odd):
    assert drift(odd) is None


def test_a_status_alone_is_enough():
    found = drift({"status": "ok", "features": None, "quarantine": 3})
    assert (found.features, found.quarantined, found.notes) == ([], None, [])


def test_past_scores_stand_newest_first():
    row = {"model": "churn", "version": 1, "metric": "auc", "then": 0.8, "realised": 0.75, "customers": 900}
    old, new = ({"cutoff": cutoff, "as_of": "2011-09-01"} | row for cutoff in ("2011-03-01", "2011-06-01"))
    assert [one.cutoff for one in realised([old, new])] == ["2011-06-01", "2011-03-01"]
    assert (realised([old])[0].version, realised([old])[0].realised) == ("1", 0.75)
    assert realised(None) == realised([None]) == []
