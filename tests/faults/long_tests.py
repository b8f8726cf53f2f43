"""Tests of processes and of the registry that take seconds each: run by long_faults.py, not with the others."""

import sqlite3
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest
from processes import contents
from test_faults_of_registry import SCORE, record_again, tracker_of

import churnvalue as cv
from churnvalue import cli
from churnvalue.errors import RegistryError
from churnvalue.tracking import CHAMPION, PREVIOUS, Tracker
from churnvalue.tracking.records import Entered, enter

Run = Callable[..., tuple[int, str, str]]
# Whoever connects, or asks for an address, is refused and named; what is imported may try as well.
GUARDED = """
import os, socket, sys

def refuse(event, arguments):
    if event in ("socket.connect", "socket.sendto", "socket.sendmsg"):
        address = arguments[1]
    elif event in ("socket.getaddrinfo", "socket.gethostbyname"):
        address = arguments[:1]
    else:
        return
    here = isinstance(address, (str, bytes)) or (address and address[0] in ("127.0.0.1", "::1", "localhost", None))
    if not here:
        os.write(2, f"CALLED {event} {address}\\n".encode())
        raise PermissionError(f"no connection to {address}")

sys.addaudithook(refuse)
from churnvalue import cli
sys.argv[0] = "churnvalue"
cli.main()
"""
SEVERAL = """
import os, signal, sys
from pathlib import Path
from mlflow.store.db import utils
from mlflow.store.model_registry import sqlalchemy_store as _
from mlflow.store.tracking import sqlalchemy_store as _
from churnvalue.tracking import open_tracker

folder = Path(sys.argv[1])

def child(work):
    pid = os.fork()
    if pid == 0:
        try:
            work()
        except BaseException as error:
            print(repr(error), flush=True)
            os._exit(1)
        os._exit(0)
    return pid

def wait(*pids):
    print(*(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) for pid in pids), flush=True)

def killed_in_first_use():
    utils._upgrade_db = lambda engine: os.kill(os.getpid(), 9)
    open_tracker("sqlite:///mlflow.db", "e", folder)

def killed_in_training():
    with open_tracker("sqlite:///mlflow.db", "e", folder).run("killed"):
        os.kill(os.getpid(), 9)

wait(child(killed_in_first_use))
print((folder / "mlflow.db").exists())
wait(*[child(lambda: open_tracker("sqlite:///mlflow.db", "e", folder)) for _ in range(4)])
wait(child(killed_in_training))
tracker = open_tracker("sqlite:///mlflow.db", "e", folder)
with tracker.run("alive"):
    print(*[len(tracker.close_stale_runs(seconds)) for seconds in (3600, 0, 0)])
for run in sorted(tracker.client.search_runs([tracker.experiment_id]), key=lambda run: run.info.run_name):
    print(run.info.run_name, run.info.status)
print(sorted(path.name for path in folder.iterdir()))
"""


def test_fault_40_first_use_by_four_at_once_and_fault_41_kill_in_training(tmp_path: Path) -> None:
    done = subprocess.run([sys.executable, "-c", SEVERAL, str(tmp_path)], check=True, capture_output=True, text=True)
    assert done.stdout.splitlines() == [
        "-9",  # killed while the store is made …
        "False",  # … of which nothing is seen
        "0 0 0 0",  # four at once
        "-9",  # killed inside a run
        "0 1 0",  # not older than an hour; closed; nothing left to close
        "alive FINISHED",
        "killed FAILED",
        "['.mlflow.db.lock', 'mlflow.db']",
    ]


def test_a_record_that_was_interrupted_goes_on_where_it_was(shop: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tracker = tracker_of(shop)
    record = record_again(tracker, churn=1)
    together = Tracker.promote_together

    def half(self: Tracker, versions: dict[str, int], expected: dict[str, int]) -> None:
        together(self, {"churn": versions["churn"]}, expected)
        raise RegistryError("interrupted")

    monkeypatch.setattr(Tracker, "promote_together", half)
    with pytest.raises(RegistryError, match="interrupted"):
        enter(tracker, record)
    monkeypatch.setattr(Tracker, "promote_together", together)
    assert enter(tracker, record) == Entered(dict.fromkeys(("churn", "orders", "spend", "value", "return"), 2), True)
    assert [info.version for info in tracker.versions("churn")] == [2, 1]
    assert {tracker.version(name, CHAMPION) for name in tracker.names()} == {2}


def test_fault_47_of_two_trainings_at_once_one_wins(shop: Path) -> None:
    tracker = tracker_of(shop)
    records = [replace(record_again(tracker, churn=1, orders=1, spend=1), inputs=word) for word in ("a", "b")]
    with ThreadPoolExecutor(2) as pool:
        first, second = pool.map(lambda record: enter(tracker, record), records)
    won, lost = sorted((first, second), key=lambda entered: not entered.promoted)
    assert (won.promoted, won.superseded) == (True, "")
    assert lost.promoted is False
    assert "was compared with champion 1, but by now" in lost.superseded
    assert {name: tracker.version(name, CHAMPION) for name in won.versions} == dict(won.versions)


def test_rolled_back_champions_give_their_own_scores(trained: Path, shop: Path, run: Run) -> None:
    tracker = tracker_of(shop)
    enter(tracker, record_again(tracker))
    assert run(shop, *SCORE)[0] == 0
    assert set(cv.score(cv.read_config(shop / "churnvalue.toml"))["model_versions"]) == {
        "churn 2, orders 2, spend 2, value 2, return 2"
    }
    for name in tracker.names():
        code, out, _ = run(shop, "promote", name, "1")
        assert (code, out) == (0, f"{name} 1 is champion.\n")
    assert tracker.versions("churn")[1].tags[PREVIOUS] == "2"
    assert run(shop, *SCORE)[0] == 0
    assert contents(shop / "out") == contents(trained / "out")


@pytest.mark.parametrize("command", [("check",), SCORE, ("models",)])
def test_no_command_calls_home(shop: Path, command: tuple[str, ...]) -> None:
    done = subprocess.run(
        [sys.executable, "-c", GUARDED, *command], cwd=shop, capture_output=True, text=True, timeout=120
    )
    assert "CALLED" not in done.stderr
    assert done.returncode == 0, done.stderr


def test_the_guard_sees_a_call(tmp_path: Path) -> None:
    program = GUARDED.replace("from churnvalue import cli", "import urllib.request as r; r.urlopen('http://192.0.2.1')")
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60)
    assert "CALLED socket." in done.stderr


def test_fault_45_database_locked(shop: Path, run: Run) -> None:
    before = contents(shop / "out")
    holder = sqlite3.connect(shop / "mlflow.db", isolation_level=None)
    try:
        holder.execute("BEGIN EXCLUSIVE")
        for command in (SCORE, ("promote", "churn", "1")):
            code, _, err = run(shop, *command)
            assert code == cli.USER_ERROR
            (line,) = err.splitlines()
            assert "another process has kept the database locked for 20 seconds. Check [mlflow]" in line
    finally:
        holder.close()
    assert contents(shop / "out") == before
    assert run(shop, "promote", "churn", "1")[0] == 0
