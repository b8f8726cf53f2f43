"""Pins: which champions a server last named, so that scoring can go on while it is away.

The models themselves lie in copies on this machine already; a pin is one small file that names them and their digests.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from pathlib import Path

from churnvalue.errors import RegistryError
from churnvalue.models.digests import DIGESTS, verify_digests
from churnvalue.storage import json_text, write_text
from churnvalue.tracking.copies import CACHE
from churnvalue.tracking.packages import MODEL_FILES


@dataclass(frozen=True)
class Package:
    """A stored model: its version, and the local folder of its MLflow model."""

    version: int
    folder: Path


@dataclass(frozen=True)
class Pin:
    """The champions by model as a server named them on ``day``, such as ``2011-09-01``."""

    champions: Mapping[str, Package]
    day: str


def pin(uri: str, folder: Path, champions: Mapping[str, Package], now: datetime) -> None:
    """Keep which champions the server at ``uri`` names; a SQLite store, which is never away, needs no pin.

    Raises:
        OutputError: If it cannot be written.
    """
    if uri.startswith("sqlite:"):
        return
    entries = {
        name: {"version": package.version, "folder": _relative(package.folder, folder), "digest": _digest(package)}
        for name, package in champions.items()
    }
    write_text(_place(uri, folder), json_text({"champions": entries, "day": f"{now:%Y-%m-%d}"}))


def pinned(uri: str, folder: Path) -> Pin | None:
    """Return the pin of the server at ``uri``; None if there is none.

    Raises:
        RegistryError: If the pin, or a file of a model that it names, is damaged.
    """
    place = _place(uri, folder)
    if not place.exists():
        return None
    try:
        kept = json.loads(place.read_text(encoding="utf-8"))
        champions = {
            str(name): (Package(int(entry["version"]), folder / entry["folder"]), str(entry["digest"]))
            for name, entry in kept["champions"].items()
        }
        found = Pin({name: package for name, (package, _) in champions.items()}, str(kept["day"]))
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        raise _damaged(place) from None
    for package, digest in champions.values():
        verify_digests(package.folder / MODEL_FILES)
        if _digest(package) != digest:
            raise _damaged(package.folder)
    return found


def _place(uri: str, folder: Path) -> Path:
    return folder / CACHE / f"champions-{sha256(uri.encode()).hexdigest()[:16]}.json"


def _digest(package: Package) -> str:
    """Return a digest of the digests of all files of the model."""
    return sha256((package.folder / MODEL_FILES / DIGESTS).read_bytes()).hexdigest()


def _relative(path: Path, folder: Path) -> str:
    return (path.relative_to(folder) if path.is_relative_to(folder) else path).as_posix()


def _damaged(path: Path) -> RegistryError:
    return RegistryError(
        f"The pinned champions in {path} must be as they were last loaded, but are not. "
        "Score again when the server answers."
    )
