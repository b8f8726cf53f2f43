"""One run in MLflow: what went in, what was tried, what came out.

Trials are logged in bulk after tuning, data by a digest computed elsewhere: MLflow's own ways cost minutes.
"""

import math
import os
import re
import socket
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mlflow import MlflowClient
from mlflow.entities import Dataset, DatasetInput, InputTag, Metric, Param

from churnvalue.errors import RegistryError
from churnvalue.storage import json_text
from churnvalue.storage.files import alive
from churnvalue.tracking.environment import answering, plain_name, without_password
from churnvalue.tracking.packages import ModelPackage
from churnvalue.tracking.registry import Registry

_PROCESS = "churnvalue.process"
_STARTED = re.compile(r".*\) (?:\S+ ){19}(\d+) ", re.DOTALL)


@dataclass(frozen=True)
class TrialRecord:
    """One trial of a tuning: its parameters and its value, None or NaN if it failed."""

    name: str
    params: Mapping[str, object]
    value: float | None


@dataclass(frozen=True)
class Run:
    """A run that is open in MLflow."""

    client: MlflowClient
    registry: Registry
    experiment_id: str
    run_id: str

    def params(self, values: Mapping[str, object]) -> None:
        """Log parameters; values longer than 6,000 characters are cut by MLflow."""
        with answering(self.registry.uri):
            self.client.log_batch(self.run_id, params=_params(values))

    def metrics(self, values: Mapping[str, float], step: int = 0) -> None:
        """Log numbers; those that are not finite are left out."""
        with answering(self.registry.uri):
            self.client.log_batch(self.run_id, metrics=_metrics(values, step))

    def trials(self, records: Sequence[TrialRecord]) -> None:
        """Log each trial as a finished run nested in this one; its value is the metric ``value``."""
        for record in records:
            tags = {"mlflow.parentRunId": self.run_id, _PROCESS: process()}
            value = math.nan if record.value is None else record.value
            with answering(self.registry.uri):
                child = self.client.create_run(
                    self.experiment_id, tags=tags, run_name=plain_name(record.name, "trial")
                ).info.run_id
                self.client.log_batch(child, metrics=_metrics({"value": value}, 0), params=_params(record.params))
                self.client.set_terminated(child, "FINISHED" if math.isfinite(value) else "FAILED")

    def dataset(self, name: str, digest: str, source: str, profile: Mapping[str, object]) -> None:
        """Log which data went in, by ``digest`` of all of it; MLflow shows the first 36 characters.

        A password in ``source`` is left out.
        """
        where = json_text({"tags": {"source": without_password(source)}})
        described = json_text({**profile, "digest": digest})
        dataset = Dataset(plain_name(name, "dataset"), digest[:36], "code", where, profile=described)
        with self.registry.alone(), answering(self.registry.uri):
            self.client.log_inputs(self.run_id, [DatasetInput(dataset, [InputTag("mlflow.data.context", "training")])])

    def text(self, name: str, text: str) -> None:
        """Log a text as the file ``name``, which may lie in folders: ``report/card.md``."""
        self._artifact(name, text.encode("utf-8"))

    def json(self, name: str, value: object) -> None:
        """Log a value as JSON; numbers that are not finite become null."""
        self.text(name, json_text(value))

    def figure(self, name: str, png: bytes) -> None:
        """Log a picture."""
        self._artifact(name, png)

    def register(self, package: ModelPackage) -> int:
        """Log the model with this run and register it; return its version."""
        return self.registry.register(package, self.experiment_id, self.run_id)

    def _artifact(self, name: str, data: bytes) -> None:
        *folders, file = [plain_name(part, "file") for part in name.split("/")]
        with answering(self.registry.uri), tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / file
            path.write_bytes(data)
            self.client.log_artifact(self.run_id, str(path), "/".join(folders) or None)


def process(pid: int | None = None) -> str:
    """Return ``host/pid/start`` of a process of this machine, by which runs it left open are known.

    The start, in clock ticks since boot, tells two processes with one id apart; empty if there is no /proc.
    """
    pid = os.getpid() if pid is None else pid
    try:
        found = _STARTED.match(Path(f"/proc/{pid}/stat").read_text(encoding="ascii", errors="replace"))
    except OSError:
        found = None
    return f"{socket.gethostname()}/{pid}/{found[1] if found else ''}"


def left_open(run: Any) -> bool:
    """Whether the process of this host that opened the MLflow run is gone."""
    host, pid, start = (*run.data.tags.get(_PROCESS, "").rsplit("/", 2), "", "")[:3]
    if host != socket.gethostname() or not pid.isdecimal():
        return False
    if start:
        return process(int(pid)) != f"{host}/{pid}/{start}"
    return not alive(int(pid))


def opening_tags(tags: Mapping[str, object]) -> dict[str, str]:
    """Return the tags of a new run, with the process that opens it."""
    if _PROCESS in tags:
        raise RegistryError(f"The tag '{_PROCESS}' is set by churnvalue. Use another name.")
    return {key: str(value) for key, value in tags.items()} | {_PROCESS: process()}


def _metrics(values: Mapping[str, float], step: int) -> list[Metric]:
    now = int(time.time() * 1000)
    return [Metric(key, float(value), now, step) for key, value in sorted(values.items()) if math.isfinite(value)]


def _params(values: Mapping[str, object]) -> list[Param]:
    return [Param(key, str(value)) for key, value in sorted(values.items())]
