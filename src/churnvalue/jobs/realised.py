"""Realised quality: scores that were really given, graded on what has happened since.

Customers are graded as they were scored, whatever a plan did for them since: an action that keeps leavers makes ``p_churn``
look too high.
"""

import glob
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import isfinite
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from churnvalue import clock, targets
from churnvalue.config import Config
from churnvalue.errors import ChurnvalueError, OutputError
from churnvalue.evaluation.metrics import auc, bias, log_loss
from churnvalue.events.log import EventLog
from churnvalue.jobs.belongs import require_project
from churnvalue.jobs.outputs import SCORES
from churnvalue.language import N_, _, named, translated
from churnvalue.snapshots import require_closed
from churnvalue.storage import read_manifest, read_parquet
from churnvalue.sweep import compile_measures, sweep
from churnvalue.tracking import Tracker
from churnvalue.views import Future, evaluate, measures

_PROMISED = "promised_"
_METRICS = {"churn": ("auc", "log_loss", "ratio"), "orders": ("ratio",), "spend": ("ratio",)}
_WORDS = {"auc": "AUC", "log_loss": N_("log-loss"), "ratio": N_("expected over realised")}
_FORETOLD = {"churn": ("p_churn", "churned"), "orders": ("orders", "orders"), "spend": ("spend", "spend")}
_NEEDED = ("customer_id", "cutoff", "p_churn", "orders", "spend")

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Realised:
    """One row a cutoff, model and metric, by cutoff; and a note on every folder that could not be graded."""

    rows: tuple[dict[str, Any], ...] = ()
    notes: tuple[str, ...] = ()


def grade_past_scores(config: Config, log: EventLog, tracker: Tracker) -> Realised:
    """Return how good past scores turned out, of the folders that ``[drift] past_scores`` names.

    Metrics of churn: auc, log_loss and ratio; of orders and spend: ratio. A ratio is expected over realised total. ``then`` is
    what the version's training saw on its newest closed window, null where it is not known; ``realised`` null where undefined.
    """
    folders, notes = _folders(config)
    rows: list[dict[str, Any]] = []
    for folder in folders:
        try:
            graded, strangers = _graded(folder, config, log)
        except ChurnvalueError as error:
            notes.append(_("the scores in {folder} are not graded: {why}", folder=folder, why=str(error).rstrip(".")))
            continue
        rows += graded
        if strangers:
            notes.append(
                _(
                    "{strangers:,} customers of the scores in {folder} are not in the log, and not graded",
                    strangers=strangers,
                    folder=folder,
                )
            )
    rows.sort(key=lambda row: str(row["cutoff"]))
    graded_models = {row["model"] for row in rows} & set(tracker.names() if rows else ())
    tags = {(name, one.version): one.tags for name in graded_models for one in tracker.versions(name)}
    for row in rows:
        promise = tags.get((row["model"], row["version"]), {}).get(_PROMISED + row["metric"])
        row["then"] = None if promise is None else float(promise)
    return Realised(tuple(rows), tuple(notes))


def promised(name: str, summary: Mapping[str, Any]) -> dict[str, str]:
    """Return the tags of a version that say what its training saw of it, for the day on which it will be graded.

    No tags where the training learnt another horizon than it foretells.
    """
    if name not in _METRICS or summary["learnt_days"] != summary["horizon_days"]:
        return {}
    bins = summary.get("calibration", [])
    metrics = summary["models"].get(name, {}).get("metrics", {})
    found = {metric: metrics.get(metric) for metric in ("auc", "log_loss")} | {"ratio": metrics.get("bias")}
    if name == "churn":
        expected, left = (sum(one[key] * one["customers"] for one in bins) for key in ("predicted", "actual"))
        found["ratio"] = expected / left if left else None
    values = {metric: found[metric] for metric in _METRICS[name]}
    return {_PROMISED + metric: f"{v:.6g}" for metric, v in values.items() if v is not None and isfinite(v)}


def logged(rows: Sequence[Mapping[str, Any]]) -> dict[int, dict[str, float]]:
    """Return realised metrics as MLflow takes them: by step, which is the cutoff in days since 1970, then by name."""
    steps: dict[int, dict[str, float]] = {}
    for row in rows:
        if row["realised"] is not None:
            step = clock.micros(row["cutoff"][:10]) // clock.DAY
            steps.setdefault(step, {})[f"realised.{row['model']}.{row['metric']}"] = row["realised"]
    return steps


def realised_sentence(rows: Sequence[Mapping[str, Any]]) -> str:
    """Return in words how the newest graded scores turned out; empty if none were graded."""
    if not rows:
        return ""
    newest = [row for row in rows if row["cutoff"] == rows[-1]["cutoff"] and row["realised"] is not None]
    parts = []
    for row in newest:
        told = f"{named(row['model'])} {row['version']} {translated(_WORDS[row['metric']])} {row['realised']:.3f}"
        then = row["then"]
        parts.append(told if then is None else _("{told} ({then:.3f} at training)", told=told, then=then))
    return _(
        "Scores of {cutoff} on what {customers:,} customers did since: {parts}.",
        cutoff=rows[-1]["cutoff"],
        customers=rows[-1]["customers"],
        parts=", ".join(parts),
    )


def _folders(config: Config) -> tuple[list[Path], list[str]]:
    """Return the folders that the globs match, each once, and a note on each glob that matches none."""
    folders: dict[Path, None] = {}
    notes = []
    for pattern in config.drift.past_scores:
        found = sorted(Path(config.folder, one) for one in glob.glob(pattern, root_dir=config.folder))
        if not found:
            notes.append(_("[drift] past_scores '{pattern}' matches no folder", pattern=pattern))
        folders |= dict.fromkeys(found)
    return list(folders), notes


def _graded(folder: Path, config: Config, log: EventLog) -> tuple[list[dict[str, Any]], int]:
    """Return a row for each metric of the scores in a folder, and how many scored customers the log does not know.

    Raises:
        OutputError: If there are no scores, they are damaged, or of another project.
        HistoryError: If their horizon is not over.
        ChurnvalueError: If a score is not known.
    """
    scores = read_parquet(folder, SCORES).to_pandas()
    facts = read_manifest(folder)["facts"].get("score", {})
    require_project(facts, config.project, folder)
    whole = {"model_versions", "horizon_days"} <= facts.keys() and set(_NEEDED) <= set(scores.columns)
    if scores.empty or not whole:
        raise OutputError(f"{folder} must hold customers with the versions that scored them. Score again.")
    cutoff = clock.micros(scores["cutoff"].iloc[0])
    require_closed(log, cutoff, facts["horizon_days"])
    ids = pd.Index(log.customers.to_pandas())
    rows = ids.get_indexer(pd.Index(scores["customer_id"], dtype="str"))
    happened = _outcomes(log, config.outcome.kind, clock.after(cutoff, facts["horizon_days"]))
    known = rows >= 0
    versions = facts["model_versions"]
    metrics = {
        model: _metrics(model, happened[target][rows[known]], scores.loc[known, said].to_numpy(dtype=np.float64))
        for model, (said, target) in _FORETOLD.items()
        if model in versions
    }
    plain = {"cutoff": clock.text(cutoff), "as_of": clock.text(log.observed_until), "customers": int(known.sum())}
    graded = [
        plain | {"model": model, "version": versions[model], "metric": metric, "realised": _finite(value)}
        for model, values in metrics.items()
        for metric, value in values.items()
    ]
    return graded, int((~known).sum())


def _metrics(model: str, actual: Floats, expected: Floats) -> dict[str, float]:
    functions = {"auc": auc, "log_loss": log_loss, "ratio": bias}
    return {metric: functions[metric](actual, expected) for metric in _METRICS[model]}


def _finite(value: float) -> float | None:
    return value if isfinite(value) else None


def _outcomes(log: EventLog, kind: str, horizon: clock.Span) -> dict[str, Floats]:
    """Return what every customer of the log did in the horizon, by target; shape (customers,)."""
    columns = {name: getattr(targets, name)(Future(), kind) for name in targets.NAMES}
    measured = sweep(log, compile_measures(measures(list(columns.values())), log), horizon, clock.END)
    return {
        name: np.broadcast_to(np.asarray(evaluate(column, measured), np.float64), len(log.customers))
        for name, column in columns.items()
    }
