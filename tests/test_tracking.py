import json
import math
import os
import shutil
import socket
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import mlflow
import numpy as np
import pandas as pd
import pytest

from churnvalue.errors import RegistryError
from churnvalue.tracking import (
    CHALLENGER,
    CHAMPION,
    MODEL_FILES,
    PREVIOUS,
    ModelPackage,
    Run,
    Tracker,
    TrialRecord,
    UnreachableError,
    environment,
    open_tracker,
    registry,
    store,
)

DEAD = 2**22 + 1  # above the largest process id that Linux gives out


@pytest.fixture(scope="session")
def database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("store")
    open_tracker("sqlite:///mlflow.db", "template", folder)
    return folder / "mlflow.db"


@pytest.fixture
def tracker(database: Path, tmp_path: Path) -> Tracker:
    folder = tmp_path / "a project 100%"
    folder.mkdir()
    shutil.copy(database, folder)
    return open_tracker("sqlite:///mlflow.db", "online-retail", folder)


@pytest.fixture
def package() -> ModelPackage:
    return ModelPackage(
        name="churn",
        files={"weights.json": '{"recency": 0.5, "frequency": 2.0}'},
        loader_module="tiny_loader",
        inputs=["recency", "frequency"],
        outputs=["p_churn"],
        tags={"cutoff": "2011-09-01", "grade": "B"},
        card="# churn\n",
        definition="name = 'churn'\n",
    )


def register(tracker: Tracker, package: ModelPackage, times: int = 1) -> list[int]:
    versions = []
    with tracker.run("train") as run:
        for _ in range(times):
            versions.append(run.register(package))
    return versions


def fail(tracker: Tracker, error: BaseException) -> None:
    with tracker.run("train"):
        raise error


def statuses(tracker: Tracker) -> dict[str, str]:
    runs = tracker.client.search_runs([tracker.experiment_id])
    return {run.info.run_name: run.info.status for run in runs}


# Opening


def test_the_store_and_its_artifacts_lie_beside_the_configuration(tracker: Tracker) -> None:
    assert tracker.uri == f"sqlite:///{tracker.folder}/mlflow.db"
    experiment = tracker.client.get_experiment(tracker.experiment_id)
    assert experiment.artifact_location == (tracker.folder / "mlartifacts").as_uri()
    again = open_tracker("sqlite:///mlflow.db", "online-retail", tracker.folder)
    assert again.experiment_id == tracker.experiment_id


def test_an_absolute_store_stays_where_it_is(database: Path, tmp_path: Path) -> None:
    shutil.copy(database, tmp_path / "other.db")
    opened = open_tracker(f"sqlite:///{tmp_path}/other.db", "a", tmp_path / "missing")
    assert opened.uri == f"sqlite:///{tmp_path}/other.db"


@pytest.mark.parametrize("content", [b"not a database at all", b"SQLite format 3"])
def test_a_damaged_store_is_named(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "mlflow.db").write_bytes(content)
    with pytest.raises(RegistryError, match=r"mlflow.db must be an MLflow database, .* Move it away"):
        open_tracker("sqlite:///mlflow.db", "e", tmp_path)


def test_a_half_made_store_is_one_line(tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "mlflow.db") as connection:
        connection.execute("CREATE TABLE alembic_version (version_num TEXT)")
        connection.execute("INSERT INTO alembic_version VALUES ('451aebb31d03')")
    with pytest.raises(RegistryError, match=r"MLflow at .*mlflow.db must do its part, but: .*no such"):
        open_tracker("sqlite:///mlflow.db", "e", tmp_path)


@pytest.mark.parametrize("uri", ["sqlite://", "sqlite:///:memory:", "sqlite:///a.db?timeout=1"])
def test_a_store_must_be_a_file(tmp_path: Path, uri: str) -> None:
    with pytest.raises(RegistryError, match="A SQLite store must be a file such as"):
        open_tracker(uri, "e", tmp_path)


def test_a_server_that_is_down_is_named_without_its_password(tmp_path: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with pytest.raises(RegistryError, match=rf"at http://127.0.0.1:{port} must answer, but: .*refused"):
        open_tracker(f"http://me:secret@127.0.0.1:{port}", "e", tmp_path)


def test_a_database_that_is_down_is_named_without_its_password(tmp_path: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with pytest.raises(UnreachableError, match=rf"The database at postgresql://127.0.0.1:{port}/x must answer, but"):
        open_tracker(f"postgresql://me:secret@127.0.0.1:{port}/x", "e", tmp_path)


SILENT = ["HTTPConnectionPool(host='x', port=1): Max retries exceeded", "Read timed out.", "connection refused"]


def test_a_database_without_its_driver_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(
        RegistryError, match=r"MLflow at mysql:///x must do its part, but: No module named '\w+'\. Check"
    ):
        open_tracker("mysql:///x", "small", tmp_path)


@pytest.mark.parametrize("text", SILENT)
def test_silence_is_told_from_a_refusal(text: str) -> None:
    with pytest.raises(UnreachableError, match="the server does not answer"), environment.answering("http://x"):
        raise mlflow.MlflowException(text)
    with pytest.raises(RegistryError, match="no such") as refused, environment.answering("http://x"):
        raise mlflow.MlflowException("no such run")
    assert not isinstance(refused.value, UnreachableError)


def test_a_server_that_hangs_is_not_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store, "_PATIENCE_SECONDS", 0.1)
    with socket.socket() as mute:
        mute.bind(("127.0.0.1", 0))
        mute.listen()
        with pytest.raises(RegistryError, match="must answer, but: timed out"):
            open_tracker(f"http://127.0.0.1:{mute.getsockname()[1]}", "e", tmp_path)


def test_a_deleted_experiment_is_an_error(tracker: Tracker) -> None:
    tracker.client.delete_experiment(tracker.experiment_id)
    with pytest.raises(RegistryError, match="'online-retail' must be active, but was deleted"):
        open_tracker("sqlite:///mlflow.db", "online-retail", tracker.folder)


# Runs


def test_a_run_keeps_what_went_in_and_came_out(tracker: Tracker) -> None:
    with tracker.run("train", {"model": "churn"}) as run:
        run.params({"trials": 20, **{f"p{i:03}": i for i in range(150)}})
        run.metrics({"auc": np.float64(0.75), "mae": math.nan, "gain": math.inf})
        run.text("report/card.md", "# é\n")
        run.json("train.json", {"auc": math.nan})
        run.figure("calibration.png", b"\x89PNG")
        run.dataset("training", "ab" * 32, "postgresql://me:secret@db/shop#orders", {"rows": 3})
    found = tracker.client.get_run(run.run_id)
    assert found.info.status == "FINISHED"
    assert found.data.tags["model"] == "churn"
    assert found.data.params["trials"] == "20"
    assert len(found.data.params) == 151
    assert found.data.metrics == {"auc": 0.75}
    folder = tracker.folder / "mlartifacts" / run.run_id / "artifacts"
    assert (folder / "report" / "card.md").read_text() == "# é\n"
    assert json.loads((folder / "train.json").read_text()) == {"auc": None}
    assert (folder / "calibration.png").read_bytes() == b"\x89PNG"
    dataset = found.inputs.dataset_inputs[0].dataset
    assert (dataset.name, dataset.digest) == ("training", ("ab" * 32)[:36])
    assert json.loads(dataset.profile) == {"rows": 3, "digest": "ab" * 32}
    assert json.loads(dataset.source) == {"tags": {"source": "postgresql://db/shop#orders"}}


def test_trials_are_nested_runs(tracker: Tracker) -> None:
    with tracker.run("train") as run:
        run.trials([TrialRecord("trial-0", {"leaves": 7}, 0.5), TrialRecord("trial-1", {"leaves": 9}, None)])
    nested = tracker.client.search_runs(
        [tracker.experiment_id],
        f"tags.`mlflow.parentRunId` = '{run.run_id}'",
        order_by=["tags.mlflow.runName"],
    )
    assert [(each.info.run_name, each.info.status) for each in nested] == [
        ("trial-0", "FINISHED"),
        ("trial-1", "FAILED"),
    ]
    assert nested[0].data.params == {"leaves": "7"}
    assert [each.data.metrics for each in nested] == [{"value": 0.5}, {}]


@pytest.mark.parametrize(("error", "status"), [(ValueError("no"), "FAILED"), (KeyboardInterrupt("no"), "KILLED")])
def test_a_run_that_ends_in_an_error_says_so(tracker: Tracker, error: BaseException, status: str) -> None:
    with pytest.raises(type(error), match="no"):
        fail(tracker, error)
    assert statuses(tracker) == {"train": status}


def test_names_do_no_harm(tracker: Tracker, package: ModelPackage) -> None:
    with tracker.run("train") as run:
        for name in ["../x", "<script>", "a b", ".hidden", "é", ""]:
            with pytest.raises(RegistryError, match="The name of a run must be made"), tracker.run(name):
                pass
            with pytest.raises(RegistryError, match="The name of a file must be made"):
                run.text(f"report/{name}", "x")
            with pytest.raises(RegistryError, match="The name of a model must be made"):
                run.register(replace(package, name=name))


def test_only_runs_of_dead_processes_of_this_host_are_closed(tracker: Tracker) -> None:
    host = socket.gethostname()
    with tracker.run("mine") as run:
        mine = tracker.client.get_run(run.run_id).data.tags["churnvalue.process"]
        for name, process in {
            "dead": f"{host}/{DEAD}/123",
            "unknown-start": f"{host}/{DEAD}/",
            "id-given-out-again": f"{host}/{os.getpid()}/1",
            "elsewhere": f"other/{DEAD}/123",
            "same": mine,
            "unmarked": "",
        }.items():
            tags = {"churnvalue.process": process} if process else {}
            tracker.client.create_run(tracker.experiment_id, tags=tags, run_name=name)
        assert len(tracker.close_stale_runs()) == 3
    assert {name for name, status in statuses(tracker).items() if status == "FAILED"} == {
        "dead",
        "unknown-start",
        "id-given-out-again",
    }
    assert {name for name, status in statuses(tracker).items() if status == "RUNNING"} == {
        "elsewhere",
        "same",
        "unmarked",
    }


def test_failures_of_mlflow_are_one_line_with_what_to_do(tracker: Tracker) -> None:
    run = Run(tracker.client, tracker, tracker.experiment_id, "0" * 32)
    with pytest.raises(RegistryError, match=r"do its part, but: Run with id=0+ not found. Check \[mlflow\]"):
        run.metrics({"auc": 1.0})


SETTINGS = """
import os, sys
sys.modules["mlflow"] = None  # the settings come first: they must not need it
try:
    import churnvalue.tracking
except ImportError:
    print(os.environ["MLFLOW_HTTP_REQUEST_TIMEOUT"])
"""


def test_settings_are_made_and_those_of_the_user_stand() -> None:
    for off in ("ALLOW_PICKLE_DESERIALIZATION", "UV_AUTO_DETECT", "ENABLE_ARTIFACTS_PROGRESS_BAR"):
        assert os.environ[f"MLFLOW_{off}"] == "false"
    for on in ("DISABLE_TELEMETRY", "DISABLE_SCHEMA_DETAILS"):
        assert os.environ[f"MLFLOW_{on}"] == "true"
    tries = 1 + int(os.environ["MLFLOW_HTTP_REQUEST_MAX_RETRIES"])
    assert tries * int(os.environ["MLFLOW_HTTP_REQUEST_TIMEOUT"]) <= 15  # seconds that one call may take
    done = subprocess.run(
        [sys.executable, "-c", SETTINGS],
        env={**os.environ, "MLFLOW_HTTP_REQUEST_TIMEOUT": "5"},
        check=True,
        capture_output=True,
        text=True,
    )
    assert done.stdout == "5\n"


def test_passwords_are_left_out() -> None:
    assert environment.without_password("http://me:s@cret@host/x and sqlite:////a@b") == (
        "http://host/x and sqlite:////a@b"
    )


# Models


def test_a_champion_loads_by_plain_mlflow(
    tracker: Tracker, package: ModelPackage, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert register(tracker, package) == [1]
    tracker.promote("churn", 1)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", tracker.uri)
    assert os.environ["MLFLOW_ALLOW_PICKLE_DESERIALIZATION"] == "false"
    model = mlflow.pyfunc.load_model("models:/churn@champion")
    frame = pd.DataFrame({"recency": [1.0, math.nan], "frequency": np.array([3.0, 1.0], np.float32)})
    expected = [6.5, math.nan]  # 0.5 * 1 + 2 * 3
    np.testing.assert_array_equal(model.predict(frame)["p_churn"], expected)
    shuffled = frame.assign(extra="x")[["extra", "frequency", "recency"]]
    np.testing.assert_array_equal(model.predict(shuffled)["p_churn"], expected)
    with pytest.raises(mlflow.MlflowException, match="Failed to enforce model input schema"):
        model.predict(frame[["recency"]])


def test_a_registered_model_carries_its_papers(tracker: Tracker, package: ModelPackage) -> None:
    register(tracker, package)
    folder = tracker.download("churn", 1)
    assert (folder / "card.md").read_text() == package.card
    assert (folder / "definition.toml").read_text() == package.definition
    assert set(json.loads((folder / MODEL_FILES / "files.json").read_text())) == {"weights.json"}
    described = mlflow.models.Model.load(str(folder))
    assert described.signature.inputs.input_names() == package.inputs
    assert {str(kind) for kind in described.signature.inputs.input_types()} == {"DataType.double"}
    assert described.signature.outputs.input_names() == package.outputs
    requirements = (folder / "requirements.txt").read_text().split()
    assert f"pandas=={pd.__version__}" in requirements
    info = tracker.versions("churn")[0]
    assert info.tags == {"cutoff": "2011-09-01", "grade": "B", "churnvalue": registry.package_version()}
    run = tracker.client.get_run(info.run_id)
    assert [output.model_id for output in run.outputs.model_outputs] == [described.model_id]


def test_a_damaged_model_is_refused_before_it_is_opened(
    tracker: Tracker, package: ModelPackage, monkeypatch: pytest.MonkeyPatch
) -> None:
    register(tracker, package)
    (tracker.download("churn", 1) / MODEL_FILES / "weights.json").write_text("{}")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", tracker.uri)
    with pytest.raises(RegistryError, match=r"weights.json must be as it was registered, but its"):
        mlflow.pyfunc.load_model("models:/churn/1")


def test_pickles_are_refused_and_nothing_is_registered(tracker: Tracker, package: ModelPackage) -> None:
    with pytest.raises(RegistryError, match=r"must be made of text files, but model.pkl came"):
        register(tracker, replace(package, files={**package.files, "model.pkl": ""}))
    assert tracker.names() == []


def test_a_failure_while_storing_registers_nothing(
    tracker: Tracker, package: ModelPackage, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*arguments: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(type(tracker.client), "log_model_artifacts", full)
    with pytest.raises(RegistryError, match=r"No space left on device.*the champion is untouched"):
        register(tracker, package)
    assert tracker.names() == []
    assert statuses(tracker) == {"train": "FAILED"}
    logged = tracker.client.search_logged_models([tracker.experiment_id])
    assert [str(model.status) for model in logged] == ["FAILED"]


def test_a_champion_keeps_who_was_before(tracker: Tracker, package: ModelPackage) -> None:
    assert register(tracker, package, 3) == [1, 2, 3]
    assert tracker.version("churn", CHAMPION) is None
    assert tracker.version("other", CHAMPION) is None
    tracker.promote("churn", 1, expected=0)
    tracker.set_alias("churn", CHALLENGER, 2)
    tracker.promote("churn", 2, expected=1)
    tracker.promote("churn", 2)
    assert [(info.version, info.aliases) for info in tracker.versions("churn")] == [
        (3, ()),
        (2, ("champion",)),
        (1, ()),
    ]
    assert tracker.versions("churn")[1].tags[PREVIOUS] == "1"
    assert tracker.names() == ["churn"]
    with pytest.raises(RegistryError, match=r"3 was compared with champion 1, but by now 2 is champion"):
        tracker.promote("churn", 3, expected=1)
    with pytest.raises(RegistryError, match=r"'churn' 3 was compared with champion none, but by now 2"):
        tracker.promote("churn", 3, expected=0)
    assert tracker.version("churn", CHAMPION) == 2


def test_of_two_promotions_at_once_one_wins(tracker: Tracker, package: ModelPackage) -> None:
    register(tracker, package, 3)
    tracker.promote("churn", 1)

    def won(version: int) -> bool:
        try:
            tracker.promote("churn", version, expected=1)
        except RegistryError:
            return False
        return True

    with ThreadPoolExecutor(2) as pool:
        assert sorted(pool.map(won, [2, 3])) == [False, True]


MISSING: list[tuple[Callable[[Tracker], object], str]] = [
    (lambda t: t.download("chrn", 1), "Unknown model 'chrn' in the registry. Did you mean 'churn'"),
    (lambda t: t.versions("chrn"), "Unknown model 'chrn'"),
    (lambda t: t.download("a' OR '1'='1", 1), "Unknown model"),
    (
        lambda t: t.download("churn", "champion"),
        "'churn' has no alias champion. Its versions: 2 .old., 1. Ch",
    ),
    (lambda t: t.download("churn", 9), "'churn' has no version 9. Its versions: 2"),
    (lambda t: t.promote("churn", 9), "'churn' has no version 9"),
    (lambda t: t.promote("chrn", 1), "Unknown model 'chrn'"),
    (lambda t: t.set_alias("churn", CHAMPION, 9), "'churn' has no version 9"),
]


def test_what_is_not_there_is_named_with_what_is(tracker: Tracker, package: ModelPackage) -> None:
    register(tracker, package, 2)
    tracker.set_alias("churn", "old", 2)
    for ask, message in MISSING:
        with pytest.raises(RegistryError, match=message):
            ask(tracker)


def test_an_alias_goes_with_its_version(tracker: Tracker, package: ModelPackage) -> None:
    register(tracker, package, 2)
    tracker.promote("churn", 2)
    tracker.client.delete_model_version("churn", "2")
    assert tracker.version("churn", CHAMPION) is None
    with pytest.raises(RegistryError, match=r"no alias champion. Its versions: 1. Choose one with"):
        tracker.download("churn", CHAMPION)


def test_a_model_whose_files_are_gone_is_an_error(tracker: Tracker, package: ModelPackage) -> None:
    register(tracker, package)
    shutil.rmtree(tracker.folder / "mlartifacts")
    with pytest.raises(RegistryError, match=r"'churn' 1 must lie in .*, but does not. Put it back"):
        tracker.download("churn", 1)


def test_a_model_of_a_newer_release_is_refused(
    tracker: Tracker, package: ModelPackage, monkeypatch: pytest.MonkeyPatch
) -> None:
    register(tracker, package)
    tracker.client.set_model_version_tag("churn", "1", "churnvalue", "0.10.3")
    monkeypatch.setattr(registry, "package_version", lambda: "0.9.9")
    with pytest.raises(RegistryError, match=r"was made by churnvalue 0.10.3, but 0.9.9 is installed"):
        tracker.download("churn", 1)
    monkeypatch.setattr(registry, "package_version", lambda: "0.10.0")
    assert tracker.download("churn", 1).exists()


def test_a_model_of_a_server_is_copied_once(
    tracker: Tracker, package: ModelPackage, monkeypatch: pytest.MonkeyPatch
) -> None:
    register(tracker, package)
    files = tracker.download("churn", 1)
    calls = []

    def fetch(artifact_uri: str, dst_path: str, tracking_uri: str, registry_uri: str) -> str:
        calls.append((artifact_uri, tracking_uri, registry_uri))
        return str(shutil.copytree(files, Path(dst_path) / "artifacts"))

    monkeypatch.setattr(mlflow.artifacts, "download_artifacts", fetch)
    source = "mlflow-artifacts:/1/models/m-1/artifacts"
    monkeypatch.setattr(type(tracker.client), "get_model_version_download_uri", lambda *_: source)
    copy = tracker.download("churn", 1)
    assert copy == tracker.download("churn", 1)
    assert copy.parent == tracker.folder / "mlcache"
    assert (copy / MODEL_FILES / "weights.json").exists()
    assert calls == [(source, tracker.uri, tracker.uri)]
    assert [path.name for path in copy.parent.iterdir()] == [copy.name]
