"""Digests of a model's files, checked before anything opens them: a damaged booster aborts the process.

Digests tell damage. Who made the files is told by a detached Ed25519 signature of the digests, where a project has keys.
It does not tell which of the signed models is the champion: that is the registry's to say.
"""

import hashlib
import json
from pathlib import Path
from typing import Any

from churnvalue.errors import ConfigError, RegistryError

DIGESTS = "files.json"
SIGNATURE = "files.sig"


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


def sign(folder: Path, key_file: Path) -> None:
    """Write ``files.sig``: the Ed25519 signature of ``files.json``, and so of every file in ``folder``, in hexadecimal digits.

    Raises:
        ConfigError: If ``key_file`` is not a private Ed25519 key in PEM.
    """
    key = _key(key_file, private=True)
    (folder / SIGNATURE).write_text(key.sign((folder / DIGESTS).read_bytes()).hex() + "\n", encoding="utf-8")


def require_signature(folder: Path, key_file: Path) -> None:
    """Check that the model in ``folder`` was signed with the private part of the public key in ``key_file``.

    Raises:
        RegistryError: If it is not signed, or by someone else.
        ConfigError: If ``key_file`` is not a public Ed25519 key in PEM.
    """
    from cryptography.exceptions import InvalidSignature

    key = _key(key_file, private=False)
    try:
        key.verify(bytes.fromhex((folder / SIGNATURE).read_text(encoding="utf-8")), (folder / DIGESTS).read_bytes())
    except FileNotFoundError:
        raise _unsigned(folder, "it is not signed") from None
    except (InvalidSignature, OSError, ValueError):
        raise _unsigned(folder, "its signature does not fit") from None


def _key(path: Path, *, private: bool) -> Any:
    # Imported here because few projects sign, and all would pay.
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import ed25519

    kind = ed25519.Ed25519PrivateKey if private else ed25519.Ed25519PublicKey
    try:
        text = path.read_bytes()
        key = serialization.load_pem_private_key(text, None) if private else serialization.load_pem_public_key(text)
    except (OSError, ValueError, TypeError, UnsupportedAlgorithm):
        key = None
    if not isinstance(key, kind):
        what, setting = ("private", "signing_key_file") if private else ("public", "verify_key_file")
        raise ConfigError(
            f"[mlflow] {setting} must name a {what} Ed25519 key in PEM without a password, but {path} holds none."
            " Make one with: openssl genpkey -algorithm ed25519 (its public part: openssl pkey -pubout)"
        )
    return key


def _unsigned(folder: Path, what: str) -> RegistryError:
    return RegistryError(
        f"The model in {folder} must be signed for [mlflow] verify_key_file, but {what}. "
        "Train again where the signing key is, or promote a signed version: churnvalue models lists them."
    )


def _damaged(path: Path, what: str) -> RegistryError:
    return RegistryError(
        f"The model file {path} must be as it was registered, but {what}. "
        "Restore it, or promote another version: churnvalue models lists them."
    )


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
