"""Every registered model, in whichever layer it lives: what it says, how it is written and how it is read."""

from collections.abc import Sequence
from pathlib import Path

from churnvalue.features import Feature
from churnvalue.models import serving
from churnvalue.models.serving import Model, model_files
from churnvalue.timing import next_purchase_serving
from churnvalue.timing.next_purchase_serving import ReturnModel

Registered = Model | ReturnModel
OUTPUTS: dict[str, tuple[str, ...]] = {**serving.OUTPUTS, "return": next_purchase_serving.OUTPUTS}


def loader_module(name: str) -> str:
    """Return the module by which MLflow loads model ``name``."""
    return next_purchase_serving.__name__ if name == "return" else serving.__name__


def files_of(model: Registered, features: Sequence[Feature]) -> dict[str, str]:
    """Return the folder of a model: text by file name. ``features`` define at least its inputs."""
    return model.files(features) if isinstance(model, ReturnModel) else model_files(model, features)


def load(name: str, folder: Path) -> Registered:
    """Return model ``name`` from its folder.

    Raises:
        RegistryError: If a file is missing, damaged or of a newer format.
    """
    return next_purchase_serving.load_model(folder) if name == "return" else serving.load_model(folder)
