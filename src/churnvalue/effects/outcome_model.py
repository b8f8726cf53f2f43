"""The mean of an outcome given features, by a linear model: logistic for 0 and 1, ridge for money."""

from typing import Self

import numpy as np
import numpy.typing as npt
import pandas as pd
from sklearn.linear_model import LogisticRegression, RidgeCV

from churnvalue.effects.encoding import Encoder

RIDGE = 10.0
PENALTIES = np.logspace(0, 6, 13)

Floats = npt.NDArray[np.float64]


def is_binary(outcome: Floats) -> bool:
    """Whether an outcome is 0 or 1 throughout."""
    return bool(np.isin(outcome, (0.0, 1.0)).all())


class OutcomeModel:
    """Mean of the outcome given encoded features; the plain mean where the outcome does not vary."""

    def fit(self, X: pd.DataFrame, outcome: Floats, *, binary: bool) -> Self:
        """Return self, fitted; the ridge of money is chosen by generalised cross-validation."""
        self.mean_, self.model_ = float(outcome.mean()), None
        self.encoder_ = Encoder().fit(X)
        if np.ptp(outcome) > 0 and self.encoder_.kept_.any():
            model = LogisticRegression(C=1.0 / RIDGE, solver="newton-cholesky") if binary else RidgeCV(PENALTIES)
            self.model_ = model.fit(self.encoder_.transform(X), outcome)
        return self

    def predict(self, X: pd.DataFrame) -> Floats:
        """Mean of the outcome; shape (n,)."""
        if self.model_ is None:
            return np.full(len(X), self.mean_)
        table = self.encoder_.transform(X)
        if isinstance(self.model_, LogisticRegression):
            return np.asarray(self.model_.predict_proba(table)[:, 1])
        return np.asarray(self.model_.predict(table))
