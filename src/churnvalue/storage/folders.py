"""Output folders: files that appear together, and the manifest by which later steps know that they are whole.

A folder is written in four steps: every file under a temporary name, forced to disk; the manifest under a
name that says "complete"; the files renamed; the manifest renamed last. Killed before the second step, the
earlier outputs stand; killed after it, the next reader or writer finishes the renaming. This module does not
know what the files mean.
"""

import json
import os
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, BinaryIO

import pyarrow as pa
import pyarrow.parquet as pq

from churnvalue.errors import OutputError, near_match
from churnvalue.storage.files import (
    alive,
    flush_folder,
    locked,
    package_version,
    pid_in,
    sha256,
    temporary_path,
    writing,
    written,
)
from churnvalue.storage.plain import json_text, plain

MANIFEST = "manifest.json"
_LOCK = ".lock"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_ROWS_A_GROUP = 131_072


class Stage:
    """Files of one command on their way into a folder; none is seen there before all are complete."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._files: dict[str, dict[str, Any]] = {}

    def parquet(self, name: str, table: pa.Table) -> None:
        """Write ``table``; the same rows give the same bytes, in however many chunks they came."""
        whole = table.replace_schema_metadata(None).combine_chunks()
        with self._open(name) as sink:
            pq.write_table(whole, sink, compression="zstd", row_group_size=_ROWS_A_GROUP)
        self._files[name]["rows"] = table.num_rows

    def text(self, name: str, text: str) -> None:
        """Write ``text`` as UTF-8."""
        self.bytes(name, text.encode("utf-8"))

    def json(self, name: str, value: object) -> None:
        """Write ``value`` as ``json_text`` gives it."""
        self.text(name, json_text(value))

    def bytes(self, name: str, data: bytes) -> None:
        """Write ``data`` as it is."""
        with self._open(name) as sink:
            sink.write(data)

    @contextmanager
    def _open(self, name: str) -> Iterator[BinaryIO]:
        if not _NAME.fullmatch(name) or name == MANIFEST:
            raise OutputError(f"An output must be a file name of letters, digits, '.', '_' and '-', but '{name}' came.")
        path = temporary_path(self._folder, name, "staged")
        try:
            with written(path, self._folder / name) as sink:
                yield sink
        except BaseException:
            path.unlink(missing_ok=True)
            raise
        self._files[name] = {"bytes": path.stat().st_size, "sha256": sha256(path)}

    def complete(self, command: str, facts: dict[str, object]) -> None:
        """Declare the files complete: from here on they belong to the folder, even if this process dies."""
        try:
            before = read_manifest(self._folder)
        except OutputError:
            before = {"facts": {}, "files": {}}
        others = {
            name: entry
            for name, entry in before["files"].items()
            if entry.get("command") != command and (self._folder / name).exists()
        }
        manifest = {
            "churnvalue": package_version(),
            "facts": {**before["facts"], command: plain(facts)},
            "files": others | {name: {**entry, "command": command} for name, entry in self._files.items()},
        }
        draft = temporary_path(self._folder, MANIFEST, "staged")
        with written(draft, self._folder / MANIFEST) as sink:
            sink.write(json_text(manifest).encode("utf-8"))
        with writing(self._folder):
            flush_folder(self._folder)
            draft.replace(temporary_path(self._folder, MANIFEST, "complete"))
            flush_folder(self._folder)


@contextmanager
def staged(folder: Path, command: str, **facts: object) -> Iterator[Stage]:
    """Give a stage whose files appear in ``folder`` together when the block ends without an error.

    ``facts`` (cutoff, digest of the configuration, model versions, never the time of day) stand in the
    manifest under ``command``. Entries of other commands stay; what ``command`` wrote before and now does not
    is no longer listed, so that nobody reads it by mistake.

    Raises:
        OutputError: If the folder cannot be written, or another process writes to it; earlier outputs stand.
    """
    with writing(folder):
        folder.mkdir(parents=True, exist_ok=True)
    with locked(folder / _LOCK):
        _settle(folder)
        stage = Stage(folder)
        try:
            yield stage
            stage.complete(command, facts)
        except BaseException:
            with suppress(OSError):
                for path in folder.glob(f".*.{os.getpid()}.staged"):
                    path.unlink(missing_ok=True)
            raise
        _settle(folder)


def _settle(folder: Path) -> None:
    """Finish what a writer declared complete and remove what dead writers left. The lock must be held."""
    with writing(folder):
        for mark in folder.glob(f".{MANIFEST}.*.complete"):
            ending = f".{pid_in(mark)}.staged"
            for path in folder.glob(f".*{ending}"):
                path.replace(folder / path.name[1:].removesuffix(ending))
            flush_folder(folder)
            mark.replace(folder / MANIFEST)
            flush_folder(folder)
        for path in folder.glob(".*.staged"):
            # One with this process's own id is from an earlier life: containers give out the same ids again.
            if pid_in(path) == os.getpid() or not alive(pid_in(path)):
                path.unlink(missing_ok=True)


def read_manifest(folder: Path) -> dict[str, Any]:
    """Return the manifest of ``folder``: ``churnvalue`` (version), ``facts`` by command, ``files`` by name.

    Raises:
        OutputError: If there is none, or it cannot be read.
    """
    if any(folder.glob(f".{MANIFEST}.*.complete")):
        with suppress(OutputError), locked(folder / _LOCK, wait_seconds=5.0):
            _settle(folder)
    path = folder / MANIFEST
    try:
        manifest: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        if not isinstance(manifest["facts"], dict) or not isinstance(manifest["files"], dict):
            raise TypeError
    except (FileNotFoundError, NotADirectoryError):
        raise OutputError(
            f"{folder} must hold {MANIFEST}, but there is none. "
            "Give the folder that an earlier command wrote with --out."
        ) from None
    except (OSError, ValueError, TypeError, KeyError):
        raise OutputError(
            f"{path} must be the manifest that churnvalue wrote, but it cannot be read. "
            "Run the command that wrote this folder again."
        ) from None
    return manifest


def verify(folder: Path, names: Iterable[str] | None = None) -> None:
    """Check that the files ``names`` (None: all that the manifest lists) are as they were written.

    Raises:
        OutputError: If one is missing or its bytes changed; names the file and the command to run.
    """
    files = read_manifest(folder)["files"]
    for name in files if names is None else names:
        if name not in files:
            raise OutputError(
                f"{folder} must list {name} in its manifest, but does not. Run the command that writes it."
                f"{near_match(name, files)}"
            )
        again = f"Run 'churnvalue {files[name].get('command')}' again."
        try:
            digest = sha256(folder / name)
        except OSError as error:
            raise OutputError(f"{folder / name} must be readable, but: {error.strerror}. {again}") from None
        if digest != files[name].get("sha256"):
            raise OutputError(f"{folder / name} must be as it was written, but its bytes changed. {again}")


def read_parquet(folder: Path, name: str) -> pa.Table:
    """Return the table in the Parquet file ``name`` after checking its digest; errors as in ``verify``."""
    verify(folder, [name])
    with pq.ParquetFile(folder / name) as file:
        return file.read()


def read_json(folder: Path, name: str) -> Any:
    """Return what the JSON file ``name`` holds after checking its digest; errors as in ``verify``."""
    verify(folder, [name])
    return json.loads((folder / name).read_text(encoding="utf-8"))
