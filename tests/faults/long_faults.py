"""Faults that take minutes: real processes, killed at random moments, starved, stopped and cut off. Run by: make faults.

Every check says how long it took. The first that does not hold ends the run with an AssertionError.
"""

import argparse
import os
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import pytest
from processes import PROGRAM, closed_port, contents, end, memory_limit, run, small_disk, start, whole
from small_orders import CONFIG, orders, write_orders

import churnvalue
from churnvalue import cli, read_config
from churnvalue.jobs.champions import open_registry
from churnvalue.jobs.plan import plan as _plan
from churnvalue.jobs.score import score as _score
from churnvalue.jobs.train import train as _train
from churnvalue.storage import verify
from churnvalue.tracking import MODEL_FILES

sys.path.append(str(Path(__file__).parents[1]))
from postgres_server import running

del _plan, _score, _train  # imported once here, so that every copy of this process starts at once
COMMANDS = {
    "train": ("train",),
    "score": ("score", "--out", "out"),
    "plan": ("plan", "--scores", "out", "--out", "out"),
}


def say(text: str) -> None:
    """Write a line at once."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


@contextmanager
def timed(what: str) -> Iterator[None]:
    """Say what is checked, and how long it took."""
    began = time.monotonic()
    yield
    say(f"{what}: {time.monotonic() - began:.1f} s")


def in_copy(folder: Path, *arguments: str) -> int:
    """Start a command in a copy of this process, which has everything imported; return its process id."""
    child = os.fork()
    if child == 0:
        code = 1
        try:
            os.chdir(folder)
            for stream in (1, 2):
                os.dup2(os.open(folder.parent / "said.log", os.O_WRONLY | os.O_CREAT | os.O_APPEND), stream)
            sys.argv = ["churnvalue", *arguments]
            cli.main()
            code = 0
        except SystemExit as ended:
            code = int(ended.code or 0)
        finally:
            os._exit(code)
    return child


def ended(child: int) -> int:
    """Wait for a copy; return its exit code, or minus the signal that killed it."""
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def shop_in(folder: Path, uri: str = "sqlite:///mlflow.db") -> Path:
    """Make a shop that has not been trained."""
    folder.mkdir()
    write_orders(folder, orders())
    (folder / "churnvalue.toml").write_text(f'{CONFIG}\n[mlflow]\ntracking_uri = "{uri}"\n', encoding="utf-8")
    assert ended(forked(lambda: open_registry(read_config(folder / "churnvalue.toml")))) == 0
    return folder


def asked(folder: Path, query: str) -> list[tuple[str, ...]]:
    """Ask the store of a shop, by SQL: this process must not open it as MLflow does, for its copies would share that."""
    with closing(sqlite3.connect(folder / "mlflow.db")) as store:
        return store.execute(query).fetchall()


def models(folder: Path) -> dict[str, bytes]:
    """Every file of every champion."""
    found = asked(
        folder,
        "SELECT name, source FROM model_versions JOIN registered_model_aliases USING (name, version)"
        " WHERE alias = 'champion'",
    )
    own = {name: Path(source.removeprefix("file://")) / MODEL_FILES for name, source in found}
    return {f"{name}/{file}": data for name, model in own.items() for file, data in contents(model).items()}


def outputs(folder: Path) -> dict[str, bytes]:
    """What the commands leave: train.json with its manifest, the champions, and the folder of scores and plan."""
    out = contents(folder / "out") if (folder / "out").exists() else {}
    left = {name: (folder / name).read_bytes() for name in ("train.json", "manifest.json") if (folder / name).exists()}
    return left | models(folder) | {f"out/{name}": data for name, data in out.items()}


def kills(work: Path, times: int, seed: int) -> None:
    """Kill each command at random moments: earlier outputs stay whole, the next run gives the undisturbed bytes.

    The stages of the shop lie in folders of one name, for the store holds whole paths.
    """
    chance = random.Random(seed)
    stages: dict[str, Path] = {}
    after: dict[str, dict[str, bytes]] = {}
    lasted: dict[str, float] = {}
    shop = shop_in(work / "shop")
    for name, command in COMMANDS.items():
        stages[name] = Path(shutil.copytree(shop, work / f"before-{name}"))
        began = time.monotonic()
        assert ended(in_copy(shop, *command)) == 0, (work / "said.log").read_text()
        lasted[name] = time.monotonic() - began
        after[name] = outputs(shop)
    for number in range(times):
        name = list(COMMANDS)[number % len(COMMANDS)]
        shutil.rmtree(shop)
        shutil.copytree(stages[name], shop)
        before = contents(shop / "out") if (shop / "out").exists() else {}
        child = in_copy(shop, *COMMANDS[name])
        moment = chance.uniform(0.0, lasted[name])
        time.sleep(moment)
        os.kill(child, signal.SIGKILL)
        died = ended(child) == -signal.SIGKILL
        for folder in (shop, shop / "out"):
            if (folder / "manifest.json").exists():
                verify(folder)
        if before and died:
            left = contents(shop / "out")
            assert {file: left[file] for file in before} == before or whole(shop / "out"), (name, moment)
        # Killed after everything was done but the exit, training goes on to a second version, perhaps no better than the first.
        done = name == "train" and (shop / "train.json").exists() and not list(shop.glob(".*.unregistered"))
        code = ended(in_copy(shop, *COMMANDS[name]))
        assert code == 0 or (done and code == cli.NOT_PROMOTED), (name, moment, (work / "said.log").read_text()[-2000:])
        again = outputs(shop)
        differs = sorted(file for file in again.keys() | after[name].keys() if again.get(file) != after[name].get(file))
        assert not differs or (done and b'"version": 2' in again["train.json"]), (name, moment, differs)
        assert not list(shop.glob(".*.unregistered")), (name, moment)
        say(f"  {number + 1:3d} {name} after {moment:.2f} s: {'killed' if died else 'had ended'}")
        assert asked(shop, "SELECT name FROM runs WHERE status = 'RUNNING'") == [], (name, moment)


def many_at_once(work: Path, shop: Path, ask: Callable[[str], list[tuple[Any, ...]]]) -> None:
    """Eight scorers of one store give the same bytes, and eight runs at once are all kept; ``ask`` asks the store."""
    expected = contents(shop / "out")["scores.parquet"]
    children = [in_copy(shop, "score", "--out", f"out-{number}") for number in range(8)]
    assert [ended(child) for child in children] == [0] * 8, (work / "said.log").read_text()[-2000:]
    assert all(contents(shop / f"out-{number}")["scores.parquet"] == expected for number in range(8))

    def log(number: int) -> None:
        tracker = open_registry(read_config(shop / "churnvalue.toml"))
        with tracker.run(f"at-once-{number}") as opened:
            for step in range(20):
                opened.metrics({"step": float(step)}, step)

    children = [forked(lambda number=number: log(number)) for number in range(8)]
    assert [ended(child) for child in children] == [0] * 8, (work / "said.log").read_text()[-2000:]
    assert ask("SELECT name, status FROM runs WHERE name LIKE 'at-once-%' ORDER BY name") == [
        (f"at-once-{number}", "FINISHED") for number in range(8)
    ]
    assert ask("SELECT DISTINCT step FROM latest_metrics WHERE key = 'step'") == [(19,)]


def on_postgres(work: Path) -> None:
    """The same on a PostgreSQL server."""
    try:
        with running() as postgres:
            postgres.run("CREATE DATABASE mlflow")
            uri = postgres.uri(database="mlflow").replace("://", "+psycopg2://", 1)
            shop = shop_in(work / "on-postgres", uri)
            for command in (COMMANDS["train"], COMMANDS["score"]):
                assert ended(in_copy(shop, *command)) == 0, (work / "said.log").read_text()[-2000:]

            def ask(query: str) -> list[tuple[Any, ...]]:
                with postgres.connected("mlflow") as cursor:
                    cursor.execute(query)
                    return [tuple(row) for row in cursor.fetchall()]

            assert sorted(ask("SELECT DISTINCT alias FROM registered_model_aliases")) == [("champion",)]
            many_at_once(work, shop, ask)
    except pytest.skip.Exception as skipped:
        say(f"  skipped: {skipped}")


def few_customers(work: Path) -> None:
    """Fourteen customers are learnt from where that is forced, and that they are few is said."""
    shop = shop_in(work / "few")
    (shop / "orders.csv").unlink()
    orders(customers=14).to_csv(shop / "orders.csv", index=False)
    assert ended(in_copy(shop, "train")) == cli.USER_ERROR
    assert ended(forked(lambda: _trained(shop))) == 0
    assert "few customers to learn from, as was forced: 4 who left" in (shop / "train.json").read_text()


def _trained(shop: Path) -> None:
    churnvalue.train(read_config(shop / "churnvalue.toml"), force=True)


def forked(work: Callable[[], None]) -> int:
    """Do ``work`` in a copy of this process; return its process id."""
    child = os.fork()
    if child == 0:
        code = 1
        try:
            work()
            code = 0
        finally:
            os._exit(code)
    return child


@contextmanager
def server(folder: Path, port: int) -> Iterator["subprocess.Popen[bytes]"]:
    """A tracking server on a port of this machine, ended with the block if it still runs."""
    log = (folder.parent / "server.log").open("ab")
    process = subprocess.Popen(
        [PROGRAM.with_name("mlflow"), "server", "--host", "127.0.0.1", "--port", str(port), "--workers", "1"],
        cwd=folder,
        env={**os.environ, "MLFLOW_DISABLE_TELEMETRY": "true"},
        stdout=log,
        stderr=log,
        start_new_session=True,
    )
    try:
        for _ in range(600):
            try:
                urlopen(f"http://127.0.0.1:{port}/health", timeout=1).close()
                break
            except OSError:
                time.sleep(0.2)
        yield process
    finally:
        stop(process)
        log.close()


def stop(process: "subprocess.Popen[bytes]") -> None:
    """Kill a server with its workers, if it still runs."""
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def servers(work: Path) -> None:
    """A server that goes away, before, while and after it is needed."""
    (work / "server").mkdir()
    port = closed_port()
    with server(work / "server", port) as process:
        shop = shop_in(work / "served", f"http://127.0.0.1:{port}")
        child = in_copy(shop, "train")
        while not list(shop.glob(".*.unregistered")):  # until all is learnt, and about to be registered
            time.sleep(0.005)
        stop(process)
        with timed("  38 away at the end of training"):
            assert ended(child) == 1, (work / "said.log").read_text()[-2000:]
        assert "What was learnt is kept in" in (work / "said.log").read_text()
    with server(work / "server", port) as process:
        with timed("  38 registered by the next training"):
            assert ended(in_copy(shop, "train")) == 0, (work / "said.log").read_text()[-2000:]
        assert not list(shop.glob(".*.unregistered"))
        assert ended(in_copy(shop, "score", "--out", "out")) == 0
        expected = contents(shop / "out")
        os.killpg(process.pid, signal.SIGSTOP)
        with timed("  39 a server that hangs, scored with the pinned champions"):
            assert ended(in_copy(shop, "score", "--out", "out")) == 0, (work / "said.log").read_text()[-2000:]
        with timed("  39 a server that hangs, training"):
            assert ended(in_copy(shop, "train")) == 1
        os.killpg(process.pid, signal.SIGCONT)
    with timed("  37 a server that is down, scored with the pinned champions"):
        assert ended(in_copy(shop, "score", "--out", "out")) == 0
    assert contents(shop / "out") == expected
    with timed("  37 a server that is down, training, with the start of Python"):
        assert "must answer" in run(shop, "train").line
    assert contents(shop / "out") == expected


def heeding() -> None:
    """Let a child heed Ctrl-C, which what a shell starts in the background does not."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def starved(work: Path) -> None:
    """Too little memory, too little disk, and Ctrl-C: one line at most, and nothing partial."""
    shop = work / "shop"
    before = contents(shop / "out")
    for megabytes in (4000, 3000, 2000, 1000):
        done = run(shop, "score", "--out", "out", limit=memory_limit(megabytes))
        assert whole(shop / "out")
        assert contents(shop / "out")["scores.parquet"] == before["scores.parquet"]
        last = (done.complained.strip().splitlines() or ["done"])[-1]
        say(
            f"  46 {megabytes:,} MB: exit code {done.code}, {done.complained.count(chr(10))} lines, the last: {last[:150]}"
        )
        assert done.code in (0, cli.USER_ERROR), "must end with a line"
    began = time.monotonic()
    assert run(shop, "score", "--out", "out").code == 0
    lasted = time.monotonic() - began
    for part in (0.3, 0.5, 0.7, 0.8, 0.9):
        process = start(shop, "score", "--out", "out", limit=heeding)
        time.sleep(part * lasted)
        process.send_signal(signal.SIGINT)
        done = end(process)
        assert whole(shop / "out")
        last = (done.complained.strip().splitlines() or ["nothing"])[-1]
        say(f"  50 Ctrl-C after {part * lasted:.1f} of {lasted:.1f} s: exit code {done.code}, {last[:150]}")
        assert done.code in (0, cli.STOPPED, -signal.SIGINT), "must end with a line"
    with small_disk(work / "disk", 400) as mounted:
        if not mounted:
            say("  43 skipped: mounting a disk needs rights")
            return
        full = work / "disk"
        write_orders(full, orders())
        code = ended(in_copy(full, "train"))
        said = (work / "said.log").read_text().splitlines()[-1]
        assert code == 1, said
        assert not [path for path in full.rglob(".*") if path.suffix in (".staged", ".tmp")]
        say(f"  43 disk full in training: {said}")


def long_tests() -> None:
    """The tests that take seconds each."""
    assert pytest.main(["-q", "-p", "no:cacheprovider", str(Path(__file__).with_name("long_tests.py"))]) == 0


def main() -> None:
    """Run every check in a folder of its own."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=50, help="moments at which a command is killed")
    parser.add_argument("--seed", type=int, default=7)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="churnvalue-faults-") as folder:
        work = Path(folder)
        for title, check in {
            f"{options.kills} kills": lambda: kills(work, options.kills, options.seed),
            "eight at once": lambda: many_at_once(work, work / "shop", lambda query: asked(work / "shop", query)),
            "eight at once on PostgreSQL": lambda: on_postgres(work),
            "few customers": lambda: few_customers(work),
            "servers": lambda: servers(work),
            "starved": lambda: starved(work),
            "long tests": long_tests,
        }.items():
            say(title)
            with timed(title):
                check()


if __name__ == "__main__":
    main()
