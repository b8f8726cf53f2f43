"""Whether a set of candidates may take the champions' place."""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from churnvalue.config import Config
from churnvalue.evaluation.gate import Contest, against_baselines, against_champion
from churnvalue.evaluation.measurement import OURS, Evaluation
from churnvalue.frames import TrainingFrame
from churnvalue.jobs.learning import Learned
from churnvalue.models.definition import Loaded
from churnvalue.models.serving import OUTPUTS, load_model
from churnvalue.tracking import Tracker
from churnvalue.tracking.packages import MODEL_FILES


def objections(
    tracker: Tracker,
    champions: Mapping[str, int],
    learned: Learned,
    loaded: Mapping[str, Loaded],
    frame: TrainingFrame,
    config: Config,
) -> tuple[list[str], list[str]]:
    """Return why the set may not be promoted (nothing: it may), and what could not be compared."""
    evaluation = learned.evaluation
    if evaluation is None:
        return ["no later window to judge on: the history holds only one closed window apart"], []
    metrics = evaluation.metrics()
    failures, remarks = [], []
    for name, definition in loaded.items():
        gate = definition.definition.gate
        failures += against_baselines(name, gate, metrics[name], OURS)
        if name in champions:
            champion = _champion_prediction(tracker, name, champions[name], evaluation, frame)
            if champion is None:
                remarks.append(
                    f"{name}: not compared with the champion, which has learnt from the window of the verdict"
                )
                continue
            actual = evaluation.targets[definition.definition.target].to_numpy(dtype=np.float64)
            contest = Contest(actual, _predicted(evaluation, name), champion)
            failures += against_champion(name, gate, contest, config.training.seed)
    return failures, remarks


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
