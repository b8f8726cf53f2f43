"""What past plans teach the next one: by how much the effects that were assumed or learnt must be multiplied."""

from collections.abc import Mapping, Sequence
from typing import Any

PRIOR_SD = 0.5

Factors = Mapping[str, Mapping[str, Mapping[str, float]]]


def recalibration(measurements: Sequence[Mapping[str, Any]]) -> dict[str, dict[str, dict[str, float]]]:
    """Return ``{action: {evidence: {"factor", "se"}}}`` from the contents of past measure.json files.

    The factor is the mean of 1 (nothing learnt; standard deviation ``PRIOR_SD``) and of the measured change of staying
    over the promised one, each weighted by its precision. A measurement of a plan whose effects had been multiplied
    already counts for the effects before that. How far an assumption was off says nothing of an experiment, so each
    kind of evidence has its own. What was never measured is left out: its factor is 1.

    >>> recalibration([{"actions": {"call": {"ratio": 0.0, "se": 0.375, "factor": 1.0, "evidence": "assumption"}}}])
    {'call': {'assumption': {'factor': 0.36, 'se': 0.3}}}
    """
    weight: dict[tuple[str, str], float] = {}
    total: dict[tuple[str, str], float] = {}
    for measurement in measurements:
        for action, found in measurement.get("actions", {}).items():
            ratio, se, factor = found.get("ratio"), found.get("se"), found.get("factor", 1.0)
            if ratio is None or not se or not factor:
                continue
            key, precision = (action, found.get("evidence", "assumption")), 1.0 / (se * factor) ** 2
            weight[key] = weight.get(key, PRIOR_SD**-2) + precision
            total[key] = total.get(key, PRIOR_SD**-2) + precision * ratio * factor
    factors: dict[str, dict[str, dict[str, float]]] = {}
    for action, evidence in sorted(weight):
        key = action, evidence
        factors.setdefault(action, {})[evidence] = {"factor": total[key] / weight[key], "se": weight[key] ** -0.5}
    return factors
