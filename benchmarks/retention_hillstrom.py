"""Hillstrom's e-mail test as a benchmark reads it: features, cross-fitted rankings of ours and of the rivals, known effects."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import lightgbm as lgb
import numpy as np
import numpy.typing as npt
import pandas as pd
from sklearn.model_selection import StratifiedKFold

from churnvalue.effects.learners import DRLinear, SSmall, TLinear
from churnvalue.effects.model import EffectModel
from churnvalue.effects.ranking import ranks

ARMS = ("none", "mens", "womens")
FOLDS = 5
_SMALL = {
    "learning_rate": 0.03, "num_leaves": 6, "min_data_in_leaf": 300, "bagging_fraction": 0.8, "bagging_freq": 1,
    "feature_fraction": 0.7, "lambda_l2": 10.0, "num_threads": 1, "deterministic": True, "verbose": -1,
}  # fmt: skip
_TREES = 150

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Test:
    """Customers of the test: features, arm (0 none, 1 men's, 2 women's mail), visit (0 or 1), spend in dollars."""

    __test__ = False

    X: pd.DataFrame
    arm: Ints
    visit: Floats
    spend: Floats

    def of(self, chosen: npt.NDArray[np.bool_] | Ints) -> "Test":
        """Return the chosen customers alone."""
        return Test(self.X[chosen] if chosen.dtype == bool else self.X.iloc[chosen],
                    self.arm[chosen], self.visit[chosen], self.spend[chosen])  # fmt: skip

    @property
    def history(self) -> Floats:
        """Dollars spent in the year before."""
        return self.X["history"].to_numpy()


def load(data: Path) -> Test:
    """Return the test in ``data/hillstrom/hillstrom.parquet``."""
    table = pd.read_parquet(data / "hillstrom" / "hillstrom.parquet")
    X = table[["recency", "history", "mens", "womens", "newbie"]].astype("float64")
    for column, value in (("zip_code", "Rural"), ("zip_code", "Urban"), ("channel", "Phone"), ("channel", "Web")):
        X[value.lower()] = (table[column] == value).astype("float64")
    X.index = pd.Index(table.index.astype("str"), name="customer_id")
    arm = table["treatment"].map({"No E-Mail": 0, "Mens E-Mail": 1, "Womens E-Mail": 2}).to_numpy(dtype=np.int64)
    return Test(X, arm, table["visit"].to_numpy(dtype=np.float64), table["spend"].to_numpy(dtype=np.float64))


def splits(test: Test, repeat: int) -> Iterator[tuple[Ints, Ints]]:
    """Yield training and test rows of five folds, stratified by arm and visit."""
    folds = StratifiedKFold(FOLDS, shuffle=True, random_state=100 + repeat)
    yield from folds.split(test.X, test.arm * 2 + test.visit)


def arm_scores(test: Test, outcome: Floats) -> Floats:
    """Return doubly robust means of an outcome by arm, by small trees of their own folds; shape (n, 3), NaN for an absent arm.

    These judge all rankings; no learner under test takes part in them.
    """
    means = np.full((len(test.arm), len(ARMS)), np.nan)
    folds = StratifiedKFold(FOLDS, shuffle=True, random_state=7)
    objective = "binary" if np.isin(outcome, (0, 1)).all() else "regression"
    for learn, judge in folds.split(test.X, test.arm * 2 + test.visit):
        for arm in np.unique(test.arm):
            rows = learn[test.arm[learn] == arm]
            means[judge, arm] = _trees(test.X.iloc[rows], outcome[rows], objective).predict(
                test.X.iloc[judge].to_numpy()
            )
    for arm in np.unique(test.arm):
        given = test.arm == arm
        means[given, arm] += (outcome[given] - means[given, arm]) / given.mean()
    return means


def _trees(X: pd.DataFrame, outcome: Floats, objective: str = "regression") -> lgb.Booster:
    return lgb.train({**_SMALL, "objective": objective}, lgb.Dataset(X.to_numpy(), outcome), _TREES)


def x_small(learn: Test, X: pd.DataFrame) -> Floats:
    """Effect on visits by an X-learner of small trees (Künzel et al., 2019); one action."""
    treated = learn.arm > 0
    with_it, without = (_trees(learn.X[chosen], learn.visit[chosen]) for chosen in (treated, ~treated))
    table, share = learn.X.to_numpy(), treated.mean()
    gained = learn.visit[treated] - without.predict(table[treated])
    missed = with_it.predict(table[~treated]) - learn.visit[~treated]
    effects = [
        _trees(learn.X[chosen], y).predict(X.to_numpy()) for chosen, y in ((treated, gained), (~treated, missed))
    ]
    return np.asarray((1 - share) * effects[0] + share * effects[1])


def causal_forest(learn: Test, X: pd.DataFrame) -> Floats | None:
    """Effect on visits by EconML's causal forest; None where EconML is not installed."""
    try:
        from econml.dml import CausalForestDML
        from sklearn.dummy import DummyClassifier
        from sklearn.linear_model import LinearRegression
    except ModuleNotFoundError:
        return None
    forest = CausalForestDML(
        model_y=LinearRegression(), model_t=DummyClassifier(), discrete_treatment=True, n_estimators=100,
        min_samples_leaf=100, max_depth=6, max_samples=0.4, cv=2, n_jobs=1, random_state=0, inference=False,
    )  # fmt: skip
    forest.fit(learn.visit, (learn.arm > 0).astype(int), X=learn.X.to_numpy())
    return np.asarray(forest.effect(X.to_numpy()), dtype=np.float64).ravel()


def ours(learn: Test, actions: tuple[str, ...], *, by_value: bool = True) -> EffectModel:
    """Return our one default configuration, fitted to visits; customers with the same effect are ranked by history."""
    model, arm = EffectModel(actions=actions, control=ARMS[0]), np.array(ARMS, dtype=object)[learn.arm]
    return model.fit(learn.X, arm, learn.visit, value=learn.history if by_value else None)


def by_effect_then_value(effect: Floats, value: Floats) -> Floats:
    """Return a score that ranks by effect and, where it is the same, by value."""
    order = np.lexsort((value, effect))
    score = np.empty(len(order))
    # Equal pairs share their place.
    pairs = np.column_stack([effect, value])[order]
    score[order] = np.cumsum(np.append(True, (np.diff(pairs, axis=0) != 0).any(axis=1)))
    return score


RIVALS: dict[str, Callable[[Test, pd.DataFrame], Floats]] = {
    "T-linear": lambda learn, X: TLinear().fit(learn.X, np.sign(learn.arm), learn.visit).predict(X)[:, 0],
    "S small": lambda learn, X: SSmall().fit(learn.X, np.sign(learn.arm), learn.visit).predict(X)[:, 0],
    "X small": x_small,
    "DR-linear": lambda learn, X: DRLinear().fit(learn.X, np.sign(learn.arm), learn.visit).predict(X)[:, 0],
}


def rules(test: Test, action: str) -> dict[str, Floats]:
    """Return rankings that need no experiment: the category's buyers by recency, value."""
    bought = test.X[action].to_numpy()
    return {"rule": 100 * bought - test.X["recency"].to_numpy(), "value": test.history}


def within_folds(score: Floats, fold: Ints) -> Floats:
    """Return ranks within each fold, turned so that the best is highest: models of different folds are not compared."""
    best = np.empty(len(score))
    for one in np.unique(fold):
        best[fold == one] = 1 - ranks(score[fold == one])
    return best


@dataclass(frozen=True, eq=False)
class Known:
    """A made experiment whose effects are known: ``effect`` is the true change of the probability of a visit."""

    test: Test
    effect: Floats


def known(test: Test, kind: str) -> tuple[Floats, Floats]:
    """Return probabilities of a visit without and with the mail, as fitted to the real test and from now on true.

    ``kind`` is "linear", one logistic model an arm, or "trees", small trees over features and arm: the shape that linear
    learners get wrong.
    """
    learner = TLinear() if kind == "linear" else SSmall()
    effect = learner.fit(test.X, np.sign(test.arm), test.visit).predict(test.X)[:, 0]
    control = test.of(test.arm == 0)
    without = np.asarray(_trees(control.X, control.visit, "binary").predict(test.X.to_numpy()))
    both = np.clip(without + effect, 0.001, 0.999)
    return without, both


def drawn(test: Test, without: Floats, both: Floats, customers: int, seed: int) -> Known:
    """Return so many customers of the test, given mail or none anew, their visits drawn by the known probabilities."""
    generator = np.random.default_rng(seed)
    rows = np.sort(generator.permutation(len(test.arm))[:customers])
    arm = np.where(generator.random(len(rows)) < 0.5, test.arm.max(), 0)
    chance = np.where(arm > 0, both[rows], without[rows])
    visit = (generator.random(len(rows)) < chance).astype(np.float64)
    return Known(Test(test.X.iloc[rows], arm, visit, test.spend[rows]), (both - without)[rows])
