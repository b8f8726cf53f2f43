"""Weibull accelerated failure time: covariates stretch or shrink the time to the next purchase.

S(t) = exp(-(t / scale)^shape) with log scale linear in the covariates. Kalbfleisch and Prentice (2002), "The Statistical
Analysis of Failure Time Data".
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.optimize import minimize

from churnvalue.timing.waits import Waits

Floats = npt.NDArray[np.float64]
_RIDGE = 1e-3
_STEEPEST = 2.0  # of |log shape|
_FURTHEST = 15.0  # of |log scale|
_MOST_GAPS = 50.0


@dataclass(frozen=True)
class WeibullAFT:
    """A fitted model; ``weights`` are of the intercept and of the standardised covariates."""

    kind: str
    weights: tuple[float, ...]
    means: tuple[float, ...]
    sds: tuple[float, ...]
    log_shape: float

    @classmethod
    def fit(cls, waits: Waits, kind: str) -> "WeibullAFT":
        """Return the model with the largest censored likelihood, lightly penalised."""
        raw = _covariates(waits.frame, kind)
        known = np.isfinite(raw)
        counts = np.maximum(known.sum(axis=0), 1)
        means = np.where(known, raw, 0.0).sum(axis=0) / counts
        sds = np.sqrt(np.where(known, (raw - means) ** 2, 0.0).sum(axis=0) / counts)
        sds = np.where(sds > 1e-9, sds, 1.0)
        design = _design(raw, means, sds)
        # A return is in the middle of its day.
        log_time = np.log(np.where(waits.observed, waits.days + 0.5, np.maximum(waits.days, 0.5)))
        returned = waits.observed.astype(np.float64)
        penalty = np.full(design.shape[1], _RIDGE)
        penalty[0] = 0.0

        def loss(parameters: Floats) -> tuple[float, Floats]:
            weights, log_shape = parameters[:-1], parameters[-1]
            shape = np.exp(log_shape)
            stretched = np.clip((log_time - design @ weights) * shape, -60.0, 30.0)
            hazard = np.exp(stretched)
            value = np.mean(hazard - returned * (log_shape + stretched)) + penalty @ weights**2 / 2
            by_weights = design.T @ ((returned - hazard) * shape) / len(returned) + penalty * weights
            by_shape = np.mean(hazard * stretched - returned * (1 + stretched))
            return float(value), np.append(by_weights, by_shape)

        start = np.zeros(design.shape[1] + 1)
        start[0] = log_time.mean() + 1.0
        bounds = [(-_FURTHEST, _FURTHEST)] * design.shape[1] + [(-_STEEPEST, _STEEPEST)]
        found = minimize(loss, start, jac=True, method="L-BFGS-B", bounds=bounds, options={"maxiter": 500})
        return cls(kind, _tuple(found.x[:-1]), _tuple(means), _tuple(sds), float(found.x[-1]))

    def cumulative_hazard(self, frame: pd.DataFrame, days: Sequence[float] | Floats) -> Floats:
        """Return -log S at each of ``days``. Shape (rows, days)."""
        design = _design(_covariates(frame, self.kind), np.array(self.means), np.array(self.sds))
        log_scale = np.clip(design @ np.array(self.weights), -_FURTHEST, _FURTHEST)
        times = np.asarray(days, dtype=np.float64)[None, :]
        return np.asarray((times / np.exp(log_scale)[:, None]) ** np.exp(self.log_shape), dtype=np.float64)

    def parameters(self) -> dict[str, Any]:
        """Return everything learnt, as JSON can hold it."""
        return {**vars(self), **{name: list(getattr(self, name)) for name in ("weights", "means", "sds")}}

    @classmethod
    def from_parameters(cls, parameters: dict[str, Any]) -> "WeibullAFT":
        """Return the model that ``parameters`` described."""
        return cls(
            kind=parameters["kind"],
            weights=tuple(parameters["weights"]),
            means=tuple(parameters["means"]),
            sds=tuple(parameters["sds"]),
            log_shape=parameters["log_shape"],
        )


def _covariates(frame: pd.DataFrame, kind: str) -> Floats:
    """Frequency, silence, tenure, gap and their ratio, money and recent orders, mostly in logarithms; NaN where undefined."""
    read = {
        name: frame[f"{name}_{kind}"].to_numpy(dtype=np.float64)
        for name in ("active_days", "days_since_last", "days_since_first", "gap_mean", "amount_total")
    }
    days, silence, gap = read["active_days"], read["days_since_last"], np.maximum(read["gap_mean"], 0.5)
    columns = [
        np.log1p(days),
        np.log1p(silence),
        np.log1p(read["days_since_first"]),
        np.log(gap),
        (days == 1).astype(np.float64),
        np.log1p(np.minimum(silence / gap, _MOST_GAPS)),
        np.log1p(np.maximum(read["amount_total"], 0.0)),
    ]
    columns += [np.log1p(frame[f"event_count_{kind}_{recent}d"].to_numpy(dtype=np.float64)) for recent in (30, 90)]
    return np.column_stack(columns)


def _design(raw: Floats, means: Floats, sds: Floats) -> Floats:
    """Intercept and standardised covariates; what is undefined counts as the mean."""
    return np.column_stack([np.ones(len(raw)), np.nan_to_num((raw - means) / sds)])


def _tuple(values: Floats) -> tuple[float, ...]:
    return tuple(float(value) for value in values)
