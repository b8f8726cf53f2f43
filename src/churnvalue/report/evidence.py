"""Why the risks are as they are, and how the models did against their baselines, by the training report.

Any key of the report may be absent or hold something odd: what can be read is shown, the rest left out.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from churnvalue.report.numbers import mapping, number, rows

MODEL = "model"
CLOSER_TO_ONE_IS_BETTER = {"bias"}  # predicted total over actual total
HIGHER_IS_BETTER = {"auc", "average_precision", "average_precision_of_others", "normalised_gini", "spearman"}
NOT_A_SCORE = {"base_rate"}
MOST_REASONS = 12


@dataclass(frozen=True)
class Cell:
    """One metric of one method; ``best`` marks the best of its column."""

    value: float | None
    best: bool


@dataclass(frozen=True)
class Scoreboard:
    """Metrics of one model, in its first row, and of its baselines."""

    name: str
    version: str
    metrics: list[str]
    methods: list[tuple[str, list[Cell]]]


def scoreboards(training: Mapping[str, Any]) -> list[Scoreboard]:
    """Return one table a model that has metrics, in the order of the report."""
    found = []
    for name, report in mapping(training.get("models")).items():
        model = mapping(report)
        methods = {MODEL: mapping(model.get("metrics"))}
        methods |= {str(key): mapping(value) for key, value in mapping(model.get("baselines")).items()}
        metrics = list(dict.fromkeys(key for values in methods.values() for key in values if key not in NOT_A_SCORE))
        metrics = [key for key in metrics if any(number(values.get(key)) is not None for values in methods.values())]
        best = {key: _best(key, [values.get(key) for values in methods.values()]) for key in metrics}
        table = [(method, [_cell(values.get(key), best[key]) for key in metrics]) for method, values in methods.items()]
        if metrics:
            found.append(Scoreboard(str(name), str(model.get("version") or ""), metrics, table))
    return found


def reasons(training: Mapping[str, Any], drivers: Mapping[str, float]) -> list[tuple[str, float]]:
    """Return what moves the risk of leaving and its part of all movement, ``MOST_REASONS`` strongest first.

    From the training report; without one, from ``drivers``: how strongly each feature moves the scored customers.
    """
    listed = rows(mapping(mapping(training.get("models")).get("churn")).get("importance"))
    strength: dict[str, float] = {}
    if listed:
        for row in listed:
            name = str(row.get("text") or row.get("feature") or "")
            strength[name] = strength.get(name, 0.0) + abs(number(row.get("effect")) or 0.0)
    else:
        strength = {name.replace("_", " "): size for name, size in drivers.items()}
    whole = sum(strength.values())
    ranked = sorted(strength.items(), key=lambda item: (-item[1], item[0]))[:MOST_REASONS]
    return [(name, size / whole) for name, size in ranked if whole > 0 and size > 0]


def _best(metric: str, values: list[object]) -> float | None:
    """Return the best of the values that are numbers; None where fewer than two are."""
    known = [found for found in map(number, values) if found is not None]
    if len(known) < 2:
        return None
    if metric in CLOSER_TO_ONE_IS_BETTER:
        return min(known, key=lambda found: abs(found - 1))
    return max(known) if metric in HIGHER_IS_BETTER else min(known)


def _cell(value: object, best: float | None) -> Cell:
    found = number(value)
    return Cell(found, found is not None and found == best)
