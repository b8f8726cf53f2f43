"""Cross-fitting, and doubly robust scores: what each action would have changed for each customer, unbiased but noisy.

Robins, Rotnitzky and Zhao (1994); cross-fitted as in Chernozhukov et al. (2018).
"""

from typing import Protocol

import numpy as np
import numpy.typing as npt
import pandas as pd

from churnvalue.effects.outcome_model import OutcomeModel, is_binary
from churnvalue.effects.trial import CONTROL, Trial

FOLDS = 5

Floats = npt.NDArray[np.float64]


class Learns(Protocol):
    """What cross-fitting needs of a learner."""

    def learn(self, trial: Trial) -> "Learns":
        """Return self, having learnt from a checked experiment."""

    def predict(self, X: pd.DataFrame) -> Floats:
        """Effect of each action against control; shape (n, A)."""


def cross_fitted(learner: Learns, trial: Trial, folds: int = FOLDS) -> Floats:
    """Return the effect of each action for each row by a learner that has not seen the row's customer; shape (n, A)."""
    effects, fold = np.zeros((len(trial.arm), trial.count)), trial.folds(folds)
    for one in np.unique(fold):
        effects[fold == one] = learner.learn(trial.rows(fold != one)).predict(trial.X[fold == one])
    return effects


def doubly_robust(trial: Trial, folds: int = FOLDS, salt: int = 0) -> Floats:
    """Return scores whose mean is each action's average effect against control; shape (n, A).

    ``Γ_a = m_a - m_0`` with ``m_a = μ_a + [arm = a] / propensity · (outcome - μ_a)``, ``μ`` a cross-fitted linear model of
    the outcome of each arm. In a randomised experiment right however wrong ``μ`` is.
    """
    means, fold, binary = (
        np.zeros((len(trial.arm), trial.count + 1)),
        trial.folds(folds, salt),
        is_binary(trial.outcome),
    )
    for one in np.unique(fold):
        for arm in range(trial.count + 1):
            learnt = trial.rows((fold != one) & (trial.arm == arm))
            means[fold == one, arm] = (
                OutcomeModel().fit(learnt.X, learnt.outcome, binary=binary).predict(trial.X[fold == one])
            )
    for arm in range(trial.count + 1):
        given = trial.arm == arm
        means[given, arm] += (trial.outcome[given] - means[given, arm]) / trial.propensity[given]
    return np.asarray(means[:, CONTROL + 1 :] - means[:, [CONTROL]])
