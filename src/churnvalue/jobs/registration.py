"""What a training leaves in MLflow: parameters, trials, metrics, pictures, and the models with their cards."""

import logging
from collections.abc import Mapping
from hashlib import blake2b
from pathlib import Path
from typing import Any

import pandas as pd

from churnvalue.config import Config
from churnvalue.errors import RegistryError
from churnvalue.evaluation.measurement import flat
from churnvalue.jobs.cards import model_card
from churnvalue.jobs.drift import REFERENCE, training_reference
from churnvalue.jobs.learning import Learned
from churnvalue.jobs.material import Material, needed_features
from churnvalue.jobs.promotion import Rival
from churnvalue.jobs.realised import logged, promised
from churnvalue.jobs.registered import OUTPUTS, files_of, loader_module
from churnvalue.jobs.summary import explained_rows, frame_digest
from churnvalue.models.blend import Blend
from churnvalue.models.definition import Loaded, read_return_definition, read_value_definition
from churnvalue.report.pictures import calibration_picture, lift_picture, shap_picture
from churnvalue.storage import json_text, package_version
from churnvalue.tracking import ModelPackage, Tracker, TrialRecord, UnreachableError
from churnvalue.tracking.environment import without_password
from churnvalue.tracking.records import Entered, Record, enter

SUMMARY = "train.json"
_log = logging.getLogger(__name__)  # what a person should hear, without a part in any output


def record_of(
    material: Material,
    loaded: Mapping[str, Loaded],
    learned: Learned,
    summary: Mapping[str, Any],
    rivals: Mapping[str, Rival],
) -> Record:
    """Return parameters, trials, metrics, data, definitions, pictures and models; promoted if the gate holds or none rivals."""
    config, frame = material.config, material.frame
    texts = {f"definitions/{name}.toml": definition.text for name, definition in loaded.items()}
    figures = {}
    if learned.evaluation:
        figures["pictures/calibration.png"] = calibration_picture(learned.evaluation.calibration())
        figures["pictures/lift.png"] = lift_picture(learned.evaluation.lift())
    rows = explained_rows(frame.at([frame.cutoffs[-1]]).features)
    for name, model in learned.models.items():
        link = getattr(model, name, None)
        if isinstance(link, Blend):
            own = rows[list(link.features)]
            figures[f"pictures/shap_{name}.png"] = shap_picture(link.contributions(own), own, config.training.seed)
    promote = summary["gate"]["passed"] or not rivals
    return Record(
        project=config.project,
        inputs=inputs_of(material, loaded),
        params=_params(config, learned, summary),
        metrics=_metrics(learned, summary),
        trials=[
            TrialRecord(f"{name}-trial-{number:03d}", {**trial.parameters, "rounds": trial.rounds}, trial.loss)
            for name, tuned in learned.tuned.items()
            for number, trial in enumerate(tuned.trials)
        ],
        dataset={
            "name": "training-frame",
            "digest": summary["digest"],
            "source": without_password(", ".join(source.source for source in config.events)),
            "profile": {"rows": len(frame.features), "features": frame.features.shape[1]},
        },
        texts={**texts, SUMMARY: json_text(summary)},
        figures=figures,
        packages=_packages(material, loaded, learned, summary, _why(summary, promote)),
        # Value and return are compared with no champion; they follow the models that they build on.
        expected={name: rivals[name].version if name in rivals else 0 for name in loaded},
        promote=promote,
    )


def inputs_of(material: Material, loaded: Mapping[str, Loaded]) -> str:
    """Return a digest of all that decides what is learnt: configuration, definitions, data and the version of churnvalue."""
    asked = material.config.model_dump(mode="json", exclude={"folder", "mlflow"})
    definitions = {name: definition.text for name, definition in loaded.items()} | _composed(material.config)
    parts = [package_version(), material.log.observed_until, frame_digest(material.frame), asked, definitions]
    return blake2b(json_text(parts).encode(), digest_size=16).hexdigest()


def take_up(tracker: Tracker, records: Mapping[Path, Record]) -> dict[str, tuple[Record, Entered]]:
    """Register what earlier trainings could not, which is logged; return it by the digest of its inputs.

    Raises:
        RegistryError: If the registry fails; names the file to remove if it is not to be tried again.
    """
    taken = {}
    for path, record in records.items():
        try:
            entered = enter(tracker, record)
        except UnreachableError:
            raise
        except RegistryError as error:
            raise RegistryError(f"{error} It came while registering {path}; remove that file to give it up.") from None
        models = ", ".join(f"{name} {version}" for name, version in entered.versions.items())
        _log.warning("Registered what an earlier training could not: %s.", models)
        taken[record.inputs] = (record, entered)
    return taken


def _params(config: Config, learned: Learned, summary: Mapping[str, Any]) -> dict[str, str]:
    parameters: dict[str, object] = {
        "cutoffs": " ".join(summary["cutoffs"]),
        "horizon_days": config.outcome.horizon_days,
        "seed": config.training.seed,
    }
    for name, tuned in learned.tuned.items():
        parameters |= {f"{name}.{key}": value for key, value in tuned.parameters.items()}
        parameters[f"{name}.rounds"] = tuned.rounds
    return {key: str(value) for key, value in parameters.items()}


def _metrics(learned: Learned, summary: Mapping[str, Any]) -> dict[int, dict[str, float]]:
    """Return metrics by step: those of the verdict at 0, what past scores came to at their cutoffs."""
    verdict: dict[int, dict[str, float]] = {}
    if learned.evaluation:
        verdict[0] = flat({**learned.evaluation.metrics(), "return": learned.returns.metrics})
    return verdict | logged(summary["realised"])


def _packages(
    material: Material, loaded: Mapping[str, Loaded], learned: Learned, summary: Mapping[str, Any], why: str
) -> list[ModelPackage]:
    """Return each model with its card, its definition, what later scores are compared with, and the digest of its data."""
    config = material.config
    features = needed_features(config, loaded)
    reference = training_reference(material.log, material.now, learned.models, features, config.population)
    more = {"churn": {REFERENCE: reference.text()}}
    horizon = pd.Timedelta(days=summary["learnt_days"])
    tags = {
        "project": config.project,
        "as_of": summary["as_of"],
        "training_cutoff": summary["cutoffs"][-1],
        "outcomes_until": str(pd.Timestamp(summary["cutoffs"][-1], tz="UTC") + horizon),
        "digest": summary["digest"],
        "grade": summary.get("grade", "ungraded"),
        "gate": "passed" if summary["gate"]["passed"] else "failed",
        "why": why,
    }
    composed = _composed(config)
    return [
        ModelPackage(
            name=name,
            files=files_of(model, features) | more.get(name, {}),
            loader_module=loader_module(name),
            inputs=model.inputs,
            outputs=OUTPUTS[name],
            tags=tags | promised(name, summary),
            card=model_card(name, summary),
            definition=loaded[name].text if name in loaded else composed[name],
        )
        for name, model in learned.models.items()
    ]


def _composed(config: Config) -> dict[str, str]:
    """Return the definitions of the models that are made of others."""
    return {"value": read_value_definition(config)[1], "return": read_return_definition(config)[1]}


def _why(summary: Mapping[str, Any], promote: bool) -> str:
    """Say why models are promoted or not, within what a tag can hold."""
    gate = summary["gate"]
    if gate["passed"]:
        return "passed the gate"
    failed = f"failed the gate: {'; '.join(gate['reasons'])}"
    return (f"for want of another, though it {failed}" if promote else failed)[:1000]
