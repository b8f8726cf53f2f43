"""A real PostgreSQL server for tests, on a Unix socket in a short folder of its own, where the package is installed."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from glob import glob
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from churnvalue.engines.postgres import connected
from churnvalue.errors import SourceError


@dataclass(frozen=True)
class Server:
    """A running server: ``churn`` owns all and needs no password, ``locked`` has the password ``s3cr#t``."""

    folder: Path
    cursor: Any

    def uri(self, user: str = "churn", database: str = "postgres") -> str:
        """The address of a database; ``user`` may be ``user:password``."""
        return f"postgresql://{user}@/{database}?host={quote(str(self.folder), safe='')}"

    def run(self, *statements: str) -> list[dict[str, Any]]:
        """Run statements, each committed at once; return the rows of the last one, if it is a query."""
        for statement in statements:
            self.cursor.execute(statement)
        rows: list[dict[str, Any]] = self.cursor.fetch_arrow_table().to_pylist()
        return rows

    @contextmanager
    def connected(self, database: str = "postgres") -> Iterator[Any]:
        """Give a cursor of a connection of its own, in a transaction that is undone in the end."""
        with connected(self.uri(database=database), SourceError) as connection, connection.cursor() as cursor:
            yield cursor


def _as_other_user(folder: Path) -> list[str]:
    """What to put before a command so that it does not run as root, which the server refuses."""
    if os.geteuid() != 0:
        return []
    if shutil.which("setpriv") is None:
        pytest.skip("PostgreSQL does not run as root, and setpriv is not installed")
    shutil.chown(folder, "nobody")
    return ["setpriv", "--reuid=nobody", "--clear-groups"]


@pytest.fixture(scope="session")
def postgres() -> Iterator[Server]:
    """A server with an empty database, ended with the session; tests are skipped where there is none."""
    with running() as server:
        yield server


@contextmanager
def running() -> Iterator[Server]:
    """Run a server with an empty database; raises pytest's Skipped where there is none."""
    dbapi = pytest.importorskip("adbc_driver_postgresql.dbapi", reason="churnvalue[postgres] is not installed")
    installed = sorted(glob("/usr/lib/postgresql/*/bin/initdb"))
    initdb = shutil.which("initdb") or (installed[-1] if installed else None)
    if initdb is None:
        pytest.skip("PostgreSQL is not installed")
    binaries = Path(initdb).resolve().parent
    folder = Path(tempfile.mkdtemp(prefix="cv", dir="/tmp"))  # the path of a socket has at most 107 bytes
    prefix = _as_other_user(folder)
    data = folder / "data"

    def call(command: str, *arguments: str) -> None:
        made = [*prefix, str(binaries / command), "-D", str(data), *arguments]
        done = subprocess.run(made, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, check=False)
        assert done.returncode == 0, done.stderr

    try:
        call("initdb", "-U", "churn", "-E", "UTF8", "--locale=C", "-A", "trust", "--no-sync")
        access = data / "pg_hba.conf"
        access.write_text("local all locked scram-sha-256\n" + access.read_text())
        options = f"-k {folder} -c listen_addresses= -c fsync=off"
        call("pg_ctl", "-w", "-l", str(folder / "log"), "-o", options, "start")
        try:
            with (
                dbapi.connect(Server(folder, None).uri(), autocommit=True) as connection,
                connection.cursor() as cursor,
            ):
                server = Server(folder, cursor)
                server.run("CREATE ROLE locked LOGIN PASSWORD 's3cr#t'")
                yield server
        finally:
            call("pg_ctl", "-m", "immediate", "stop")
    finally:
        shutil.rmtree(folder, ignore_errors=True)
