"""What learning costs: CPU seconds of one fit, wall seconds and memory of the commands."""

import os
import resource
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from churnvalue.models.pareto_nbd import ParetoNBD

_RUN = "from churnvalue.cli import main; main()"
NOT_PROMOTED = 3


@dataclass(frozen=True)
class Used:
    """Wall and CPU seconds and the largest memory of a command, with how it ended."""

    seconds: float
    cpu_seconds: float
    peak_mb: float
    code: int


def peak_mb() -> float:
    """Return the largest memory that this process has held."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def run_command(arguments: list[str], folder: Path) -> Used:
    """Run ``churnvalue`` with ``arguments`` in ``folder`` as a process of its own.

    Raises:
        RuntimeError: If it fails.
    """
    start = time.perf_counter()
    with tempfile.TemporaryFile() as said:
        process = subprocess.Popen([sys.executable, "-c", _RUN, *arguments], cwd=folder, stdout=said, stderr=said)
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = code = os.waitstatus_to_exitcode(status)
        if code not in (0, NOT_PROMOTED):
            said.seek(0)
            raise RuntimeError(
                f"churnvalue {' '.join(arguments)} failed: {said.read().decode(errors='replace')[-2000:]}"
            )
    return Used(time.perf_counter() - start, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024, code)


def fit_seconds(rfm: pd.DataFrame, times: int) -> list[float]:
    """Return the CPU seconds of fitting Pareto/NBD to ``rfm``, each of ``times``."""
    found = []
    for _ in range(times):
        start = time.process_time()
        ParetoNBD().fit(rfm)
        found.append(time.process_time() - start)
    return found


def tiled(rfm: pd.DataFrame, customers: int, seed: int) -> pd.DataFrame:
    """Return so many customers: those of ``rfm`` again and again, each moved by up to a day, so that few are alike."""
    generator = np.random.default_rng(seed)
    chosen = rfm.iloc[np.arange(customers) % len(rfm)].reset_index(drop=True)
    recency = np.where(chosen["frequency"] > 0, chosen["recency"] + generator.random(customers), 0.0)
    age = chosen["age"] + generator.random(customers)
    return chosen.assign(recency=recency, age=np.maximum(age, recency))
