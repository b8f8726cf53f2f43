from dataclasses import replace

import numpy as np
import pytest

from churnvalue.errors import HistoryError
from churnvalue.evaluation.metrics import auc, spearman
from churnvalue.models.boosted import Fold, fit_trees, link_of, require_variety, threads_for, tune
from made_customers import LEARNT, a_definition, fit, make_features, make_targets


@pytest.fixture(scope="module")
def later(base):
    features = make_features(300, seed=8)
    return features, make_targets(features, seed=9)


@pytest.fixture(scope="module")
def folds(base, later):
    target = LEARNT["churn"][0]
    features, targets = later
    return [Fold(base.features, base.targets[target], features, targets[target])]


def tuned(folds, **changes):
    ticks = []
    arguments = {"trials": 3, "seed": 7, "threads": 1, "tick": lambda: ticks.append(1)}
    return tune(a_definition("churn"), folds, **{**arguments, **changes}), len(ticks)


def test_trees_rank_customers_whom_they_have_not_seen(base, later):
    features, targets = later
    assert auc(targets["churned"], base.links["churn"].predict(features)) > 0.65
    assert spearman(targets["orders"], base.links["orders"].predict(features)) > 0.4


def test_links_follow_the_objective():
    assert [link_of(objective) for _, objective in LEARNT.values()] == ["logit", "log", "log"]


def test_fitting_twice_gives_the_same_text(base):
    assert fit("spend", base.features, base.targets) == base.links["spend"]


def test_the_definition_is_tried_first_and_the_best_trial_is_taken(folds):
    found, ticks = tuned(folds)
    assert ticks == len(found.trials) == 3
    assert found.trials[0].parameters == {"num_leaves": 4}
    best = min(found.trials, key=lambda trial: trial.loss)
    assert found.parameters["num_leaves"] == best.parameters["num_leaves"]
    assert found.rounds == 2 * best.rounds >= 2  # searched at twice the learning rate, so fitted with twice the rounds
    assert found.parameters["learning_rate"] == 0.2  # what is fixed stays


def test_the_loss_of_a_trial_is_that_of_its_model_on_the_test_rows(base, folds):
    found, _ = tuned(folds, trials=1)
    (fold,) = folds
    hasty = {**found.parameters, "learning_rate": 2 * found.parameters["learning_rate"]}
    model = fit_trees(a_definition("churn"), hasty, found.trials[0].rounds, fold.train, fold.train_target)
    p_churn, left = model.predict(fold.test), fold.test_target.to_numpy()
    loss = -np.mean(left * np.log(p_churn) + (1 - left) * np.log(1 - p_churn))
    assert found.trials[0].loss == pytest.approx(loss, rel=1e-6)


def test_the_same_seed_finds_the_same(folds):
    assert tuned(folds)[0] == tuned(folds)[0]


def test_losses_of_several_folds_count_alike(base, later, folds):
    features, targets = later
    other = Fold(features, targets["churned"], base.features, base.targets["churned"])
    one, two = (tuned([fold], trials=1)[0].trials[0].loss for fold in (folds[0], other))
    both = tuned([folds[0], other], trials=1)[0].trials[0].loss
    assert both == pytest.approx((one + two) / 2)


def test_a_target_that_is_the_same_for_everyone_is_refused(base, folds):
    nobody = base.targets["churned"] * 0.0
    with pytest.raises(HistoryError, match=r"Learning churn .* all 400 have 0 as 'churned'\. Change outcome"):
        tuned([replace(folds[0], train_target=nobody)])
    with pytest.raises(HistoryError, match="there are none as 'churned'"):
        require_variety(a_definition("churn"), nobody.iloc[:0])
    with pytest.raises(HistoryError, match="all 400 have 0"):
        fit_trees(a_definition("churn"), {}, 1, base.features, nobody)


def test_a_second_thread_only_where_there_is_work_for_it():
    assert threads_for(1_000, 0) == 1
    assert threads_for(1_000, 3) == 3
    assert threads_for(10**12, 0) >= 1
