from contextlib import contextmanager
from dataclasses import replace

import pandas as pd
import pytest
from small_shop import AS_OF_DATE

from churnvalue import clock
from churnvalue.engines import read_log
from churnvalue.errors import HistoryError
from churnvalue.evaluation.measurement import OURS
from churnvalue.frames import TrainingFrame
from churnvalue.jobs.learning import learn
from churnvalue.jobs.material import gather, needed_features, terms_of
from churnvalue.jobs.registered import files_of
from churnvalue.models.customer_value import ValueModel
from churnvalue.models.definition import LEARNT, read_definition
from churnvalue.models.outcome_models import ChurnModel, OrdersModel, SpendModel
from churnvalue.progress import Stages


@pytest.fixture(scope="module")
def small(events, make_shop):
    return make_shop(events[events["customer_id"] < "000200"])


@pytest.fixture(scope="module")
def config(small):
    return small.changed(training={"cutoffs": 5})


@pytest.fixture(scope="module")
def log(config):
    return read_log(config, clock.micros(AS_OF_DATE))


@pytest.fixture(scope="module")
def loaded(config, log):
    return {name: read_definition(name, config, set(log.kinds)) for name in LEARNT}


@pytest.fixture(scope="module")
def material(log, loaded, config):
    return gather(log, loaded, config)


class Titles(Stages):
    """Stages that remember what they were told."""

    def __init__(self):
        super().__init__(self.note)
        self.told = []

    @contextmanager
    def note(self, title, steps):
        self.told.append((title, steps))
        yield lambda: None


@pytest.fixture(scope="module")
def stages():
    return Titles()


@pytest.fixture(scope="module")
def learned(material, loaded, stages):
    parts = (material.frame.features, material.frame.targets, material.now)
    before = [part.copy() for part in parts]
    found = learn(material, loaded, stages)
    assert all(part.equals(copy) for part, copy in zip(parts, before, strict=True))  # no function changes its input
    return found


def written(learned, name, config, loaded):
    """The files of a model: all that it is."""
    return files_of(learned.models[name], needed_features(config, loaded))


def at_newest(frame, **changed):
    """The frame with other targets at its newest cutoff."""
    targets = frame.targets.copy()
    newest = targets.index.get_level_values("cutoff") == frame.cutoffs[-1]
    for name, change in changed.items():
        targets.loc[newest, name] = change(targets.loc[newest, name].to_numpy())
    return TrainingFrame(frame.features, targets)


def test_every_feature_that_anything_reads_is_asked_for_once(config, loaded, learned):
    features = needed_features(config, loaded)
    assert len(set(features)) == len(features)
    names = {feature.name for feature in features}
    for model in learned.models.values():
        assert set(model.inputs) <= names


def test_there_is_one_model_of_each_and_value_agrees_with_the_others(learned, config):
    churn, orders, spend, value = (learned.models[name] for name in ("churn", "orders", "spend", "value"))
    assert [type(model) for model in (churn, orders, spend, value)] == [ChurnModel, OrdersModel, SpendModel, ValueModel]
    assert value.churn is orders.churn is spend.churn is churn.churn is learned.models["return"].churn
    assert value.spend is spend.spend
    assert value.dispersion == spend.dispersion
    assert value.terms == terms_of(config)
    assert churn.bands[0] <= churn.bands[1]


def test_equity_is_what_everyone_is_worth_now(learned, material):
    value = learned.models["value"].predict(material.now)
    assert learned.equity.customers == len(material.now)
    assert learned.equity.total.value == pytest.approx(value["clv"].sum())
    assert learned.equity.total.low < learned.equity.total.value < learned.equity.total.high
    assert 0.2 < learned.equity.tops[-1].value_share <= 1.0


def test_bands_part_the_base_in_thirds(learned, material):
    churn = learned.models["churn"]
    band = churn.band(churn.predict(material.now)["p_churn"].to_numpy())
    shares = pd.Series(band).value_counts(normalize=True)
    assert shares.reindex(["low", "medium", "high"]).between(0.25, 0.42).all()


def test_the_verdict_is_of_the_newest_closed_window(learned, material):
    newest = material.frame.cutoffs[-1]
    assert learned.evaluation.cutoff == newest
    assert learned.evaluation.targets.equals(material.frame.at([newest]).targets)
    assert newest + pd.Timedelta(days=30) <= pd.Timestamp(AS_OF_DATE, tz="UTC")
    assert OURS in learned.evaluation.predictions
    assert {"recency", "last_window", "bg_nbd", "pareto_nbd", "zero"} <= set(learned.evaluation.predictions)


def test_the_verdict_is_spoken_without_having_seen_the_outcomes(learned, material, loaded, config):
    # Whatever happens in the newest window, parameters and predictions of it stay to the last digit.
    turned = at_newest(
        material.frame,
        churned=lambda left: 1 - left,
        orders=lambda orders: orders[::-1] + 3,
        spend=lambda spend: 100 * spend[::-1] + 1,
    )
    other = learn(replace(material, frame=turned), loaded, Stages())
    assert other.tuned == learned.tuned
    for name in ("p_churn", "orders", "spend"):
        ours, theirs = (getattr(one.evaluation.predictions[OURS], name) for one in (learned, other))
        assert (ours == theirs).all(), name
    # What will serve has learnt from it.
    assert written(other, "churn", config, loaded) != written(learned, "churn", config, loaded)


def test_levels_are_those_of_the_newest_window(learned, material):
    newest = material.frame.at([material.frame.cutoffs[-1]])
    foretold = learned.models["churn"].predict(newest.features)["p_churn"].mean()
    assert foretold == pytest.approx(newest.targets["churned"].mean(), abs=0.05)


def test_one_closed_window_is_learnt_from_but_not_graded(material, loaded):
    frame = material.frame
    short = replace(material, frame=frame.at([frame.cutoffs[-1]]))
    found = learn(short, loaded, Stages())
    assert found.evaluation is None
    assert "history is too short to judge the models on a later window; they are ungraded" in found.notes
    assert set(found.models) == {"churn", "orders", "spend", "value", "return"}
    assert not found.returns.learnt
    assert "too short to judge a learnt curve on a later window" in found.returns.note
    assert found.returns.metrics == {}


def test_without_amounts_there_is_no_spend(material, loaded):
    rows = material.frame
    poor = TrainingFrame(rows.features, rows.targets.drop(columns="spend"))
    known = {name: definition for name, definition in loaded.items() if name != "spend"}
    found = learn(replace(material, frame=poor), known, Stages())
    assert set(found.models) == {"churn", "orders", "value", "return"}
    assert found.models["value"].spend is None
    assert found.models["value"].predict(material.now)["clv"].isna().all()
    assert found.equity is None


def test_a_target_that_is_the_same_for_everyone_is_refused(material, loaded):
    frame = TrainingFrame(material.frame.features, material.frame.targets.assign(churned=1.0))
    with pytest.raises(
        HistoryError, match=r"Learning churn needs customers with different outcomes, but all [\d,]+ have 1"
    ):
        learn(replace(material, frame=frame), loaded, Stages())


def test_stages_tell_how_far_tuning_has_come(learned, stages, loaded, config):
    assert set(learned.tuned) == set(loaded)
    assert ("tuning", config.training.trials * len(loaded)) in stages.told
    assert {title for title, _ in stages.told} == set(stages.seconds)
