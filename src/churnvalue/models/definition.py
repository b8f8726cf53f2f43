"""Definitions of models: one TOML file each, read into a frozen object; checked once, then trusted."""

import tomllib
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

import optuna
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from churnvalue.config import Config
from churnvalue.errors import DefinitionError, near_match
from churnvalue.features import Feature, expand

S = TypeVar("S", bound="Section")
OUTCOME_KIND = "@outcome"  # in a definition: the kind that the configuration foretells
LEARNT = ("churn", "orders", "spend")
NAMES = (*LEARNT, "value", "return")
_ROLES = {"churn": ("churned", "binary"), "orders": ("orders", "poisson"), "spend": ("spend", "tweedie")}


class Section(BaseModel):
    """A part of a definition; unknown keys are errors."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Search(Section):
    """The range of one parameter and where the search starts; whole numbers if ``low`` is one."""

    low: int | float
    high: int | float
    start: int | float
    log: bool = False

    def suggest(self, trial: optuna.Trial, name: str) -> float | int:
        """Draw a value for a trial."""
        if isinstance(self.low, int) and isinstance(self.high, int):
            return int(trial.suggest_int(name, self.low, self.high, log=self.log))
        return float(trial.suggest_float(name, float(self.low), float(self.high), log=self.log))


class Gate(Section):
    """What a candidate must beat to be promoted: the ``baselines``, by ``metric``; more of it is better if ``higher``."""

    metric: Literal["auc", "spearman", "normalised_gini"]
    higher: bool
    baselines: tuple[Literal["zero", "last_window", "recency", "bg_nbd", "pareto_nbd"], ...]


class Definition(Section):
    """One model: its target, features, estimator with fixed parameters and search space, and gate."""

    name: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")]
    title: str
    target: Literal["churned", "orders", "spend"]
    objective: Literal["binary", "poisson", "tweedie"]
    features: tuple[dict[str, Any], ...] = ()
    same_features_as: str | None = None
    parameters: dict[str, float | int] = {}
    search: dict[str, Search] = {}
    gate: Gate


class ValueDefinition(Section):
    """How customer value is put together: the models it builds on, and the one that says how spend fades after them."""

    name: Literal["value"]
    title: str
    builds_on: tuple[Literal["churn", "spend"], ...]
    fading: Literal["pareto_nbd", "bg_nbd"]


class ReturnDefinition(Section):
    """How coming back is foretold: the model that it must not contradict, whose features it shares, and what it falls back to.

    Learnt from at most ``most_customers`` of each cutoff, drawn at random.
    """

    name: Literal["return"]
    title: str
    builds_on: Literal["churn"]
    same_features_as: Literal["churn"]
    fallback: Literal["pareto_nbd"]
    most_customers: Annotated[int, Field(ge=100)]


@dataclass(frozen=True)
class Loaded:
    """A definition with its features for one log, and the text it was read from."""

    definition: Definition
    features: tuple[Feature, ...]
    left_out: tuple[str, ...]  # kinds that the log lacks
    text: str


def read_definition(name: str, config: Config, kinds: set[str]) -> Loaded:
    """Return the definition of model ``name`` for a log that holds ``kinds``.

    Features that read a kind which the log lacks are left out, for they could say nothing.

    Raises:
        DefinitionError: If the file is missing or does not fit.
    """
    unknown = [model for model in config.models if model not in NAMES]
    if unknown:
        raise DefinitionError(f"Unknown model '{unknown[0]}' in [models].{near_match(unknown[0], NAMES)}")
    text = _text(name, config)
    definition = _parse(Definition, name, text)
    asked, given = (name, *_ROLES[name]), (definition.name, definition.target, definition.objective)
    if asked != given:
        raise DefinitionError(
            f"The definition of model '{name}' must have name, target and objective {', '.join(asked)}, but has"
            f" {', '.join(given)}. Correct the file, or [models]."
        )
    source = definition.same_features_as
    entries = _parse(Definition, source, _text(source, config)).features if source else definition.features
    outcome = {OUTCOME_KIND: config.outcome.kind}
    wanted = expand(_replaced(entry, outcome) for entry in entries)
    features = tuple(feature for feature in wanted if feature.kinds <= kinds)
    left_out = sorted({kind for feature in wanted for kind in feature.kinds - kinds})
    if not features:
        raise DefinitionError(
            f"Model '{name}' needs features of kinds that the log holds ({', '.join(sorted(kinds))}), but none is left."
            f" Map the kinds {', '.join(left_out)} or give the model other features."
        )
    return Loaded(definition, features, tuple(left_out), text)


def read_value_definition(config: Config) -> tuple[ValueDefinition, str]:
    """Return how value is put together, and the text it was read from."""
    text = _text("value", config)
    return _parse(ValueDefinition, "value", text), text


def read_return_definition(config: Config) -> tuple[ReturnDefinition, str]:
    """Return how coming back is foretold, and the text it was read from."""
    text = _text("return", config)
    return _parse(ReturnDefinition, "return", text), text


def _replaced(entry: dict[str, Any], words: dict[str, str]) -> dict[str, Any]:
    def replaced(value: Any) -> Any:
        if isinstance(value, list):
            return list(dict.fromkeys(replaced(part) for part in value))
        return words.get(value, value) if isinstance(value, str) else value

    return {key: replaced(value) for key, value in entry.items()}


def _text(name: str, config: Config) -> str:
    path = config.folder / config.models[name] if name in config.models else definitions_folder() / f"{name}.toml"
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        raise DefinitionError(
            f"Model '{name}' must be defined in {path}, but it cannot be read. Correct [models]."
        ) from None


def _parse(section: type[S], name: str, text: str) -> S:
    try:
        return section.model_validate(tomllib.loads(text))
    except tomllib.TOMLDecodeError as error:
        raise DefinitionError(f"The definition of model '{name}' must be TOML, but: {error}") from None
    except ValidationError as error:
        details = error.errors(include_url=False)
        first = next((d for d in details if d["type"] == "extra_forbidden"), details[0])
        key = ".".join(str(part) for part in first["loc"])
        known = near_match(key.rsplit(".", 1)[-1], _keys(section)) if first["type"] == "extra_forbidden" else ""
        came = "" if first["type"] in ("extra_forbidden", "missing") else f"; {first['input']!r} came"
        raise DefinitionError(
            f"'{key}' in the definition of model '{name}' does not fit: {first['msg']}{came}.{known}"
        ) from None


def _keys(section: type[Section]) -> set[str]:
    """Return every key that a definition may hold, at any depth."""
    return {*section.model_fields, *Gate.model_fields, *Search.model_fields}


def definitions_folder() -> Path:
    """Return the folder of the definitions that come with the package: of the wheel, or of the checkout."""
    packaged = Path(str(files("churnvalue"))) / "definitions"
    return packaged if packaged.is_dir() else Path(__file__).parents[3] / "models"
