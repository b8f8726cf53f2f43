"""Can a classifier tell customers now from customers then? If not, no feature and no mix of features has drifted."""

from dataclasses import dataclass

import lightgbm as lgb
import numpy as np
import numpy.typing as npt
import pandas as pd

from churnvalue.evaluation.metrics import auc

MOST_CUSTOMERS = 20_000
_FOLDS = 3
_NAMED = 3
_ROUNDS = 40
_PARAMETERS = {
    "objective": "binary", "learning_rate": 0.1, "num_leaves": 15, "min_data_in_leaf": 50, "max_bin": 63,
    "feature_fraction": 0.5, "deterministic": True, "force_col_wise": True, "num_threads": 1, "verbose": -1,
}  # fmt: skip
_FEWEST = 200  # rows of each time, below which nothing could be told

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Domain:
    """How well now can be told from then: 0.5 is not at all, 1 always; ``strongest`` features first."""

    auc: float
    error: float
    customers: int
    strongest: tuple[str, ...]


def tell_apart(then: pd.DataFrame, now: pd.DataFrame, seed: int) -> Domain | None:
    """Return how well boosted trees tell ``now`` from ``then``; None where either has fewer than 200 customers.

    Both are frames indexed ``(customer_id, cutoff)`` with the same features, of which at most 20,000 customers are taken. Trees
    are judged on customers that they have not seen at either time. Standard error: Hanley and McNeil (1982), on the fewer
    customers of one time, for mostly the same customers stand in both. A classifier two-sample test: Lopez-Paz and
    Oquab (2017).
    """
    columns = [name for name in then.columns if name in now.columns]
    if min(len(then), len(now)) < _FEWEST or not columns:
        return None
    rows = pd.concat([then[columns], now[columns]])
    is_now = np.repeat([0.0, 1.0], [len(then), len(now)])
    ids, customer = np.unique(rows.index.get_level_values("customer_id").to_numpy(dtype=str), return_inverse=True)
    place = np.random.default_rng(seed).permutation(len(ids))[customer]  # of the ids in order, however rows came
    order = np.lexsort((is_now, place))[: np.count_nonzero(place < MOST_CUSTOMERS)]
    matrix, is_now, fold = rows.to_numpy(dtype=np.float64)[order], is_now[order], place[order] % _FOLDS
    areas, gains = [], np.zeros(len(columns))
    for held in range(_FOLDS):
        learn, test = fold != held, fold == held
        booster = lgb.train(_PARAMETERS | {"seed": seed}, lgb.Dataset(matrix[learn], is_now[learn]), _ROUNDS)
        areas.append(auc(is_now[test], np.asarray(booster.predict(matrix[test]))))
        gains += booster.feature_importance("gain")
    area = float(np.mean(areas))
    strongest = tuple(columns[i] for i in np.argsort(-gains, kind="stable")[:_NAMED] if gains[i] > 0)
    fewer = int(min(is_now.sum(), (1 - is_now).sum()))
    return Domain(area, _error(area, fewer), fewer, strongest)


def _error(area: float, each: int) -> float:
    """Standard error of an area under the curve, with ``each`` many rows of either class."""
    both_above, both_below = area / (2 - area), 2 * area**2 / (1 + area)
    variance = area * (1 - area) + (each - 1) * (both_above + both_below - 2 * area**2)
    return float(np.sqrt(max(variance, 0.0)) / each)
