"""Faults 1, 5, 6, 25 to 28 and 33 to 36: what must hold of a trained shop when its log, its outputs or its registry change."""

import json
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import lightgbm as lgb
import numpy as np
import pandas as pd
import pytest
from small_orders import CONFIG, ODD_KIND, ONCE

import churnvalue as cv
from churnvalue.jobs.champions import load_champions
from churnvalue.models.boosted import fit_trees
from churnvalue.models.definition import read_definition

Refused = Callable[..., str]
SCORE = ("score", "--out", "out")


@pytest.fixture
def orders_of(shop: Path) -> pd.DataFrame:
    """The orders of the shop as text, as they stand in its file."""
    return pd.read_csv(shop / "orders.csv", dtype=str, keep_default_na=False)


def in_store(folder: Path, statement: str, *values: object) -> None:
    """Change the registry behind everyone's back."""
    with sqlite3.connect(folder / "mlflow.db") as store:
        assert store.execute(statement, values).rowcount > 0


@contextmanager
def damaged(path: Path, place: int = -100) -> Iterator[None]:
    """A file with one bit of one byte flipped, whole again afterwards."""
    whole = path.read_bytes()
    flipped = bytearray(whole)
    flipped[place] ^= 1
    path.write_bytes(bytes(flipped))
    try:
        yield
    finally:
        path.write_bytes(whole)


# The log has changed since training


def test_fault_01_no_events_before_the_cutoff_of_a_scoring(shop: Path, refused: Refused) -> None:
    line = refused(shop, *SCORE, "--as-of", "2001-01-01")
    assert "at least one usable event" in line
    assert "is before 2001-01-01" in line


@pytest.mark.parametrize("column", ["amount", "customer", "time"])
def test_fault_05_a_column_renamed_since_training_is_named(
    shop: Path, orders_of: pd.DataFrame, refused: Refused, column: str
) -> None:
    orders_of.rename(columns={column: f"{column}_2"}).to_csv(shop / "orders.csv", index=False)
    line = refused(shop, *SCORE)
    assert f"'{column}'" in line
    assert f"Did you mean '{column}_2'?" in line


@pytest.mark.parametrize(
    ("column", "retyped", "message"),
    [
        ("amount", lambda cells: cells + " EUR", "amount of orders.csv must be numbers"),
        ("time", lambda cells: pd.Series(np.arange(len(cells))), "rows may be unusable"),
        ("time", lambda cells: cells.where(cells.index % 9 > 0, cells + "Z"), "all with or all without a UTC offset"),
    ],
)
def test_fault_05_a_column_retyped_since_training_is_named(
    shop: Path, orders_of: pd.DataFrame, refused: Refused, column: str, retyped: Callable[[Any], Any], message: str
) -> None:
    orders_of.assign(**{column: retyped(orders_of[column])}).to_csv(shop / "orders.csv", index=False)
    assert message in refused(shop, *SCORE)


def test_fault_05_amounts_gone_since_training(shop: Path, refused: Refused) -> None:
    (shop / "churnvalue.toml").write_text(CONFIG.replace(', amount = "amount"', ""), encoding="utf-8")
    assert "at training" in refused(shop, *SCORE)


def test_fault_05_a_kind_gone_since_training_is_noted(shop: Path, orders_of: pd.DataFrame) -> None:
    orders_of[orders_of["kind"] != ODD_KIND].to_csv(shop / "orders.csv", index=False)
    cv.score(cv.read_config(shop / "churnvalue.toml"), out=shop / "new")
    drift = json.loads((shop / "new" / "manifest.json").read_text(encoding="utf-8"))["facts"]["score"]["drift"]
    assert drift["status"] == "warn"
    assert any(ODD_KIND in note for note in drift["notes"]), drift["notes"]


def test_fault_06_the_order_of_columns_and_rows_changes_no_byte(shop: Path, orders_of: pd.DataFrame) -> None:
    before = (shop / "out" / "scores.parquet").read_bytes()
    shuffled = orders_of[sorted(orders_of, reverse=True)].sample(frac=1, random_state=3)
    shuffled.to_csv(shop / "orders.csv", index=False)
    cv.score(cv.read_config(shop / "churnvalue.toml"), out=shop / "again")
    assert (shop / "again" / "scores.parquet").read_bytes() == before


def test_fault_26_an_unseen_category_is_one_like_any_other(shop: Path, orders_of: pd.DataFrame) -> None:
    before = pd.read_parquet(shop / "out" / "scores.parquet")
    renamed = orders_of.assign(item=orders_of["item"].replace({"item 1": "never seen in training"}))
    renamed.to_csv(shop / "orders.csv", index=False)
    scores = cv.score(cv.read_config(shop / "churnvalue.toml"))
    columns = ["customer_id", "p_churn", "orders", "spend", "clv", "band"]
    pd.testing.assert_frame_equal(scores[columns], before[columns])


# Odd features and customers


def test_fault_25_features_that_say_nothing_are_borne(trained: Path) -> None:
    # Of every customer quantity_mean is null and lines_mean 1: see small_orders.CHURN.
    summary = json.loads((trained / "train.json").read_text(encoding="utf-8"))
    champions = load_champions(cv.read_config(trained / "churnvalue.toml"))
    assert {"quantity_mean_purchase", "lines_mean_purchase"} <= set(champions.churn.inputs)
    assert summary["promoted"]
    assert pd.read_parquet(trained / "out" / "scores.parquet")["p_churn"].between(0, 1).all()


def test_fault_27_kinds_of_odd_names_are_features(trained: Path) -> None:
    champions = load_champions(cv.read_config(trained / "churnvalue.toml"))
    assert {f"event_count_{ODD_KIND}_30d", f"event_count_{ODD_KIND}"} <= set(champions.churn.inputs)


def test_fault_27_names_with_signs_of_json(trained: Path) -> None:
    rng = np.random.default_rng(1)
    frame = pd.DataFrame({'event_count_visit: "web", [app]{1}': rng.normal(size=200)})
    definition = read_definition(
        "churn", cv.read_config(trained / "churnvalue.toml"), {"purchase", ODD_KIND}
    ).definition
    model = fit_trees(definition, {"objective": "binary"}, 3, frame, pd.Series((frame.iloc[:, 0] > 0).astype(float)))
    assert model.features == tuple(frame.columns)
    assert model.predict(frame).std() > 0


def test_fault_28_a_customer_seen_once_is_scored_and_flagged(trained: Path) -> None:
    scores = pd.read_parquet(trained / "out" / "scores.parquet").set_index("customer_id")
    row = scores.loc[ONCE]
    assert row[["p_churn", "orders", "spend", "clv", "p_return_7d"]].notna().all()
    assert np.isfinite(row["second_purchase_day"])  # stated for those alone who were seen on one day
    assert scores["second_purchase_day"].notna().sum() < len(scores) / 2
    assert any("came back" in driver["text"] or "0 days" in driver["text"] for driver in row["drivers"])


# Outputs and models that are not as they were


@pytest.mark.parametrize(
    ("name", "command"),
    [
        ("scores.parquet", ("plan", "--scores", "out", "--out", "planned")),
        ("scores.parquet", ("report", "--scores", "out")),
        ("scores.parquet", ("explain", ONCE, "--scores", "out")),
        ("scores.parquet", ("audience", "p_churn > 0", "--scores", "out")),
    ],
)
def test_fault_33_a_flipped_byte_of_an_output_is_seen(
    shop: Path, refused: Refused, name: str, command: tuple[str, ...]
) -> None:
    for place in (4, -100):
        with damaged(shop / "out" / name, place):
            assert f"out/{name} must be as it was written, but its bytes changed" in refused(shop, *command)


def test_fault_33_a_flipped_byte_of_a_plan_is_seen(shop: Path, refused: Refused) -> None:
    shutil.copy(shop / "out" / "scores.parquet", shop / "out" / "plan.parquet")
    manifest = json.loads((shop / "out" / "manifest.json").read_text(encoding="utf-8"))
    manifest["files"]["plan.parquet"] = {**manifest["files"]["scores.parquet"], "command": "plan"}
    manifest["facts"]["plan"] = {"project": "small"}
    (shop / "out" / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")
    with damaged(shop / "out" / "plan.parquet"):
        line = refused(shop, "measure", "--plan", "out")
    assert "plan.parquet must be as it was written, but its bytes changed. Run 'churnvalue plan' again." in line


@pytest.mark.parametrize("name", ["churn.txt", "model.json", "files.json"])
def test_fault_34_a_corrupt_model_is_refused_before_lightgbm_opens_it(
    shop: Path, empty_store: Path, refused: Refused, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    def opened(*_: object, **__: object) -> None:
        raise AssertionError("LightGBM has opened a damaged file")

    monkeypatch.setattr(lgb, "Booster", opened)
    models = sorted(empty_store.parent.rglob(f"data/model/{name}"))  # they lie where the registry was made
    with damaged(models[0], 20):
        line = refused(shop, *SCORE)
    assert "must be as it was registered, but its bytes changed" in line
    assert name in line or name == "files.json"  # whose digests then fit no file
    assert "promote another version" in line


def test_fault_35_a_champion_that_is_gone_lists_the_versions(shop: Path, refused: Refused) -> None:
    in_store(shop, "DELETE FROM registered_model_aliases WHERE name = 'churn' AND alias = 'champion'")
    line = refused(shop, *SCORE)
    assert "churn" in line
    assert "versions: 1" in line.lower()
    assert "churnvalue promote churn" in line


def test_fault_35_without_a_champion_nothing_is_scored(shop: Path, refused: Refused) -> None:
    in_store(shop, "DELETE FROM registered_model_aliases WHERE name = 'churn' AND alias = 'champion'")
    assert "churn has none" in refused(shop, *SCORE)


def test_fault_36_a_model_of_a_newer_version_is_refused(shop: Path, refused: Refused) -> None:
    in_store(shop, "UPDATE model_version_tags SET value = '99.1.0' WHERE key = 'churnvalue' AND name = 'orders'")
    line = refused(shop, *SCORE)
    assert "'orders' 1 was made by churnvalue 99.1.0, but" in line
    assert "Install 99.1.0, or promote an older version" in line
