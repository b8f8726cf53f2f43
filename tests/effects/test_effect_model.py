from dataclasses import replace

import numpy as np
import pytest
from made_experiment import make_experiment

from churnvalue.effects.model import EffectModel
from churnvalue.errors import DefinitionError, ExperimentError

ACTIONS = ("call", "voucher")
RATES = {"call": (6.0, 14.0), "voucher": (4.0, 16.0)}


@pytest.fixture(scope="module")
def model(made):
    return EffectModel(actions=ACTIONS).fit(*made.fit)


def test_individual_effects_are_found_shrunk_and_said(model, made):
    found = model.predict(made.X)
    assert found.actions == ACTIONS
    assert found.evidence.tolist() == ["experiment", "experiment"]
    assert model.verdict_.individual
    assert np.corrcoef(found.stay[:, 0], made.effect[:, 0])[0, 1] > 0.8
    assert found.stay.mean(axis=0) == pytest.approx(made.effect.mean(axis=0), abs=0.04)
    assert (model.believed_ <= 1).all()
    assert (found.stay_p10 <= found.stay).all()
    assert (found.stay <= found.stay_p90).all()
    assert any("Individual effects" in note for note in found.notes)


def test_the_order_of_rows_does_not_matter(model, made):
    order = np.random.default_rng(0).permutation(len(made.arm))
    X, names, stayed, propensity = made.fit
    again = EffectModel(actions=ACTIONS).fit(X.iloc[order], names[order], stayed[order], propensity[order])
    assert np.array_equal(again.predict(X).stay, model.predict(X).stay)
    assert again.notes_ == model.notes_


def test_without_heterogeneity_everybody_gets_the_average():
    flat = make_experiment(4000, seed=3, strength=0.0)
    model = EffectModel(actions=ACTIONS).fit(*flat.fit, value=flat.X["x"].to_numpy())
    found = model.predict(flat.X)
    if not model.verdict_.individual:  # one standard error lets chance pass now and then
        assert np.ptp(found.stay, axis=0).tolist() == [0.0, 0.0]
    assert found.stay.std(axis=0).max() < 0.05
    assert found.stay[0].tolist()[0] == pytest.approx(0.1, abs=0.06)


def test_nobody_is_called_harmed_without_proof(made):
    model = EffectModel(actions=("call",)).fit(*make_experiment(6000, level=0.13).fit)
    assert model.predict(made.X).stay.min() >= 0.0
    harmful = EffectModel(actions=("call",)).fit(*make_experiment(9_000, level=-0.05, strength=1.2).fit)
    assert harmful.harm_[0].certain
    assert harmful.predict(made.X).stay.min() < -0.05
    assert any("harm is shown" in note for note in harmful.notes_)


def test_effects_stay_within_what_a_probability_allows(model, made):
    p_churn = np.linspace(0, 1, len(made.arm))
    found = model.predict(made.X, p_churn)
    for values in (found.stay, found.stay_p10, found.stay_p90):
        assert (values <= p_churn[:, None] + 1e-12).all()
        assert (values >= p_churn[:, None] - 1 - 1e-12).all()
    assert np.isnan(model.predict(made.X[:1], [np.nan]).stay).all()


def test_an_action_without_support_keeps_its_assumption(made):
    few = np.flatnonzero((made.names != "voucher") | (np.cumsum(made.names == "voucher") <= 30))
    X, names, stayed, _ = made.fit
    model = EffectModel(actions=("voucher", "call"), save_rates=RATES, redemption={"voucher": 0.3})
    model.fit(X.iloc[few], names[few], stayed[few])
    found = model.predict(X[:2], [0.5, 0.5])
    assert model.supported_ == ("call",)
    assert found.actions == ("voucher", "call")
    assert found.evidence.tolist() == ["assumption", "experiment"]
    assert found.stay[0, 0] == pytest.approx(0.1)
    assert found.redemption.tolist() == [0.3, 0.0]
    assert (
        "voucher: the experiment says too little (30 effective customers with the action, 100 needed)" in found.notes[0]
    )
    with pytest.raises(DefinitionError, match="p_churn is missing"):
        model.predict(X[:2])
    with pytest.raises(DefinitionError, match=r"but \['voucher'\] have too few"):
        EffectModel(actions=ACTIONS).fit(X.iloc[few], names[few], stayed[few])


def test_no_experiment_at_all_is_the_assumption(made):
    held = made.names == "control"
    model = EffectModel(actions=ACTIONS, save_rates=RATES).fit(made.X[held], made.names[held], made.stayed[held])
    found = model.predict(made.X[:3], np.full(3, 0.5))
    assert found.evidence.tolist() == ["assumption"] * 2
    assert found.stay[0] == pytest.approx([0.15, 0.1])


def test_a_small_experiment_hardly_moves_the_assumption():
    small = make_experiment(360, seed=4, strength=0.0, level=-0.1)
    model = EffectModel(actions=("call",), save_rates=RATES).fit(small.X, small.names, small.stayed)
    assert model.measured_[0].value < model.average_[0].value
    assert model.average_[0].se < model.measured_[0].se
    assert any("the assumption weighing" in note for note in model.notes_)
    assert any("neither a known action" in note for note in model.notes_)


def test_what_was_redeemed_is_counted(made):
    X, names, stayed, propensity = (part[:1500] for part in made.fit)
    redeemed = np.where(names == "voucher", np.arange(1500) % 4 == 0, np.nan)
    model = EffectModel(actions=ACTIONS, redemption={"call": 0.1})
    found = model.fit(X, names, stayed, propensity, redeemed=redeemed).predict(X[:1])
    assert found.redemption == pytest.approx([0.1, 0.25], abs=0.05)


def test_broken_experiments_are_refused(made):
    with pytest.raises(ExperimentError, match="above 0 and below 1"):
        EffectModel(actions=ACTIONS).fit(*replace(made, propensity=np.ones(len(made.arm))).fit)
    with pytest.raises(ExperimentError, match="Find out how rows were lost"):
        EffectModel(actions=ACTIONS).fit(*replace(made, propensity=np.full(len(made.arm), 1 / 3)).fit)
