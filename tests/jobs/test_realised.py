"""Past scores of four customers, graded by hand on what they did."""

from types import SimpleNamespace

import pandas as pd
import pyarrow as pa
import pytest
from small_shop import AS_OF

from churnvalue import clock
from churnvalue.config import parse_config
from churnvalue.engines import read_log
from churnvalue.jobs.champions import open_registry
from churnvalue.jobs.outputs import SCORES
from churnvalue.jobs.realised import Realised, grade_past_scores, logged, promised, realised_sentence
from churnvalue.storage import staged

EVENTS = """
customer_id  event_time  kind      amount
anna         2024-01-05  purchase  10
bert         2024-01-06  purchase  10
cleo         2024-01-07  purchase  10
dora         2024-01-08  purchase  10
anna         2024-02-05  purchase  30
anna         2024-02-20  purchase  20
bert         2024-02-29  purchase  50   # the last moment of the horizon
cleo         2024-03-02  purchase  99   # after it
"""
SCORED = pd.DataFrame(
    {
        "customer_id": ["anna", "bert", "cleo", "dora"],
        "p_churn": [0.2, 0.6, 0.5, 0.9],
        "orders": [2.0, 0.5, 0.5, 0.3],
        "spend": [50.0, 40.0, 10.0, 10.0],
    }
)
FACTS = {"project": "shop", "horizon_days": 30, "model_versions": {"churn": 3, "orders": 3, "spend": 2, "value": 3}}
TAGS = {"promised_auc": "0.8", "promised_log_loss": "0.45", "promised_ratio": "1.05"}


@pytest.fixture(scope="module")
def log(log_from):
    return log_from(EVENTS, as_of="2024-03-10")


class Registry:
    """Version 3 of churn says what it promised; nothing else is known."""

    def names(self):
        return ["churn", "orders", "value"]

    def versions(self, name):
        return [SimpleNamespace(version=3, tags=TAGS if name == "churn" else {})]


def write(folder, scores=SCORED, cutoff="2024-01-31", **facts):
    moment = pd.DatetimeIndex([pd.Timestamp(cutoff, tz="UTC")] * len(scores), dtype="datetime64[us, UTC]")
    with staged(folder, "score", **(FACTS | facts)) as stage:
        stage.parquet(SCORES, pa.Table.from_pandas(scores.assign(cutoff=moment), preserve_index=False))


def grade(root, log, *patterns):
    raw = {"project": "shop", "events": [{"source": "x"}], "drift": {"past_scores": list(patterns)}}
    return grade_past_scores(parse_config(raw, root), log, Registry())


def test_scores_are_graded_on_what_happened_within_their_horizon(log, tmp_path):
    write(tmp_path / "scores" / "2024-01-31")
    found = grade(tmp_path, log, "scores/2024-*")
    assert found.notes == ()
    values = {(row["model"], row["metric"]): (row["realised"], row["then"]) for row in found.rows}
    # Anna and Bert came back, Cleo and Dora did not: of four pairs, 0.6 before 0.5 is the one that is wrong.
    assert values[("churn", "auc")] == (0.75, 0.8)
    # -(ln 0.8 + ln 0.4 + ln 0.5 + ln 0.9) / 4
    assert values[("churn", "log_loss")] == (pytest.approx(0.484, abs=5e-4), 0.45)
    assert values[("churn", "ratio")] == (pytest.approx(2.2 / 2), 1.05)
    assert values[("orders", "ratio")] == (pytest.approx(3.3 / 3), None)
    assert values[("spend", "ratio")] == (pytest.approx(110 / 100), None)
    assert {(row["cutoff"], row["as_of"], row["customers"]) for row in found.rows} == {("2024-01-31", "2024-03-03", 4)}
    assert [row["version"] for row in found.rows] == [3, 3, 3, 3, 2]


def test_nothing_is_graded_where_nothing_is_asked(log, tmp_path):
    assert grade(tmp_path, log) == Realised()
    assert realised_sentence([]) == ""


def test_folders_that_cannot_be_graded_are_named(log, tmp_path):
    write(tmp_path / "a")
    write(tmp_path / "open", cutoff="2024-02-20")
    write(tmp_path / "foreign", project="other")
    write(tmp_path / "old", scores=SCORED.drop(columns="orders"))
    write(tmp_path / "nobody", scores=SCORED[:0])
    write(tmp_path / "unknown", scores=SCORED.assign(spend=float("nan")))
    write(tmp_path / "damaged")
    (tmp_path / "damaged" / SCORES).write_bytes(b"not what was written")
    (tmp_path / "empty").mkdir()
    found = grade(tmp_path, log, "*", "none-*", "a")
    assert len(found.rows) == 5
    said = [
        "'none-*' matches no folder", "damaged/scores.parquet must be as it was written", "empty must hold manifest.json",
        "must be of project 'shop', but is of 'other'", "nobody must hold customers with the versions",
        "old must hold customers with the versions", "Outcomes until 2024-03-21 are needed", "predicted must be finite",
    ]  # fmt: skip
    assert len(found.notes) == len(said)
    for note, part in zip(found.notes, said, strict=True):
        assert part in note
    assert all(f"the scores in {tmp_path / name} are not graded" in " ".join(found.notes) for name in ("open", "old"))


def test_customers_whom_the_log_does_not_know_are_counted_and_left_out(log, tmp_path):
    write(tmp_path / "a", scores=SCORED.assign(customer_id=["anna", "bert", "cleo", "zoe"]))
    found = grade(tmp_path, log, "a")
    assert {row["customers"] for row in found.rows} == {3}
    assert found.notes == (f"1 customers of the scores in {tmp_path / 'a'} are not in the log, and not graded",)


def test_what_is_undefined_is_null_and_what_was_not_foretold_is_left_out(log, tmp_path):
    write(tmp_path / "a", scores=SCORED[2:].assign(spend=float("nan")), model_versions={"churn": 1, "orders": 1})
    rows = {(row["model"], row["metric"]): row for row in grade(tmp_path, log, "a").rows}
    assert sorted(rows) == [("churn", "auc"), ("churn", "log_loss"), ("churn", "ratio"), ("orders", "ratio")]
    assert rows[("churn", "auc")]["realised"] is None  # nobody came back
    assert rows[("orders", "ratio")]["realised"] is None
    assert rows[("churn", "ratio")]["then"] is None  # of version 1 nothing is known


def test_cutoffs_are_steps_and_the_newest_is_put_in_words(log, tmp_path):
    write(tmp_path / "b", cutoff="2024-01-20")
    write(tmp_path / "c", cutoff="2024-01-31")
    rows = grade(tmp_path, log, "c", "b").rows
    assert [row["cutoff"] for row in rows] == ["2024-01-20"] * 5 + ["2024-01-31"] * 5
    steps = logged(rows)
    assert list(steps) == [clock.micros(day) // clock.DAY for day in ("2024-01-20", "2024-01-31")]
    assert steps[clock.micros("2024-01-31") // clock.DAY]["realised.churn.auc"] == 0.75
    assert realised_sentence(rows).startswith(
        "Scores of 2024-01-31 on what 4 customers did since: churn 3 AUC 0.750 (0.800 at training), churn 3 log-loss"
    )


def test_a_training_promises_what_it_saw_on_its_newest_closed_window():
    summary = {
        "learnt_days": 30,
        "horizon_days": 30,
        "calibration": [
            {"predicted": 0.5, "actual": 0.25, "customers": 20},
            {"predicted": 1.0, "actual": 1.0, "customers": 10},
        ],
        "models": {"churn": {"metrics": {"auc": 0.75, "log_loss": 0.5}}, "orders": {"metrics": {"bias": 1.25}}},
    }
    promise = {"promised_auc": "0.75", "promised_log_loss": "0.5", "promised_ratio": f"{20 / 15:.6g}"}
    assert promised("churn", summary) == promise
    assert promised("orders", summary) == {"promised_ratio": "1.25"}
    assert promised("spend", summary) == promised("value", summary) == {}
    assert promised("churn", summary | {"horizon_days": 90}) == {}
    assert promised("churn", {"learnt_days": 30, "horizon_days": 30, "models": {}}) == {}


def test_scores_of_a_shop_are_graded_against_the_promise_of_their_version(shop, events):
    config = shop.changed(drift={"past_scores": ["out"]})
    found = grade_past_scores(config, read_log(config), open_registry(config))
    assert found.notes == ()
    values = {(row["model"], row["metric"]): row for row in found.rows}
    promise = shop.training.summary["models"]["churn"]["metrics"]
    assert values[("churn", "auc")]["then"] == pytest.approx(promise["auc"], rel=1e-5)
    assert all(row["then"] is not None and row["version"] == 1 for row in found.rows)
    end = AS_OF + pd.Timedelta(days=30)
    bought = events[(events["kind"] == "purchase") & events["event_time"].between(AS_OF, end, "left")]
    ids = shop.scores["customer_id"]
    left = ~ids.isin(bought["customer_id"])
    assert values[("churn", "ratio")]["realised"] == pytest.approx(shop.scores["p_churn"].sum() / left.sum())
    orders = bought[bought["customer_id"].isin(ids)]["order_id"].nunique()
    assert values[("orders", "ratio")]["realised"] == pytest.approx(shop.scores["orders"].sum() / orders)
    assert shop.training.summary["realised"] == []
