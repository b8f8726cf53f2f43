"""Ours against rivals on the same customers: metrics by origin, paired intervals, coverage of the intervals of spend."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
import pandas as pd

from benchmarks.origins import Origin
from churnvalue.evaluation.measurement import OURS
from churnvalue.evaluation.metrics import (
    auc,
    average_precision,
    bias,
    brier,
    calibration_error,
    decile_mape,
    log_loss,
    normalised_gini,
    rmse,
    spearman,
)

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Measure:
    """A metric of what a prediction says about one outcome."""

    says: Literal["risk", "p_churn", "orders", "spend"]
    metric: Callable[[Floats, Floats], float]
    better: Literal["higher", "lower"]

    @property
    def target(self) -> str:
        """The outcome that is foretold."""
        return self.says if self.says in ("orders", "spend") else "churned"


def off_total(actual: Floats, predicted: Floats) -> float:
    """Distance of predicted total over actual total from 1."""
    return abs(bias(actual, predicted) - 1.0)


def buyers_precision(churned: Floats, risk: Floats) -> float:
    """Average precision of those who buy, ranked by the least risk."""
    return average_precision(1 - churned, -risk)


MEASURES: Mapping[str, Measure] = {
    "orders RMSE": Measure("orders", rmse, "lower"),
    "orders bias": Measure("orders", off_total, "lower"),
    "spend RMSE": Measure("spend", rmse, "lower"),
    "spend bias": Measure("spend", off_total, "lower"),
    "Gini": Measure("spend", normalised_gini, "higher"),
    "Spearman": Measure("spend", spearman, "higher"),
    "decile MAPE": Measure("spend", decile_mape, "lower"),
    "AUC": Measure("risk", auc, "higher"),
    "buyers' precision": Measure("risk", buyers_precision, "higher"),
    "Brier": Measure("p_churn", brier, "lower"),
    "log-loss": Measure("p_churn", log_loss, "lower"),
    "calibration error": Measure("p_churn", calibration_error, "lower"),
}


@dataclass(frozen=True)
class Difference:
    """Mean over the origins of ours and of the rival's metric, and bounds (95 %) of the difference."""

    ours: float
    rival: float
    low: float
    high: float


def paired_differences(measure: Measure, origins: Sequence[Origin], seed: int, draws: int) -> dict[str, Difference]:
    """Return ours against every rival that says anything of it, as the mean over ``origins``.

    Customers are drawn with replacement, each with all the origins at which they stand, since what one of them does at two
    origins is not two independent facts. Percentile interval, Efron and Tibshirani (1993).
    """
    methods = [m for m in origins[0].predictions if getattr(origins[0].predictions[m], measure.says) is not None]
    if OURS not in methods:
        return {}
    ids, places = _places(origins)
    actual = [origin.actual[measure.target].to_numpy(dtype=np.float64) for origin in origins]
    said = {m: [getattr(origin.predictions[m], measure.says) for origin in origins] for m in methods}
    generator = np.random.default_rng(seed)

    def scored(rows: Sequence[npt.NDArray[np.intp]]) -> dict[str, float]:
        return {
            m: float(
                np.mean([measure.metric(a[r], np.asarray(p)[r]) for a, p, r in zip(actual, said[m], rows, strict=True)])
            )
            for m in methods
        }

    whole = scored([np.arange(len(a)) for a in actual])
    drawn = []
    for _ in range(draws):
        counts = np.bincount(generator.integers(0, ids, ids), minlength=ids)
        drawn.append(scored([np.repeat(np.arange(len(place)), counts[place]) for place in places]))
    found = {}
    for method in methods:
        if method == OURS:
            continue
        gaps = np.array([draw[OURS] - draw[method] for draw in drawn])
        known = gaps[~np.isnan(gaps)]
        low, high = np.quantile(known, [0.025, 0.975]) if len(known) else (np.nan, np.nan)
        found[method] = Difference(whole[OURS], whole[method], float(low), float(high))
    return found


def _places(origins: Sequence[Origin]) -> tuple[int, list[npt.NDArray[np.intp]]]:
    """Return how many customers there are over all origins, and the number of each origin's rows among them."""
    codes, unique = pd.factorize(np.concatenate([origin.actual.index.to_numpy(dtype=object) for origin in origins]))
    ends = np.cumsum([len(origin.actual) for origin in origins])[:-1]
    return len(unique), np.split(np.asarray(codes, dtype=np.intp), ends)


@dataclass(frozen=True)
class Coverage:
    """Shares of customers inside, above and below [p10, p90], as counted and randomised, and the share due inside.

    Where most spend exactly 0 the counted share cannot be 80 %: all of P(0) lies on one point. Randomised shares spread that
    point over the probabilities it stands for (a customer who spent 0 has a uniform place in [0, P(0)]), so 80 % is due.
    """

    inside: float
    above: float
    below: float
    randomised_inside: float
    randomised_above: float
    randomised_below: float
    due: float


def coverage(spend: Floats, p_zero: Floats, low: Floats, high: Floats) -> Coverage:
    """Return how often spend lay inside its interval; what is random in the randomised shares is integrated out."""
    zero = spend <= 0
    chance = np.maximum(p_zero, 1e-12)
    below = np.where(zero, np.minimum(0.1 / chance, 1.0), spend < low)
    above = np.where(zero, np.maximum(1 - 0.9 / chance, 0.0), spend > high)
    due = np.where(p_zero < 0.1, 0.8, np.maximum(p_zero, 0.9))
    return Coverage(
        inside=float(np.mean((spend >= low) & (spend <= high))),
        above=float(np.mean(spend > high)),
        below=float(np.mean(spend < low)),
        randomised_inside=float(np.mean(1 - below - above)),
        randomised_above=float(np.mean(above)),
        randomised_below=float(np.mean(below)),
        due=float(np.mean(due)),
    )


def covered(origin: Origin, rows: npt.NDArray[np.intp] | None = None) -> Coverage:
    """Return the coverage at an origin; of some of its rows if given."""
    rows = np.arange(len(origin.actual)) if rows is None else rows
    p_churn = origin.predictions[OURS].p_churn
    assert p_churn is not None
    spend, low, high = (
        values.to_numpy(dtype=np.float64)[rows]
        for values in (origin.actual["spend"], origin.interval["spend_p10"], origin.interval["spend_p90"])
    )
    return coverage(spend, p_churn[rows], low, high)


def by_decile(origin: Origin) -> list[Coverage]:
    """Return the coverage in deciles of predicted spend, lowest first."""
    predicted = origin.predictions[OURS].spend
    assert predicted is not None
    order = np.lexsort((origin.actual["spend"], predicted))
    return [covered(origin, rows) for rows in np.array_split(order, 10)]
