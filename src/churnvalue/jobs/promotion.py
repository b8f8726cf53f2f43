"""Whether a set of candidates may take the champions' place."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from churnvalue.config import Config
from churnvalue.errors import RegistryError
from churnvalue.evaluation.baselines import Prediction
from churnvalue.evaluation.gate import Contest, Verdict, against_baseline, against_champion
from churnvalue.evaluation.measurement import OURS, Evaluation
from churnvalue.features import Feature
from churnvalue.frames import TrainingFrame
from churnvalue.jobs.learning import Learned
from churnvalue.language import _
from churnvalue.models.definition import Loaded
from churnvalue.models.serving import OUTPUTS, load_model, read_features
from churnvalue.tracking import CHAMPION, Tracker, UnreachableError
from churnvalue.tracking.packages import MODEL_FILES


@dataclass(frozen=True)
class Rival:
    """A champion as it stands at the start of a training: its files, and until when it has seen outcomes (None: unknown).

    ``folder`` is None where it cannot be read, ``problem`` then says why.
    """

    version: int
    folder: Path | None = None
    outcomes_until: str | None = None
    problem: str = ""

    @property
    def features(self) -> tuple[Feature, ...]:
        """The features that it reads."""
        return read_features(self.folder) if self.folder else ()


def rivals_of(tracker: Tracker, names: Iterable[str]) -> dict[str, Rival]:
    """Return the champion of each of ``names`` that has one; a training needs the registry no more until it registers.

    Raises:
        UnreachableError: If the registry does not answer.
    """
    return {name: _rival(tracker, name, version) for name in names if (version := tracker.version(name, CHAMPION))}


def _rival(tracker: Tracker, name: str, version: int) -> Rival:
    try:
        info = next(info for info in tracker.versions(name) if info.version == version)
        rival = Rival(version, tracker.download(name, version) / MODEL_FILES, info.tags.get("outcomes_until"))
        _ = rival.features  # its files are checked here, before hours of learning
    except UnreachableError:
        raise
    except RegistryError as error:
        return Rival(version, problem=str(error))
    return rival


def objections(
    rivals: Mapping[str, Rival],
    learned: Learned,
    loaded: Mapping[str, Loaded],
    frame: TrainingFrame,
    config: Config,
) -> tuple[list[str], list[str]]:
    """Return why the set may not be promoted (nothing: it may), and what could not be compared or told apart."""
    evaluation = learned.evaluation
    if evaluation is None:
        return [_("no later window to judge on: the history holds only one closed window apart")], []
    seed = config.training.seed
    verdicts = []
    for name, definition in loaded.items():
        gate = definition.definition.gate
        actual = evaluation.targets[definition.definition.target].to_numpy(dtype=np.float64)
        if np.ptp(actual) == 0:
            same = _(
                "{name}: not judged, for in the newest window all {customers:,} customers have {value:g} as '{target}'",
                name=name,
                customers=len(actual),
                value=actual[0],
                target=definition.definition.target,
            )
            verdicts.append(Verdict(remarks=(same,)))
        ours = _said(evaluation.predictions[OURS], name)
        assert ours is not None
        for baseline in gate.baselines:
            theirs = _said(evaluation.predictions[baseline], name)
            if theirs is not None:
                verdicts.append(against_baseline(name, gate, baseline, Contest(actual, ours, theirs), seed))
        if name in rivals:
            rival = rivals[name]
            if rival.folder is None:
                verdicts.append(
                    Verdict(
                        reasons=(
                            _(
                                "{name}: the champion cannot be compared with: {problem}",
                                name=name,
                                problem=rival.problem,
                            ),
                        )
                    )
                )
                continue
            champion = _champion_prediction(rival, rival.folder, name, evaluation, frame)
            if champion is None:
                remark = _(
                    "{name}: not compared with the champion, which has learnt from the window of the verdict", name=name
                )
                verdicts.append(Verdict(remarks=(remark,)))
                continue
            verdicts.append(against_champion(name, gate, Contest(actual, ours, champion), seed))
    reasons = [reason for verdict in verdicts for reason in verdict.reasons]
    return reasons, [remark for verdict in verdicts for remark in verdict.remarks]


def _said(prediction: Prediction, name: str) -> np.ndarray | None:
    """What a method foretold for model ``name``; None where it says nothing."""
    return {"churn": prediction.risk, "orders": prediction.orders, "spend": prediction.spend}[name]


def _champion_prediction(
    rival: Rival, folder: Path, name: str, evaluation: Evaluation, frame: TrainingFrame
) -> np.ndarray | None:
    """What the champion says at the verdict's cutoff; None if it had learnt from outcomes after it, or lacks a feature."""
    until = rival.outcomes_until
    if until is None or pd.Timestamp(until) > evaluation.cutoff:
        return None
    model = load_model(folder)
    rows = frame.at([evaluation.cutoff]).features
    if not set(model.inputs) <= set(rows.columns):
        return None
    return model.predict(rows)[OUTPUTS[name][0]].to_numpy()
