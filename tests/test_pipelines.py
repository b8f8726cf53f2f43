"""The scheduled runs, as cron starts them, on a small simulated shop and the example configuration."""

import inspect
import os
import re
import runpy
import shutil
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any, ClassVar

import pandas as pd
import pytest
from mlflow.projects.utils import load_project
from pydantic import BaseModel

import churnvalue as cv
from churnvalue import config, list_models
from churnvalue.cli import app
from churnvalue.simulate import simulate_log
from churnvalue.storage import verify

ROOT = Path(__file__).parents[1]
EXAMPLE = ROOT / "pipelines" / "churnvalue.toml"
AS_OF = "2024-11-01"
TABLES = ("scores.parquet", "plan.parquet", "sends.parquet", "curve.parquet")


def run(pipeline: str, *arguments: object) -> int:
    """Run a pipeline as a script and return its exit code."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", [f"{pipeline}.py", *map(str, arguments)])
        try:
            runpy.run_path(str(ROOT / "pipelines" / f"{pipeline}.py"), run_name="__main__")
        except SystemExit as end:
            return int(end.code or 0)
    return 0


def write_shop(folder: Path) -> None:
    """Write a simulated log as the three sources that the example configuration reads."""
    events = simulate_log(customers=400, days=400).events
    (folder / "orders").mkdir(parents=True)
    by_source = events["kind"].map({"purchase": "orders", "return": "orders", "visit": "service", "ticket": "service"})
    by_source = by_source.mask(events["kind"] == "offer", "contacts")
    sources = dict(list(events.rename(columns={"kind": "event_type"}).groupby(by_source.fillna("messages"))))

    wall_clock = {
        f"{word}_at": sources["orders"][column].dt.tz_convert("Europe/London").dt.tz_localize(None)
        for word, column in {"ordered": "event_time", "loaded": "known_at"}.items()
    }
    price = sources["orders"]["amount"] / sources["orders"]["quantity"]
    names = {"customer_id": "customer", "order_id": "order", "category": "article", "channel": "shop"}
    orders = sources["orders"].rename(columns=names).assign(**wall_clock, **{"unit price": price})
    orders = orders[["customer", "ordered_at", "loaded_at", "order", "quantity", "unit price", "article", "shop"]]
    for month, rows in orders.groupby(orders["ordered_at"].dt.month):
        rows.to_parquet(folder / "orders" / f"{month:02d}.parquet", index=False)

    columns = ["customer_id", "event_time", "event_type"]
    service = sources["service"][columns]
    service.to_csv(folder / "service.csv", index=False, date_format="%d/%m/%Y %H:%M")
    sources["messages"][[*columns, "channel", "campaign"]].to_parquet(folder / "messages.parquet", index=False)

    offers = events[events["kind"] == "offer"]
    names = {"customer_id": "customer", "event_time": "contacted_at", "category": "action", "campaign": "experiment"}
    contacts = offers.rename(columns=names)[[*names.values(), "channel"]]
    contacts.assign(cost=0.05, redeemed=0, propensity=0.5).to_parquet(folder / "contacts.parquet", index=False)


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Configuration of a shop whose models ``retrain`` has trained: the example, with one trial."""
    root = tmp_path_factory.mktemp("shop")
    path = root / "pipelines" / "churnvalue.toml"
    write_shop(path.parent / "data")
    shutil.copytree(ROOT / "models", root / "models")
    path.write_text(EXAMPLE.read_text(encoding="utf-8").replace("trials = 20", "trials = 1"), encoding="utf-8")
    assert run("retrain", "--config", path, "--as-of", AS_OF) == 0
    return path


@pytest.fixture(scope="module")
def night(shop: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What ``nightly`` wrote."""
    folder = tmp_path_factory.mktemp("night")
    assert run("nightly", "--config", shop, "--as-of", AS_OF, "--out", folder) == 0
    return folder


def test_retrain_registers_champions_and_says_what_it_learnt_from(shop: Path) -> None:
    verify(shop.parent, ["train.json"])
    registered = list_models(cv.read_config(shop))
    assert sorted(registered["model"]) == ["churn", "orders", "return", "spend", "value"]
    assert registered["aliases"].str.contains("champion").all()
    assert set(registered["as_of"]) == {AS_OF}


def test_nightly_fills_one_folder(night: Path) -> None:
    verify(night, [*TABLES, "report.html"])
    scores, plan = (pd.read_parquet(night / name) for name in TABLES[:2])
    assert (scores["cutoff"] == pd.Timestamp(AS_OF, tz="UTC")).all()
    assert scores["customer_id"].tolist() == plan["customer_id"].tolist()


def test_a_night_made_up_for_later_gives_the_same_bytes_in_silence(
    shop: Path, night: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert run("nightly", "--config", shop, "--as-of", AS_OF, "--out", tmp_path) == 0
    assert capfd.readouterr() == ("", "")
    for name in [*TABLES, "report.html", "manifest.json"]:
        assert (night / name).read_bytes() == (tmp_path / name).read_bytes(), name


def test_a_night_without_as_of_ends_with_the_log(shop: Path, tmp_path: Path) -> None:
    assert run("nightly", "--config", shop, "--out", tmp_path) == 0
    cutoff = pd.read_parquet(tmp_path / "scores.parquet")["cutoff"].iloc[0]
    assert cutoff > pd.Timestamp("2025-02-01", tz="UTC")  # the log ends on 2025-02-03


def test_a_candidate_that_is_not_promoted_is_exit_code_3(
    shop: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    gate = {"passed": False, "reasons": ["churn: auc 0.61 does not beat recency with 0.63", "too little"]}
    refused = SimpleNamespace(promoted=False, summary={"gate": gate})
    monkeypatch.setattr(cv, "train", lambda *arguments: refused, raising=False)
    assert run("retrain", "--config", shop) == 3
    expected = "retrain: not promoted: churn: auc 0.61 does not beat recency with 0.63; too little.\n"
    assert capsys.readouterr().err == expected


@pytest.mark.parametrize(("pipeline", "more"), [("retrain", []), ("nightly", ["--out", "out"])])
def test_an_error_is_one_line_and_exit_code_1(
    pipeline: str, more: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(pipeline, "--config", tmp_path / "none.toml", *more) == 1
    shown = capsys.readouterr().err
    assert shown.startswith(f"{pipeline}: A configuration is needed at")
    assert shown.count("\n") == 1


@pytest.mark.parametrize(("pipeline", "arguments"), [("retrain", ["--trials", "2"]), ("nightly", [])])
def test_wrong_usage_is_exit_code_2(pipeline: str, arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert run(pipeline, *arguments) == 2
    assert capsys.readouterr().err.startswith("usage: ")


def test_the_example_reads_every_source_whole(shop: Path) -> None:
    readiness = cv.check(cv.read_config(shop))
    assert readiness.ready
    rows = next(finding for finding in readiness.findings if finding.subject == "rows")
    assert rows.text.endswith("rows can be used (100.0%)")
    kinds = next(finding for finding in readiness.findings if finding.subject == "events").text
    for kind in ("purchase", "return", "visit", "ticket", "message_sent", "message_open"):
        assert f"× {kind}" in kinds


def test_the_example_names_every_key_of_every_section() -> None:
    text = EXAMPLE.read_text(encoding="utf-8")
    keys = {
        key
        for section in vars(config).values()
        if isinstance(section, type) and issubclass(section, BaseModel) and section is not BaseModel
        for key in section.model_fields
    }
    assert {key for key in keys - {"folder"} if f"{key} =" not in text and f"{key}]" not in text} == set()


def test_the_example_is_the_defaults_where_it_does_not_say_otherwise() -> None:
    example = cv.read_config(EXAMPLE)
    defaults = config.parse_config({"events": [{"source": "orders.csv"}]}, EXAMPLE.parent)
    for section in ("checks", "population", "outcome", "training"):
        assert getattr(example, section) == getattr(defaults, section), section
    for key in ("budget", "holdout", "explore", "exclude", "below_zero"):
        assert getattr(example.retention, key) == getattr(defaults.retention, key), key
    assert (example.models, example.mlflow.experiment) == ({"churn": "../models/churn.toml"}, example.project)
    assert (EXAMPLE.parent / example.models["churn"]).is_file()


def test_measure_says_what_a_night_earned(shop: Path, night: Path, capsys: pytest.CaptureFixture[str]) -> None:
    capsys.readouterr()
    assert run("measure", "--config", shop, "--plan", night) == 0
    assert "staying" in capsys.readouterr().out
    verify(night, [*TABLES, "measure.json"])
    again = night.parent / "learnt"
    learning = ["nightly", "--config", shop, "--out", again, "--measured", night, "--as-of"]
    assert run(*learning, AS_OF) == 1
    assert "A plan may learn from what was known before its cutoff" in capsys.readouterr().err
    assert run(*learning, "2025-03-01") == 0
    assert run("measure", "--config", shop, "--plan", night, "--as-of", AS_OF) == 1
    assert "is needed, but the log is observed until" in capsys.readouterr().err


# What schedulers do with the exit code of a run: 3 is a verdict, the others that are not 0 are failures.
HANDLED = pytest.mark.parametrize(("code", "fails"), [(0, False), (1, True), (2, True), (3, False)])


def python_that_ends_with(code: int, path: Path) -> Path:
    """Write an executable that notes its arguments beside itself and ends with ``code``."""
    path.parent.mkdir(parents=True)
    path.write_text(f'#!/bin/sh\necho "$@" > "$(dirname "$0")/called"\nexit {code}\n', encoding="utf-8")
    path.chmod(0o755)
    return path.parent / "called"


@HANDLED
def test_cron_takes_no_promotion_for_done(code: int, fails: bool, tmp_path: Path) -> None:
    text = (ROOT / "pipelines" / "crontab.example").read_text(encoding="utf-8")
    jobs = [line.split(maxsplit=5) for line in text.splitlines() if line[:1].isdigit()]
    assert all(re.fullmatch(r"[\d*]+", field) for job in jobs for field in job[:5])
    called = python_that_ends_with(code, tmp_path / ".venv" / "bin" / "python")
    variables = {"PATH": os.environ["PATH"], "SHOP": str(tmp_path), "CONFIG": "shop.toml"}
    ended = {}
    for *_, command in jobs:
        done = subprocess.run(["bash", "-c", command.replace("\\%", "%")], env=variables, check=False)
        script, *arguments = called.read_text(encoding="utf-8").split()
        assert (ROOT / script).is_file()
        assert arguments[:2] == ["--config", "shop.toml"]
        ended[Path(script).stem] = done.returncode
    assert set(ended) == {"nightly", "retrain", "measure"}
    assert (ended["retrain"] != 0) == fails
    assert ended["nightly"] == code  # only training ends with 3


class Stub:
    """Airflow as far as the DAGs use it: notes tasks and what comes after what."""

    tasks: ClassVar[dict[str, dict[str, Any]]] = {}
    dags: ClassVar[dict[str, dict[str, Any]]] = {}

    def __init__(self, dag_id: str = "", **options: Any) -> None:
        self.name = options.get("task_id", dag_id)
        (self.tasks if "task_id" in options else self.dags)[self.name] = options

    def __enter__(self) -> "Stub":
        return self

    def __exit__(self, *error: object) -> None:
        return

    def __rshift__(self, other: "Stub") -> "Stub":
        self.tasks[other.name]["after"] = self.name
        return other


@pytest.mark.parametrize("provider", ["airflow.operators.bash", "airflow.providers.standard.operators.bash"])
def test_airflow_calls_commands_that_exist_and_skips_what_was_not_promoted(
    provider: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Stub, "tasks", {})
    monkeypatch.setattr(Stub, "dags", {})
    parents = [provider.rsplit(".", depth)[0] for depth in range(provider.count("."), 0, -1)]
    for name in parents:
        monkeypatch.setitem(sys.modules, name, SimpleNamespace(DAG=Stub))
    monkeypatch.setitem(sys.modules, provider, SimpleNamespace(BashOperator=Stub))
    runpy.run_path(str(ROOT / "pipelines" / "airflow_dag.py"))
    assert set(Stub.dags) == {"churnvalue_nightly", "churnvalue_monthly"}
    assert {name: task.get("after") for name, task in Stub.tasks.items()} == {
        "score": None, "plan": "score", "report": "plan", "train": None, "measure": None,
    }  # fmt: skip
    handled = {name: task["skip_on_exit_code"] for name, task in Stub.tasks.items()}
    assert handled == {"score": None, "plan": None, "report": None, "train": 3, "measure": None}
    commands = {command.callback.__name__: command.callback for command in app.registered_commands}
    for name, task in Stub.tasks.items():
        words = re.sub(r"\{\{.*?\}\}", "X", task["bash_command"]).split(" && ")[1].split()
        assert words[:2] == ["X", name]
        given = {word[2:].replace("-", "_") for word in words if word.startswith("--")}
        assert given <= set(inspect.signature(commands[name]).parameters), name


@HANDLED
def test_mlflow_takes_no_promotion_for_a_finished_run(code: int, fails: bool, tmp_path: Path) -> None:
    project = load_project(str(ROOT / "pipelines"))
    given = {"train": {}, "nightly": {"out": "out/2025-01-01"}, "measure": {"plan": "out/2025-01-01"}}
    called = python_that_ends_with(code, tmp_path / "bin" / "python")
    variables = {"PATH": f"{tmp_path / 'bin'}:{os.environ['PATH']}"}
    for name, parameters in given.items():
        command = project.get_entry_point(name).compute_command(parameters, None)
        done = subprocess.run(["bash", "-c", command], env=variables, check=False)
        script, *arguments = called.read_text(encoding="utf-8").split()
        assert (ROOT / "pipelines" / script).is_file()
        assert arguments[:2] == ["--config", "churnvalue.toml"]
        assert (done.returncode != 0) == (fails if name == "train" else code != 0), name


def test_every_exit_code_and_example_is_documented() -> None:
    text = (ROOT / "pipelines" / "README.md").read_text(encoding="utf-8")
    files = {path.name for path in (ROOT / "pipelines").iterdir() if path.is_file()} - {"README.md"}
    assert {name for name in files if f"`{name}`" not in text} == set()
    assert all(f"\n| {code} | " in text for code in (0, 1, 2, 3))
