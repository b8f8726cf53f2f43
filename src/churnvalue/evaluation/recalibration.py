"""What past plans teach the next one: by how much the effects that were assumed or learnt must be multiplied."""

from collections.abc import Mapping, Sequence
from typing import Any

PRIOR_SD = 0.5


def recalibration(measurements: Sequence[Mapping[str, Any]]) -> dict[str, dict[str, float]]:
    """Return ``{action: {"factor", "se"}}`` from the contents of past measure.json files.

    The factor is the mean of 1 (nothing learnt; standard deviation ``PRIOR_SD``) and of the measured change of staying
    over the promised one, each weighted by its precision. A measurement of a plan whose effects had been multiplied
    already counts for the effects before that. Actions never measured are left out: their factor is 1.

    >>> recalibration([{"actions": {"call": {"ratio": 0.0, "se": 0.375, "factor": 1.0}}}])
    {'call': {'factor': 0.36, 'se': 0.3}}
    """
    weight: dict[str, float] = {}
    total: dict[str, float] = {}
    for measurement in measurements:
        for action, found in measurement.get("actions", {}).items():
            ratio, se, factor = found.get("ratio"), found.get("se"), found.get("factor", 1.0)
            if ratio is None or not se or not factor:
                continue
            precision = 1.0 / (se * factor) ** 2
            weight[action] = weight.get(action, PRIOR_SD**-2) + precision
            total[action] = total.get(action, PRIOR_SD**-2) + precision * ratio * factor
    return {
        action: {"factor": total[action] / weight[action], "se": weight[action] ** -0.5} for action in sorted(weight)
    }
