"""The champions: the registry of a configuration, and the models that score."""

from dataclasses import dataclass

import pandas as pd

from churnvalue.config import Config
from churnvalue.errors import ConfigError, RegistryError
from churnvalue.features import Feature
from churnvalue.jobs.registered import Registered, load
from churnvalue.models.customer_value import ValueModel
from churnvalue.models.definition import NAMES
from churnvalue.models.outcome_models import ChurnModel, SpendModel
from churnvalue.models.serving import read_features
from churnvalue.tracking import Tracker, open_tracker
from churnvalue.tracking.packages import MODEL_FILES


@dataclass(frozen=True)
class Champions:
    """The champion of each model with its version, and every feature that they read, as they were trained with it."""

    models: dict[str, Registered]
    versions: dict[str, int]
    features: tuple[Feature, ...]

    @property
    def churn(self) -> ChurnModel:
        """The churn model."""
        model = self.models["churn"]
        assert isinstance(model, ChurnModel)
        return model

    @property
    def spend(self) -> SpendModel | None:
        """The spend model; None in a log without amounts."""
        model = self.models.get("spend")
        return model if isinstance(model, SpendModel) else None

    @property
    def value(self) -> ValueModel:
        """The value model."""
        model = self.models["value"]
        assert isinstance(model, ValueModel)
        return model

    def predict(self, frame: pd.DataFrame) -> pd.DataFrame:
        """Return the outputs of all models, side by side."""
        return pd.concat([model.predict(frame) for model in self.models.values()], axis=1)


def open_registry(config: Config) -> Tracker:
    """Return the tracker of a configuration; the experiment is named after the project unless it says otherwise."""
    return open_tracker(config.mlflow.tracking_uri, config.mlflow.experiment or config.project, config.folder)


def load_champions(config: Config) -> Champions:
    """Return the champions of a configuration's registry.

    Raises:
        RegistryError: If there is none.
        ConfigError: If they foretell another outcome than the configuration asks for.
    """
    tracker = open_registry(config)
    versions = {name: version for name in NAMES if (version := tracker.version(name, "champion"))}
    if missing := set(NAMES) - {"spend"} - set(versions):
        raise RegistryError(
            f"Scoring needs champions of churn, orders, value and return, but {', '.join(sorted(missing))} has none."
            " Train first: churnvalue train"
        )
    folders = {name: tracker.download(name, version) / MODEL_FILES for name, version in versions.items()}
    features = tuple(dict.fromkeys(feature for folder in folders.values() for feature in read_features(folder)))
    loaded = {name: load(name, folder) for name, folder in folders.items()}
    if getattr(loaded["value"], "spend", None) is None:
        # These champions learnt from a log without amounts; a spend model left over speaks of another log.
        loaded.pop("spend", None)
        versions.pop("spend", None)
    champions = Champions(loaded, versions, features)
    terms, asked = champions.value.terms, config.outcome
    if (terms.horizon_days, champions.value.buying.kind) != (asked.horizon_days, asked.kind):
        raise ConfigError(
            f"The champions foretell '{champions.value.buying.kind}' over {terms.horizon_days} days, but the configuration asks"
            f" for '{asked.kind}' over {asked.horizon_days}. Train again, or restore [outcome]."
        )
    return champions
