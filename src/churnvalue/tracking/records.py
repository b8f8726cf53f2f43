"""What a training found, as text and numbers: kept in a file until the registry holds it, so that nothing is learnt twice.

A record is written before the registry is asked for anything, and removed when all of it is there. Entering it again goes on
where it was interrupted: a model that this record registered already is not registered once more.
"""

import base64
import json
import logging
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property
from hashlib import sha256
from math import isfinite
from pathlib import Path
from typing import Any

from churnvalue.errors import OutputError, RegistryError
from churnvalue.storage import json_text, write_text
from churnvalue.storage.files import alive, pid_in, temporary_path
from churnvalue.tracking.packages import ModelPackage
from churnvalue.tracking.registry import CHALLENGER, CHAMPION, SupersededError
from churnvalue.tracking.runs import Run, TrialRecord
from churnvalue.tracking.store import Tracker

_ENDING = "unregistered"
_RECORD = "record"  # the tag by which a version is known as this record's
_log = logging.getLogger(__name__)  # what a person should hear, without a part in any output


@dataclass(frozen=True)
class Record:
    """Everything that a training leaves in MLflow.

    ``inputs`` tells whether another training would find the same; ``expected`` is the champion by model that it was compared
    with (0: none), for the models that were compared; ``promote`` whether they are to take the champions' place; ``metrics``
    come by step.
    """

    project: str
    inputs: str
    params: Mapping[str, str]
    metrics: Mapping[int, Mapping[str, float]]
    trials: Sequence[TrialRecord]
    dataset: Mapping[str, Any]
    texts: Mapping[str, str]
    figures: Mapping[str, bytes]
    packages: Sequence[ModelPackage]
    expected: Mapping[str, int] = field(default_factory=dict)
    promote: bool = False

    @cached_property
    def text(self) -> str:
        """The record as JSON."""
        figures = {name: base64.b64encode(png).decode("ascii") for name, png in self.figures.items()}
        finite = {step: {n: v for n, v in values.items() if isfinite(v)} for step, values in self.metrics.items()}
        return json_text({**asdict(self), "figures": figures, "metrics": finite})

    @classmethod
    def from_text(cls, text: str) -> "Record":
        """Return the record whose ``text`` this is; ValueError, TypeError or KeyError for anything else."""
        kept = json.loads(text)
        figures = {name: base64.b64decode(png) for name, png in kept["figures"].items()}
        trials = [TrialRecord(**trial) for trial in kept["trials"]]
        packages = [ModelPackage(**package) for package in kept["packages"]]
        metrics = {int(step): values for step, values in kept["metrics"].items()}
        return cls(**{**kept, "figures": figures, "metrics": metrics, "trials": trials, "packages": packages})

    @cached_property
    def key(self) -> str:
        """A digest of all of it."""
        return sha256(self.text.encode()).hexdigest()[:16]


@dataclass(frozen=True)
class Entered:
    """Which versions the models of a record became, whether they are the champions, and what came in between, if anything."""

    versions: Mapping[str, int]
    promoted: bool
    superseded: str = ""


def enter(tracker: Tracker, record: Record) -> Entered:
    """Log a record as a run, register its models as challengers and, if it says so, promote them.

    Those that were compared with a champion that is no longer one stay challengers.

    Raises:
        RegistryError: If the registry fails.
    """
    key = record.key
    known = {package.name: _version_of(tracker, package.name, key) for package in record.packages}
    versions = {name: version for name, version in known.items() if version is not None}
    if len(versions) < len(known):
        with tracker.run("train", {"project": record.project, _RECORD: key}) as run:
            _fill(run, record)
            for package in record.packages:
                if package.name not in versions:
                    versions[package.name] = run.register(_tagged(package, key))
    for name, version in versions.items():
        if tracker.version(name, CHAMPION) != version:
            tracker.set_alias(name, CHALLENGER, version)
    try:
        if record.promote:
            tracker.promote_together(versions, record.expected)
    except SupersededError as error:
        return Entered(versions, False, str(error))
    return Entered(versions, record.promote)


@contextmanager
def keeping(folder: Path, record: Record) -> Iterator[None]:
    """Keep ``record`` in ``folder`` while the block enters it into a registry; removed once the block ends without error.

    Raises:
        RegistryError: What the block raises, with where the record is kept and how to go on.
    """
    path = temporary_path(folder, record.key, _ENDING)
    try:
        write_text(path, record.text)
    except OutputError as error:
        _log.warning("What was learnt could not be kept for the case that the registry fails: %s", error)
        yield
        return
    try:
        yield
    except RegistryError as error:
        raise type(error)(
            f"{error} What was learnt is kept in {path}: the next 'churnvalue train' registers it without learning it again."
        ) from None
    path.unlink(missing_ok=True)


def kept_records(folder: Path) -> dict[Path, Record]:
    """Return what earlier trainings could not register, by file, oldest first; those of trainings at work are left out.

    Raises:
        OutputError: If a file is damaged.
    """
    # One with this process's own id is from an earlier attempt: containers give out the same ids again.
    paths = [p for p in folder.glob(f".*.{_ENDING}") if pid_in(p) == os.getpid() or not alive(pid_in(p))]
    return {path: _read(path) for path in sorted(paths, key=lambda path: (path.stat().st_mtime_ns, path.name))}


def forget(kept: Iterable[Path]) -> None:
    """Remove the files of records that are registered by now."""
    for path in kept:
        path.unlink(missing_ok=True)


def _read(path: Path) -> Record:
    try:
        return Record.from_text(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        raise OutputError(
            f"{path} must hold what a training could not register, but it is damaged. Remove it and train again."
        ) from None


def _version_of(tracker: Tracker, name: str, key: str) -> int | None:
    """Return the version of a model that a record registered before it was interrupted."""
    if name not in tracker.names():
        return None
    return next((info.version for info in tracker.versions(name) if info.tags.get(_RECORD) == key), None)


def _tagged(package: ModelPackage, key: str) -> ModelPackage:
    return replace(package, tags={**package.tags, _RECORD: key})


def _fill(run: Run, record: Record) -> None:
    run.params(record.params)
    run.trials(record.trials)
    run.dataset(**record.dataset)
    for step, values in record.metrics.items():
        run.metrics(values, step)
    for name, text in record.texts.items():
        run.text(name, text)
    for name, png in record.figures.items():
        run.figure(name, png)
