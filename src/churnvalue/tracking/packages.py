"""A model as a folder of text files with a loader module, stored as MLflow reads it back: no pickle anywhere.

Requirements and signature are written from what is known: letting MLflow infer them takes seconds to minutes.
"""

import tempfile
import warnings
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import mlflow.pyfunc
from mlflow import MlflowClient
from mlflow.exceptions import MlflowException
from mlflow.models import Model, ModelSignature
from mlflow.types import ColSpec, Schema

from churnvalue.errors import RegistryError
from churnvalue.models.digests import sign, write_digests
from churnvalue.tracking.environment import plain_name

MODEL_FILES = "data/model"
_REQUIRED = ("churnvalue", "lightgbm", "mlflow", "numba", "numpy", "pandas", "scipy")
_PICKLES = {".pkl", ".pickle", ".joblib", ".cloudpickle", ".dill"}


@dataclass(frozen=True)
class ModelPackage:
    """A model ready to be registered.

    ``files`` are texts by file name; ``loader_module`` has ``_load_pyfunc(path)``, given a folder of them;
    ``inputs`` and ``outputs`` name columns, all double; ``tags`` go to the version; ``card`` is Markdown;
    ``definition`` is the TOML that the model was built from.
    """

    name: str
    files: Mapping[str, str]
    loader_module: str
    inputs: Sequence[str]
    outputs: Sequence[str]
    tags: Mapping[str, object] = field(default_factory=dict)
    card: str = ""
    definition: str = ""


def log_package(
    client: MlflowClient, package: ModelPackage, experiment_id: str, run_id: str, signing_key: Path | None = None
) -> Any:
    """Store the model, signed if there is a key, with its run; return MLflow's logged model, ready once every file is there.

    Raises:
        RegistryError: If the name may do harm, or a file is a pickle.
    """
    plain_name(package.name, "model")
    pickles = sorted(name for name in package.files if Path(name).suffix in _PICKLES)
    if pickles:
        raise RegistryError(f"A model must be made of text files, but {pickles[0]} came. Store its numbers as JSON.")
    logged = client.create_logged_model(experiment_id, package.name.replace(".", "-"), run_id, model_type=package.name)
    try:
        with tempfile.TemporaryDirectory() as temporary:
            files = _write(package, Path(temporary), signing_key)
            folder = _save(package, files, logged, run_id)
            client.log_model_artifacts(logged.model_id, str(folder))
        return client.finalize_logged_model(logged.model_id, "READY")
    except BaseException:
        with suppress(MlflowException):
            client.finalize_logged_model(logged.model_id, "FAILED")
        raise


def _write(package: ModelPackage, temporary: Path, signing_key: Path | None) -> Path:
    """Write the model's own files with their digests under ``temporary`` and return their folder."""
    folder = temporary / Path(MODEL_FILES).name
    folder.mkdir()
    for name, text in package.files.items():
        (folder / plain_name(name, "file")).write_text(text, encoding="utf-8")
    write_digests(folder)
    if signing_key is not None:
        sign(folder, signing_key)
    return folder


def _save(package: ModelPackage, files: Path, logged: Any, run_id: str) -> Path:
    """Write the model in MLflow's layout beside ``files`` and return its folder."""
    folder = files.with_name("mlflow")
    with warnings.catch_warnings():
        # It asks for an input example; ours would be a row of a real customer.
        warnings.filterwarnings("ignore", message=".*input example", category=UserWarning)
        mlflow.pyfunc.save_model(
            path=str(folder),
            loader_module=package.loader_module,
            data_path=str(files),
            mlflow_model=Model(
                artifact_path=logged.artifact_location,
                run_id=run_id,
                model_uuid=logged.model_id,
                model_id=logged.model_id,
            ),
            signature=ModelSignature(inputs=_doubles(package.inputs), outputs=_doubles(package.outputs)),
            pip_requirements=_requirements(),
        )
    (folder / "card.md").write_text(package.card, encoding="utf-8")
    (folder / "definition.toml").write_text(package.definition, encoding="utf-8")
    return folder


def _doubles(names: Sequence[str]) -> Schema:
    return Schema([ColSpec("double", name) for name in names])


def _requirements() -> list[str]:
    """Return what loading needs, pinned to the installed versions."""
    pinned = []
    for name in _REQUIRED:
        with suppress(PackageNotFoundError):
            pinned.append(f"{name}=={version(name)}")
    return pinned
