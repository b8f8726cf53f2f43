"""What a training leaves in MLflow: parameters, trials, metrics, pictures, and the models with their cards."""

import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from churnvalue.config import Config
from churnvalue.evaluation.measurement import flat
from churnvalue.frames import TrainingFrame
from churnvalue.jobs.cards import model_card
from churnvalue.jobs.learning import Learned
from churnvalue.jobs.material import needed_features
from churnvalue.jobs.registered import OUTPUTS, files_of, loader_module
from churnvalue.jobs.summary import explained_rows
from churnvalue.models.blend import Blend
from churnvalue.models.definition import Loaded, read_return_definition, read_value_definition
from churnvalue.report.pictures import calibration_picture, lift_picture, shap_picture
from churnvalue.storage import json_text, write_text
from churnvalue.tracking import ModelPackage, Run, TrialRecord


def log_run(
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
        run.metrics(flat({**learned.evaluation.metrics(), "return": learned.returns.metrics}))
        run.figure("pictures/calibration.png", calibration_picture(learned.evaluation.calibration()))
        run.figure("pictures/lift.png", lift_picture(learned.evaluation.lift()))
    rows = explained_rows(frame.at([frame.cutoffs[-1]]).features)
    for name, model in learned.models.items():
        link = getattr(model, name, None)
        if isinstance(link, Blend):
            own = rows[list(link.features)]
            run.figure(f"pictures/shap_{name}.png", shap_picture(link.contributions(own), own, config.training.seed))
    run.text("train.json", json_text(summary))


def register(
    run: Run,
    learned: Learned,
    loaded: Mapping[str, Loaded],
    config: Config,
    summary: Mapping[str, Any],
) -> dict[str, int]:
    """Register each model with its card; return the versions."""
    versions = {}
    features = needed_features(config, loaded)
    horizon = pd.Timedelta(days=summary["learnt_days"])
    tags = {
        "as_of": summary["as_of"],
        "training_cutoff": summary["cutoffs"][-1],
        "outcomes_until": str(pd.Timestamp(summary["cutoffs"][-1], tz="UTC") + horizon),
        "digest": summary["digest"],
        "grade": summary.get("grade", "ungraded"),
        "gate": "passed" if summary["gate"]["passed"] else "failed",
    }
    composed = {"value": read_value_definition(config)[1], "return": read_return_definition(config)[1]}
    for name, model in learned.models.items():
        with tempfile.TemporaryDirectory() as folder:
            for file, text in files_of(model, features).items():
                write_text(Path(folder) / file, text)
            package = ModelPackage(
                name=name,
                data_folder=Path(folder),
                loader_module=loader_module(name),
                inputs=model.inputs,
                outputs=OUTPUTS[name],
                tags=tags,
                card=model_card(name, summary),
                definition=loaded[name].text if name in loaded else composed[name],
            )
            versions[name] = run.register(package)
    return versions
