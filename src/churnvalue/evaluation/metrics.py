"""How good predictions are: ranking, calibration, size and total, and whether one beats another.

Every metric takes plain arrays, one entry a customer, and gives one number. Rows are put in a fixed order
first, so the order in which they come never changes a digit. NaN means that the metric is undefined.
"""

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
from scipy.stats import spearmanr
from sklearn.metrics import average_precision_score, roc_auc_score
from sklearn.metrics import log_loss as mean_log_loss

from churnvalue.errors import ChurnvalueError
from churnvalue.evaluation.resampling import FAST

Floats = npt.NDArray[np.float64]
Metric = Callable[[npt.ArrayLike, npt.ArrayLike], float]


def normalised_gini(actual: npt.ArrayLike, predicted: npt.ArrayLike) -> float:
    """Gini of ``actual`` ordered by ``predicted``, over that of the perfect order: 1 is perfect, 0 is chance.

    Gini = 2 / (n S) (C_1 + ... + C_n) - (n + 1) / n, with C_i the sum of the actuals of the i largest
    predictions and S = C_n. Customers predicted the same share their mean. NaN where all actuals are equal or
    S is not above 0. Frees, Meyers and Cummings (2011), "Summarizing insurance scores using a Gini index".
    """
    actual, predicted = _pairs(actual, predicted)
    if not len(actual) or np.ptp(actual) == 0 or actual.sum() <= 0:
        return np.nan
    return _gini(_tie_means(actual, predicted)) / _gini(np.sort(actual))


def spearman(actual: npt.ArrayLike, predicted: npt.ArrayLike) -> float:
    """Correlation of the ranks, ties ranked in the middle; NaN where either is constant. Spearman (1904)."""
    actual, predicted = _pairs(actual, predicted)
    if not len(actual) or np.ptp(actual) == 0 or np.ptp(predicted) == 0:
        return np.nan
    return float(spearmanr(actual, predicted).statistic)


def auc(event: npt.ArrayLike, score: npt.ArrayLike) -> float:
    """Probability that a random event scores above a random non-event, ties half; NaN without both.

    Area under the ROC curve, Hanley and McNeil (1982).
    """
    event, score = _events(event, score)
    return float(roc_auc_score(event, score)) if 0 < event.sum() < len(event) else np.nan


def average_precision(event: npt.ArrayLike, score: npt.ArrayLike) -> float:
    """Precision averaged over the recall it buys: sum of (R_k - R_k-1) P_k; NaN without events.

    As scikit-learn's ``average_precision_score``: without interpolation, ties entering together.
    """
    event, score = _events(event, score)
    return float(average_precision_score(event, score)) if event.any() else np.nan


def log_loss(event: npt.ArrayLike, probability: npt.ArrayLike) -> float:
    """Mean of -log of the probability given to what happened, kept 2e-16 away from 0 and 1; NaN without rows.

    Good (1952), "Rational decisions".
    """
    event, probability = _probabilities(event, probability)
    return float(mean_log_loss(event, probability, labels=[0.0, 1.0])) if len(event) else np.nan


def brier(event: npt.ArrayLike, probability: npt.ArrayLike) -> float:
    """Mean squared distance of the probability from what happened, 0 or 1; NaN without rows. Brier (1950)."""
    event, probability = _probabilities(event, probability)
    return float(np.mean((probability - event) ** 2)) if len(event) else np.nan


def calibration_error(event: npt.ArrayLike, probability: npt.ArrayLike, bins: int = 10) -> float:
    """Mean of |share of events - mean probability| over bins of equally many customers; NaN without rows.

    Expected calibration error, Naeini, Cooper and Hauskrecht (2015), on equal-count bins. Customers of one
    probability share their mean, so it does not matter in which bin each of them falls.
    """
    event, probability = _probabilities(event, probability)
    if not len(event):
        return np.nan
    gaps = np.add.reduceat(_tie_means(event, probability) - probability, _starts(len(event), bins))
    return float(np.abs(gaps).sum() / len(event))


def decile_mape(actual: npt.ArrayLike, predicted: npt.ArrayLike) -> float:
    """Mean over deciles of the prediction of |predicted - actual| / actual, each the decile's mean.

    Customers predicted the same share their mean actual, so it does not matter in which decile each is.
    Deciles whose actual mean is not above 0 have no percentage and are left out; NaN where all are.
    """
    actual, predicted = _pairs(actual, predicted)
    if not len(actual):
        return np.nan
    starts = _starts(len(actual), 10)
    happened = np.add.reduceat(_tie_means(actual, predicted), starts)
    expected = np.add.reduceat(predicted, starts)
    known = happened > 0
    return float(np.mean(np.abs(expected[known] / happened[known] - 1))) if known.any() else np.nan


def rmse(actual: npt.ArrayLike, predicted: npt.ArrayLike) -> float:
    """Root of the mean squared error, in the unit of ``actual``; NaN without rows."""
    actual, predicted = _pairs(actual, predicted)
    return float(np.sqrt(np.mean((predicted - actual) ** 2))) if len(actual) else np.nan


def bias(actual: npt.ArrayLike, predicted: npt.ArrayLike) -> float:
    """Predicted total over actual total: 1 is right, above it too much. NaN where the actual total is 0."""
    actual, predicted = _pairs(actual, predicted)
    total = actual.sum()
    return float(predicted.sum() / total) if total else np.nan


def classification_metrics(event: npt.ArrayLike, probability: npt.ArrayLike) -> dict[str, float]:
    """Every metric of a probability, by name; ``average_precision_of_others`` is of the non-events."""
    happened, chance = _probabilities(event, probability)
    return {
        "base_rate": float(happened.mean()) if len(happened) else np.nan,
        "auc": auc(happened, chance),
        "average_precision": average_precision(happened, chance),
        "average_precision_of_others": average_precision(1 - happened, -chance),
        "log_loss": log_loss(happened, chance),
        "brier": brier(happened, chance),
        "calibration_error": calibration_error(happened, chance),
    }


def amount_metrics(actual: npt.ArrayLike, predicted: npt.ArrayLike) -> dict[str, float]:
    """Every metric of an amount or a count, by name."""
    return {
        "normalised_gini": normalised_gini(actual, predicted),
        "spearman": spearman(actual, predicted),
        "decile_mape": decile_mape(actual, predicted),
        "rmse": rmse(actual, predicted),
        "bias": bias(actual, predicted),
    }


def paired_bootstrap(
    metric: Metric,
    actual: npt.ArrayLike,
    first: npt.ArrayLike,
    second: npt.ArrayLike,
    seed: int,
    draws: int = 200,
) -> tuple[float, float, float]:
    """Metric of ``first`` minus that of ``second``, and its 2.5 and 97.5 % points over resampled customers.

    Both are scored on the same customers in every draw, so what is common to them cancels. Draws in which the
    metric is undefined are left out; NaN where all are. Percentile interval, Efron and Tibshirani (1993).
    """
    happened, one, two = (np.asarray(values, dtype=np.float64) for values in (actual, first, second))
    if not happened.shape == one.shape == two.shape:
        raise ChurnvalueError(
            f"Actual and both predictions must be of one length, but {happened.shape}, {one.shape} and "
            f"{two.shape} came. Align them by customer first."
        )
    order = np.lexsort((two, one, happened))
    happened, one, two = happened[order], one[order], two[order]
    generator = np.random.default_rng(seed)
    size = len(happened)
    drawn = generator.integers(0, max(size, 1), (draws, size))
    fast = FAST.get(getattr(metric, "__name__", "")) if size else None
    if fast:
        counts = np.array([np.bincount(rows, minlength=size) for rows in drawn])
        differences = fast(happened, one, counts) - fast(happened, two, counts)
    else:
        differences = np.array(
            [metric(happened[rows], one[rows]) - metric(happened[rows], two[rows]) for rows in drawn]
        )
    known = differences[~np.isnan(differences)]
    low, high = np.quantile(known, [0.025, 0.975]) if len(known) else (np.nan, np.nan)
    return metric(happened, one) - metric(happened, two), float(low), float(high)


def _pairs(actual: npt.ArrayLike, predicted: npt.ArrayLike) -> tuple[Floats, Floats]:
    """Both as numbers, in rising order of the prediction, then of the actual."""
    actual, predicted = np.asarray(actual, dtype=np.float64), np.asarray(predicted, dtype=np.float64)
    if actual.ndim != 1 or actual.shape != predicted.shape:
        raise ChurnvalueError(
            f"Actual and predicted must be of one length, but {actual.shape} and {predicted.shape} came. "
            "Align them by customer first."
        )
    unknown = int((~np.isfinite(actual) | ~np.isfinite(predicted)).sum())
    if unknown:
        raise ChurnvalueError(
            f"Actual and predicted must be finite, but {unknown} of {len(actual)} pairs are not. "
            "Leave out what is not known, and say so."
        )
    order = np.lexsort((actual, predicted))
    return actual[order], predicted[order]


def _events(event: npt.ArrayLike, score: npt.ArrayLike) -> tuple[Floats, Floats]:
    happened, score = _pairs(event, score)
    if not np.isin(happened, (0.0, 1.0)).all():
        raise ChurnvalueError("An event must be 0 or 1, but other values came. Compare with a threshold first.")
    return happened, score


def _probabilities(event: npt.ArrayLike, probability: npt.ArrayLike) -> tuple[Floats, Floats]:
    happened, chance = _events(event, probability)
    if len(chance) and not 0 <= chance[0] <= chance[-1] <= 1:
        raise ChurnvalueError(
            f"A probability must be 0 to 1, but {chance[0]:g} to {chance[-1]:g} came. Calibrate it first."
        )
    return happened, chance


def _tie_means(actual: Floats, predicted: Floats) -> Floats:
    """Actual, where equal predictions share their mean; both in rising order of the prediction."""
    _, group, counts = np.unique(predicted, return_inverse=True, return_counts=True)
    return np.asarray((np.bincount(group, actual) / counts)[group], dtype=np.float64)


def _gini(rising: Floats) -> float:
    size = len(rising)
    return float(2 * np.cumsum(rising[::-1]).sum() / (size * rising.sum()) - (size + 1) / size)


def _starts(size: int, bins: int) -> npt.NDArray[np.int64]:
    """Where each bin starts, sizes differing by one at most; as many bins as rows if those are fewer."""
    bins = min(size, bins)
    return np.arange(bins) * size // bins
