"""Coming back: learnt beside the other models, served only where it is not worse than Pareto/NBD."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from small_shop import AS_OF_DATE

from churnvalue import clock
from churnvalue.engines import read_log
from churnvalue.evaluation.baselines import Prediction
from churnvalue.evaluation.measurement import OURS, Evaluation
from churnvalue.jobs.material import definitions, gather
from churnvalue.jobs.returning import _Learner, learn_returns
from churnvalue.models.blend import Blend, reference_of
from churnvalue.models.buy_till_you_die import BuyTillYouDie, summary
from churnvalue.models.definition import read_return_definition
from churnvalue.models.link_model import LinkModel
from churnvalue.timing.next_purchase import BUYING, NextPurchase


@pytest.fixture(scope="module")
def material(events, make_shop):
    opened = make_shop(events[events["customer_id"] < "000300"])
    config = opened.changed(training={"cutoffs": 6})
    log = read_log(config, clock.micros(AS_OF_DATE))
    return gather(log, definitions(config, log), config)


@pytest.fixture(scope="module")
def loaded(material):
    return definitions(material.config, material.log)


@pytest.fixture(scope="module")
def churn(material):
    """Pareto/NBD alone as a churn model."""
    buying = BuyTillYouDie.fit(material.now, "purchase")
    trees = LinkModel("", (), "logit", 0.0)
    reference = reference_of(summary(material.now, "purchase"))
    return Blend(trees, buying, "churn", 30, 30, 0.0, 1.0, 0.0, reference)


@pytest.fixture(scope="module")
def judged(material):
    """What Pareto/NBD, fitted to the newest closed window, says of it."""
    rows = material.frame.at(material.frame.cutoffs[-1:])
    p_churn = BuyTillYouDie.fit(rows.features, "purchase").p_no_purchase(rows.features, 30)
    return Evaluation(material.frame.cutoffs[-1], rows.targets, {OURS: Prediction(risk=p_churn, p_churn=p_churn)})


@pytest.fixture(scope="module")
def learner(material, loaded):
    definition = read_return_definition(material.config)[0]
    found = learn_returns(material, loaded, None, None)  # nothing is learnt without a verdict
    wanted = set(found.model.waiting.features)
    features = [feature for feature in loaded["churn"].features if feature.name in wanted]
    return _Learner(material, tuple(features), definition)


def wise(rate):
    """Stands for what was learnt: as if everyone came back at about ``rate`` a day."""

    def curve(self, now, frame, members=None):
        made = NextPurchase.of_buying(self.fallback(frame), (0, 1, 3, 7, 14, 21, 30), "drawn by hand")
        level = np.log(rate / np.mean(made.cumulative_hazard(frame, [14])[:, 0] / 14))
        return replace(made, members=(BUYING, BUYING), levels=(float(level),) * 6)

    return curve


def test_a_curve_that_is_no_worse_on_the_newest_window_serves(material, loaded, churn, judged):
    found = learn_returns(material, loaded, churn, judged)
    assert found.learnt
    assert set(found.metrics) == {OURS, "pareto_nbd"}
    assert "against Pareto/NBD's at 2024-11-01" in found.note
    assert set(found.metrics[OURS]) == {
        *("log_loss_7d", "log_loss_14d", "calibration_error_7d", "calibration_error_14d"),  # the horizon is 30 days
    }


def test_a_curve_that_is_worse_falls_back_and_says_so(material, loaded, churn, judged, monkeypatch):
    monkeypatch.setattr(_Learner, "curve", wise(rate=0.5))  # nearly everyone within a week
    found = learn_returns(material, loaded, churn, judged)
    assert not found.learnt
    assert found.note.startswith(
        "Pareto/NBD's curve, scaled to the churn model: the learnt curve was worse, log-loss +"
    )
    assert set(found.metrics) == {OURS}  # what serves is what it would be compared with
    chance = found.model.waiting.p_return(material.now, 14)
    buying = BuyTillYouDie.fit(material.now, "purchase")
    assert chance == pytest.approx(1 - buying.p_no_purchase(material.now, 14), abs=1e-7)


def test_without_a_later_window_it_falls_back(material, loaded, churn):
    found = learn_returns(material, loaded, churn, None)
    assert not found.learnt
    assert "too short to judge" in found.note
    assert found.metrics == {}


def test_the_past_is_learnt_as_it_was_known_then(material, learner):
    # Windows are followed beyond the cutoff that is learnt for; nothing of that may be read.
    cutoffs = material.frame.cutoffs
    now = cutoffs[3]
    rows = material.frame.at([now]).features
    found = learner.curve(now, rows, (BUYING,))
    log = read_log(material.config, clock.micros(now.to_pydatetime()))
    then = gather(log, definitions(material.config, log), material.config)
    kept = replace(then, frame=material.frame.at([c for c in cutoffs if c + pd.Timedelta(days=30) <= now]))
    again = replace(learner, material=kept, drawn={}).curve(now, rows, (BUYING,))
    assert found.parameters() == again.parameters()
