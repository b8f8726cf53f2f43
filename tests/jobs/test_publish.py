import json
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pytest

from churnvalue.config import Config, parse_config
from churnvalue.errors import OutputError
from churnvalue.jobs.publish import publish
from churnvalue.storage import read_manifest, staged
from postgres_server import Server

CUTOFF = datetime(2024, 5, 1, 0, 0, 0, 1, tzinfo=UTC)  # a manifest tells it to the minute alone


@pytest.fixture
def config(postgres: Server) -> Config:
    postgres.run("DROP SCHEMA IF EXISTS published CASCADE")
    return configured(sink={"uri": postgres.uri(), "schema": "published"})


def configured(**keys: object) -> Config:
    return parse_config({"project": "shop", "events": [{"source": "a.csv"}], **keys}, Path())


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder as ``score`` and ``plan`` write it: two customers, one message."""
    cutoff = pa.array([CUTOFF] * 2, pa.timestamp("us", tz="UTC"))
    facts = {"project": "shop", "cutoff": "2024-05-01 00:00 UTC", "model_versions": {"churn": 3}}
    with staged(tmp_path, "score", **facts) as stage:
        stage.parquet("scores.parquet", pa.table({"customer_id": ["1", "2"], "cutoff": cutoff, "clv": [1.5, None]}))
    with staged(tmp_path, "plan", **facts) as stage:
        stage.parquet(
            "plan.parquet", pa.table({"customer_id": ["1", "2"], "cutoff": cutoff, "action": ["call", "none"]})
        )
        stage.parquet("sends.parquet", pa.table({"customer_id": ["1"], "slot": [33]}))
        stage.parquet("curve.parquet", pa.table({"budget": [0.0, 10.0, 20.0]}))
        stage.parquet("portfolios.parquet", pa.table({"tier": ["elite"]}))
        stage.text("sends.csv", "customer_id\n1\n")
    return tmp_path


def test_each_command_publishes_its_tables_as_of_their_cutoff(postgres: Server, config: Config, folder: Path) -> None:
    assert publish(config, folder, "score") == {"scores": 2}
    assert publish(config, folder, "plan") == {"plan": 2, "sends": 1, "curve": 3, "portfolios": 1}
    for table in ("scores", "plan", "sends", "curve", "portfolios"):
        found = postgres.run(f"SELECT DISTINCT project, cutoff FROM published.{table}")
        assert found == [{"project": "shop", "cutoff": CUTOFF}]
    assert postgres.run("SELECT customer_id, clv FROM published.scores ORDER BY 1") == [
        {"customer_id": "1", "clv": 1.5},
        {"customer_id": "2", "clv": None},
    ]
    files = read_manifest(folder)["files"]
    runs = postgres.run(
        "SELECT command, table_name, sha256, model_versions FROM published.runs ORDER BY published_at, 2"
    )
    assert [run["table_name"] for run in runs] == ["scores", "curve", "plan", "portfolios", "sends"]
    for run in runs:
        assert (run["command"], run["sha256"]) == (
            files[f"{run['table_name']}.parquet"]["command"],
            files[f"{run['table_name']}.parquet"]["sha256"],
        )
        assert json.loads(run["model_versions"]) == {"churn": 3}


def test_a_changed_file_is_not_published(postgres: Server, config: Config, folder: Path) -> None:
    publish(config, folder, "plan")
    path = folder / "curve.parquet"
    path.write_bytes(path.read_bytes()[:-1] + b"x")
    with pytest.raises(OutputError, match=r"curve.parquet must be as it was written.* Run 'churnvalue plan' again"):
        publish(config, folder, "plan")
    assert postgres.run("SELECT count(*) AS rows FROM published.curve") == [{"rows": 3}]


def test_a_folder_of_another_project_or_without_the_tables_is_refused(
    config: Config, folder: Path, tmp_path: Path
) -> None:
    with pytest.raises(OutputError, match="must be of project 'other', but is of 'shop'"):
        publish(config.model_copy(update={"project": "other"}), folder, "score")
    with staged(tmp_path / "empty", "score", project="shop") as stage:
        stage.parquet("scores.parquet", pa.table({"cutoff": pa.array([], pa.timestamp("us", tz="UTC"))}))
    with pytest.raises(OutputError, match="must hold at least one customer"):
        publish(config, tmp_path / "empty", "score")
    with pytest.raises(OutputError, match=r"must list plan\.parquet in its manifest"):
        publish(config, tmp_path / "empty", "plan")


def test_without_a_sink_nothing_is_published(tmp_path: Path) -> None:
    assert publish(configured(), tmp_path / "absent", "score") == {}
