"""Opening the store: a SQLite file made whole and then renamed, or a server that must answer at once.

The artifacts of a SQLite store lie in ``mlartifacts`` beside the configuration; a server knows its own place.
"""

import os
import socket
import ssl
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from http.client import HTTPException
from pathlib import Path
from urllib.error import HTTPError, URLError
from urllib.parse import urlparse
from urllib.request import urlopen

from mlflow import MlflowClient
from mlflow.exceptions import MlflowException

from churnvalue.errors import RegistryError
from churnvalue.storage import locked
from churnvalue.storage.files import flush_folder
from churnvalue.tracking.environment import UnreachableError, answering, plain_name, without_password
from churnvalue.tracking.registry import Keys, Registry, all_pages
from churnvalue.tracking.runs import Run, left_open, opening_tags

_SQLITE = "sqlite:///"
_PATIENCE_SECONDS = 5.0
_PORTS = {"postgresql": 5432, "mysql": 3306, "mssql": 1433}


@dataclass(frozen=True)
class Tracker(Registry):
    """Runs of one experiment, and the registry of the same store."""

    experiment_id: str

    @contextmanager
    def run(self, name: str, tags: Mapping[str, object] | None = None) -> Iterator[Run]:
        """Give an open run that ends FINISHED, FAILED after an error, or KILLED after Ctrl-C."""
        with answering(self.uri):
            opened = self.client.create_run(
                self.experiment_id, tags=opening_tags(tags or {}), run_name=plain_name(name, "run")
            )
        run = Run(self.client, self, self.experiment_id, opened.info.run_id)
        try:
            yield run
        except BaseException as error:
            with suppress(RegistryError):  # the error that ended the run matters more
                self._close(run.run_id, "KILLED" if isinstance(error, KeyboardInterrupt) else "FAILED")
            raise
        self._close(run.run_id, "FINISHED")

    def close_stale_runs(self, older_than_seconds: float = 0.0) -> list[str]:
        """Mark FAILED the runs that a process of this host opened and left when it died; return their ids."""
        latest = int((time.time() - older_than_seconds) * 1000)
        with answering(self.uri):
            running = all_pages(
                self.client.search_runs,
                experiment_ids=[self.experiment_id],
                filter_string=f"attributes.status = 'RUNNING' AND attributes.start_time <= {latest}",
            )
        stale = [run.info.run_id for run in running if left_open(run)]
        for run_id in stale:
            self._close(run_id, "FAILED")
        return stale

    def _close(self, run_id: str, status: str) -> None:
        with answering(self.uri):
            self.client.set_terminated(run_id, status)


def open_tracker(uri: str, experiment: str, folder: Path, keys: Keys = Keys()) -> Tracker:  # noqa: B008  it is frozen
    """Open the store at ``uri`` and the experiment, making them if they are not there yet.

    A relative SQLite path starts at ``folder``. Several processes may do this at once.

    Raises:
        UnreachableError: If a server does not answer within seconds.
        RegistryError: If the store cannot be used.
    """
    folder = folder.resolve()
    lock, artifacts = folder / ".mlflow.lock", (folder / "mlartifacts").as_uri()
    if uri.startswith("sqlite:"):
        database = _database(uri, folder)
        lock = database.with_name(f".{database.name}.lock")
        uri = _SQLITE + str(database)
        with answering(uri):
            _make_store(database, lock, artifacts)
    elif urlparse(uri).scheme in ("http", "https"):
        _reach(uri)
    elif _is_database(uri):
        _reach_database(uri)
    with answering(uri):
        client = MlflowClient(tracking_uri=uri, registry_uri=uri)
        experiment_id = _experiment(client, experiment, artifacts if _is_database(uri) else None)
    return Tracker(client, uri, folder, lock, experiment_id, keys=keys)


def _is_database(uri: str) -> bool:
    """Whether MLflow writes to ``uri`` itself, so that artifacts need a place of ours."""
    return urlparse(uri).scheme.split("+")[0] in ("sqlite", "postgresql", "mysql", "mssql")


def _database(uri: str, folder: Path) -> Path:
    path = uri.removeprefix(_SQLITE)
    if path in (uri, "", ":memory:") or "?" in str(folder / path):
        raise RegistryError(
            f"A SQLite store must be a file such as sqlite:///mlflow.db, but '{uri}' came. "
            "Correct [mlflow] tracking_uri."
        )
    return (folder / path).resolve()


def _make_store(database: Path, lock: Path, artifacts: str) -> None:
    """Make the database under another name, then rename it: one that is killed while it is made is lost."""
    if _is_there(database):
        return
    database.parent.mkdir(parents=True, exist_ok=True)
    with locked(lock, wait_seconds=120.0):
        if _is_there(database):
            return
        for leftover in database.parent.glob(f".{database.name}.*.new*"):
            leftover.unlink(missing_ok=True)
        # Imported here because it takes a second and a half, which servers and existing stores need not pay.
        from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore

        draft = database.with_name(f".{database.name}.{os.getpid()}.new")
        try:
            SqlAlchemyStore(_SQLITE + str(draft), artifacts).engine.dispose()
            with draft.open("rb") as made:
                os.fsync(made.fileno())
            draft.replace(database)
        finally:
            draft.unlink(missing_ok=True)
        flush_folder(database.parent)


def _is_there(database: Path) -> bool:
    """Whether the file holds a SQLite database; an empty one does not count.

    Raises:
        RegistryError: If it holds something else.
    """
    if not database.exists():
        return False
    with database.open("rb") as file:
        start = file.read(16)
    if start and start != b"SQLite format 3\0":
        raise RegistryError(
            f"{database} must be an MLflow database, but it is damaged or something else. Move it away and train again."
        )
    return bool(start)


def _reach(uri: str) -> None:
    """Return once a server answers anything at all; MLflow itself would try for minutes.

    Raises:
        UnreachableError: If nothing answers within five seconds.
    """
    try:
        urlopen(f"{without_password(uri).rstrip('/')}/health", timeout=_PATIENCE_SECONDS).close()
    except HTTPError:
        return
    except (HTTPException, OSError, ValueError) as error:
        reason = error.reason if isinstance(error, URLError) else error
        if isinstance(reason, ssl.SSLError):
            return  # it is there; whether to trust it is for MLflow's own settings to say
        raise _silent("MLflow server", uri, reason) from None


def _reach_database(uri: str) -> None:
    """Return once the server of a database takes a connection; MLflow itself would try ten times.

    Raises:
        UnreachableError: If it does not within five seconds.
    """
    try:
        place = urlparse(uri)
        port = place.port or _PORTS[place.scheme.split("+")[0]]
        if place.hostname:  # without one it is a socket in the file system, or named in a parameter
            socket.create_connection((place.hostname, port), timeout=_PATIENCE_SECONDS).close()
    except (OSError, ValueError) as error:
        raise _silent("database", uri, error) from None


def _silent(what: str, uri: str, reason: object) -> UnreachableError:
    return UnreachableError(
        f"The {what} at {without_password(uri)} must answer, but: {reason}. Start it, or correct [mlflow] tracking_uri."
    )


def _experiment(client: MlflowClient, name: str, artifacts: str | None) -> str:
    """Return the id of the experiment, making it if it is not there yet."""
    found = client.get_experiment_by_name(name)
    if found is None:
        try:
            return str(client.create_experiment(name, artifacts))
        except MlflowException as error:
            if error.error_code != "RESOURCE_ALREADY_EXISTS":
                raise
            found = client.get_experiment_by_name(name)
    if found.lifecycle_stage != "active":
        raise RegistryError(
            f"The experiment '{name}' must be active, but was deleted in MLflow. Restore it there, or set another one."
        )
    return str(found.experiment_id)
