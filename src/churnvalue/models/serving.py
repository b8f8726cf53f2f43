"""Models as folders of plain text: trees in LightGBM's own format, everything else in JSON. Nothing is pickled.

MLflow loads such a folder through ``_load_pyfunc``; ``score`` goes the same way, so both give the same numbers.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import pandas as pd

from churnvalue.errors import RegistryError
from churnvalue.features import Feature, expand
from churnvalue.features.registry import ALL
from churnvalue.models.blend import Blend
from churnvalue.models.buy_till_you_die import BuyTillYouDie
from churnvalue.models.customer_value import Terms, ValueModel
from churnvalue.models.digests import verify_digests
from churnvalue.models.outcome_models import ChurnModel, OrdersModel, SpendModel

Model = ChurnModel | OrdersModel | SpendModel | ValueModel
OUTPUTS: dict[str, tuple[str, ...]] = {
    "churn": ("p_churn",),
    "orders": ("orders",),
    "spend": ("spend", "spend_p10", "spend_p50", "spend_p90"),
    "value": ("clv", "clv_p10", "clv_p90", "p_below_zero", "cost_to_serve"),
}
_NAMES = {ChurnModel: "churn", OrdersModel: "orders", SpendModel: "spend", ValueModel: "value"}
_FORMAT = 1


@dataclass(frozen=True)
class Described:
    """A model as text: its name, what it reads and says, the blends in it by name, and its other numbers."""

    name: str
    inputs: Sequence[str]
    outputs: Sequence[str]
    parts: Mapping[str, Blend]
    numbers: Mapping[str, Any]

    def files(self, features: Sequence[Feature]) -> dict[str, str]:
        """Return text by file name. ``features`` define at least the inputs, so that the model can be scored."""
        known = {feature.name: feature for feature in features}
        described = {
            "format": _FORMAT,
            "model": self.name,
            "inputs": list(self.inputs),
            "features": [{"use": known[n].use, **dict(known[n].parameters)} for n in self.inputs],
            "outputs": list(self.outputs),
            "parts": {key: part.parameters() for key, part in self.parts.items()},
            "numbers": self.numbers,
        }
        text = json.dumps(described, indent=1, sort_keys=True, allow_nan=False) + "\n"
        return {"model.json": text, **{f"{key}.txt": part.trees.trees for key, part in self.parts.items()}}

    @classmethod
    def read(cls, folder: Path) -> "Described":
        """Return what a folder holds.

        Raises:
            RegistryError: If a file is missing, damaged or of a newer format.
        """
        verify_digests(folder)  # LightGBM ends the process on a damaged file, so nothing is opened before this
        described = json.loads((folder / "model.json").read_text(encoding="utf-8"))
        if described["format"] != _FORMAT:
            raise RegistryError(
                f"Models must be of format {_FORMAT}, but this one is of format {described['format']}."
                " Use the version of churnvalue that trained it, or train again."
            )
        parts = {
            key: Blend.from_parameters(part, (folder / f"{key}.txt").read_text(encoding="utf-8"))
            for key, part in described["parts"].items()
        }
        return cls(described["model"], described["inputs"], described["outputs"], parts, described["numbers"])


def model_files(model: Model, features: Sequence[Feature]) -> dict[str, str]:
    """Return the folder of a model: text by file name. ``features`` define at least its inputs."""
    name = _NAMES[type(model)]
    parts = {key: part for key in ("churn", "orders", "spend") if (part := getattr(model, key, None)) is not None}
    numbers: dict[str, Any] = {}
    if isinstance(model, ChurnModel):
        numbers = {"bands": list(model.bands)}
    elif isinstance(model, SpendModel):
        numbers = {"dispersion": model.dispersion}
    elif isinstance(model, ValueModel):
        numbers = model.parameters()
    return Described(name, model.inputs, OUTPUTS[name], parts, numbers).files(features)


def read_features(folder: Path) -> tuple[Feature, ...]:
    """Return the features that the model in a folder reads, as it was trained with them, whatever is defined today."""
    verify_digests(folder)
    described = json.loads((folder / "model.json").read_text(encoding="utf-8"))
    entries = [{k: ALL if v is None else v for k, v in entry.items()} for entry in described["features"]]
    return expand(entries)


def load_model(folder: Path) -> Model:
    """Return the model in a folder.

    Raises:
        RegistryError: If a file is missing, damaged or of a newer format.
    """
    described = Described.read(folder)
    parts, numbers = described.parts, described.numbers
    match described.name:
        case "churn":
            return ChurnModel(parts["churn"], bands=tuple(numbers["bands"]))
        case "orders":
            return OrdersModel(parts["orders"], parts["churn"])
        case "spend":
            return SpendModel(parts["spend"], parts["churn"], dispersion=numbers["dispersion"])
        case _:
            return ValueModel(
                churn=parts["churn"],
                spend=parts.get("spend"),
                buying=BuyTillYouDie.from_parameters(numbers["buying"]),
                terms=Terms(**numbers["terms"]),
                dispersion=numbers["dispersion"],
                cost_an_order=numbers["cost_an_order"],
            )


class Predicts(Protocol):
    """What any registered model does."""

    def predict(self, frame: pd.DataFrame) -> pd.DataFrame:
        """Return the model's outputs."""


class Served:
    """What MLflow calls."""

    def __init__(self, model: Predicts) -> None:
        self._model = model

    def predict(self, model_input: pd.DataFrame, params: dict[str, Any] | None = None) -> pd.DataFrame:
        """Return the model's outputs for a frame of features."""
        del params  # MLflow passes it; these models take none
        return self._model.predict(model_input)


def _load_pyfunc(path: str) -> Served:
    """Return the model in ``path``, as MLflow's pyfunc flavour asks."""
    return Served(load_model(Path(path)))
