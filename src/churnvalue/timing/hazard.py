"""Discrete-time hazard: the wait cut into bins, a customer one row for each bin in which they had not come back yet.

The trees correct a given hazard: they are boosted from it, so that without evidence they change nothing. Singer and Willett
(1993), "It's about time: using discrete-time survival analysis".
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import lightgbm as lgb
import numpy as np
import numpy.typing as npt
import pandas as pd

from churnvalue.timing.waits import Waits

Floats = npt.NDArray[np.float64]
Places = npt.NDArray[np.intp]
_EDGES = (0, 1, 3, 7, 10, 14, 21, 30, 45, 60, 90, 120, 180, 270, 365)
_SHORTEST_LAST = 0.85  # the last inner edge is at most this share of the horizon
_MOST_ROWS = 60_000  # customers at cutoffs to learn from; of more a sample
_BLOCK = 20_000  # customers predicted at once
_ROUNDS = 120
_PARAMETERS: dict[str, Any] = {
    "objective": "binary", "learning_rate": 0.1, "num_leaves": 7, "min_data_in_leaf": 300, "lambda_l2": 10.0,
    "feature_fraction": 0.5, "bagging_fraction": 0.8, "bagging_freq": 1, "max_bin": 63, "num_threads": 1,
    "deterministic": True, "force_col_wise": True, "verbose": -1,
}  # fmt: skip
LEAST_HAZARD, _MOST_HAZARD = 1e-9, 20.0  # of one bin


def bin_edges(horizon_days: int) -> tuple[int, ...]:
    """Return the edges of about ten bins in days, short ones first, from 0 to the horizon."""
    return (*[edge for edge in _EDGES if edge == 0 or edge <= _SHORTEST_LAST * horizon_days], horizon_days)


@dataclass(frozen=True)
class Periods:
    """One row for each customer and bin that was seen whole or until the return: places of both, and whether they came."""

    rows: Places
    bins: Places
    returned: Floats


def periods(waits: Waits, edges: tuple[int, ...]) -> Periods:
    """Return the bins in which each customer could have come back, up to their return or to what was followed."""
    begun = np.searchsorted(edges, waits.days, side="right")  # for those who returned: bins up to that of the return
    seen = np.where(waits.observed, begun, begun - 1).clip(0, len(edges) - 1)
    rows = np.repeat(np.arange(len(seen)), seen)
    bins = np.arange(len(rows)) - np.repeat(np.cumsum(seen) - seen, seen)
    returned = waits.observed[rows] & (bins == (begun - 1)[rows])
    return Periods(rows, bins, returned.astype(np.float64))


@dataclass(frozen=True)
class HazardTrees:
    """Boosted trees over features and bin; ``trees`` is LightGBM's own text."""

    trees: str
    features: tuple[str, ...]
    kind: str
    edges: tuple[int, ...]

    @classmethod
    def fit(cls, waits: Waits, base: Floats, edges: tuple[int, ...], kind: str, seed: int) -> "HazardTrees":
        """Return trees that correct ``base``, the hazard of each row in each bin. Shape (rows, bins)."""
        features = tuple(sorted(waits.frame.columns))
        found = periods(waits, edges)
        rows, bins, returned = found.rows, found.bins, found.returned
        share = _MOST_ROWS / len(waits.days)
        if share < 1:
            drawn = (np.random.default_rng(seed).random(len(waits.days)) < share)[rows]
            rows, bins, returned = rows[drawn], bins[drawn], returned[drawn]
        design = _design(waits.frame, features, kind, edges, (rows, bins))
        data = lgb.Dataset(design, returned, init_score=_logit(base[rows, bins]), params=_PARAMETERS)
        booster = lgb.train({**_PARAMETERS, "seed": seed}, data, _ROUNDS)
        return cls(booster.model_to_string(), features, kind, edges)

    @cached_property
    def _booster(self) -> lgb.Booster:
        return lgb.Booster(model_str=self.trees)

    def hazard(self, frame: pd.DataFrame, base: Floats) -> Floats:
        """Return ``base`` corrected: the cumulative hazard of each bin. Shape (rows, bins)."""
        raw = np.empty_like(base)
        for start in range(0, len(base), _BLOCK):
            block = slice(start, start + _BLOCK)
            count, width = base[block].shape
            places = np.repeat(np.arange(count), width), np.tile(np.arange(width), count)
            design = _design(frame.iloc[block], self.features, self.kind, self.edges, places)
            raw[block] = self._booster.predict(design, raw_score=True, num_threads=1).reshape(count, width)
        return np.asarray(np.clip(np.logaddexp(0.0, raw + _logit(base)), LEAST_HAZARD, _MOST_HAZARD))


def _design(
    frame: pd.DataFrame, features: tuple[str, ...], kind: str, edges: tuple[int, ...], places: tuple[Places, Places]
) -> npt.NDArray[np.float32]:
    """Features, the middle of the bin, and how long the silence will be there: in days and in mean gaps."""
    rows, bins = places
    middle = (np.array(edges[1:]) + np.array(edges[:-1])) / 2
    silence = frame[f"days_since_last_{kind}"].to_numpy(dtype=np.float64)[rows] + middle[bins]
    gap = np.maximum(frame[f"gap_mean_{kind}"].to_numpy(dtype=np.float64), 0.5)[rows]
    design = np.empty((len(rows), len(features) + 3), dtype=np.float32)
    design[:, :-3] = frame[list(features)].to_numpy(dtype=np.float32)[rows]
    design[:, -3], design[:, -2], design[:, -1] = middle[bins], silence, silence / gap
    return design


def _logit(hazard: Floats) -> Floats:
    """Logit of the probability of a return in a bin, 1 - exp(-hazard)."""
    return np.asarray(np.log(np.expm1(np.clip(hazard, LEAST_HAZARD, _MOST_HAZARD))))
