"""Files that a source names, and what they hold by their ending."""

import glob
from os.path import isdir, isfile
from pathlib import Path
from typing import Literal

from churnvalue.errors import SourceError, near_match

_FORMATS: dict[str, Literal["parquet", "csv"]] = {".parquet": "parquet", ".pq": "parquet", ".csv": "csv", ".tsv": "csv"}
_PACKED = (".gz", ".zst")


def matching(folder: Path, pattern: str) -> list[Path]:
    """Return the files that a path or glob names, sorted; relative ones start at ``folder``.

    Raises:
        SourceError: If there is none (names a near match), or one is empty.
    """
    exact = folder / pattern
    found = [pattern] if isfile(exact) else glob.glob(pattern, root_dir=folder, recursive=True)
    paths = sorted(folder / name for name in found if isfile(folder / name))
    if not paths:
        siblings = [path.name for path in exact.parent.iterdir()] if isdir(exact.parent) else []
        raise SourceError(f"A source must exist, but no file matches {pattern}.{near_match(exact.name, siblings)}")
    empty = [path for path in paths if path.stat().st_size == 0]
    if empty:
        raise SourceError(f"{empty[0].name} must hold events, but is empty (0 bytes). Write it again.")
    return paths


def file_format(paths: list[Path], source: str) -> Literal["parquet", "csv"]:
    """Return the one format of the files of a source, by their endings.

    Raises:
        SourceError: If there are several, or it is neither Parquet nor CSV.
    """
    endings = {
        next((ending for ending in path.suffixes[::-1] if ending.lower() not in _PACKED), "").lower() for path in paths
    }
    if len(endings) > 1 or not endings <= set(_FORMATS):
        raise SourceError(
            f"A source must be Parquet (.parquet) or CSV (.csv, .tsv, also .gz), but {source} is"
            f" {', '.join(sorted(endings)) or 'without an ending'}. Convert or rename it."
        )
    return _FORMATS[endings.pop()]


def escaped(path: Path) -> str:
    """Return the path of a file for engines that take every path for a glob."""
    return glob.escape(str(path))
