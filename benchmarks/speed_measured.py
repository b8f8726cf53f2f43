"""What a call costs in a process of its own: seconds of the work without imports, CPU seconds, largest memory."""

import importlib
import json
import os
import pickle
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sized
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from packaging.requirements import Requirement

_REPOSITORY = Path(__file__).parents[1]
Function = TypeVar("Function", bound=Callable[..., Any])


@dataclass(frozen=True)
class Spread:
    """Median, least and most of several runs."""

    median: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.median:.3g} ({self.low:.3g} … {self.high:.3g})"


@dataclass(frozen=True)
class Cost:
    """What a call takes; ``value`` is what it returned: a number, a dictionary, or else how many rows."""

    seconds: Spread
    cpu_seconds: Spread
    peak_mb: Spread
    value: Any


@dataclass(frozen=True)
class NotInstalled:
    """Packages that a rival needs and this environment does not have."""

    packages: tuple[str, ...]

    def __str__(self) -> str:
        return f"{', '.join(self.packages)} not installed"


def needs(*packages: str) -> Callable[[Function], Function]:
    """Name the packages, as in "pandas<3", that a function imports itself: they are loaded before its time is taken."""

    def mark(function: Function) -> Function:
        function.__dict__["needs"] = packages
        return function

    return mark


def missing(function: Callable[..., Any]) -> tuple[str, ...]:
    """Return the packages that a function needs and that are not installed, or not of that version."""
    return tuple(need for need in getattr(function, "needs", ()) if not _installed(Requirement(need)))


def _installed(need: Requirement) -> bool:
    try:
        return need.specifier.contains(version(need.name), prereleases=True)
    except PackageNotFoundError:
        return False


def measured(
    function: Callable[..., Any],
    *arguments: Any,
    repeat: int = 5,
    python: str | None = None,
    warm: tuple[Any, ...] | None = None,
) -> Cost | NotInstalled:
    """Return what ``function(*arguments)`` costs, each of ``repeat`` times in a fresh process.

    The function is one of a module; what it yields is counted and let go, so memory holds one result at a time. ``python`` is
    an interpreter that has what the function needs, where this one has not. With ``warm``, the process has called the function
    with these arguments, of little work, before its time is taken: what libraries load when they are first used is left out.

    Raises:
        RuntimeError: If the call fails.
    """
    if python is None and (lacking := missing(function)):
        return NotInstalled(lacking)
    runs = [_run(function, arguments, python or sys.executable, warm) for _ in range(repeat)]
    seconds, cpu_seconds, peak_mb = (
        spread([run[key] for run in runs]) for key in ("seconds", "cpu_seconds", "peak_mb")
    )
    return Cost(seconds, cpu_seconds, peak_mb, runs[-1]["value"])


def spread(values: list[float]) -> Spread:
    """Return median, least and most of some values."""
    return Spread(float(np.median(values)), min(values), max(values))


def _run(
    function: Callable[..., Any], arguments: tuple[Any, ...], python: str, warm: tuple[Any, ...] | None
) -> dict[str, Any]:
    module = function.__module__
    if module == "__main__" and (spec := sys.modules["__main__"].__spec__):
        module = spec.name
    given = pickle.dumps((module, function.__qualname__, arguments, warm))
    command = [python, "-m", "benchmarks.speed_measured"]
    done = subprocess.run(
        command, input=given, capture_output=True, check=False, env={**os.environ, "PYTHONPATH": str(_REPOSITORY)}
    )
    if done.returncode:
        raise RuntimeError(f"{module}.{function.__qualname__} failed: {done.stderr.decode(errors='replace')[-2000:]}")
    said: dict[str, Any] = json.loads(done.stdout.decode().splitlines()[-1])
    return said


def _peak_mb() -> float:
    """Return the largest memory of this process alone: ``ru_maxrss`` of a child starts with that of its parent."""
    held = re.search(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text("utf-8"))
    return int(held[1]) / 1024 if held else float("nan")


def _drained(made: Any) -> Any:
    if isinstance(made, Iterator):
        return sum(len(part) for part in made)
    return len(made) if isinstance(made, Sized) and not isinstance(made, str | dict) else made


def _child() -> None:
    module, name, arguments, warm = pickle.load(sys.stdin.buffer)
    function = getattr(importlib.import_module(module), name)
    for need in getattr(function, "needs", ()):
        importlib.import_module(Requirement(need).name)
    if warm is not None:
        _drained(function(*warm))
    start, used = time.perf_counter(), time.process_time()
    value = _drained(function(*arguments))
    took = {"seconds": time.perf_counter() - start, "cpu_seconds": time.process_time() - used}
    print(json.dumps({**took, "peak_mb": _peak_mb(), "value": value}))


if __name__ == "__main__":
    _child()
