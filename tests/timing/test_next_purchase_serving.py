import json
from dataclasses import dataclass, replace

import lightgbm as lgb
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from churnvalue.errors import RegistryError
from churnvalue.features import expand
from churnvalue.models import serving
from churnvalue.models.buy_till_you_die import BuyTillYouDie
from churnvalue.models.digests import write_digests
from churnvalue.timing.hazard import HazardTrees, bin_edges
from churnvalue.timing.next_purchase import AFT, BUYING, TREES, NextPurchase, inputs
from churnvalue.timing.next_purchase_serving import (
    OUTPUTS,
    RETURN_DAYS,
    ReturnModel,
    _load_pyfunc,
    load_model,
    p_silent,
)
from churnvalue.timing.waits import Waits
from churnvalue.timing.weibull_aft import WeibullAFT
from made_customers import FEATURES, make_base

HORIZON = 60
DEFINED = (*FEATURES, *inputs("purchase"), *expand([{"use": "gap_sd", "kind": "purchase"}]))


@dataclass(frozen=True)
class Curve:
    """Stands for a wait: everyone's hazard at each day asked for."""

    rates: np.ndarray
    members: tuple[str, ...]

    def cumulative_hazard(self, frame, days):
        del frame
        return self.rates[:, None] * np.asarray(days)


@pytest.fixture(scope="module")
def base():
    return make_base()


@pytest.fixture(scope="module")
def frame(base):
    rng = np.random.default_rng(4)
    made = base.features.assign(
        gap_mean_purchase=np.where(
            base.features["repeat_days_purchase"] > 0, rng.uniform(2, 60, len(base.features)), np.nan
        ),
        event_count_purchase_30d=rng.integers(0, 3, len(base.features)).astype(float),
        event_count_purchase_90d=rng.integers(0, 5, len(base.features)).astype(float),
    )
    cutoff = pd.DatetimeIndex([pd.Timestamp("2024-05-01", tz="UTC")] * len(made))
    made.index = pd.MultiIndex.from_arrays([made.index, cutoff], names=["customer_id", "cutoff"])
    return made


@pytest.fixture(scope="module")
def waiting(frame):
    """Pareto/NBD, AFT and trees, all speaking."""
    rng = np.random.default_rng(5)
    days = rng.exponential(20 + frame["days_since_last_purchase"].to_numpy())
    learnt = Waits(frame, np.floor(np.minimum(days, HORIZON)), days < HORIZON)
    edges = bin_edges(HORIZON)
    model = NextPurchase(
        kind="purchase",
        edges=edges,
        members=(BUYING, AFT, TREES),
        buying=BuyTillYouDie.fit(frame, "purchase"),
        aft=WeibullAFT.fit(learnt, "purchase"),
        trees=None,
        weekdays=(1.0,) * 7,
        levels=tuple(np.linspace(-0.2, 0.3, len(edges) - 1)),
        note="made",
    )
    trees = HazardTrees.fit(learnt, model.member_hazards(frame)[AFT], edges, "purchase", 3)
    return replace(model, trees=trees)


@pytest.fixture(scope="module")
def model(base, waiting):
    return ReturnModel(base.blend("churn", horizon_days=90), waiting)


def alone(model, horizon_days=90):
    """The same falling back on Pareto/NBD."""
    waiting = NextPurchase.of_buying(model.waiting.buying, model.waiting.edges, "few")
    return ReturnModel(replace(model.churn, horizon_days=horizon_days), waiting)


def store(model, folder):
    folder.mkdir()
    for name, text in model.files(DEFINED).items():
        (folder / name).write_text(text, encoding="utf-8")
    write_digests(folder)
    return folder


# Coherence


def test_a_learnt_curve_is_kept_from_saying_more_than_the_churn_model_allows():
    # Hazards of .01 and .1 a day; silent over 28 days with .5. exp(-.07), exp(-.14); .5 is more than exp(-.7).
    found = p_silent(Curve(np.array([0.01, 0.1]), (AFT,)), pd.DataFrame(index=[0, 1]), np.array([0.5, 0.5]), 28)
    assert found[0, :2] == pytest.approx(np.exp([-0.07, -0.14]))
    assert found[1, :2] == pytest.approx([0.5, 0.5])
    assert found[:, 2] == pytest.approx(0.5 * np.exp([-0.02, -0.2]))  # two days beyond the horizon


def test_pareto_nbd_alone_is_scaled_to_the_churn_model():
    # Silent at the horizon of 30 days with .64; the curve's hazard is steady, so at 15 days with .8.
    found = p_silent(Curve(np.array([0.002]), (BUYING,)), pd.DataFrame(index=[0]), np.array([0.64]), 30)[0]
    assert found == pytest.approx([0.8 ** (7 / 15), 0.8 ** (14 / 15), 0.64])


@given(st.floats(0, 1), st.floats(1e-12, 5), st.integers(1, 400), st.sampled_from([(BUYING,), (AFT,)]))
@settings(max_examples=80, deadline=None)
def test_chances_never_fall_with_the_days_nor_contradict_p_churn(p_churn, rate, horizon_days, members):
    curve, one = Curve(np.array([rate]), members), pd.DataFrame(index=[0])
    found = p_silent(curve, one, np.array([p_churn]), horizon_days)[0]
    assert ((found >= 0) & (found <= 1)).all()
    assert (np.diff(found) <= 0).all()
    for days, silent in zip(RETURN_DAYS, found, strict=True):
        if days <= horizon_days:
            assert silent >= p_churn - 1e-9
        if days == horizon_days:
            assert silent == pytest.approx(p_churn, abs=1e-8)


@pytest.mark.parametrize("horizon_days", [7, 14, 20, 30, 60, 90, 200])
def test_real_curves_keep_to_it_at_every_horizon(model, frame, horizon_days):
    learnt = replace(model, churn=replace(model.churn, horizon_days=horizon_days))
    for one in (learnt, alone(model, horizon_days)):
        found = one.predict(frame)
        chances = found[[f"p_return_{days}d" for days in RETURN_DAYS]]
        stay = 1 - one.churn.predict(frame)
        assert ((chances >= 0) & (chances <= 1)).all(axis=None)
        assert (chances.diff(axis=1).iloc[:, 1:] >= 0).all(axis=None)
        for days in RETURN_DAYS:
            if days < horizon_days:
                assert (chances[f"p_return_{days}d"] <= stay).all()
            elif days == horizon_days:
                assert chances[f"p_return_{days}d"].to_numpy() == pytest.approx(stay, abs=1e-12)


def test_the_dateless_curve_is_that_of_even_weekdays(waiting, frame):
    days = [0, 0.5, 2, 7, 14, 30, 59, 60, 200]
    found = waiting.cumulative_hazard(frame, days)
    for place, ahead in enumerate(days):
        assert -np.expm1(-found[:, place]) == pytest.approx(waiting.p_return(frame, ahead), abs=1e-12)
    assert (found == waiting.cumulative_hazard(frame.reset_index(drop=True), days)).all()


def test_those_who_seem_dead_still_have_a_share_of_their_chance(model, frame):
    one = frame.iloc[:1].assign(
        days_since_last_purchase=3000.0, days_since_first_purchase=3400.0, repeat_days_purchase=60.0,
        days_first_to_last_purchase=400.0,
    )  # fmt: skip
    found = alone(model).predict(one).iloc[0]
    stay = 1 - model.churn.predict(one)[0]
    assert 0 < found["p_return_7d"] < found["p_return_14d"] < found["p_return_30d"] < stay


# The folder


def test_a_folder_gives_back_the_same_model_to_the_last_digit(model, frame, tmp_path):
    for number, one in enumerate((model, alone(model))):
        folder = store(one, tmp_path / str(number))
        assert {path.suffix for path in folder.iterdir()} == {".json", ".txt"}
        assert json.loads((folder / "model.json").read_text(encoding="utf-8"))["outputs"] == list(OUTPUTS)
        again, expected = load_model(folder), one.predict(frame)
        assert tuple(expected) == OUTPUTS
        assert again.predict(frame).equals(expected)
        shuffled = frame[list(frame)[::-1]].reset_index(drop=True)
        served = _load_pyfunc(str(folder)).predict(shuffled, {"ignored": 1})
        assert served.equals(expected.reset_index(drop=True))
        assert again.files(DEFINED) == one.files(DEFINED)
        assert tuple(feature.name for feature in serving.read_features(folder)) == one.inputs


def _refuse(**arguments):
    raise AssertionError("LightGBM was called")


@pytest.mark.parametrize("file", ["waiting.txt", "churn.txt", "model.json"])
def test_a_damaged_file_is_refused_before_lightgbm_sees_it(model, tmp_path, monkeypatch, file):
    folder = store(model, tmp_path / "return")
    damaged = bytearray((folder / file).read_bytes())
    damaged[len(damaged) // 2] ^= 1
    (folder / file).write_bytes(damaged)
    monkeypatch.setattr(lgb, "Booster", _refuse)
    with pytest.raises(RegistryError, match=rf"{file} must be as it was registered, but its bytes changed"):
        load_model(folder)


def test_second_purchase_day_is_of_first_time_buyers(model, frame):
    found = model.predict(frame)["second_purchase_day"]
    assert (found.notna() == (frame["active_days_purchase"] == 1)).all()
