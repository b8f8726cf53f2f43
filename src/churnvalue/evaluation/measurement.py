"""How well predictions foretold what happened: metrics by model and method, calibration, lift, and a grade in words."""

from collections.abc import Mapping
from dataclasses import dataclass
from math import isfinite
from typing import Any

import numpy as np
import pandas as pd

from churnvalue.evaluation.baselines import NAMES as BASELINES
from churnvalue.evaluation.baselines import Prediction
from churnvalue.evaluation.metrics import amount_metrics, auc, average_precision, classification_metrics
from churnvalue.language import ENGLISH, N_, _, language, translated

OURS = "ours"
_SIMPLE = {"recency", "last_window", "zero"}
_TIE = 0.005  # of the rival's metric; less is chance on all but the largest bases
Metrics = dict[str, float]
_WORDS = {"recency": N_("recency"), "last_window": N_("the last window repeated"), "zero": N_("nothing"),
          "bg_nbd": "BG/NBD", "pareto_nbd": "Pareto/NBD", "champion": N_("the champion")}  # fmt: skip


@dataclass(frozen=True)
class Evaluation:
    """Predictions of ``OURS`` and the baselines at one cutoff, made without its outcomes, and those outcomes."""

    cutoff: pd.Timestamp
    targets: pd.DataFrame
    predictions: Mapping[str, Prediction]

    def metrics(self) -> dict[str, dict[str, Metrics]]:
        """Return metrics by model (churn, orders, spend), then by method."""
        found: dict[str, dict[str, Metrics]] = {"churn": {}, "orders": {}, "spend": {}}
        left = self.targets["churned"].to_numpy()
        for method, made in self.predictions.items():
            if made.p_churn is not None:
                found["churn"][method] = classification_metrics(left, made.p_churn)
            elif made.risk is not None:
                found["churn"][method] = {
                    "auc": auc(left, made.risk), "average_precision": average_precision(left, made.risk),
                }  # fmt: skip
            for model, predicted in (("orders", made.orders), ("spend", made.spend)):
                if predicted is not None and model in self.targets:
                    found[model][method] = amount_metrics(self.targets[model].to_numpy(), predicted)
        return {model: methods for model, methods in found.items() if methods}

    def calibration(self, bins: int = 10) -> list[dict[str, float]]:
        """Return predicted and actual share of leavers in equal-count bins of the predicted one."""
        ours = self.predictions[OURS].p_churn
        if ours is None:
            return []
        order = np.lexsort((self.targets["churned"], ours))
        groups = [part for part in np.array_split(order, bins) if len(part)]
        left = self.targets["churned"].to_numpy()
        return [
            {"predicted": float(ours[g].mean()), "actual": float(left[g].mean()), "customers": len(g)} for g in groups
        ]

    def deciles(self) -> list[dict[str, float]]:
        """Return mean predicted and actual spend in deciles of the predicted one, lowest first."""
        ours = self.predictions[OURS].spend
        if ours is None or "spend" not in self.targets:
            return []
        actual = self.targets["spend"].to_numpy()
        groups = [part for part in np.array_split(np.lexsort((actual, ours)), 10) if len(part)]
        return [{"predicted": float(ours[g].mean()), "actual": float(actual[g].mean())} for g in groups]

    def lift(self, steps: int = 20) -> list[dict[str, float]]:
        """Return the share of leavers among the riskiest share of customers, by our model and by recency."""
        left = self.targets["churned"].to_numpy()
        curves = {}
        for name, method in (("model", OURS), ("recency", "recency")):
            risk = self.predictions[method].risk
            if risk is None:
                return []
            curves[name] = np.concatenate(([0], np.cumsum(left[np.lexsort((left, -risk))]))) / max(left.sum(), 1)
        at = [round(step / steps * len(left)) for step in range(steps + 1)]
        return [{"share": i / max(len(left), 1), **{name: float(c[i]) for name, c in curves.items()}} for i in at]


@dataclass(frozen=True)
class Grade:
    """A letter from A to F against the baselines, and the same in words."""

    letter: str
    words: str


def grade(metrics: Mapping[str, Mapping[str, Metrics]]) -> Grade:
    """Return the grade of ``OURS``: ranks against the best baseline, and calibration.

    A: ranks leavers and spend as well as every baseline or better (half a per cent apart is a tie), probabilities within 2
    points. B: the same, within 4 points. C: the same, farther off. D: as well as the simple ones (recency, last window).
    F: not even that.
    """
    contests = [
        (model, metric) for model, metric in (("churn", "auc"), ("spend", "normalised_gini")) if model in metrics
    ]
    matches_all, matches_simple, parts = True, True, []
    for model, metric in contests:
        ours = metrics[model][OURS][metric]
        rivals = {name: values[metric] for name, values in metrics[model].items() if name in BASELINES}
        rivals = {name: value for name, value in rivals.items() if isfinite(value)}
        matched = {name: ours > value - _TIE * abs(value) for name, value in rivals.items()}
        matches_all &= all(matched.values())
        matches_simple &= all(won for name, won in matched.items() if name in _SIMPLE)
        best = max(rivals, key=lambda name: rivals[name], default=None)
        if best is not None and rivals[best] > _TIE:
            parts.append(_compared(_("leavers") if model == "churn" else _("spend"), ours / rivals[best] - 1, best))
    error = metrics["churn"][OURS].get("calibration_error", 1.0)
    parts.append(_("probabilities off by {points:.1f} points on average", points=100 * error))
    calibrated = "A" if error <= 0.02 else "B" if error <= 0.04 else "C"
    letter = calibrated if matches_all else "D" if matches_simple else "F"
    text = "; ".join(parts)
    return Grade(letter, text.replace("%", " %") if language() == ENGLISH else text)


def _compared(what: str, gain: float, rival: str) -> str:
    """Say how much better or worse than the best rival customers are ranked."""
    places = {"what": what, "rival": translated(_WORDS.get(rival, rival)), "gain": abs(gain)}
    if abs(gain) < 0.0005:
        return _("ranks {what} as well as {rival}", **places)
    if gain > 0:
        return _("ranks {what} {gain:.1%} better than {rival}", **places)
    return _("ranks {what} {gain:.1%} worse than {rival}", **places)


def flat(metrics: Mapping[str, Mapping[str, Metrics]]) -> dict[str, float]:
    """Return metrics under single names such as ``churn.ours.auc``."""
    return {
        f"{model}.{method}.{name}": value
        for model, methods in metrics.items()
        for method, values in methods.items()
        for name, value in values.items()
    }


def table(metrics: Mapping[str, Mapping[str, Metrics]]) -> dict[str, Any]:
    """Return metrics of ours and of the baselines apart, by model."""
    return {
        model: {
            "metrics": methods[OURS],
            "baselines": {name: values for name, values in methods.items() if name != OURS},
        }
        for model, methods in metrics.items()
    }
