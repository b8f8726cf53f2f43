"""Commands as real processes: run, killed, without memory, on a full disk, and beside servers that are away."""

import json
import os
import resource
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

PROGRAM = Path(sys.executable).with_name("churnvalue")
ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "NUMBA_NUM_THREADS", "ARROW_NUM_THREADS"), "1")


@dataclass(frozen=True)
class Ended:
    """How a command ended."""

    code: int
    said: str
    complained: str

    @property
    def line(self) -> str:
        """Its error, after checking that it is one line and no trace."""
        lines = [line for line in self.complained.splitlines() if line.startswith("churnvalue: ")]
        assert "Traceback" not in self.complained, self.complained
        assert len(lines) == 1, self.complained
        return lines[0]


def start(folder: Path, *arguments: str, limit: Callable[[], None] | None = None) -> "subprocess.Popen[str]":
    """Start the command line in ``folder``; ``limit`` runs in the child before it."""
    return subprocess.Popen(
        [PROGRAM, *arguments],
        cwd=folder,
        env={**os.environ, **ONE_THREAD},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=limit,
    )


def end(process: "subprocess.Popen[str]") -> Ended:
    """Wait for a command."""
    said, complained = process.communicate()
    return Ended(process.returncode, said, complained)


def run(folder: Path, *arguments: str, limit: Callable[[], None] | None = None) -> Ended:
    """Run the command line in ``folder`` to its end."""
    return end(start(folder, *arguments, limit=limit))


def killed_after(seconds: float, folder: Path, *arguments: str, by: int = signal.SIGKILL) -> Ended:
    """Run the command line and send it a signal after so many seconds, if it still runs."""
    process = start(folder, *arguments)
    deadline = time.monotonic() + seconds
    while process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.005)
    if process.poll() is None:
        process.send_signal(by)
    return end(process)


def memory_limit(megabytes: int) -> Callable[[], None]:
    """A limit on the address space of a child."""
    return lambda: resource.setrlimit(resource.RLIMIT_AS, (megabytes << 20, megabytes << 20))


@contextmanager
def file_limit_here(size: int) -> Iterator[None]:
    """No file may grow beyond ``size`` bytes: what a full disk is to a writer, without a disk to fill.

    Python ignores the signal that comes with it, so writing fails with an error, as on a full disk.
    """
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@contextmanager
def small_disk(folder: Path, kilobytes: int) -> Iterator[bool]:
    """Mount a disk of its own on ``folder`` while the block runs; gives False where this is not allowed."""
    folder.mkdir()
    mounted = (
        shutil.which("mount") is not None
        and subprocess.run(
            ["mount", "-t", "tmpfs", "-o", f"size={kilobytes}k", "tmpfs", folder], check=False, capture_output=True
        ).returncode
        == 0
    )
    try:
        yield mounted
    finally:
        if mounted:
            subprocess.run(["umount", folder], check=True)


def closed_port() -> int:
    """A port of this machine on which nobody listens."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


@contextmanager
def slow_server(seconds: float, quick: Mapping[str, str]) -> Iterator[str]:
    """An HTTP server that answers the paths in ``quick`` at once, and anything else only after so many seconds."""
    over = threading.Event()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = quick.get(self.path.split("?")[0])
            if body is None:
                over.wait(seconds)
                body = "{}"
            try:
                self.send_response(200)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body.encode())
            except OSError:
                return  # who asked has gone

        do_POST = do_GET  # noqa: N815  the name is the library's

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        over.set()
        server.shutdown()
        thread.join()
        server.server_close()


def contents(folder: Path) -> dict[str, bytes]:
    """Every file under ``folder`` with its bytes, by relative path; locks left out, which are always empty."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not path.name.endswith(".lock")
    }


def whole(folder: Path) -> bool:
    """Whether a folder of outputs holds what its manifest says and nothing else."""
    from churnvalue.storage import verify

    verify(folder)
    manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    return set(contents(folder)) == {*manifest["files"], "manifest.json"}
