import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LinearRegression

from churnvalue.effects.learners import DRLinear, SSmall, TLinear
from churnvalue.effects.outcome_model import OutcomeModel
from churnvalue.effects.scores import cross_fitted, doubly_robust
from churnvalue.effects.trial import make_trial
from churnvalue.errors import ExperimentError

LEARNERS = [TLinear(), SSmall(), DRLinear()]
names = [type(learner).__name__ for learner in LEARNERS]


@pytest.mark.parametrize("learner", LEARNERS, ids=names)
def test_effects_of_several_actions_are_found(learner, made):
    found = learner.fit(made.X, made.arm, made.stayed, made.propensity).predict(made.X)
    assert found.shape == made.effect.shape
    assert found.mean(axis=0) == pytest.approx(made.effect.mean(axis=0), abs=0.04)
    assert np.corrcoef(found[:, 0], made.effect[:, 0])[0, 1] > 0.8
    assert found[:, 1].std() < 0.6 * found[:, 0].std()


@pytest.mark.parametrize("learner", LEARNERS, ids=names)
def test_the_order_of_rows_does_not_matter(learner, made):
    order = np.random.default_rng(1).permutation(1500)
    rows = np.arange(1500)
    first, second = (
        learner.fit(made.X.iloc[chosen], made.arm[chosen], made.stayed[chosen]).predict(made.X.iloc[:50])
        for chosen in (rows, order)
    )
    assert np.array_equal(first, second)


@pytest.mark.parametrize("learner", LEARNERS, ids=names)
def test_money_is_an_outcome_too(learner, made):
    generator = np.random.default_rng(3)
    treated = made.arm == 1
    money = 20.0 + 10.0 * treated * (made.X["x"].to_numpy() > 0) + generator.normal(0, 2, len(treated))
    found = learner.fit(made.X, made.arm, money, made.propensity).predict(made.X)
    assert found.mean(axis=0) == pytest.approx([5.0, 0.0], abs=1.0)
    assert found[made.X["x"] > 1, 0].mean() > found[made.X["x"] < -1, 0].mean() + 4


@pytest.mark.parametrize("learner", LEARNERS, ids=names)
def test_the_input_is_not_changed_and_is_checked(learner, made):
    before = made.X.copy()
    learner.fit(made.X, made.arm, made.stayed)
    pd.testing.assert_frame_equal(made.X, before)
    with pytest.raises(ExperimentError, match="above 0 and below 1"):
        learner.fit(made.X, made.arm, made.stayed, np.ones(len(made.arm)))


def test_an_outcome_that_does_not_vary_has_no_effect():
    X = pd.DataFrame({"x": np.arange(20.0)})
    assert TLinear().fit(X, np.tile([0, 1], 10), np.ones(20)).predict(X).tolist() == [[0.0]] * 20


def test_the_mean_of_money_is_that_of_least_squares_with_many_rows():
    generator = np.random.default_rng(0)
    X = pd.DataFrame({"a": generator.random(5000), "b": generator.random(5000)})
    y = 3 * X["a"].to_numpy() - X["b"].to_numpy() + generator.normal(0, 0.1, 5000)
    oracle = LinearRegression().fit(X.clip(*X.quantile([0.005, 0.995]).to_numpy(), axis=1), y).predict(X)
    assert OutcomeModel().fit(X, y, binary=False).predict(X) == pytest.approx(oracle, abs=0.02)


def test_scores_are_right_on_average_whatever_the_model(made):
    trial = make_trial(made.X, made.arm, made.stayed, made.propensity)
    found = doubly_robust(trial)
    error = found.std(axis=0) / np.sqrt(len(found))
    assert np.abs(found.mean(axis=0) - made.effect.mean(axis=0)).max() < 3 * error.max()
    # Features that tell nothing leave weighting by 1 / propensity: Horvitz-Thompson around each fold's means.
    blind = make_trial(made.X[["x"]] * 0, made.arm, made.stayed, made.propensity)
    plain = [made.stayed[made.arm == arm].mean() for arm in range(3)]
    assert doubly_robust(blind).mean(axis=0) == pytest.approx([plain[1] - plain[0], plain[2] - plain[0]], abs=0.003)


def test_unequal_propensities_are_undone():
    generator = np.random.default_rng(5)
    x = generator.random(20_000)
    chance = 0.2 + 0.6 * x  # who would stay anyway gets the offer more often
    arm = (generator.random(20_000) < chance) * 1
    stayed = (generator.random(20_000) < 0.2 + 0.5 * x**3 + 0.1 * arm) * 1.0
    naive = stayed[arm == 1].mean() - stayed[arm == 0].mean()
    X = pd.DataFrame({"x": x > 2})  # a feature that tells nothing
    found = doubly_robust(make_trial(X, arm, stayed, np.where(arm == 1, chance, 1 - chance)))
    assert found.mean() == pytest.approx(0.1, abs=0.02)
    assert naive > 0.15


def test_cross_fitting_never_shows_a_customer_to_their_own_model(made):
    class Remembers:
        def learn(self, trial):
            self.seen = set(trial.X.index)
            return self

        def predict(self, X):
            assert not self.seen & set(X.index)
            return np.zeros((len(X), 2))

    assert cross_fitted(Remembers(), make_trial(made.X, made.arm, made.stayed, None)).shape == (len(made.arm), 2)
