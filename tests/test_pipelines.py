"""The scheduled runs, as cron starts them, on a small simulated shop and the example configuration."""

import runpy
import shutil
import sys
from pathlib import Path
from types import SimpleNamespace

import pandas as pd
import pytest
from pydantic import BaseModel

import churnvalue as cv
from churnvalue import config, list_models
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
