"""Local copies of the models of a server: made whole under another name, checked, and made again where damaged."""

import os
import re
import shutil
import tempfile
from pathlib import Path

import mlflow.artifacts

from churnvalue.errors import RegistryError
from churnvalue.models.digests import verify_digests
from churnvalue.storage.files import alive, pid_in
from churnvalue.tracking.packages import MODEL_FILES

CACHE = "mlcache"


def copied(cache: Path, key: str, source: str, uri: str) -> Path:
    """Return the copy of the model at ``source`` of the server at ``uri``, made if it is not in ``cache`` yet, or damaged."""
    target = cache / re.sub(r"[^A-Za-z0-9._-]", "_", key)
    if target.exists() and not _is_whole(target):
        shutil.rmtree(target)
    if not target.exists():
        cache.mkdir(parents=True, exist_ok=True)
        for leftover in cache.glob(".*.copying"):
            if not alive(pid_in(leftover)):
                shutil.rmtree(leftover, ignore_errors=True)
        with tempfile.TemporaryDirectory(dir=cache, prefix=".", suffix=f".{os.getpid()}.copying") as temporary:
            copy = mlflow.artifacts.download_artifacts(
                artifact_uri=source, dst_path=temporary, tracking_uri=uri, registry_uri=uri
            )
            try:
                os.rename(copy, target)
            except OSError:
                if not target.exists():  # else another process has just made the same copy
                    raise
    return target


def _is_whole(package: Path) -> bool:
    try:
        verify_digests(package / MODEL_FILES)
    except RegistryError:
        return False
    return True
