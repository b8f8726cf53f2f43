"""Servers that are away, disks that are full, processes that are killed, locked or stopped."""

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from processes import closed_port, contents, file_limit_here, memory_limit, slow_server, small_disk, whole
from processes import run as run_process
from small_orders import CONFIG, orders, write_orders
from sqlalchemy import Engine, event

import churnvalue as cv
from churnvalue import cli
from churnvalue.errors import RegistryError
from churnvalue.jobs.champions import load_champions, open_registry
from churnvalue.storage import locked, staged
from churnvalue.tracking import UnreachableError, open_tracker
from churnvalue.tracking.pins import Package, pin
from churnvalue.tracking.records import kept_records
from churnvalue.tracking.registry import Registry

Run = Callable[..., tuple[int, str, str]]
Refused = Callable[..., str]
SCORE = ("score", "--out", "out")

# A process of its own: one that was forked would lack the threads of DuckDB and LightGBM.
KILLED_AT_ITS_SECOND_FSYNC = """
import os, signal, sys
from itertools import count
from churnvalue import cli

real, calls = os.fsync, count(1)

def fsync(descriptor):
    if next(calls) == 2:  # the scores are written, the manifest is not
        os.kill(os.getpid(), signal.SIGKILL)
    real(descriptor)

os.fsync = fsync
sys.argv[0] = "churnvalue"
cli.main()
"""


def keep_at(folder: Path, uri: str) -> None:
    """Let the configuration in ``folder`` name another tracking server."""
    (folder / "churnvalue.toml").write_text(f'{CONFIG}\n[mlflow]\ntracking_uri = "{uri}"\n', encoding="utf-8")


# MLflow


@pytest.fixture
def away(shop: Path) -> Path:
    """A shop whose tracking server is down."""
    keep_at(shop, f"http://127.0.0.1:{closed_port()}")
    return shop


@pytest.fixture
def pinned(shop: Path) -> Path:
    """A shop whose tracking server is down, but had named the champions before."""
    tracker = open_registry(cv.read_config(shop / "churnvalue.toml"))
    names = tracker.names()
    champions = {name: Package(1, tracker.download(name, 1)) for name in names}
    own = {name: Package(1, shutil.copytree(one.folder, shop / "mlcache" / name)) for name, one in champions.items()}
    uri = f"http://127.0.0.1:{closed_port()}"
    keep_at(shop, uri)
    pin(uri, shop, own, datetime(2024, 5, 1, tzinfo=UTC))
    return shop


@pytest.mark.parametrize("command", [("train",), SCORE, ("models",), ("promote", "churn", "1")])
def test_fault_37_server_down_at_start(away: Path, refused: Refused, command: tuple[str, ...]) -> None:
    assert "must answer, but: [Errno 111] Connection refused. Start it" in refused(away, *command)


def test_fault_37_scoring_uses_the_pinned_champions(
    trained: Path, pinned: Path, run: Run, caplog: pytest.LogCaptureFixture
) -> None:
    assert run(pinned, *SCORE)[0] == 0
    assert contents(pinned / "out") == contents(trained / "out")
    (said,) = [record.getMessage() for record in caplog.records]
    assert "must answer, but" in said
    assert "The champions pinned on 2024-05-01 are used: churn 1, orders 1," in said


def test_fault_37_pinned_champions_that_changed_are_refused(pinned: Path, refused: Refused) -> None:
    model = pinned / "mlcache" / "churn" / "data" / "model"
    listing = (model / "files.json").read_bytes()
    (model / "churn.txt").write_bytes(b"tree")
    assert "churn.txt must be as it was registered, but its bytes changed" in refused(pinned, *SCORE)
    (model / "files.json").write_bytes(b"{}")
    assert "churn must be as they were last loaded, but are not" in refused(pinned, *SCORE)
    (model / "files.json").write_bytes(listing)
    for name in (pinned / "mlcache").glob("champions-*.json"):
        name.write_text("{}", encoding="utf-8")
    assert "must be as they were last loaded, but are not. Score again when the server" in refused(pinned, *SCORE)


def test_fault_37_a_server_that_has_no_champion_is_believed(
    pinned: Path, empty_store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = cv.read_config(pinned / "churnvalue.toml")
    shutil.copy(empty_store, pinned / "other.db")
    empty = open_tracker("sqlite:///other.db", "small", pinned)
    monkeypatch.setattr("churnvalue.jobs.champions.open_tracker", lambda *_: empty)
    with pytest.raises(RegistryError, match="Scoring needs champions of churn, orders, value and return"):
        load_champions(config)


@pytest.fixture(scope="module")
def interrupted(trained: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A shop with champions; the server went away while the next candidate, worse than they, was registered."""
    folder = tmp_path_factory.mktemp("interrupted")
    shutil.copy(trained / "mlflow.db", folder)
    write_orders(folder, orders())
    (folder / "churnvalue.toml").write_text(f'{CONFIG}\n[mlflow]\nexperiment = "again"\n', encoding="utf-8")
    register = Registry.register

    def gone(self: Registry, package: Any, *arguments: str) -> int:
        if package.name == "spend":
            raise UnreachableError("The server does not answer.")
        return register(self, package, *arguments)

    with pytest.MonkeyPatch.context() as patch:
        for name in ("calibration_picture", "lift_picture", "shap_picture"):
            patch.setattr(f"churnvalue.jobs.registration.{name}", lambda *_: b"png")
        patch.setattr("churnvalue.jobs.train.objections", lambda *_: (["churn: auc 0.5 is worse"], []))
        patch.setattr(Registry, "register", gone)
        patch.chdir(folder)
        with pytest.raises(RegistryError, match=r"does not answer. What was learnt is kept in .* without learning it"):
            cv.train(cv.read_config("churnvalue.toml"))
    return folder


def test_fault_38_server_away_at_the_end_of_training(
    interrupted: Path, tmp_path: Path, run: Run, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    config = cv.read_config(interrupted / "churnvalue.toml")
    listed = cv.list_models(config)
    waiting = listed[listed["version"] == 0]
    assert sorted(waiting["model"]) == ["churn", "orders", "return", "spend", "value"]
    assert waiting["why"].str.contains("churnvalue train").all()
    assert sorted(listed.loc[listed["version"] == 2, "model"]) == ["churn", "orders"]
    monkeypatch.setattr("churnvalue.jobs.train.learn", lambda *_: pytest.fail("learns again"))
    code, out, err = run(interrupted, "train")
    assert code == cli.NOT_PROMOTED, err
    assert "Gate failed: churn: auc 0.5 is worse." in out
    assert "Registered what an earlier training could not: churn 2, orders 2" in caplog.text
    assert kept_records(interrupted) == {}
    listed = cv.list_models(config)
    assert sorted(listed["version"]) == [1] * 5 + [2] * 5


def test_fault_39_slow_server_is_not_waited_for(
    pinned: Path, refused: Refused, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_TIMEOUT", "1")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    with slow_server(60.0, {"/health": "OK", "/version": "3.17.0"}) as uri:
        keep_at(pinned, uri)
        assert "must do its part, but: the server does not answer" in refused(pinned, *SCORE)


# Writing


def test_fault_42_kill_while_scores_are_written(shop: Path, run: Run) -> None:
    before = contents(shop / "out")
    command = [sys.executable, "-c", KILLED_AT_ITS_SECOND_FSYNC, *SCORE, "--as-of", "2024-04-20"]
    assert subprocess.run(command, cwd=shop, capture_output=True, check=False).returncode == -signal.SIGKILL
    left = contents(shop / "out")
    assert {name: left[name] for name in before} == before
    assert len(left) == len(before) + 2  # the scores and the half of a manifest, under hidden names
    assert run(shop, *SCORE, "--as-of", "2024-04-20")[0] == 0
    assert run(shop, "score", "--out", "new", "--as-of", "2024-04-20")[0] == 0
    assert contents(shop / "out") == contents(shop / "new")
    assert whole(shop / "out")


def test_fault_43_disk_full(shop: Path, run: Run) -> None:
    with small_disk(shop / "disk", kilobytes=8) as mounted:
        if not mounted:
            pytest.skip("mounting a disk needs rights")
        code, _, err = run(shop, "score", "--out", "disk/out")
        assert (code, err.count("\n")) == (1, 1)
        assert "disk/out/scores.parquet must be writable, but: No space left on device. Free space" in err
        assert contents(shop / "disk") == {}


def test_fault_43_disk_full_under_earlier_outputs(shop: Path, refused: Refused) -> None:
    with file_limit_here(4096):
        line = refused(shop, *SCORE, "--as-of", "2024-04-20")
    assert "out/scores.parquet must be writable, but: File too large" in line


def test_fault_44_two_scorers_of_one_target(shop: Path, refused: Refused) -> None:
    with locked(shop / "out" / ".lock"):
        assert "Only one process at a time may write to out, but another is at work there" in refused(shop, *SCORE)


@pytest.fixture
def impatient() -> Iterator[None]:
    """MLflow waits for a database for 10 ms, where it would for 20 s."""

    def shortened(*call: Any) -> tuple[str, Any]:
        return call[2].replace("busy_timeout = 20000", "busy_timeout = 10"), call[3]

    def hurried(*call: Any) -> None:
        call[3]["timeout"] = 0.01

    event.listen(Engine, "before_cursor_execute", shortened, retval=True)
    event.listen(Engine, "do_connect", hurried)
    yield
    event.remove(Engine, "do_connect", hurried)
    event.remove(Engine, "before_cursor_execute", shortened)


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("error", [MemoryError("no memory"), KeyboardInterrupt("no memory")])
def test_fault_46_out_of_memory_leaves_nothing_partial(shop: Path, error: BaseException) -> None:
    before = contents(shop / "out")

    def write() -> None:
        with staged(shop / "out", "score") as stage:
            stage.text("scores.parquet", "half")
            raise error

    with pytest.raises(type(error), match="no memory"):
        write()
    assert contents(shop / "out") == before


def test_fault_46_too_few_addresses_are_said_before_libraries_crash(shop: Path) -> None:
    ended = run_process(shop, "check", limit=memory_limit(1000))
    assert (ended.code, ended.complained.count("\n")) == (1, 1)
    assert "must be allowed 2,700 MB of addresses, but the limit is 1,049 MB" in ended.line


def test_fault_49_the_same_cutoff_twice_gives_the_same_bytes(trained: Path, shop: Path, run: Run) -> None:
    for _ in range(2):
        assert run(shop, *SCORE)[0] == 0
        assert contents(shop / "out") == contents(trained / "out")


def test_fault_50_output_that_cannot_be_written(shop: Path, refused: Refused) -> None:
    assert "/proc/churnvalue must be writable, but: " in refused(shop, "score", "--out", "/proc/churnvalue")


def test_fault_50_stopped_while_scores_are_written(shop: Path, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    before = contents(shop / "out")

    def stopped(descriptor: int) -> None:
        os.kill(os.getpid(), signal.SIGINT)

    monkeypatch.setattr(os, "fsync", stopped)
    code, _, err = run(shop, *SCORE, "--as-of", "2024-04-20")
    assert (code, err.strip()) == (130, "churnvalue: stopped; earlier outputs are as they were.")
    assert contents(shop / "out") == before
