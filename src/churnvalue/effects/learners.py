"""Learners of what each action changes for each customer, from an experiment; any number of actions against a control.

Künzel et al. (2019) for T and S; Kennedy (2023) for the doubly robust learner.
"""

from abc import ABC, abstractmethod
from typing import Self

import lightgbm as lgb
import numpy as np
import numpy.typing as npt
import pandas as pd
from sklearn.linear_model import RidgeCV

from churnvalue.effects.encoding import Encoder
from churnvalue.effects.outcome_model import PENALTIES, OutcomeModel, is_binary
from churnvalue.effects.scores import doubly_robust
from churnvalue.effects.trial import CONTROL, OTHER, Trial, make_trial

Floats = npt.NDArray[np.float64]


class EffectLearner(ABC):
    """Effect of each action against control, for outcomes of 0 and 1 (stays, visits) and for money."""

    def fit(
        self, X: pd.DataFrame, arm: npt.ArrayLike, outcome: npt.ArrayLike, propensity: npt.ArrayLike | None = None
    ) -> Self:
        """Return self, having learnt from an experiment; the order of its rows does not matter.

        Args:
            X: Numbers known before the action, NaN where unknown; the index names the customer.
            arm: 0 for control, 1 … A for the actions.
            outcome: 0 or 1, or money.
            propensity: Probability of the arm that was given; None takes the arms' shares.

        Raises:
            ExperimentError: If the parts do not fit together, a propensity is not above 0 and below 1, or arms do not match
                their propensities.
        """
        return self.learn(make_trial(X, arm, outcome, propensity))

    @abstractmethod
    def learn(self, trial: Trial) -> Self:
        """Return self, having learnt from a checked experiment."""

    @abstractmethod
    def predict(self, X: pd.DataFrame) -> Floats:
        """Effect of each action against control; shape (n, A), in the unit of the outcome."""


class TLinear(EffectLearner):
    """One linear model of the outcome an arm; effects are their differences."""

    def learn(self, trial: Trial) -> Self:
        """Return self, with one model an arm."""
        binary = is_binary(trial.outcome)
        self.models_ = []
        for arm in range(trial.count + 1):
            given = trial.arm == arm
            self.models_.append(OutcomeModel().fit(trial.X[given], trial.outcome[given], binary=binary))
        return self

    def predict(self, X: pd.DataFrame) -> Floats:
        """Effect of each action against control; shape (n, A)."""
        means = np.column_stack([model.predict(X) for model in self.models_])
        return np.asarray(means[:, CONTROL + 1 :] - means[:, [CONTROL]])


class SSmall(EffectLearner):
    """Few shallow trees of the outcome over features and arm; effects are what changing the arm changes."""

    def __init__(self, *, trees: int = 150, seed: int = 0) -> None:
        self.trees = trees
        self.seed = seed

    def learn(self, trial: Trial) -> Self:
        """Return self, with one boosted model of all arms."""
        studied = trial.rows(trial.arm != OTHER)
        self.count_ = trial.count
        parameters = {
            "objective": "binary" if is_binary(trial.outcome) else "regression",
            "learning_rate": 0.03, "num_leaves": 6, "min_data_in_leaf": max(min(300, len(studied.arm) // 20), 1),
            "bagging_fraction": 0.8, "bagging_freq": 1, "feature_fraction": 0.7, "lambda_l2": 10.0,
            "seed": self.seed, "num_threads": 1, "deterministic": True, "force_row_wise": True, "verbose": -1,
        }  # fmt: skip
        table = self._with_arm(studied.X, studied.arm)
        self.booster_ = lgb.train(parameters, lgb.Dataset(table, studied.outcome), self.trees)
        return self

    def predict(self, X: pd.DataFrame) -> Floats:
        """Effect of each action against control; shape (n, A)."""
        means = np.column_stack(
            [self.booster_.predict(self._with_arm(X, np.full(len(X), arm))) for arm in range(self.count_ + 1)]
        )
        return np.asarray(means[:, CONTROL + 1 :] - means[:, [CONTROL]])

    def _with_arm(self, X: pd.DataFrame, arm: npt.NDArray[np.int64]) -> Floats:
        flags = arm[:, None] == np.arange(CONTROL + 1, self.count_ + 1)
        return np.column_stack([X.to_numpy(dtype=np.float64, na_value=np.nan), flags])


class DRLinear(EffectLearner):
    """Ridge of the doubly robust scores on the features; its penalty by generalised cross-validation."""

    def __init__(self, *, folds: int = 3) -> None:
        self.folds = folds

    def learn(self, trial: Trial) -> Self:
        """Return self, with one ridge an action."""
        scores = doubly_robust(trial, self.folds, salt=1)
        self.encoder_ = Encoder().fit(trial.X)
        table = self.encoder_.transform(trial.X)
        self.models_ = [RidgeCV(PENALTIES).fit(table, scores[:, action]) for action in range(trial.count)]
        return self

    def predict(self, X: pd.DataFrame) -> Floats:
        """Effect of each action against control; shape (n, A)."""
        table = self.encoder_.transform(X)
        return np.column_stack([model.predict(table) for model in self.models_])
