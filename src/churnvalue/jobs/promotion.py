"""Whether a set of candidates may take the champions' place."""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from churnvalue.config import Config
from churnvalue.evaluation.baselines import Prediction
from churnvalue.evaluation.gate import Contest, Verdict, against_baseline, against_champion
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
    """Return why the set may not be promoted (nothing: it may), and what could not be compared or told apart."""
    evaluation = learned.evaluation
    if evaluation is None:
        return ["no later window to judge on: the history holds only one closed window apart"], []
    seed = config.training.seed
    verdicts = []
    for name, definition in loaded.items():
        gate = definition.definition.gate
        actual = evaluation.targets[definition.definition.target].to_numpy(dtype=np.float64)
        ours = _said(evaluation.predictions[OURS], name)
        assert ours is not None
        for baseline in gate.baselines:
            theirs = _said(evaluation.predictions[baseline], name)
            if theirs is not None:
                verdicts.append(against_baseline(name, gate, baseline, Contest(actual, ours, theirs), seed))
        if name in champions:
            champion = _champion_prediction(tracker, name, champions[name], evaluation, frame)
            if champion is None:
                remark = f"{name}: not compared with the champion, which has learnt from the window of the verdict"
                verdicts.append(Verdict(remarks=(remark,)))
                continue
            verdicts.append(against_champion(name, gate, Contest(actual, ours, champion), seed))
    reasons = [reason for verdict in verdicts for reason in verdict.reasons]
    return reasons, [remark for verdict in verdicts for remark in verdict.remarks]


def _said(prediction: Prediction, name: str) -> np.ndarray | None:
    """What a method foretold for model ``name``; None where it says nothing."""
    return {"churn": prediction.risk, "orders": prediction.orders, "spend": prediction.spend}[name]


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
