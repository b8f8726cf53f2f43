"""Single files: written under a temporary name, forced to disk, renamed; locks that end with the process."""

import errno
import fcntl
import hashlib
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import BinaryIO

from churnvalue.errors import OutputError


def package_version() -> str:
    """Return the version of the installed churnvalue, ``"0"`` when it runs from a source folder."""
    try:
        return version("churnvalue")
    except PackageNotFoundError:
        return "0"


def write_text(path: Path, text: str) -> None:
    """Write ``text`` as UTF-8 to ``path``, whole or not at all.

    Raises:
        OutputError: If it cannot be written; what stood there before is untouched.
    """
    target = path.resolve()
    temporary = temporary_path(target.parent, target.name, "tmp")
    with writing(target):
        target.parent.mkdir(parents=True, exist_ok=True)
        for leftover in target.parent.glob(f".{target.name}.*.tmp"):
            if not alive(pid_in(leftover)):
                leftover.unlink(missing_ok=True)
        try:
            with written(temporary, target) as sink:
                sink.write(text.encode("utf-8"))
            temporary.replace(target)
        finally:
            temporary.unlink(missing_ok=True)
        flush_folder(target.parent)


@contextmanager
def locked(path: Path, wait_seconds: float = 0.0) -> Iterator[None]:
    """Hold the lock file ``path`` while the block runs; the system frees it when the process dies.

    Raises:
        OutputError: If another process still holds it after ``wait_seconds``, or it cannot be opened.
    """
    with writing(path):
        handle = path.open("ab")
    with handle:
        deadline = time.monotonic() + wait_seconds
        while not _try_lock(handle, path):
            if time.monotonic() >= deadline:
                raise OutputError(
                    f"Only one process at a time may write to {path.parent}, but another is at work there. "
                    "Wait until it is done, or choose another place."
                )
            time.sleep(0.02)
        yield


def _try_lock(handle: BinaryIO, path: Path) -> bool:
    with writing(path):
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
    return True


@contextmanager
def written(path: Path, target: Path) -> Iterator[BinaryIO]:
    """Give ``path`` open for writing and force it to disk; errors name ``target``, which the user knows."""
    with writing(target), path.open("wb") as sink:
        yield sink
        sink.flush()
        os.fsync(sink.fileno())


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Turn a refusal of the system into one line that names ``path``.

    Raises:
        OutputError: Instead of any OSError.
    """
    try:
        yield
    except OSError as error:
        todo = "Free space" if error.errno in (errno.ENOSPC, errno.EDQUOT) else "Make it writable"
        raise OutputError(
            f"{path} must be writable, but: {error.strerror or error}. {todo} or choose another place; "
            "earlier outputs are untouched."
        ) from None


def flush_folder(folder: Path) -> None:
    """Force the names in ``folder`` to disk, so that a rename outlives a power cut."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sha256(path: Path) -> str:
    """Return the SHA-256 of the bytes of a file, in hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def temporary_path(folder: Path, name: str, ending: str) -> Path:
    """Return the hidden name under which this process writes ``name``: ``.NAME.PID.ENDING``."""
    return folder / f".{name}.{os.getpid()}.{ending}"


def pid_in(temporary: Path) -> int:
    """Return the process id in a temporary name; 0 where there is none."""
    part = temporary.name.rsplit(".", 2)[-2]
    return int(part) if part.isdecimal() else 0


def alive(pid: int) -> bool:
    """Whether a process with this id runs on this machine; never removed on doubt, so 0 counts as alive."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except (PermissionError, OverflowError):
        return True
    return True
