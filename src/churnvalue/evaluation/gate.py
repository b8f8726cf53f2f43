"""The gate: a candidate must beat the baselines, and not be worse than the champion beyond noise."""

from collections.abc import Mapping
from dataclasses import dataclass
from math import isfinite

import numpy as np
import numpy.typing as npt

from churnvalue.evaluation.metrics import auc, normalised_gini, paired_bootstrap, spearman
from churnvalue.models.definition import Gate

Floats = npt.NDArray[np.float64]
METRICS = {"auc": auc, "spearman": spearman, "normalised_gini": normalised_gini}


@dataclass(frozen=True)
class Contest:
    """What happened, and what candidate and champion foretold of it; None where the champion had learnt from the window."""

    actual: Floats
    candidate: Floats
    champion: Floats | None


def against_baselines(model: str, gate: Gate, methods: Mapping[str, Mapping[str, float]], ours: str) -> list[str]:
    """Return why the candidate fails against its baselines, empty if it does not."""
    own = methods[ours][gate.metric]
    failures = []
    for name in gate.baselines:
        rival = methods.get(name, {}).get(gate.metric, float("nan"))
        beaten = own > rival if gate.higher else own < rival
        if isfinite(rival) and not beaten:
            failures.append(f"{model}: {gate.metric} {own:.4f} does not beat {name} with {rival:.4f}")
    return failures


def against_champion(model: str, gate: Gate, contest: Contest, seed: int) -> list[str]:
    """Return why the candidate is worse than the champion beyond noise (paired bootstrap, 95 %), empty if it is not."""
    if contest.champion is None:
        return []
    metric = METRICS[gate.metric]
    difference, low, high = paired_bootstrap(metric, contest.actual, contest.candidate, contest.champion, seed=seed)
    worse = high < 0 if gate.higher else low > 0
    if not worse:
        return []
    return [f"{model}: {gate.metric} differs from the champion's by {difference:+.4f} ({low:+.4f} to {high:+.4f})"]
