"""The main job from log to plan, run once, and what must hold of everything that it leaves behind."""

import json
import re
from collections.abc import Mapping
from datetime import datetime
from functools import partial
from html.parser import HTMLParser
from pathlib import Path

import mlflow
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from small_shop import AS_OF, AS_OF_DATE, BEYOND_FLOATS, LEADING_ZEROS, ONCE, TOML

from churnvalue import cli, clock
from churnvalue.engines import read_log
from churnvalue.errors import ChurnvalueError, ConfigError, OutputError, RegistryError
from churnvalue.evaluation.metrics import paired_bootstrap
from churnvalue.jobs.backtest import backtest
from churnvalue.jobs.champions import open_registry
from churnvalue.jobs.plan import plan
from churnvalue.jobs.registered import OUTPUTS
from churnvalue.jobs.registry import list_models, promote
from churnvalue.jobs.report import explain_customer, write_report
from churnvalue.jobs.score import score
from churnvalue.jobs.train import train
from churnvalue.models.definition import definitions_folder
from churnvalue.snapshots import training_cutoffs
from churnvalue.storage import read_manifest
from churnvalue.tracking.packages import MODEL_FILES

MONEY = [
    *("spend", "spend_p10", "spend_p50", "spend_p90", "clv", "clv_p10", "clv_p90"),
    *("p_below_zero", "cost_to_serve", "attainable"),
]
RETURNS = ["p_return_7d", "p_return_14d", "p_return_30d"]
TIME = pa.timestamp("us", tz="UTC")
DRIVERS = pa.list_(
    pa.struct({"feature": pa.string(), "value": pa.float64(), "effect": pa.float64(), "text": pa.string()})
)
SCORES = {
    "customer_id": pa.string(),
    "cutoff": TIME,
    **dict.fromkeys(["p_churn", "orders", *MONEY, *RETURNS, "second_purchase_day"], pa.float64()),
    "tier": pa.string(),
    "previous_tier": pa.string(),
    "percentile": pa.float64(),
    "band": pa.string(),
    "drivers": DRIVERS,
    "spend_drivers": DRIVERS,
    "model_versions": pa.string(),
}
PLAN = [
    *(
        "customer_id",
        "cutoff",
        "tier",
        "service_level",
        "action",
        "expected_profit",
        "profit_p10",
        "profit_p90",
        "cost",
    ),
    *("group", "propensity", "eligible", "reason", "evidence", "policy_version"),
    *("planned_action", "p_stay_change", "stake", "p_profit", "service_profit", "service_cost", "next_category"),
]
SENDS = [
    *("customer_id", "channel", "send_at", "send_at_local", "slot", "p_slot", "group", "propensity", "eligible_slots"),
    *("evidence", "reason", "message", "p_response", "expected_value", "eligible", "policy_version"),
]


def known(events):
    """Events that had happened and were known at the cutoff."""
    return events[(events["event_time"] < AS_OF) & (events["known_at"] < AS_OF)]


def poisoned(events):
    """The same past, in another order, with another future."""
    past = known(events)
    future = events.drop(index=past.index).sample(frac=0.7, random_state=1)
    future = future.assign(amount=1000.0, kind="purchase", order_id=None, quantity=9.0)
    return pd.concat([future, past]).sample(frac=1, random_state=2)


def model_bytes(config, version=1) -> Mapping[str, bytes]:
    tracker = open_registry(config)
    folders = {name: tracker.download(name, version) / MODEL_FILES for name in OUTPUTS}
    return {f"{name}/{path.name}": path.read_bytes() for name, folder in folders.items() for path in folder.iterdir()}


def own_churn(folder: Path, features: str | None = None, **replaced: str) -> Path:
    """Write a definition of churn with other features, or with parts of its text replaced."""
    text = (definitions_folder() / "churn.toml").read_text(encoding="utf-8")
    if features is not None:
        text = re.sub(r"features = \[.*?\n\]", f"features = [{features}]", text, flags=re.DOTALL)
    for key, line in replaced.items():
        text, count = re.subn(rf"(?m)^{key} = .*$", f"{key} = {line}", text)
        assert count == 1
    (folder / "churn.toml").write_text(text, encoding="utf-8")
    return folder / "churn.toml"


def run(monkeypatch, folder, *arguments) -> int:
    """Run the command line in ``folder`` and return its exit code."""
    monkeypatch.chdir(folder)
    monkeypatch.setattr("sys.argv", ["churnvalue", *arguments])
    try:
        cli.main()
    except SystemExit as end:
        return int(end.code or 0)
    return 0


# Scores


def test_scores_have_the_columns_of_the_contract_and_one_sorted_row_a_customer(shop):
    table = pq.read_table(shop.out / "scores.parquet")
    assert {field.name: field.type for field in table.schema} == SCORES
    assert table.column_names == list(SCORES)
    ids = table["customer_id"].to_pylist()
    assert ids == sorted(set(ids))
    assert set(table["cutoff"].to_pylist()) == {AS_OF.to_pydatetime()}
    assert shop.scores["customer_id"].tolist() == ids


def test_everyone_in_the_population_is_scored_and_all_others_are_counted(shop, events):
    bought = known(events)
    bought = bought[(bought["kind"] == "purchase") & (bought["event_time"] >= AS_OF - pd.Timedelta(days=365))]
    assert set(shop.scores["customer_id"]) == set(bought["customer_id"])
    facts = read_manifest(shop.out)["facts"]["score"]
    assert facts["rows_kept"] + facts["later"] + facts["duplicates"] == facts["rows_read"] == len(events)
    assert facts["later"] == len(events) - len(known(events))


def test_ids_survive_and_a_customer_seen_once_is_scored(shop, events):
    assert {LEADING_ZEROS, BEYOND_FLOATS, ONCE} <= set(shop.scores["customer_id"])
    assert (events["customer_id"] == ONCE).sum() == 1
    row = shop.scores.set_index("customer_id").loc[ONCE]
    assert row[["p_churn", "orders", *MONEY, *RETURNS]].notna().all()
    assert len(row["drivers"]) >= 1


def test_scores_are_one_coherent_set(shop):
    scores = shop.scores
    assert scores["p_churn"].between(0, 1, inclusive="neither").all()
    assert (scores["orders"] >= 1 - scores["p_churn"]).all()
    for quantiles in (["spend_p10", "spend_p50", "spend_p90"], ["clv_p10", "clv", "clv_p90"], RETURNS):
        assert (scores[quantiles].diff(axis=1).iloc[:, 1:] >= 0).all(axis=None)
    assert (scores.loc[scores["p_churn"] > 0.5, "spend_p50"] == 0).all()
    np.testing.assert_allclose(scores["p_return_30d"], 1 - scores["p_churn"], rtol=1e-9)  # the horizon is 30 days
    assert scores["percentile"].between(0, 100, inclusive="neither").all()
    assert scores.sort_values("clv")["percentile"].is_monotonic_increasing
    assert set(scores["band"]) == {"low", "medium", "high"}
    assert scores["model_versions"].unique().tolist() == ["churn 1, orders 1, spend 1, value 1, return 1"]


def test_coming_back_never_contradicts_leaving_and_a_second_purchase_is_of_first_time_buyers(shop):
    features = pd.read_parquet(shop.out / "features.parquet")
    scores = shop.scores
    assert (scores[["p_return_7d", "p_return_14d"]].le(1 - scores["p_churn"], axis=0)).all(axis=None)
    once = features["active_days_purchase"] == 1
    assert once.any()
    assert (scores["second_purchase_day"].notna() == once).all()
    assert scores.loc[once, "second_purchase_day"].between(0, 30).all()


def test_plain_mlflow_gives_the_same_numbers_to_the_last_digit(shop, monkeypatch):
    monkeypatch.setenv("MLFLOW_ALLOW_PICKLE_DESERIALIZATION", "false")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", open_registry(shop.config).uri)
    features = pd.read_parquet(shop.out / "features.parquet")
    scores = pd.read_parquet(shop.out / "scores.parquet")
    assert features["customer_id"].tolist() == scores["customer_id"].tolist()
    for name, outputs in OUTPUTS.items():
        model = mlflow.pyfunc.load_model(f"models:/{name}@champion")
        found = model.predict(features)
        assert model.predict(features[sorted(features, reverse=True)]).equals(found)
        assert tuple(found) == outputs
        for column in outputs:
            np.testing.assert_array_equal(found[column], scores[column], err_msg=column)


def test_drivers_are_exact(shop):
    # Effects are SHAP values of the churn model; nobody's strongest driver is weaker than the next.
    for listed in shop.scores["drivers"]:
        strength = [abs(driver["effect"]) for driver in listed]
        assert strength == sorted(strength, reverse=True)
        assert all(driver["text"] for driver in listed)


@pytest.mark.parametrize("change", ["again", "shuffled", "truncated", "another future"])
def test_only_what_was_known_before_the_cutoff_decides_every_byte_of_the_scores(shop, events, make_shop, change):
    rows = {
        "again": events,
        "shuffled": events.sample(frac=1, random_state=5),
        "truncated": known(events),
        "another future": poisoned(events),
    }[change]
    other = make_shop(rows, of=shop)
    score(other.config, AS_OF_DATE, other.out, with_features=True)
    for name in ("scores.parquet", "features.parquet"):
        assert (other.out / name).read_bytes() == (shop.out / name).read_bytes(), name
    manifests = [read_manifest(folder) for folder in (other.out, shop.out)]
    if change in ("again", "shuffled"):
        assert manifests[0]["facts"]["score"] == manifests[1]["facts"]["score"]


def test_scoring_needs_champions(events, make_shop):
    with pytest.raises(
        RegistryError, match=r"but churn, orders, return, value has none\. Train first: churnvalue train"
    ):
        score(make_shop(events.iloc[:0]).config)


def test_champions_of_another_outcome_do_not_score(shop):
    with pytest.raises(ConfigError, match=r"foretell 'purchase' over 30 days, but the configuration asks for .* 60"):
        score(shop.changed(outcome={"horizon_days": 60}), AS_OF_DATE)


# Training


@pytest.mark.usefixtures("without_pictures")
def test_training_as_of_a_day_reads_nothing_later(shop, events, make_shop):
    other = make_shop(poisoned(events))
    training = train(other.config, AS_OF_DATE)
    assert model_bytes(other.config) == model_bytes(shop.config)
    assert training.summary["digest"] == shop.training.summary["digest"]
    assert training.summary["models"] == shop.training.summary["models"]


def test_no_outcome_is_learnt_that_had_not_closed(shop):
    horizon = pd.Timedelta(days=30)
    cutoffs = [pd.Timestamp(cutoff, tz="UTC") for cutoff in shop.training.summary["cutoffs"]]
    assert len(cutoffs) == 4
    assert max(cutoffs) + horizon <= AS_OF
    assert pd.Timestamp(shop.training.summary["test_cutoff"], tz="UTC") == max(cutoffs)


def test_an_as_of_after_the_end_of_the_log_does_not_turn_silence_into_leaving(shop, events):
    # The log says nothing of the time after its last event, so no outcome there has been observed.
    end = events["event_time"].max().ceil("D")
    try:
        log = read_log(shop.config, clock.micros("2025-06-01"))
        newest = training_cutoffs(log, shop.config.training, shop.config.outcome)[-1]
    except ChurnvalueError:
        return  # refusing is as good
    assert pd.Timestamp(newest, unit="us", tz="UTC") + pd.Timedelta(days=30) <= end


def test_train_json_says_what_was_learnt_and_how_it_was_judged(shop):
    summary = json.loads((shop.folder / "train.json").read_text(encoding="utf-8"))
    assert summary["project"] == "shop"
    assert summary["grade"] in "ABCDF"
    assert set(summary["models"]) == set(OUTPUTS)
    assert set(summary["models"]["churn"]["baselines"]) >= {"recency", "last_window", "bg_nbd", "pareto_nbd"}
    assert [model["aliases"] for model in summary["models"].values()] == [["champion"]] * 5
    assert summary["log"]["rows_kept"] > 0
    assert len(summary["calibration"]) == 10


def test_the_run_holds_what_is_needed_to_trust_a_model(shop):
    tracker = open_registry(shop.config)
    info = tracker.versions("churn")[0]
    run_of = tracker.client.get_run(info.run_id)
    assert run_of.data.params["horizon_days"] == "30"
    assert run_of.data.metrics["churn.ours.auc"] == shop.training.summary["models"]["churn"]["metrics"]["auc"]
    assert {"churn.pareto_nbd.auc", "spend.ours.normalised_gini"} <= set(run_of.data.metrics)
    assert run_of.inputs.dataset_inputs[0].dataset.digest == shop.training.summary["digest"]
    stored = {
        file.path
        for folder in ("pictures", "definitions")
        for file in tracker.client.list_artifacts(info.run_id, folder)
    }
    assert {"pictures/calibration.png", "pictures/shap_churn.png", "definitions/spend.toml"} <= stored
    card = (tracker.download("churn", 1) / "card.md").read_text(encoding="utf-8")
    assert card.startswith("# churn\n")
    assert shop.training.summary["digest"] in card
    assert "| this model | " in card
    curve = (tracker.download("return", 1) / "card.md").read_text(encoding="utf-8")
    assert curve.startswith("# return\n")
    assert f"- Curve: {shop.training.summary['models']['return']['note']}." in curve
    assert info.tags["outcomes_until"] == "2024-12-01 00:00:00+00:00"


@pytest.fixture(scope="module")
def worse(shop, events, make_shop):
    """A shop with the champions of ``shop``, whose next churn model learns nothing at all."""
    other = make_shop(events, of=shop)
    path = own_churn(other.folder, min_data_in_leaf="{ low = 100000, high = 100000, start = 100000 }", baselines="[]")
    text = TOML.replace('project = "shop"', 'project = "worse"') + f'\n[models]\nchurn = "{path.name}"\n'
    (other.folder / "churnvalue.toml").write_text(text, encoding="utf-8")
    return other


@pytest.mark.usefixtures("without_pictures")
def test_a_challenger_worse_than_the_champion_is_not_promoted(worse, monkeypatch, capsys):
    assert run(monkeypatch, worse.folder, "train") == cli.NOT_PROMOTED == 3
    said = capsys.readouterr().out
    assert "Gate failed: churn: auc differs from the champion's by -0." in said
    assert "stay challengers; the champions are untouched" in said
    summary = json.loads((worse.folder / "train.json").read_text(encoding="utf-8"))
    assert summary["promoted"] is False
    assert summary["models"]["churn"]["aliases"] == ["challenger"]
    table = list_models(worse.config).set_index(["model", "version"])
    assert {name: table.loc[(name, 1), "aliases"] for name in OUTPUTS} == dict.fromkeys(OUTPUTS, "champion")
    assert {name: table.loc[(name, 2), "aliases"] for name in OUTPUTS} == dict.fromkeys(OUTPUTS, "challenger")
    # A person may still overrule the gate, and come back.
    promote(worse.config, "churn", 2)
    assert list_models(worse.config).set_index(["model", "version"]).loc[("churn", 2), "aliases"] == "champion"
    promote(worse.config, "churn", 1)


@pytest.mark.usefixtures("without_pictures")
def test_a_challenger_with_fewer_features_is_compared_with_the_champion_too(shop, events, make_shop):
    other = make_shop(events, of=shop)
    path = own_churn(other.folder, features='{ use = "weekend_share", kind = "@outcome" }', baselines="[]")
    training = train(other.changed(project="fewer", models={"churn": path.name}))
    reasons = training.summary["gate"]["reasons"]
    assert any(reason.startswith("churn: auc differs from the champion's by -") for reason in reasons), reasons


@pytest.mark.usefixtures("without_pictures")
def test_the_first_candidate_becomes_champion_even_when_it_fails(events, make_shop):
    few = events[events["customer_id"] < "000200"]
    other = make_shop(few)
    path = own_churn(other.folder, higher="false")  # nothing good can pass such a gate
    training = train(other.changed(models={"churn": path.name}), AS_OF_DATE)
    assert training.promoted
    assert training.summary["gate"]["passed"] is False
    assert re.match(r"churn: auc 0\.\d+ does not beat recency", training.summary["gate"]["reasons"][0])
    assert open_registry(other.config).version("churn", "champion") == 1
    assert len(score(other.config, AS_OF_DATE)) > 100


def test_a_backtest_compares_with_every_baseline_at_several_origins(events, make_shop, tmp_path, monkeypatch):
    monkeypatch.setattr("churnvalue.jobs.backtest.paired_bootstrap", partial(paired_bootstrap, draws=20))
    few = make_shop(events[events["customer_id"] < "000150"])
    found = backtest(few.changed(training={"cutoffs": 3}), tmp_path)
    rows = pd.DataFrame(found.origins)
    assert rows["cutoff"].nunique() == 2
    churn = rows[rows["model"] == "churn"].groupby("cutoff")["method"].agg(set)
    assert all(methods >= {"ours", "recency", "last_window", "bg_nbd", "pareto_nbd"} for methods in churn)
    differences = pd.DataFrame(found.differences)
    assert (
        (differences["low"] <= differences["difference"]) & (differences["difference"] <= differences["high"])
    ).all()
    assert re.match(r"[A-F]: ranks leavers ", found.grade)
    stored = json.loads((tmp_path / "backtest.json").read_text(encoding="utf-8"))
    assert stored["grade"] == found.grade


# Plan


def test_the_plan_has_one_row_for_every_scored_customer(shop):
    table = pd.read_parquet(shop.out / "plan.parquet")
    assert list(table) == PLAN
    assert table["customer_id"].tolist() == shop.scores["customer_id"].tolist()
    assert table["reason"].str.len().gt(10).all()
    assert set(table["group"]) == {"holdout", "explore", "exploit"}
    assert table["propensity"].between(0, 1).all()
    assert table["evidence"].isin(["assumption", "experiment"]).all()
    assert (table.loc[table["group"] == "holdout", "action"] == "none").all()
    assert (table.loc[table["action"] == "none", ["cost", "expected_profit"]] == 0).all(axis=None)


def test_costs_keep_within_budget_and_capacity(shop):
    table = shop.plan.plan
    cost, profit = (table[["cost", "service_cost"]], table[["expected_profit", "service_profit"]])
    assert 0 < cost.sum(axis=None) <= 150.0
    assert 0 < (table["action"] == "call").sum() <= 20
    curve = pd.read_parquet(shop.out / "curve.parquet")
    assert list(curve) == ["budget", "cost", "expected_profit", "customers", "marginal_profit"]
    assert curve["expected_profit"].is_monotonic_increasing
    at = curve[np.isclose(curve["budget"], 150.0)].iloc[0]
    assert at["cost"] == pytest.approx(cost.sum(axis=None))
    assert at["expected_profit"] == pytest.approx(profit.sum(axis=None))


def test_assumed_effects_come_with_the_experiment_that_would_show_them(shop):
    said = [note for note in shop.plan.notes if "an experiment with" in note]
    assumed = shop.plan.plan.query("planned_action != 'none' and evidence == 'assumption'")
    assert len(said) == assumed["planned_action"].nunique() > 0
    assert all("points of staying with a probability of 80 %" in note for note in said)


def test_the_hold_out_does_not_follow_the_budget(shop):
    held_out = shop.plan.plan.query("group == 'holdout'")["customer_id"].tolist()
    assert 30 < len(held_out) < 90  # a tenth of 600
    for budget in (0.0, 5000.0):  # the shop's own is 150
        other = plan(shop.changed(retention={"budget": budget}), shop.out).plan
        assert other.query("group == 'holdout'")["customer_id"].tolist() == held_out
        assert other["cost"].sum() <= budget


def test_sends_go_to_who_gets_an_action_and_never_in_quiet_hours(shop):
    table = pq.read_table(shop.out / "sends.parquet")
    assert table.schema.field("send_at").type == TIME
    sends = table.to_pandas()
    assert list(sends) == SENDS
    acted = shop.plan.plan.query("action != 'none'")
    assert sends["customer_id"].tolist() == acted["customer_id"].tolist()
    local = [datetime.fromisoformat(text) for text in sends["send_at_local"]]
    assert all(9 <= time.hour < 20 and time.minute == 0 for time in local)
    assert [pd.Timestamp(time) for time in local] == [time.tz_convert(local[0].tzinfo) for time in sends["send_at"]]
    assert [time.weekday() * 24 + time.hour for time in local] == sends["slot"].tolist()
    assert ((sends["send_at"] >= AS_OF) & (sends["send_at"] < AS_OF + pd.Timedelta(days=7))).all()
    # Calls go out in office hours of weekdays; who was written to of late has fewer hours left.
    assert sends.groupby("channel")["eligible_slots"].max().to_dict() == {"call": 5 * 9, "email": 7 * 11}
    assert [int(hours, 16).bit_count() for hours in sends["eligible"]] == sends["eligible_slots"].tolist()


def test_the_plan_reads_nothing_later_than_its_cutoff_and_no_order_of_rows(shop, events, make_shop):
    other = make_shop(poisoned(events), of=shop)
    plan(other.config, shop.out, other.out)
    for name in ("plan.parquet", "sends.parquet", "curve.parquet"):
        assert (other.out / name).read_bytes() == (shop.out / name).read_bytes(), name


def test_a_log_of_days_plans_by_weekday_at_the_default_hour(shop, events, make_shop):
    days = events.assign(event_time=events["event_time"].dt.floor("D"), known_at=events["known_at"].dt.floor("D"))
    other = make_shop(days, of=shop)
    config = other.changed(timing={"timezone": "UTC", "default_hour": 11, "explore": 0.0})
    score(config, AS_OF_DATE, other.out)
    sends = plan(config, other.out).sends
    assert len(sends) > 30
    assert (sends["slot"] % 24 == 11).all()
    assert len(set(sends["slot"] // 24)) > 1
    assert sends["reason"].str.contains("the log tells no hours, so the default hour is used").all()
    assert read_manifest(other.out)["facts"]["score"]["day_granularity"] is True


def test_a_log_of_local_days_is_one_too(shop, events, make_shop):
    # A date is a midnight on the clock by which it was written, in summer not in UTC.
    days = events.assign(event_time=events["event_time"].dt.tz_localize(None).dt.floor("D"), known_at=None)
    other = make_shop(days.drop(columns="known_at"), of=shop)
    source = {key: value for key, value in config_source().items() if key != "known_at"}
    config = other.changed(events=[{"source": "events.parquet", "kind": {"column": "kind"}, "timezone": "Europe/London",
                                    "columns": source}])  # fmt: skip
    log = read_log(config, clock.micros(AS_OF_DATE))
    assert log.days_only
    assert log.account.duplicates == 0  # as in UTC: two equal purchases of one day may well be two
    in_utc = read_log(other.changed(events=[{**config.events[0].model_dump(exclude_none=True), "timezone": "UTC"}]))
    assert in_utc.account.duplicates == 0


def test_an_hour_that_comes_later_does_not_change_how_the_past_is_read(shop, events, make_shop):
    # Days without hours are folded by day; that the log knows hours from now on must not be known yet.
    purchases = known(events).query("kind == 'purchase'")
    days = purchases.assign(event_time=purchases["event_time"].dt.floor("D"))
    later = purchases.iloc[[0]].assign(event_time=AS_OF + pd.Timedelta(hours=30))
    columns = {name: name for name in ("customer_id", "event_time", "amount")}
    past, both = make_shop(days, of=shop), make_shop(pd.concat([days, later]), of=shop)
    logs = [
        read_log(one.changed(events=[{"source": "events.parquet", "columns": columns}]), clock.micros(AS_OF_DATE))
        for one in (past, both)
    ]
    assert len(logs[0]) == len(logs[1])
    assert logs[0].account.kept == logs[1].account.kept


def config_source():
    return {name: name for name in ("customer_id", "event_time", "known_at", "amount", "quantity", "category")}


# Report and words


class _Loads(HTMLParser):
    """Collects everything that a page would load from elsewhere."""

    def __init__(self):
        super().__init__()
        self.loaded = []

    def handle_starttag(self, tag, attributes):
        for name, value in attributes:
            elsewhere = value and not value.startswith(("#", "data:"))
            if name in ("src", "srcset", "data", "poster") or (name in ("href", "xlink:href") and tag != "a"):
                self.loaded += [(tag, value)] if elsewhere else []


def test_the_report_is_one_page_that_loads_nothing(shop):
    page = shop.report.read_text(encoding="utf-8")
    assert shop.report == shop.out / "report.html"
    reader = _Loads()
    reader.feed(page)
    assert reader.loaded == []
    assert "@import" not in page
    assert not re.search(r"url\((?!['\"]?(data:|#))", page)
    assert re.findall(r"https?://(?!www\.w3\.org)", page) == []
    assert "shop" in page


def test_report_without_a_plan_and_in_another_folder(shop, tmp_path):
    page = write_report(shop.config, shop.out, out=tmp_path)
    assert page == tmp_path / "report.html"
    assert len(page.read_text(encoding="utf-8")) > 10_000


def test_explain_speaks_of_one_customer(shop):
    text = explain_customer(LEADING_ZEROS, shop.out)
    row = shop.scores.set_index("customer_id").loc[LEADING_ZEROS]
    assert text.startswith(f"Customer 00123, as known before 2024-12-01: {row['p_churn']:.0%}".replace("%", " %"))
    assert f"worth {row['clv']:,.2f} in present value" in text
    assert row["drivers"][0]["text"] in text
    with pytest.raises(OutputError, match=r"one of the 601 scored, but '123' is not"):
        explain_customer("123", shop.out)


def test_damaged_scores_are_refused(shop, tmp_path):
    for name in ("scores.parquet", "manifest.json"):
        (tmp_path / name).write_bytes((shop.out / name).read_bytes())
    with (tmp_path / "scores.parquet").open("ab") as file:
        file.write(b"x")
    for use in (
        lambda: explain_customer(ONCE, tmp_path),
        lambda: plan(shop.config, tmp_path),
        lambda: write_report(shop.config, tmp_path),
    ):
        with pytest.raises(OutputError, match=r"scores\.parquet must be as it was written, but its bytes changed"):
            use()


# Other logs


@pytest.fixture(scope="module")
def poor(events, make_shop, without_pictures):
    """A shop whose log holds no amounts, with everything run."""
    few = events[(events["customer_id"] < "000250") & (events["kind"] != "return")]
    other = make_shop(few.drop(columns=["amount", "quantity"]))
    columns = {name: name for name in few.columns if name not in ("kind", "amount", "quantity")}
    config = other.changed(events=[{"source": "events.parquet", "kind": {"column": "kind"}, "columns": columns}])
    training = train(config, AS_OF_DATE)
    scores = score(config, AS_OF_DATE, other.out, with_features=True)
    return config, training, scores, other.out


def test_a_log_without_amounts_serves_churn_orders_and_returns_with_empty_money(poor):
    _, training, scores, out = poor
    assert set(training.versions) == {"churn", "orders", "value", "return"}
    assert pq.read_schema(out / "scores.parquet").names == list(SCORES)
    assert scores[MONEY].isna().all(axis=None)
    assert scores[["p_churn", "orders", *RETURNS]].notna().all(axis=None)
    assert scores["spend_drivers"].isna().all()
    assert scores.sort_values("orders")["percentile"].is_monotonic_increasing
    assert len(set(scores["percentile"])) > 1
    assert read_manifest(out)["facts"]["score"]["has_amounts"] is False
    assert "spend and value are not foretold" in " ".join(training.summary["log"]["notes"])


def test_a_log_without_amounts_is_planned_reported_and_explained(poor, tmp_path):
    config, _, scores, out = poor
    planned = plan(config, out, tmp_path)
    assert planned.plan["customer_id"].tolist() == scores["customer_id"].tolist()
    assert (planned.plan["action"] == "none").all()
    assert planned.plan.query("group != 'holdout'")["reason"].str.contains("worth is not known|left alone").all()
    page = write_report(config, out, tmp_path, tmp_path).read_text(encoding="utf-8")
    assert ">nan<" not in page.lower()
    assert "The log holds no amounts" in explain_customer(scores["customer_id"].iloc[0], out)


@pytest.mark.usefixtures("without_pictures")
def test_visitors_who_never_bought_may_be_the_population(events, make_shop):
    few = events[events["customer_id"] < "000150"]
    never = few["customer_id"].between("000010", "000060") & few["kind"].isin(["purchase", "return"])
    other = make_shop(few[~never])
    config = other.changed(population={"kind": "visit"})
    assert train(config, AS_OF_DATE).promoted
    scores = score(config, AS_OF_DATE).set_index("customer_id")
    assert scores.loc["000011", ["p_churn", "orders", "spend", *RETURNS]].notna().all()


@pytest.mark.usefixtures("without_pictures")
def test_visits_may_be_foretold_in_a_log_whose_purchases_carry_the_money(events, make_shop):
    other = make_shop(events[events["customer_id"] < "000150"])
    config = other.changed(population={"kind": "visit"}, outcome={"kind": "visit"})
    assert set(train(config, AS_OF_DATE).versions) == {"churn", "orders", "value", "return"}
    scores = score(config, AS_OF_DATE)
    assert scores[MONEY].isna().all(axis=None)
    assert scores[["p_churn", "orders"]].notna().all(axis=None)
