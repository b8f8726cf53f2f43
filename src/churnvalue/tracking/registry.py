"""The model registry: versions, aliases and tags; the champion is the alias ``champion``.

MLflow has no compare-and-swap, so promotion holds a lock file. It lies beside a SQLite store; with a server
it keeps apart only the processes that share this project's folder.
"""

import re
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlparse

from mlflow import MlflowClient
from mlflow.entities import LoggedModelOutput
from mlflow.exceptions import MlflowException

from churnvalue.clock import moment
from churnvalue.errors import RegistryError, near_match
from churnvalue.models.digests import require_signature
from churnvalue.storage import locked, package_version
from churnvalue.tracking.copies import CACHE, copied
from churnvalue.tracking.environment import answering, without_password
from churnvalue.tracking.packages import MODEL_FILES, ModelPackage, log_package

CHAMPION, CHALLENGER, PREVIOUS = "champion", "challenger", "previous_champion"
RELEASE = "churnvalue"


class SupersededError(RegistryError):
    """A version was compared with a champion that is no longer one."""


@dataclass(frozen=True)
class Keys:
    """Files of the key that signs models and of the one that verifies them; None: they are not signed, or not verified."""

    signing: Path | None = None
    verifying: Path | None = None

    def require(self, package: Path) -> None:
        """Check the signature of a stored model if there is a key for it; errors as in ``require_signature``."""
        if self.verifying is not None:
            require_signature(package / MODEL_FILES, self.verifying)


@dataclass(frozen=True)
class VersionInfo:
    """One version of a registered model; ``created`` is UTC, ``source`` where its files are."""

    version: int
    aliases: tuple[str, ...]
    tags: Mapping[str, str]
    run_id: str
    created: datetime
    source: str


@dataclass(frozen=True)
class Registry:
    """The registry at ``uri``; copies of models from servers lie in ``folder / CACHE``."""

    client: MlflowClient
    uri: str
    folder: Path
    lock: Path
    keys: Keys = field(default=Keys(), kw_only=True)

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

    def alone(self) -> AbstractContextManager[None]:
        """Hold the lock of the registry: where MLflow looks first and inserts then, two at once would both insert."""
        return locked(self.lock, wait_seconds=30.0)

    def set_alias(self, name: str, alias: str, version: int) -> None:
        """Give ``alias`` to a version and take it from any other.

        Raises:
            RegistryError: If there is no such model or version.
        """
        self._known(name, version)
        with self.alone(), answering(self.uri):
            self.client.set_registered_model_alias(name, alias, str(version))

    def promote(self, name: str, version: int, expected: int | None = None) -> None:
        """Make ``version`` the champion; its tag ``previous_champion`` keeps the one before.

        ``expected`` is the champion that it was compared with (0: none). If another one is champion by now,
        the comparison no longer counts and nothing changes; None promotes over any.

        Raises:
            RegistryError: If there is no such model or version.
            SupersededError: If another version became champion meanwhile.
        """
        self.promote_together({name: version}, {} if expected is None else {name: expected})

    def promote_together(self, versions: Mapping[str, int], expected: Mapping[str, int]) -> None:
        """Make a version of each of several models the champion: all of them, or none; otherwise as ``promote``."""
        with self.alone():
            for name, version in versions.items():
                self._known(name, version)
            champions = {name: self.version(name, CHAMPION) for name in versions}
            changing = {name: version for name, version in versions.items() if version != champions[name]}
            for name, version in changing.items():
                champion = champions[name] or 0
                if expected.get(name, champion) != champion:
                    raise SupersededError(
                        f"'{name}' {version} was compared with champion {expected[name] or 'none'}, but by now "
                        f"{champion or 'none'} is champion. Train again, or: churnvalue promote {name} {version}"
                    )
            with answering(self.uri):
                for name, version in changing.items():
                    if champions[name]:
                        self.client.set_model_version_tag(name, str(version), PREVIOUS, str(champions[name]))
                    self.client.set_registered_model_alias(name, CHAMPION, str(version))
                    if self.version(name, CHALLENGER) == version:
                        self.client.delete_registered_model_alias(name, CHALLENGER)

    def download(self, name: str, alias_or_version: str | int) -> Path:
        """Return the local folder of the MLflow model; its own files are in ``MODEL_FILES`` inside.

        Files of a local store are used where they lie; those of a server are copied once.

        Raises:
            RegistryError: If there is no such model, alias or version, its files are gone, a newer churnvalue made it,
                or it is not signed as it must be.
        """
        info = self._find(name, alias_or_version)
        _check_release(name, info)
        package = self._fetch(name, info)
        self.keys.require(package)
        return package

    def _fetch(self, name: str, info: VersionInfo) -> Path:
        with answering(self.uri):
            source = self.client.get_model_version_download_uri(name, str(info.version))
            if urlparse(source).scheme not in ("", "file"):
                return copied(self.folder / CACHE, f"{name}-{info.version}-{info.run_id}", source, self.uri)
        path = Path(unquote(urlparse(source).path))
        if not (path / "MLmodel").exists():
            raise RegistryError(
                f"'{name}' {info.version} must lie in {path}, but does not. Put it back, or train again."
            )
        return path

    def register(self, package: ModelPackage, experiment_id: str, run_id: str) -> int:
        """Store the model of a run, register it last, once all is stored, and return its version."""
        with answering(self.uri):
            logged = log_package(self.client, package, experiment_id, run_id, self.keys.signing)
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
        source=without_password(found.source or ""),
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
