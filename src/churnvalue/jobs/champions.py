"""The champions: the registry of a configuration, and the models that score."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pandas as pd

from churnvalue.config import Config
from churnvalue.errors import ConfigError, OutputError, RegistryError
from churnvalue.evaluation.drift_reference import Reference
from churnvalue.features import Feature
from churnvalue.jobs.drift import read_reference
from churnvalue.jobs.registered import Registered, files_of, load
from churnvalue.models.customer_value import ValueModel
from churnvalue.models.definition import NAMES
from churnvalue.models.digests import write_digests
from churnvalue.models.link_model import walking_once
from churnvalue.models.outcome_models import ChurnModel, SpendModel
from churnvalue.models.serving import read_features
from churnvalue.tracking import Keys, Tracker, UnreachableError, open_tracker
from churnvalue.tracking.packages import MODEL_FILES
from churnvalue.tracking.pins import Package, pin, pinned
from churnvalue.tracking.registry import CHAMPION

_log = logging.getLogger(__name__)  # what a person should hear, without a part in any output


@dataclass(frozen=True)
class Champions:
    """The champion of each model with its version, and every feature that they read, as they were trained with it.

    ``reference`` is what drift is told by; None if the churn model was registered without one.
    """

    models: dict[str, Registered]
    versions: dict[str, int]
    features: tuple[Feature, ...]
    reference: Reference | None = None

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

    def __reduce__(self) -> tuple[Any, ...]:
        """Champions travel to other processes as the text that they are kept as; no model is pickled."""
        texts = {name: files_of(model, self.features) for name, model in self.models.items()}
        return _from_texts, (texts, self.versions)

    def predict(self, frame: pd.DataFrame) -> pd.DataFrame:
        """Return the outputs of all models, side by side."""
        with walking_once():
            return pd.concat([model.predict(frame) for model in self.models.values()], axis=1)


def open_registry(config: Config) -> Tracker:
    """Return the tracker of a configuration; the experiment is named after the project unless it says otherwise."""
    settings = config.mlflow
    return open_tracker(settings.tracking_uri, settings.experiment or config.project, config.folder, _keys(config))


def load_champions(config: Config) -> Champions:
    """Return the champions of a configuration's registry; those that it last named if its server is away, which is logged.

    Raises:
        RegistryError: If there is none, or the server is away and none was loaded from it before.
        ConfigError: If they foretell another outcome than the configuration asks for.
    """
    try:
        packages, current = _current(config), True
    except UnreachableError as error:
        packages, current = _pinned(config, error), False
    champions = _loaded(packages)
    terms, asked = champions.value.terms, config.outcome
    if (terms.horizon_days, champions.value.buying.kind) != (asked.horizon_days, asked.kind):
        raise ConfigError(
            f"The champions foretell '{champions.value.buying.kind}' over {terms.horizon_days} days, but the configuration asks"
            f" for '{asked.kind}' over {asked.horizon_days}. Train again, or restore [outcome]."
        )
    if current:
        _pin(config, packages)
    return champions


def _keys(config: Config) -> Keys:
    signing, verifying = config.mlflow.signing_key_file, config.mlflow.verify_key_file
    return Keys(config.folder / signing if signing else None, config.folder / verifying if verifying else None)


def _current(config: Config) -> dict[str, Package]:
    """Return the champions that the registry names."""
    tracker = open_registry(config)
    versions = {name: version for name in NAMES if (version := tracker.version(name, CHAMPION))}
    if missing := set(NAMES) - {"spend"} - set(versions):
        raise RegistryError(
            f"Scoring needs champions of churn, orders, value and return, but {', '.join(sorted(missing))} has none."
            f" {_offered(tracker, sorted(missing))}"
        )
    return {name: Package(version, tracker.download(name, version)) for name, version in versions.items()}


def _offered(tracker: Tracker, missing: Sequence[str]) -> str:
    """Return how models without a champion get one: from their versions, where they have some."""
    registered = set(tracker.names())
    found = {name: tracker.versions(name) for name in missing if name in registered}
    versions = {
        name: ", ".join(str(info.version) for info in reversed(infos)) for name, infos in found.items() if infos
    }
    offers = [
        f"{name} has versions: {listed}; choose one with: churnvalue promote {name} VERSION."
        for name, listed in versions.items()
    ]
    return " ".join(offers) or "Train first: churnvalue train"


def _pinned(config: Config, error: UnreachableError) -> dict[str, Package]:
    """Return the champions that the registry named when they were last loaded; raise ``error`` if they never were."""
    found = pinned(config.mlflow.tracking_uri, config.folder)
    if found is None:
        raise error
    packages = {name: found.champions[name] for name in NAMES if name in found.champions}
    for package in packages.values():
        _keys(config).require(package.folder)
    versions = ", ".join(f"{name} {package.version}" for name, package in packages.items())
    _log.warning("%s The champions pinned on %s are used: %s.", error, found.day, versions)
    return packages


def _pin(config: Config, packages: Mapping[str, Package]) -> None:
    try:
        pin(config.mlflow.tracking_uri, config.folder, packages, datetime.now(UTC))
    except OutputError as error:
        _log.warning("The champions could not be pinned for when the server is away: %s", error)


def _from_texts(texts: Mapping[str, Mapping[str, str]], versions: Mapping[str, int]) -> Champions:
    """Return champions from the text of their files; without the reference, which is not part of what they say."""
    packages = {}
    with TemporaryDirectory() as folder:
        for name, files in texts.items():
            packages[name] = Package(versions[name], Path(folder) / name)
            own = packages[name].folder / MODEL_FILES
            own.mkdir(parents=True)
            for file, text in files.items():
                (own / file).write_text(text, encoding="utf-8")
            write_digests(own)
        return _loaded(packages)


def _loaded(packages: Mapping[str, Package]) -> Champions:
    folders = {name: package.folder / MODEL_FILES for name, package in packages.items()}
    versions = {name: package.version for name, package in packages.items()}
    features = tuple(dict.fromkeys(feature for folder in folders.values() for feature in read_features(folder)))
    loaded = {name: load(name, folder) for name, folder in folders.items()}
    if getattr(loaded["value"], "spend", None) is None:
        # These champions learnt from a log without amounts; a spend model left over speaks of another log.
        loaded.pop("spend", None)
        versions.pop("spend", None)
    return Champions(loaded, versions, features, read_reference(folders["churn"], features))
