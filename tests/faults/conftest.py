"""Files with a fault in them, read and worked on the public way: the command line and the functions of the package."""

import os
import shutil
import sys
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from small_orders import left_behind, orders, write_orders

from churnvalue import cli
from churnvalue import read_log as read_events
from churnvalue.config import parse_config
from churnvalue.events.log import EventLog
from churnvalue.tracking import open_tracker

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def read(tmp_path: Path) -> Callable[..., EventLog]:
    """A function that writes rows to a file and returns the log read from it. Columns named as parts play that part."""
    numbers = count()

    def log(
        rows: str | bytes | pd.DataFrame, *, as_of: int | None = None, ending: str = ".csv", **source: Any
    ) -> EventLog:
        path = tmp_path / f"log_{next(numbers)}{ending}"
        if isinstance(rows, pd.DataFrame):
            rows.to_parquet(path) if ending == ".parquet" else rows.to_csv(path, index=False)
        else:
            path.write_bytes(rows if isinstance(rows, bytes) else rows.encode())
        checks = {"max_quarantined": source.pop("max_quarantined", 0.5)}
        events = {"source": path.name, "timezone": "UTC", "columns": {"amount": "amount"}, **source}
        return read_events(parse_config({"events": [events], "checks": checks}, tmp_path), as_of)

    return log


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """A function that runs the command line in a folder: exit code, output, errors."""
    monkeypatch.delenv("CHURNVALUE_DEBUG", raising=False)

    def command(folder: Path, *arguments: str) -> tuple[int, str, str]:
        monkeypatch.chdir(folder)
        monkeypatch.setattr(sys, "argv", ["churnvalue", *arguments])
        code = 0
        try:
            cli.main()
        except SystemExit as end:
            code = int(end.code or 0)
        said = capsys.readouterr()
        return code, said.out, said.err

    return command


@pytest.fixture
def refused(run: Run) -> Callable[..., str]:
    """A function that runs a command which must end in one line and exit code 1, with everything left as it was."""

    def command(folder: Path, *arguments: str) -> str:
        before = left_behind(folder)
        code, _, err = run(folder, *arguments)
        assert left_behind(folder) == before
        assert code == cli.USER_ERROR == 1, err
        (line,) = err.splitlines()
        assert line.startswith("churnvalue: ")
        return line

    return command


@pytest.fixture(scope="session")
def empty_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A fresh database of MLflow, whose making takes seconds."""
    folder = tmp_path_factory.mktemp("store")
    open_tracker("sqlite:///mlflow.db", "small", folder)
    return folder / "mlflow.db"


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory, empty_store: Path) -> Path:
    """The folder of a small shop, trained and scored once; nobody may write to it."""
    import churnvalue as cv

    folder = tmp_path_factory.mktemp("small")
    shutil.copy(empty_store, folder / "mlflow.db")
    write_orders(folder, orders())
    config = cv.read_config(folder / "churnvalue.toml")
    with pytest.MonkeyPatch.context() as patch:
        for name in ("calibration_picture", "lift_picture", "shap_picture"):  # half of the time of a training
            patch.setattr(f"churnvalue.jobs.registration.{name}", lambda *_: b"png")
        cv.train(config)
    cv.score(config, out=folder / "out")
    return folder


@pytest.fixture
def shop(trained: Path, tmp_path: Path) -> Path:
    """A copy of the trained shop in which a test may do as it likes; the files of its models lie in the first one."""
    for name in ("mlflow.db", "orders.csv", "churnvalue.toml", "churn.toml", "train.json", "manifest.json"):
        shutil.copy(trained / name, tmp_path / name)
    shutil.copytree(trained / "out", tmp_path / "out")
    return tmp_path


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> Iterator[None]:
    """Two cores are shared by all tests."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("OMP_NUM_THREADS", os.environ.get("OMP_NUM_THREADS", "1"))
        yield
