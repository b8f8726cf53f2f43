"""Digests of a model's files, checked before anything opens them: a damaged booster aborts the process."""

import hashlib
import json
from pathlib import Path

from churnvalue.errors import RegistryError

DIGESTS = "files.json"


def write_digests(folder: Path) -> None:
    """Write ``files.json`` into ``folder``: the SHA-256 of every other file in it, by relative path."""
    files = (path for path in folder.rglob("*") if path.is_file() and path != folder / DIGESTS)
    digests = {path.relative_to(folder).as_posix(): _sha256(path) for path in files}
    (folder / DIGESTS).write_text(json.dumps(digests, indent=2, sort_keys=True) + "\n", encoding="utf-8")


def verify_digests(folder: Path) -> None:
    """Check that every file of the model in ``folder`` is as it was registered.

    Raises:
        RegistryError: If a file is missing or damaged; names the file and what to do.
    """
    listing = folder / DIGESTS
    try:
        digests = json.loads(listing.read_text(encoding="utf-8"))
        expected = {str(name): str(digest) for name, digest in digests.items()}
    except (OSError, ValueError, AttributeError):
        raise _damaged(listing, "it cannot be read") from None
    for name, digest in sorted(expected.items()):
        try:
            found = _sha256(folder / name)
        except OSError:
            raise _damaged(folder / name, "it cannot be read") from None
        if found != digest:
            raise _damaged(folder / name, "its bytes changed")


def _damaged(path: Path, what: str) -> RegistryError:
    return RegistryError(
        f"The model file {path} must be as it was registered, but {what}. "
        "Restore it, or promote another version: churnvalue models lists them."
    )


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
