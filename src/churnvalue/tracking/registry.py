"""The model registry: versions, aliases and tags; the champion is the alias ``champion``.

MLflow has no compare-and-swap, so promotion holds a lock file. It lies beside a SQLite store; with a server
it keeps apart only the processes that share this project's folder.
"""

import os
import re
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlparse

import mlflow.artifacts
from mlflow import MlflowClient
from mlflow.entities import LoggedModelOutput
from mlflow.exceptions import MlflowException

from churnvalue.clock import moment
from churnvalue.errors import RegistryError, near_match
from churnvalue.storage import locked, package_version
from churnvalue.tracking.environment import answering
from churnvalue.tracking.packages import ModelPackage, log_package

CHAMPION, CHALLENGER, PREVIOUS = "champion", "challenger", "previous_champion"
RELEASE = "churnvalue"


@dataclass(frozen=True)
class VersionInfo:
    """One version of a registered model; ``created`` is UTC."""

    version: int
    aliases: tuple[str, ...]
    tags: Mapping[str, str]
    run_id: str
    created: datetime


@dataclass(frozen=True)
class Registry:
    """The registry at ``uri``; copies of models from servers lie in ``folder / "mlcache"``."""

    client: MlflowClient
    uri: str
    folder: Path
    lock: Path

    def names(self) -> list[str]:
        """Return the names of all registered models, sorted."""
        with answering(self.uri):
            return sorted(model.name for model in all_pages(self.client.search_registered_models))

    def versions(self, name: str) -> list[VersionInfo]:
        """Return all versions of a model, newest first.

        Raises:
            RegistryError: If there is no such model.
        """
        aliases = self._aliases(name)
        if aliases is None:
            raise RegistryError(
                f"Unknown model '{name}' in the registry.{near_match(name, self.names())} "
                "Train it with: churnvalue train"
            )
        with answering(self.uri):
            found = all_pages(self.client.search_model_versions, filter_string=f"name = '{name}'")
        return sorted((_info(each, aliases) for each in found), key=lambda info: -info.version)

    def version(self, name: str, alias: str) -> int | None:
        """Return the version that bears ``alias``; None if none does, or there is no such model."""
        return (self._aliases(name) or {}).get(alias)

    def set_alias(self, name: str, alias: str, version: int) -> None:
        """Give ``alias`` to a version and take it from any other.

        Raises:
            RegistryError: If there is no such model or version.
        """
        self._known(name, version)
        with answering(self.uri):
            self.client.set_registered_model_alias(name, alias, str(version))

    def promote(self, name: str, version: int, expected: int | None = None) -> None:
        """Make ``version`` the champion; its tag ``previous_champion`` keeps the one before.

        ``expected`` is the champion that it was compared with (0: none). If another one is champion by now,
        the comparison no longer counts and nothing changes; None promotes over any.

        Raises:
            RegistryError: If there is no such model or version, or another version became champion meanwhile.
        """
        with locked(self.lock, wait_seconds=30.0):
            self._known(name, version)
            champion = self.version(name, CHAMPION)
            if expected is not None and expected != (champion or 0):
                raise RegistryError(
                    f"'{name}' {version} was compared with champion {expected or 'none'}, but by now "
                    f"{champion or 'none'} is champion. Train again, or: churnvalue promote {name} {version}"
                )
            if champion == version:
                return
            with answering(self.uri):
                if champion is not None:
                    self.client.set_model_version_tag(name, str(version), PREVIOUS, str(champion))
                self.client.set_registered_model_alias(name, CHAMPION, str(version))
                if self.version(name, CHALLENGER) == version:
                    self.client.delete_registered_model_alias(name, CHALLENGER)

    def download(self, name: str, alias_or_version: str | int) -> Path:
        """Return the local folder of the MLflow model; its own files are in ``MODEL_FILES`` inside.

        Files of a local store are used where they lie; those of a server are copied once.

        Raises:
            RegistryError: If there is no such model, alias or version, its files are gone, or a newer
                churnvalue made it.
        """
        info = self._find(name, alias_or_version)
        _check_release(name, info)
        with answering(self.uri):
            source = self.client.get_model_version_download_uri(name, str(info.version))
            if urlparse(source).scheme not in ("", "file"):
                return self._copied(f"{name}-{info.version}-{info.run_id}", source)
        path = Path(unquote(urlparse(source).path))
        if not (path / "MLmodel").exists():
            raise RegistryError(
                f"'{name}' {info.version} must lie in {path}, but does not. Put it back, or train again."
            )
        return path

    def register(self, package: ModelPackage, experiment_id: str, run_id: str) -> int:
        """Store the model of a run, register it last, once all is stored, and return its version."""
        with answering(self.uri):
            logged = log_package(self.client, package, experiment_id, run_id)
            self.client.log_outputs(run_id, [LoggedModelOutput(logged.model_id, step=0)])
            try:
                self.client.create_registered_model(package.name)
            except MlflowException as error:
                if error.error_code != "RESOURCE_ALREADY_EXISTS":
                    raise
            version = self.client.create_model_version(
                package.name,
                # Not models:/ID: a SQLite store would look that up in MLflow's global store, not in this one.
                source=logged.artifact_location,
                run_id=run_id,
                tags={**package.tags, RELEASE: package_version()},
                description=package.card[:5000],
                model_id=logged.model_id,
            )
        return int(version.version)

    def _aliases(self, name: str) -> dict[str, int] | None:
        """Return the versions by alias; None if there is no such model."""
        with answering(self.uri):
            try:
                aliases = self.client.get_registered_model(name).aliases
            except MlflowException as error:
                if error.error_code in ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE"):
                    return None
                raise
        return {str(alias): int(version) for alias, version in aliases.items()}

    def _known(self, name: str, version: int) -> VersionInfo:
        return self._find(name, int(version))

    def _find(self, name: str, alias_or_version: str | int) -> VersionInfo:
        wanted = str(alias_or_version)
        versions = self.versions(name)
        for info in versions:
            if wanted == str(info.version) or wanted in info.aliases:
                return info
        listed = ", ".join(
            f"{info.version} ({', '.join(info.aliases)})" if info.aliases else str(info.version) for info in versions
        )
        what = "version" if wanted.isdecimal() else "alias"
        raise RegistryError(
            f"'{name}' has no {what} {wanted}. Its versions: {listed or 'none'}. "
            f"Choose one with: churnvalue promote {name} VERSION"
        )

    def _copied(self, key: str, source: str) -> Path:
        """Return the copy of a server's model, made whole under another name if it is not there yet."""
        cache = self.folder / "mlcache"
        target = cache / re.sub(r"[^A-Za-z0-9._-]", "_", key)
        if not target.exists():
            cache.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryDirectory(dir=cache, prefix=".") as temporary:
                copy = mlflow.artifacts.download_artifacts(
                    artifact_uri=source, dst_path=temporary, tracking_uri=self.uri, registry_uri=self.uri
                )
                try:
                    os.rename(copy, target)
                except OSError:
                    if not target.exists():  # else another process has just made the same copy
                        raise
        return target


def all_pages(search: Callable[..., Any], **filters: Any) -> list[Any]:
    """Return what a search of MLflow finds, from all its pages."""
    page = search(**filters)
    found = list(page)
    while page.token:
        page = search(**filters, page_token=page.token)
        found += page
    return found


def _info(found: Any, aliases: Mapping[str, int]) -> VersionInfo:
    number = int(found.version)
    return VersionInfo(
        version=number,
        aliases=tuple(sorted(alias for alias, version in aliases.items() if version == number)),
        tags=dict(found.tags),
        run_id=found.run_id or "",
        created=moment(1000 * int(found.creation_timestamp)),
    )


def _check_release(name: str, info: VersionInfo) -> None:
    """Refuse a model that a newer release of churnvalue made: its files may mean something else."""
    made, here = info.tags.get(RELEASE, "0"), package_version()
    if here != "0" and _release(made) > _release(here):
        raise RegistryError(
            f"'{name}' {info.version} was made by churnvalue {made}, but {here} is installed. "
            f"Install {made}, or promote an older version."
        )


def _release(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", version)[:2])
