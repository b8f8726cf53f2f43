"""The published fits on the 1/10 sample of CDNOW, calibrated on the first 39 weeks of 1997."""

from importlib.metadata import distribution

import numpy as np
import pandas as pd
import pytest

from churnvalue.models.bg_nbd import BGNBD
from churnvalue.models.gamma_gamma import GammaGamma
from churnvalue.models.pareto_nbd import ParetoNBD


@pytest.fixture(scope="module")
def cdnow():
    path = distribution("lifetimes").locate_file("lifetimes/datasets/CDNOW_sample.txt")
    lines = pd.read_csv(path, sep=r"\s+", names=["id", "sample_id", "day", "cds", "amount"], dtype={"day": str})
    lines["day"] = pd.to_datetime(lines["day"])
    days = lines.groupby(["sample_id", "day"], as_index=False)["amount"].sum()
    cutoff = pd.Timestamp("1997-09-30")
    known = days[days["day"] <= cutoff].groupby("sample_id")
    first, last = known["day"].min(), known["day"].max()
    customers = pd.DataFrame(
        {
            "frequency": known.size() - 1,
            "recency": (last - first).dt.days / 7,
            "age": (cutoff - first).dt.days / 7,
        }
    )
    repeats = known["amount"].sum() - known["amount"].first()
    customers["amount"] = repeats / customers["frequency"].where(customers["frequency"] > 0)
    later = days[days["day"] > cutoff].groupby("sample_id").size()
    return customers.assign(later=later.reindex(customers.index, fill_value=0))


def test_the_sample_is_the_published_one(cdnow):
    assert len(cdnow) == 2357
    assert cdnow["frequency"].sum() == 2457


def test_pareto_nbd_gives_the_published_parameters(cdnow):
    model = ParetoNBD().fit(cdnow)
    assert model.parameters() == pytest.approx({"r": 0.553, "alpha": 10.58, "s": 0.606, "beta": 11.67}, rel=0.02)
    assert model.log_likelihood(cdnow).sum() == pytest.approx(-9594.98, abs=0.01)
    exact = ParetoNBD(prior_sd=1e6).fit(cdnow).parameters()
    assert exact == pytest.approx({"r": 0.553, "alpha": 10.578, "s": 0.606, "beta": 11.669}, rel=1e-3)


def test_bg_nbd_gives_the_published_parameters(cdnow):
    model = BGNBD().fit(cdnow)
    assert model.parameters() == pytest.approx({"r": 0.243, "alpha": 4.414, "a": 0.793, "b": 2.426}, rel=0.005)
    assert model.log_likelihood(cdnow).sum() == pytest.approx(-9582.43, abs=0.01)


def test_gamma_gamma_gives_the_published_parameters(cdnow):
    exact = GammaGamma(prior_sd=1e6).fit(cdnow).parameters()
    assert exact == pytest.approx({"p": 6.25, "q": 3.74, "v": 15.44}, rel=2e-3)
    assert GammaGamma().fit(cdnow).parameters() == pytest.approx(exact, rel=0.02)


@pytest.mark.parametrize(("model", "correlation"), [(ParetoNBD(), 0.630), (BGNBD(), 0.626)])
def test_holdout_purchases_correlate_as_published(cdnow, model, correlation):
    expected = model.fit(cdnow).expected_purchases(cdnow, 39.0)
    assert np.corrcoef(expected, cdnow["later"])[0, 1] == pytest.approx(correlation, abs=5e-4)
