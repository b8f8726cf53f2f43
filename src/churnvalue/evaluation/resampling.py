"""Metrics of many resamplings of one set of customers at once: sorted a single time, then only counted.

A bootstrap that sorts anew in each draw takes minutes where this takes seconds. The plain metrics are the oracle in the tests.
"""

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Counts = npt.NDArray[np.int64]  # shape (draws, rows): how often each row was drawn


def resampled_auc(event: Floats, score: Floats, counts: Counts) -> Floats:
    """Return the area under the ROC curve of each draw, ties half; NaN without both outcomes. Shape (draws,)."""
    order, starts = _groups(score)
    positive = np.add.reduceat((counts * event.astype(np.int64))[:, order], starts, axis=1).astype(np.float64)
    negative = np.add.reduceat((counts * (1 - event.astype(np.int64)))[:, order], starts, axis=1).astype(np.float64)
    below = np.cumsum(negative, axis=1) - negative
    pairs = positive.sum(axis=1) * negative.sum(axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray((positive * (below + negative / 2)).sum(axis=1) / pairs)


def resampled_gini(actual: Floats, predicted: Floats, counts: Counts) -> Floats:
    """Return the normalised Gini of each draw, ties sharing their mean; NaN where nobody has anything. Shape (draws,)."""
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(_gini(actual, predicted, counts) / _gini(actual, actual, counts))


def _gini(actual: Floats, predicted: Floats, counts: Counts) -> Floats:
    order, starts = _groups(-predicted)
    size = np.add.reduceat(counts[:, order], starts, axis=1).astype(np.float64)
    money = np.add.reduceat((counts * actual)[:, order], starts, axis=1)
    before = np.cumsum(money, axis=1) - money
    # The sum of the cumulative sums over a group of equal predictions, each member holding the group's mean.
    area = (size * before + money * (size + 1) / 2).sum(axis=1)
    rows, total = counts.sum(axis=1), money.sum(axis=1)
    return np.asarray(2 * area / (rows * total) - (rows + 1) / rows)


def _groups(values: Floats) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Return the rising order of ``values`` and where each group of equal ones starts in it."""
    order = np.argsort(values, kind="stable")
    ranked = values[order]
    return order, np.flatnonzero(np.concatenate(([True], ranked[1:] != ranked[:-1])))


FAST: dict[str, Callable[[Floats, Floats, Counts], Floats]] = {"auc": resampled_auc, "normalised_gini": resampled_gini}
