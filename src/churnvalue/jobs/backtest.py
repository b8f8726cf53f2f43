"""``backtest``: learn as of each past cutoff, compare with every baseline on what then happened."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from churnvalue import clock
from churnvalue.config import Config
from churnvalue.engines import read_log
from churnvalue.errors import HistoryError
from churnvalue.evaluation.equity import held_by_foretold_tops
from churnvalue.evaluation.folds import forward_folds
from churnvalue.evaluation.gate import METRICS
from churnvalue.evaluation.measurement import OURS, Evaluation, grade
from churnvalue.evaluation.metrics import paired_bootstrap
from churnvalue.jobs.learning import assess
from churnvalue.jobs.material import definitions, gather
from churnvalue.language import spoken
from churnvalue.parallel import one_thread_of_algebra
from churnvalue.progress import Stages
from churnvalue.storage import staged

_MOST_ORIGINS = 4
_COMPARED = {"churn": ("churned", "auc"), "spend": ("spend", "normalised_gini")}


@dataclass(frozen=True)
class Backtest:
    """Metrics at each origin, model and method; paired differences from the baselines; the grade of the mean.

    ``spend``: at each origin the total foretold and what came, and what the foretold top customers held of it.
    """

    origins: tuple[Mapping[str, Any], ...]
    differences: tuple[Mapping[str, Any], ...]
    grade: str
    spend: tuple[Mapping[str, Any], ...]


@spoken
@one_thread_of_algebra
def backtest(config: Config, out: Path | None = None, stages: Stages | None = None) -> Backtest:
    """Return how the models would have done at the newest past cutoffs, each learnt from what had closed before it.

    Args:
        config: As for ``train``.
        out: Folder of backtest.json; that of the configuration if None.
        stages: Times and shows the work.

    Raises:
        HistoryError: If no cutoff has an earlier one whose outcome had closed.
    """
    stages = stages or Stages()
    with stages.stage("reading the log"):
        log = read_log(config)
    loaded = definitions(config, log)
    with stages.stage("computing features"):
        material = gather(log, loaded, config)
    frame = material.frame
    folds = forward_folds(frame.cutoffs, material.learnt_days)[-_MOST_ORIGINS:]
    if not folds:
        needed = 2 * config.outcome.horizon_days + 30
        held = (log.observed_until - log.first) // clock.DAY
        raise HistoryError(
            f"A backtest needs two horizons and a first month, {needed} days, but the log holds {held}."
            " Shorten outcome.horizon_days or bring more history."
        )
    evaluations = []
    tuned = None  # at the oldest origin, by what had closed before it; the later ones take it over
    for fold in folds:
        part = replace(material, frame=frame.at([*fold.train, fold.test]))
        assessed = assess(part, loaded, stages, tuned)
        tuned = assessed.tuned
        if assessed.judged is not None:
            evaluations.append(assessed.judged.evaluation)
    result = Backtest(
        origins=tuple(row for e in evaluations for row in _origins(e, config)),
        differences=tuple(row for e in evaluations for row in _differences(e, config)),
        grade=_grade(evaluations),
        spend=tuple(row for e in evaluations for row in _spend(e)),
    )
    with staged(out or config.folder, "backtest", project=config.project) as stage:
        stage.json("backtest.json", vars(result))
    return result


def _origins(evaluation: Evaluation, config: Config) -> list[dict[str, Any]]:
    return [
        {
            "cutoff": f"{evaluation.cutoff:%Y-%m-%d}",
            "horizon_days": config.outcome.horizon_days,
            "customers": len(evaluation.targets),
            "model": model,
            "method": method,
            **values,
        }
        for model, methods in evaluation.metrics().items()
        for method, values in methods.items()
    ]


def _differences(evaluation: Evaluation, config: Config) -> list[dict[str, Any]]:
    rows = []
    for model, (target, metric) in _COMPARED.items():
        if target not in evaluation.targets:
            continue
        actual = evaluation.targets[target].to_numpy(dtype=float)
        said = {m: p.risk if model == "churn" else p.spend for m, p in evaluation.predictions.items()}
        ours = said[OURS]
        for method, theirs in said.items():
            if method == OURS or theirs is None or ours is None:
                continue
            difference, low, high = paired_bootstrap(METRICS[metric], actual, ours, theirs, seed=config.training.seed)
            rows.append(
                {
                    "cutoff": f"{evaluation.cutoff:%Y-%m-%d}", "model": model, "metric": metric, "against": method,
                    "difference": difference, "low": low, "high": high,
                }
            )  # fmt: skip
    return rows


def _spend(evaluation: Evaluation) -> list[dict[str, Any]]:
    foretold = evaluation.predictions[OURS].spend
    if foretold is None or "spend" not in evaluation.targets:
        return []
    actual = evaluation.targets["spend"].to_numpy(dtype=float)
    return [
        {
            "cutoff": f"{evaluation.cutoff:%Y-%m-%d}",
            "customers": len(actual),
            "predicted": float(foretold.sum()),
            "actual": float(actual.sum()),
            "tops": [vars(held) for held in held_by_foretold_tops(actual, foretold)],
        }
    ]


def _grade(evaluations: list[Evaluation]) -> str:
    """Grade the mean of the metrics over the origins."""
    first, *rest = [evaluation.metrics() for evaluation in evaluations]
    mean = {
        model: {
            method: {name: sum(m[model][method][name] for m in (first, *rest)) / (1 + len(rest)) for name in values}
            for method, values in methods.items()
        }
        for model, methods in first.items()
    }
    graded = grade(mean)
    return f"{graded.letter}: {graded.words}"
