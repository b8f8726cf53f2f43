"""Claims about predictions as rows of results: against rivals, against what was published, totals, coverage of intervals."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from benchmarks.comparison import MEASURES, Coverage, by_decile, covered, paired_differences
from benchmarks.origins import Origin
from benchmarks.resources import peak_mb
from benchmarks.results_table import Result, number, versions
from churnvalue.evaluation.measurement import OURS
from churnvalue.evaluation.metrics import bias
from churnvalue.jobs.learner import TREES_ALONE

SEED = 7
COLUMNS = ("orders RMSE", "orders bias", "spend RMSE", "spend bias", "Gini", "Spearman", "decile MAPE", "AUC",
            "buyers' precision", "Brier", "log-loss", "calibration error")  # fmt: skip
_FLOOR = {
    90: (0.766, None, 43.21, None, 0.651, 0.362, 0.254, 0.771, 0.506, 0.1172, 0.388, 0.025),
    273: (1.726, None, 92.87, None, 0.684, 0.442, 0.212, 0.763, 0.644, 0.1654, 0.512, 0.048),
}
_TARGET = {
    90: (0.753, 0.07, 42.9, None, 0.690, 0.372, 0.09, 0.779, 0.514, 0.1155, 0.3795, 0.010),
    273: (1.679, 0.07, 91.9, None, 0.724, 0.455, 0.09, 0.772, 0.652, 0.1598, 0.494, 0.027),
}
MAIN = ("Gini", "log-loss", "decile MAPE", "AUC", "Spearman", "spend RMSE", "Brier", "calibration error")
_MEAN_BIAS, _WORST_BIAS, _COVERAGE = 0.07, 0.20, 0.04  # what is allowed


def compared(claim: str, data: str, chosen: Sequence[Origin], names: Sequence[str], draws: int) -> list[Result]:
    """Return ours against each rival by metric, as the mean over origins, with paired intervals."""
    results = []
    for name in names:
        measure = MEASURES[name]
        note = _apart(chosen, name)
        for rival, found in paired_differences(measure, chosen, SEED, draws).items():
            ours, theirs, low, high = (number(value) for value in (found.ours, found.rival, found.low, found.high))
            results.append(Result(claim, data, name, ours, theirs, rival, measure.better, low, high, note=note))
    return results


def _apart(chosen: Sequence[Origin], name: str) -> str:
    """Return what a mean over origins leaves out, or a distance from 1: the values themselves, ours and the main rivals'."""
    measure, signed = MEASURES[name], name.endswith("bias")
    if len(chosen) == 1 and not signed:
        return ""
    texts = []
    for method in (OURS, "pareto_nbd", TREES_ALONE):
        if getattr(chosen[0].predictions[method], measure.says) is not None:
            each = [_bias(o, method, measure.says) if signed else _each(o, name, method) for o in chosen]
            texts.append(f"{method} {', '.join(f'{value:.3f}' for value in each)}")
    return ("predicted ÷ actual: " if signed else "at each: ") + "; ".join(texts)


def _each(origin: Origin, name: str, method: str = OURS) -> float:
    measure = MEASURES[name]
    said = getattr(origin.predictions[method], measure.says)
    return measure.metric(origin.actual[measure.target].to_numpy(dtype=np.float64), said)


def _bias(origin: Origin, method: str, says: str = "spend") -> float:
    said = getattr(origin.predictions[method], says)
    return float(bias(origin.actual[says].to_numpy(dtype=np.float64), said))


def against_published(claim: str, data: str, origin: Origin) -> list[Result]:
    """Return ours on CDNOW beside floor and target."""
    results = []
    for rival, cells in (("floor", _FLOOR[origin.horizon_days]), ("target", _TARGET[origin.horizon_days])):
        for name, cell in zip(COLUMNS, cells, strict=True):
            if cell is not None:
                ours = number(_each(origin, name))
                results.append(Result(claim, data, name, ours, cell, rival, MEASURES[name].better))
    return results


def totals(claim: str, data: str, chosen: Sequence[Origin]) -> list[Result]:
    """Return how far spend in total is off on the mean origin and on the worst, against what is allowed and rivals."""
    results = []
    rivals = {m: _totals_of(chosen, m) for m, said in chosen[0].predictions.items() if said.spend is not None}
    ours = rivals.pop(OURS)
    dates = ", ".join(f"{o.cutoff} {b:.3f}" for o, b in zip(chosen, ours, strict=True))
    for metric, limit, off in (
        ("off on the mean origin", _MEAN_BIAS, _off_on_mean),
        ("off on the worst origin", _WORST_BIAS, _off_on_worst),
    ):
        note = f"predicted ÷ actual at each origin: {dates}"
        results.append(Result(claim, data, metric, off(ours), limit, "allowed", "lower", note=note))
        results += [
            Result(claim, data, metric, off(ours), off(v), m, "lower") for m, v in rivals.items() if m != "zero"
        ]
    return results


def _off_on_mean(totals: Sequence[float]) -> float:
    return abs(float(np.mean(totals)) - 1)


def _off_on_worst(totals: Sequence[float]) -> float:
    return max(abs(total - 1) for total in totals)


def _totals_of(chosen: Sequence[Origin], method: str) -> list[float]:
    return [_bias(origin, method) for origin in chosen]


def covering(claim: str, data: str, chosen: Sequence[Origin]) -> list[Result]:
    """Return how far coverage of [p10, p90] is from 80 %, overall and by decile of predicted spend; means over origins."""
    results = [_coverage_row(claim, data, "all customers", [covered(origin) for origin in chosen])]
    deciles = zip(*[by_decile(origin) for origin in chosen], strict=True)
    for place, found in enumerate(deciles, 1):
        results.append(_coverage_row(claim, data, f"decile {place} by predicted spend", found))
    return results


def _coverage_row(claim: str, data: str, who: str, found: Sequence[Coverage]) -> Result:
    def mean(name: str) -> float:
        return float(np.mean([getattr(one, name) for one in found]))

    each = f"; at each origin {', '.join(f'{one.randomised_inside:.3f}' for one in found)}" if len(found) > 1 else ""
    note = (
        f"{mean('randomised_inside'):.3f} inside, {mean('randomised_above'):.3f} above, {mean('randomised_below'):.3f} below{each};"
        f" counted plainly {mean('inside'):.3f} ({mean('due'):.3f} due), {mean('above'):.3f}, {mean('below'):.3f}"
    )
    off = abs(mean("randomised_inside") - 0.8)
    return Result(claim, data, f"off 80 %, {who}", off, _COVERAGE, "allowed", "lower", note=note)


def finished(results: Sequence[Result], seconds: float) -> list[Result]:
    """Return results with what they cost and what they were made with."""
    used, peak = versions(), peak_mb()
    return [replace(r, seconds=round(seconds, 1), peak_mb=round(peak), versions=used, seed=SEED) for r in results]
