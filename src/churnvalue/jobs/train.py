"""``train``: from the log to registered models, with everything that is needed to trust or refuse them."""

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from churnvalue import clock
from churnvalue.config import Config
from churnvalue.engines import read_log
from churnvalue.errors import HistoryError
from churnvalue.evaluation.gate import Contest, against_baselines, against_champion
from churnvalue.evaluation.measurement import OURS, Evaluation, flat, grade, table
from churnvalue.events.log import EventLog, describe
from churnvalue.explain import importance
from churnvalue.frames import TrainingFrame, training_frame
from churnvalue.jobs.cards import model_card
from churnvalue.jobs.champions import open_registry
from churnvalue.jobs.learning import Learned, learn, needed_features
from churnvalue.models.definition import LEARNT, Loaded, read_definition, read_value_definition
from churnvalue.models.link_model import LinkModel
from churnvalue.models.serving import OUTPUTS, load_model, model_files
from churnvalue.progress import Stages
from churnvalue.report.pictures import calibration_picture, lift_picture, shap_picture
from churnvalue.snapshots import training_cutoffs
from churnvalue.storage import json_text, staged
from churnvalue.tracking import ModelPackage, Run, Tracker, TrialRecord
from churnvalue.tracking.packages import MODEL_FILES

_FEWEST = 10  # customers of each outcome, below which nothing can be learnt
_EXPLAINED = 2_000  # rows in the pictures of what the trees look at


@dataclass(frozen=True)
class Training:
    """What a training brought: versions by model, whether they became champions and why, and the contents of train.json."""

    versions: Mapping[str, int]
    promoted: bool
    summary: Mapping[str, Any]


def train(config: Config, as_of: str | None = None, out: Path | None = None, stages: Stages | None = None) -> Training:
    """Train, judge and register churn, orders, spend and value; promote them together if the gate holds.

    Args:
        config: What to read and how to learn.
        as_of: Nothing that happened or was known from this time on is read; everything if None.
        out: Folder of train.json; that of the configuration if None.
        stages: Times and shows the work.

    Raises:
        HistoryError: If the log is too short or too one-sided.
    """
    stages = stages or Stages()
    with stages.stage("reading the log"):
        log = read_log(config, None if as_of is None else clock.micros(as_of))
    loaded = _definitions(config, log)
    features = needed_features(config, loaded)
    cutoffs = training_cutoffs(log, config.training, config.outcome)
    with stages.stage("computing features"):
        frame = training_frame(log, features, cutoffs, config.population, config.outcome)
    _require_both(frame)
    with stages.stage("opening the model registry"):
        tracker = open_registry(config)
        tracker.close_stale_runs()
    learned = learn(frame, loaded, config, stages)
    with stages.stage("registering the models"), tracker.run("train", {"project": config.project}) as run:
        champions = {name: tracker.version(name, "champion") or 0 for name in learned.models}
        passed, reasons = _gate(tracker, champions, learned, loaded, frame, config)
        summary = _summary(config, log, frame, learned, loaded)
        summary["gate"] = {"passed": passed, "reasons": reasons}
        _log_run(run, config, frame, learned, loaded, summary)
        versions = _register(run, learned, loaded, config, summary)
        for name, version in versions.items():
            tracker.set_alias(name, "challenger", version)
        first = not any(champions.values())
        promoted = passed or first
        if promoted:
            for name, version in versions.items():
                tracker.promote(name, version, expected=champions[name])
    summary["promoted"] = promoted
    for name, version in versions.items():
        summary["models"].setdefault(name, {})
        summary["models"][name] |= {"version": version, "aliases": ["champion" if promoted else "challenger"]}
    with staged(out or config.folder, "train", as_of=summary["as_of"], project=config.project) as stage:
        stage.json("train.json", summary)
    summary["timings"] = {title: round(seconds, 3) for title, seconds in stages.seconds.items()}
    return Training(versions, promoted, summary)


def _definitions(config: Config, log: EventLog) -> dict[str, Loaded]:
    kinds = set(log.kinds)
    if config.outcome.kind not in kinds:
        raise HistoryError(
            f"The outcome's kind '{config.outcome.kind}' must occur in the log, but it holds only"
            f" {', '.join(sorted(kinds))}. Set [outcome] kind and [population] kind to one of them."
        )
    return {name: read_definition(name, config, kinds) for name in LEARNT if log.has_amounts or name != "spend"}


def _require_both(frame: TrainingFrame) -> None:
    left = int(frame.targets["churned"].sum())
    stayed = len(frame.targets) - left
    if min(left, stayed) < _FEWEST:
        raise HistoryError(
            f"Learning needs at least {_FEWEST} customers who left and {_FEWEST} who stayed, but the log has {left:,} and"
            f" {stayed:,} over {len(frame.cutoffs)} cutoffs. Change outcome.horizon_days, or bring more customers."
        )


def _gate(
    tracker: Tracker,
    champions: Mapping[str, int],
    learned: Learned,
    loaded: Mapping[str, Loaded],
    frame: TrainingFrame,
    config: Config,
) -> tuple[bool, list[str]]:
    """Whether the set may be promoted, with every reason why not."""
    evaluation = learned.evaluation
    if evaluation is None:
        return False, ["no later window to judge on: the history holds only one closed window apart"]
    metrics = evaluation.metrics()
    failures, remarks = [], []
    for name, definition in loaded.items():
        gate = definition.definition.gate
        failures += against_baselines(name, gate, metrics[name], OURS)
        if champions[name]:
            champion = _champion_prediction(tracker, name, champions[name], evaluation, frame)
            if champion is None:
                remarks.append(
                    f"{name}: the champion has learnt from the window of the verdict, so they were not compared"
                )
                continue
            actual = evaluation.targets[definition.definition.target].to_numpy(dtype=np.float64)
            contest = Contest(actual, _predicted(evaluation, name), champion)
            failures += against_champion(name, gate, contest, config.training.seed)
    return not failures, failures + remarks


def _predicted(evaluation: Evaluation, name: str) -> np.ndarray:
    ours = evaluation.predictions[OURS]
    found = {"churn": ours.p_churn, "orders": ours.orders, "spend": ours.spend}[name]
    assert found is not None
    return found


def _champion_prediction(
    tracker: Tracker, name: str, version: int, evaluation: Evaluation, frame: TrainingFrame
) -> np.ndarray | None:
    """What the champion says at the verdict's cutoff; None if it had learnt from outcomes after it, or lacks a feature."""
    info = next(info for info in tracker.versions(name) if info.version == version)
    until = info.tags.get("outcomes_until")
    if until is None or pd.Timestamp(until) > evaluation.cutoff:
        return None
    model = load_model(tracker.download(name, version) / MODEL_FILES)
    rows = frame.at([evaluation.cutoff]).features
    if not set(model.inputs) <= set(rows.columns):
        return None
    return model.predict(rows)[OUTPUTS[name][0]].to_numpy()


def _summary(
    config: Config, log: EventLog, frame: TrainingFrame, learned: Learned, loaded: Mapping[str, Loaded]
) -> dict[str, Any]:
    """Return the contents of train.json; it holds no time of day, so the same inputs give the same bytes."""
    account = log.account
    evaluation = learned.evaluation
    newest = frame.at([frame.cutoffs[-1]])
    left_out = sorted({kind for definition in loaded.values() for kind in definition.left_out})
    notes = list(learned.notes)
    if left_out:
        notes.append("features of " + ", ".join(left_out) + " are left out, for the log holds no such events")
    if not log.has_amounts:
        notes.append("the log holds no amounts: spend and value are not foretold")
    if log.days_only:
        notes.append("the log knows days, not hours")
    models: dict[str, Any] = table(evaluation.metrics()) if evaluation else {}
    for name, model in learned.models.items():
        link = getattr(model, name, None)
        if isinstance(link, LinkModel):
            found = importance(link, newest.features, loaded[name].features)
            models.setdefault(name, {})["importance"] = [vars(i) for i in found]
            models[name]["features"] = list(link.features)
            models[name]["parameters"] = dict(learned.tuned[name].parameters)
            models[name]["rounds"] = learned.tuned[name].rounds
    summary = {
        "project": config.project,
        "as_of": clock.text(log.observed_until),
        "observed_until": clock.text(log.observed_until),
        "cutoffs": [f"{cutoff:%Y-%m-%d}" for cutoff in frame.cutoffs],
        "customers": len(newest.features),
        "rows": len(frame.features),
        "horizon_days": config.outcome.horizon_days,
        "digest": _digest(frame),
        "log": {
            "text": describe(log),
            "rows_kept": account.kept,
            "duplicates": account.duplicates,
            "later": account.later,
            "quarantined": [{"reason": reason, "rows": rows} for reason, rows in account.quarantined.items()],
            "kinds": log.kinds,
            "first": clock.text(log.first),
            "last": clock.text(log.observed_until),
            "notes": notes,
        },
        "models": models,
    }
    if evaluation:
        graded = grade(evaluation.metrics())
        summary |= {
            "grade": graded.letter,
            "grade_text": graded.words,
            "test_cutoff": f"{evaluation.cutoff:%Y-%m-%d}",
            "calibration": evaluation.calibration(),
            "lift": evaluation.lift(),
            "spend_deciles": evaluation.deciles(),
        }
    return summary


def _log_run(
    run: Run,
    config: Config,
    frame: TrainingFrame,
    learned: Learned,
    loaded: Mapping[str, Loaded],
    summary: Mapping[str, Any],
) -> None:
    """Log parameters, trials, metrics, data, definitions and pictures."""
    run.params(
        {
            "cutoffs": " ".join(summary["cutoffs"]),
            "horizon_days": config.outcome.horizon_days,
            "seed": config.training.seed,
            **{
                f"{name}.{key}": value
                for name, tuned in learned.tuned.items()
                for key, value in tuned.parameters.items()
            },
            **{f"{name}.rounds": tuned.rounds for name, tuned in learned.tuned.items()},
        }
    )
    run.trials(
        [
            TrialRecord(f"{name}-trial-{number:03d}", {**trial.parameters, "rounds": trial.rounds}, trial.loss)
            for name, tuned in learned.tuned.items()
            for number, trial in enumerate(tuned.trials)
        ]
    )
    sources = ", ".join(source.source for source in config.events)
    shape = {"rows": len(frame.features), "features": frame.features.shape[1]}
    run.dataset("training-frame", summary["digest"], sources, shape)
    for name, definition in loaded.items():
        run.text(f"definitions/{name}.toml", definition.text)
    if learned.evaluation:
        run.metrics(flat(learned.evaluation.metrics()))
        run.figure("pictures/calibration.png", calibration_picture(learned.evaluation.calibration()))
        run.figure("pictures/lift.png", lift_picture(learned.evaluation.lift()))
    newest = frame.at([frame.cutoffs[-1]]).features
    rows = newest.iloc[:: max(1, len(newest) // _EXPLAINED)]
    for name, model in learned.models.items():
        link = getattr(model, name, None)
        if isinstance(link, LinkModel):
            own = rows[list(link.features)]
            run.figure(f"pictures/shap_{name}.png", shap_picture(link.contributions(own), own, config.training.seed))
    run.text("train.json", json_text(summary))


def _register(
    run: Run,
    learned: Learned,
    loaded: Mapping[str, Loaded],
    config: Config,
    summary: Mapping[str, Any],
) -> dict[str, int]:
    """Register each model with its card; return the versions."""
    versions = {}
    features = needed_features(config, loaded)
    horizon = pd.Timedelta(days=summary["horizon_days"])
    tags = {
        "as_of": summary["as_of"],
        "training_cutoff": summary["cutoffs"][-1],
        "outcomes_until": str(pd.Timestamp(summary["cutoffs"][-1], tz="UTC") + horizon),
        "digest": summary["digest"],
        "grade": summary.get("grade", "ungraded"),
        "gate": "passed" if summary["gate"]["passed"] else "failed",
    }
    for name, model in learned.models.items():
        with tempfile.TemporaryDirectory() as folder:
            for file, text in model_files(model, features).items():
                (Path(folder) / file).write_text(text, encoding="utf-8")
            definition = loaded[name].text if name in loaded else read_value_definition(config)[1]
            package = ModelPackage(
                name=name,
                data_folder=Path(folder),
                loader_module="churnvalue.models.serving",
                inputs=model.inputs,
                outputs=OUTPUTS[name],
                tags=tags,
                card=model_card(name, summary),
                definition=definition,
            )
            versions[name] = run.register(package)
    return versions


def _digest(frame: TrainingFrame) -> str:
    """Return a digest of every cell of the training frame, its columns and its customers."""
    digest = blake2b(digest_size=16)
    for part in (frame.features, frame.targets):
        digest.update("\n".join(part.columns).encode())
        digest.update(np.ascontiguousarray(part.to_numpy(dtype=np.float64)).tobytes())
    ids, cutoffs = (frame.features.index.get_level_values(level) for level in ("customer_id", "cutoff"))
    digest.update("\n".join(ids).encode())
    digest.update(np.ascontiguousarray(cutoffs.to_numpy(dtype="datetime64[us]")).tobytes())
    return digest.hexdigest()
