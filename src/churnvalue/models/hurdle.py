"""Amounts that are mostly zero: whether there is one, times how much if there is.

A hurdle model in two parts, Cragg (1971). The amount is learnt in logarithms, whose mean, taken back, would be too low:
a smearing factor makes up for it, Duan (1983).
"""

from typing import Any, Self

import numpy as np
import numpy.typing as npt
from lightgbm import LGBMClassifier, LGBMRegressor
from sklearn.base import BaseEstimator, RegressorMixin, clone
from sklearn.model_selection import PredefinedSplit, cross_val_predict
from sklearn.utils import Tags, get_tags
from sklearn.utils.validation import check_is_fitted, validate_data

from churnvalue.errors import HistoryError

Floats = npt.NDArray[np.float64]
_FOLDS = 5
_TREES: dict[str, Any] = {
    "n_estimators": 150,
    "learning_rate": 0.03,
    "num_leaves": 7,
    "min_child_samples": 30,
    "reg_lambda": 5.0,
    "deterministic": True,
    "force_col_wise": True,
    "n_jobs": 1,
    "verbose": -1,
}


class HurdleRegressor(RegressorMixin, BaseEstimator):  # type: ignore[misc]
    """Expected amount, at least 0: probability of any amount, times its mean where there is one.

    Works in scikit-learn's pipelines and searches. The order of rows does not matter.

    Args:
        classifier: Any with ``predict_proba``; LightGBM if None, which takes NaN.
        regressor: Of the logarithm of amounts above 0; LightGBM if None.
        random_state: Of the default parts.

    Attributes:
        classifier_: Fitted; None where all amounts are 0, or none is.
        regressor_: Fitted; None where all amounts are 0.
        smearing_: What exp of the foretold logarithm is multiplied by, so that totals agree: sum of the amounts above 0 to
            sum of what regressors foretold that had not seen them.

    >>> from sklearn.dummy import DummyClassifier, DummyRegressor
    >>> model = HurdleRegressor(DummyClassifier(), DummyRegressor())
    >>> X, y = [[0], [1], [2], [3]], [0.0, 0.0, 2.0, 8.0]
    >>> model.fit(X, y).p_positive([[5]])
    array([0.5])
    >>> round(model.smearing_, 3)  # (2 + 8) / (8 + 2): each foretold by the other
    1.0
    >>> model.predict([[5]])  # a half of exp(mean of log 2 and log 8)
    array([2.])
    """

    classifier_: Any
    regressor_: Any
    smearing_: float

    def __init__(self, classifier: Any = None, regressor: Any = None, *, random_state: int = 0) -> None:
        self.classifier = classifier
        self.regressor = regressor
        self.random_state = random_state

    def fit(self, X: npt.ArrayLike, y: npt.ArrayLike) -> Self:
        """Learn both parts from rows ``X``, shape (n, features), and amounts ``y``, shape (n,).

        Raises:
            HistoryError: If an amount is below 0.
        """
        checked = validate_data(self, X, y, dtype=np.float64, ensure_all_finite=self._finite(), y_numeric=True)
        rows, amounts = (np.asarray(part, dtype=np.float64) for part in checked)
        if amounts.min() < 0:
            raise HistoryError(
                f"Amounts must be at least 0, but {amounts.min():g} came. Set them to 0, or foretell returns apart."
            )
        order = np.lexsort((*rows.T, amounts))
        rows, amounts = rows[order], amounts[order]
        some = amounts > 0
        self.classifier_ = self.regressor_ = None
        self.smearing_ = 1.0
        if some.any() and not some.all():
            self.classifier_ = self._part(self.classifier, LGBMClassifier).fit(rows, some)
        if some.any():
            part, logs = self._part(self.regressor, LGBMRegressor), np.log(amounts[some])
            self.smearing_ = _smearing(part, rows[some], logs)
            self.regressor_ = clone(part).fit(rows[some], logs)
        return self

    def p_positive(self, X: npt.ArrayLike) -> Floats:
        """Probability of an amount above 0. Shape (n,)."""
        return self._chances(self._rows(X))

    def predict(self, X: npt.ArrayLike) -> Floats:
        """Return the expected amount. Shape (n,)."""
        rows = self._rows(X)
        if self.regressor_ is None:
            return np.zeros(len(rows))
        return np.asarray(self._chances(rows) * self.smearing_ * np.exp(self.regressor_.predict(rows)))

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.target_tags.positive_only = True
        tags.input_tags.allow_nan = self._finite() == "allow-nan"
        return tags

    def _chances(self, rows: Floats) -> Floats:
        if self.classifier_ is None:
            return np.full(len(rows), 0.0 if self.regressor_ is None else 1.0)
        return np.asarray(self.classifier_.predict_proba(rows)[:, 1], dtype=np.float64)

    def _rows(self, X: npt.ArrayLike) -> Floats:
        check_is_fitted(self)
        rows = validate_data(self, X, dtype=np.float64, ensure_all_finite=self._finite(), reset=False)
        return np.asarray(rows, dtype=np.float64)

    def _part(self, given: Any, default: Any) -> Any:
        return default(**_TREES, random_state=self.random_state) if given is None else clone(given)

    def _finite(self) -> bool | str:
        given = [part for part in (self.classifier, self.regressor) if part is not None]
        return "allow-nan" if all(get_tags(part).input_tags.allow_nan for part in given) else True


def _smearing(part: Any, rows: Floats, logs: Floats) -> float:
    """Sum of amounts to sum of those foretold out of fold; 1 where a single row is all there is.

    Residuals of the rows learnt from would be too small. Every fifth row of the amounts in rising order is one fold.
    """
    folds = min(_FOLDS, len(logs))
    if folds < 2:
        return 1.0
    foretold = cross_val_predict(part, rows, logs, cv=PredefinedSplit(np.arange(len(logs)) % folds))
    return float(np.exp(logs).sum() / np.exp(foretold).sum())
