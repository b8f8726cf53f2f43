"""Plans under conditions that real shops have: odd limits, odd contacts, plans that were never carried out."""

import json
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from scipy.stats import beta
from small_shop import AS_OF, Finished, Shop

from churnvalue import clock
from churnvalue.decisions.allocation import Limits, allocate_within
from churnvalue.decisions.assignment import HOLDOUT
from churnvalue.decisions.audience import audience
from churnvalue.decisions.retention import RetentionPlan, plan_retention
from churnvalue.errors import ChurnvalueError, DefinitionError, HistoryError, OutputError
from churnvalue.jobs.knowledge import known, read_measured
from churnvalue.jobs.measure import Measurement, measure
from churnvalue.jobs.plan import plan
from churnvalue.storage import read_json, read_parquet, staged

CALL = {"id": "call", "contact_cost": 4.0, "channel": "call", "save_rate": [6, 14]}
SMS = {"id": "sms", "contact_cost": 0.2, "capacity": 10, "save_rate": [1, 9]}
PLAIN = {"holdout": 0.0, "explore": 0.0, "service_levels": []}


@pytest.fixture(scope="module")
def scores(shop: Finished) -> pd.DataFrame:
    return read_parquet(shop.out, "scores.parquet").drop_columns(["drivers", "spend_drivers"]).to_pandas()


def planned(shop: Shop, scores: pd.DataFrame, **retention: object) -> RetentionPlan:
    config = shop.changed(retention=retention)
    return plan_retention(scores, config.retention, config.value, config.project)


def written(folder: Path, name: str, table: pd.DataFrame, **facts: object) -> Path:
    with staged(folder, name.removesuffix(".parquet"), **facts) as stage:
        stage.parquet(name, pa.Table.from_pandas(table, preserve_index=False))
    return folder


@pytest.fixture
def copied(shop: Finished, make_shop, tmp_path: Path) -> Path:
    """The folder of a plan that may be changed."""
    return Path(shutil.copytree(shop.out, tmp_path / "copy"))


# What a plan must keep -------------------------------------------------------------------------------------------


def test_what_an_action_earns_by_hand(shop, scores):
    config = shop.config
    found = planned(shop, scores).plan  # without experiments: save rates are assumed
    table = found.merge(scores, on="customer_id", suffixes=("", "_scored")).query("action != 'none'")
    stake = table["clv"] / (1 - table["p_churn"]).clip(lower=0.2)
    saved = {
        one.id: one.save_rate[0] / sum(one.save_rate) if one.save_rate else 0 for one in config.retention.service_levels
    }
    beside = table["service_level"].map(saved).fillna(0.0)  # who is kept by service is not kept again
    for action in config.retention.actions:
        mine = table["action"] == action.id
        mean = action.save_rate[0] / sum(action.save_rate)
        cost = action.contact_cost + action.redemption * action.incentive
        for column, rate in (("expected_profit", mean), ("profit_p10", beta.ppf(0.1, *action.save_rate))):
            by_hand = table["p_churn"] * (rate - mean * beside) * stake - cost
            assert table.loc[mine, column].to_numpy() == pytest.approx(by_hand[mine].to_numpy())


@pytest.mark.parametrize(
    "limits",
    [
        {"budget": 0.0},
        {"budget": 3.0},
        {"actions": []},
        {"actions": [CALL | {"capacity": 0}]},
        {"actions": [{"id": "mail"}]},
        {"holdout": 0.9, "explore": 0.9},
        {"holdout": 0.0, "explore": 0.9},
        {"service_levels": []},
        {"service_levels": [], "actions": []},
        {
            "service_levels": [
                {"id": "better", "tiers": ["steady"], "cost_factor": 2.0, "save_rate": [5, 5], "capacity": 2}
            ]
        },
    ],
)
def test_odd_limits_hold(shop, scores, limits):
    config = shop.changed(retention=limits).retention
    found = planned(shop, scores, **limits)
    table, curve = found.plan, found.curve
    assert len(table) == len(scores)
    assert table["cost"].sum() + table["service_cost"].sum() <= config.budget + 1e-9
    for one in (*config.actions, *config.service_levels):
        column = "action" if one in config.actions else "service_level"
        assert one.capacity is None or (table[column] == one.id).sum() <= one.capacity
    assert table["propensity"].between(0, 1, inclusive="right").all()
    through = np.interp(config.budget, curve["budget"], curve["expected_profit"])
    assert through == pytest.approx(table["expected_profit"].sum() + table["service_profit"].sum())


def test_nothing_is_known_of_anyones_value(shop, scores):
    found = planned(shop, scores.assign(clv=np.nan, cost_to_serve=np.nan)).plan
    assert (found["action"] == "none").all()
    assert (found["expected_profit"] == 0).all()


def test_the_held_out_are_the_same_whatever_else_changes(shop, scores):
    def held_out(rows: pd.DataFrame = scores, **retention: object) -> set[str]:
        table = planned(shop, rows, **retention).plan
        return set(table.loc[table["group"] == HOLDOUT, "customer_id"])

    now = held_out()
    assert held_out(budget=1.0) == now
    assert held_out(scores.assign(cutoff=scores["cutoff"] + pd.Timedelta(days=30))) == now
    assert held_out(holdout=0.3) > now


def test_the_held_out_are_told_what_they_would_get(shop, scores):
    enough = {"budget": 1e6, "actions": [CALL], "explore": 0.0}
    some, none = (planned(shop, scores, holdout=share, **enough).plan for share in (0.3, 0.0))
    assert some["planned_action"].tolist() == none["action"].tolist()


def test_propensities_are_the_shares_over_many_draws(shop, scores):
    config = shop.changed(
        retention={"holdout": 0.3, "explore": 0.4, "budget": 1e6, "actions": [CALL, SMS | {"capacity": None}]}
    )
    few = scores[scores["clv"] > 0].head(40)
    draws = [plan_retention(few, config.retention, config.value, f"salt {number}").plan for number in range(60)]
    weights = pd.concat(draws).assign(weight=lambda one: 1 / one["propensity"]).groupby("action")["weight"].sum() / 60
    assert weights["none"] == pytest.approx(len(few), rel=0.15)  # anybody may be held out


def test_one_customer_and_none(shop, scores, tmp_path):
    facts = {"model_versions": {}}
    one = plan(shop.config, written(tmp_path / "one", "scores.parquet", _full(shop).iloc[[3]], **facts))
    assert len(one.plan) == 1
    with pytest.raises(OutputError, match="must hold at least one customer"):
        plan(shop.config, written(tmp_path / "none", "scores.parquet", _full(shop).iloc[:0], **facts))


def test_the_curve_reaches_what_everything_worthwhile_costs():
    profit, cost = np.tile([3.0, 8.0], (40, 1)), np.tile([1.0, 4.0], (40, 1))
    limits = Limits(80.0, np.array([5.0, np.inf]), np.eye(2))
    curve = allocate_within(profit, cost, limits, np.arange(40, dtype=np.uint64)).curve
    assert curve["budget"].max() == pytest.approx(160.0)  # 40 calls
    assert curve["expected_profit"].max() == pytest.approx(320.0)


def test_more_money_is_said_to_earn_what_it_would(shop, scores):
    found = planned(shop, scores, budget=100.0, actions=[SMS, CALL], **PLAIN)
    assert found.price > 1.0
    assert not any("More money would earn nothing" in note for note in found.notes)


def test_floors_count_those_who_explore(shop, scores):
    enough = {"budget": 1e5, "actions": [CALL], "holdout": 0.0, "service_levels": []}
    tier = planned(shop, scores, explore=0.0, **enough).plan.query("eligible")["tier"].mode()[0]
    could = int(planned(shop, scores, explore=0.0, **enough).plan.query("eligible and tier == @tier").shape[0])
    found = planned(shop, scores, explore=0.5, floors=[{"tier": tier, "customers": could}], **enough).plan
    assert (found.query("tier == @tier")["action"] != "none").sum() >= could


def test_a_floor_that_cannot_be_held_names_its_tier(shop, scores):
    with pytest.raises(DefinitionError, match="most valuable"):
        planned(shop, scores, floors=[{"tier": "most valuable", "customers": 100_000}])


def test_no_capacity_is_not_told_as_a_closed_tier(shop, scores):
    found = planned(shop, scores, actions=[CALL | {"capacity": 0}], **PLAIN).plan
    assert not found["reason"].str.contains("not open to the tier").any()


def test_an_action_that_pays_anyway_is_not_said_to_need_less_than_nothing(shop, scores):
    found = planned(shop, scores, actions=[CALL | {"spend_change": 0.9}], budget=1e5, **PLAIN)
    assert not any("by -" in note for note in found.notes)


# What a plan reads -----------------------------------------------------------------------------------------------


def _full(shop: Finished) -> pd.DataFrame:
    return read_parquet(shop.out, "scores.parquet").to_pandas()


def test_the_order_of_the_scores_does_not_matter(shop, scores, tmp_path):
    turned = written(tmp_path, "scores.parquet", _full(shop).iloc[::-1], score={})
    found = plan(shop.config, turned).plan
    pd.testing.assert_frame_equal(found, shop.plan.plan)


def test_scores_of_another_log_are_refused_or_said(shop, tmp_path):
    strangers = _full(shop).assign(customer_id=lambda one: "x" + one["customer_id"])
    try:
        notes = plan(shop.config, written(tmp_path, "scores.parquet", strangers)).notes
    except ChurnvalueError:
        return
    assert any(f"{len(strangers):,}" in note and "log" in note for note in notes)


def test_an_excluded_kind_that_does_not_occur_is_said(shop, scores, known_log):
    config = shop.changed(retention={"exclude": {"unsubscribd": 365}})
    try:
        notes = known(config, known_log, scores, _micros(AS_OF), {}).notes
    except ChurnvalueError as error:
        notes = (str(error),)
    assert any("unsubscribd" in note for note in notes)


def _micros(time: pd.Timestamp) -> int:
    return time.value // 1000


@pytest.fixture
def experiment(shop, scores, known_log, tmp_path):
    """A function that writes an experiment of 60 days ago among the scored; returns what a plan knows then."""

    def learnt(change=lambda one: one, **contacts: object):
        rows = pd.DataFrame(
            {
                "customer_id": scores["customer_id"],
                "event_time": AS_OF - pd.Timedelta(days=60),
                "action": np.where(np.arange(len(scores)) % 2, "voucher", "control"),
                "redeemed": np.arange(len(scores)) % 4 > 0,  # all vouchers
                "experiment": "autumn",
            }
        )
        change(rows).to_parquet(tmp_path / "contacts.parquet", index=False)
        columns = {"redeemed": "redeemed", "experiment": "experiment"}
        config = shop.changed(
            contacts={"source": str(tmp_path / "contacts.parquet"), "columns": columns, **contacts},
        )
        return known(config, known_log, scores, _micros(AS_OF), {})

    return learnt


def test_an_experiment_speaks_for_its_action_alone(experiment):
    effects = experiment().effects
    assert dict(zip(effects.actions, effects.evidence, strict=True)) == {"call": "assumption", "voucher": "experiment"}


def test_arms_that_do_not_match_their_propensities_are_not_learnt_from(experiment):
    found = experiment(propensity={"voucher": 0.9})
    assert set(found.effects.evidence) == {"assumption"}
    assert any("sizes their propensities say" in note for note in found.notes)


def test_redemption_is_what_was_observed(experiment):
    effects = experiment().effects
    assert effects.redemption[effects.actions.index("voucher")] == 1.0


def test_an_experiment_of_one_arm_is_said(experiment):
    found = experiment(lambda rows: rows[rows["action"] == "voucher"])
    assert any("autumn" in note for note in found.notes)


def test_contacts_that_belong_to_no_experiment_are_said(experiment):
    found = experiment(lambda rows: rows.assign(experiment=pd.Series(pd.NA, rows.index, dtype="str")))
    assert any("contacts" in note and "experiment" in note for note in found.notes)


def test_customers_who_crossed_over_are_said(experiment):
    def crossed(rows: pd.DataFrame) -> pd.DataFrame:
        other = rows["action"].map({"voucher": "control", "control": "voucher"})
        later = rows.assign(action=other, event_time=rows["event_time"] + pd.Timedelta(days=1))
        return pd.concat([rows, later])

    assert any("more than one arm" in note for note in experiment(crossed).notes)


def test_a_propensity_of_an_unknown_action_is_refused_or_said(experiment):
    try:
        notes = experiment(propensity={"vouchr": 0.9}).notes
    except ChurnvalueError as error:
        notes = (str(error),)
    assert any("vouchr" in note for note in notes)


# What a measurement teaches --------------------------------------------------------------------------------------


LATER = _micros(AS_OF) + 365 * clock.DAY
UNNOTED = {"kind": "letter"}  # no contact is noted, so the plan counts as carried out


def _learnt(*folders: Path) -> dict[str, dict[str, float]]:
    try:
        return read_measured(folders, "shop", LATER)[0]
    except ChurnvalueError:
        return {}


@pytest.fixture(scope="module")
def whole(shop: Finished, tmp_path_factory: pytest.TempPathFactory) -> tuple[Measurement, Path]:
    out = tmp_path_factory.mktemp("whole")
    return measure(shop.changed(contacts=UNNOTED), shop.out, out=out), out


def test_only_what_a_window_holds_is_measured(shop):
    with pytest.raises(HistoryError, match="In part the plan can be measured from 2024-12-02"):
        measure(shop.config, shop.out, "2024-12-01")


def test_a_measurement_that_was_changed_is_refused(whole, tmp_path):
    copy = Path(shutil.copytree(whole[1], tmp_path / "copy"))
    text = (copy / "measure.json").read_text(encoding="utf-8")
    (copy / "measure.json").write_text(text.replace("1", "2", 1), encoding="utf-8")
    with pytest.raises(OutputError, match="must be as it was written"):
        read_measured([copy], "shop", LATER)


def test_an_open_window_teaches_nothing(shop, tmp_path):
    measure(shop.config, shop.out, "2024-12-01T01:00", tmp_path)
    assert _learnt(tmp_path) == {}


def test_the_same_measurement_counts_once(whole):
    once, silent = read_measured([whole[1]], "shop", LATER)
    assert once  # it teaches something
    twice, said = read_measured([whole[1], whole[1]], "shop", LATER)
    assert twice == once
    assert silent == ()
    assert "the plan counts once" in said[0]


def test_what_is_known_after_the_scores_teaches_nothing(shop, whole):
    with pytest.raises(OutputError, match="Measure it anew with --as-of 2024-12-01"):
        plan(shop.config, shop.out, measured=[whole[1]])


def test_a_plan_from_another_log_is_not_measured(shop, tmp_path):
    strangers = shop.plan.plan.assign(customer_id=lambda one: "x" + one["customer_id"])
    with pytest.raises(ChurnvalueError, match="customers"):
        measure(shop.config, written(tmp_path, "plan.parquet", strangers, holdout=0.1))


def test_a_plan_is_measured_over_its_own_horizon(shop, whole):
    found = measure(shop.changed(outcome={"horizon_days": 10}, contacts=UNNOTED), shop.out)
    assert (found.horizon_days, found.value) == (30, whole[0].value)
    assert any("made for 30 days" in note and "is 10 now" in note for note in found.notes)


def test_a_measurement_of_another_project_teaches_nothing(shop, whole, tmp_path):
    content = read_json(whole[1], "measure.json") | {"project": "elsewhere"}
    with staged(tmp_path, "measure") as stage:
        stage.json("measure.json", content)
    with pytest.raises(ChurnvalueError, match="elsewhere"):
        plan(shop.config, shop.out, measured=[tmp_path])


def test_a_plan_that_was_not_carried_out_is_said(shop, scores, tmp_path):
    before = pd.DataFrame(
        {"customer_id": scores["customer_id"], "event_time": AS_OF - pd.Timedelta(days=60), "action": "call"}
    )
    before.to_parquet(tmp_path / "contacts.parquet", index=False)
    found = measure(shop.changed(contacts={"source": str(tmp_path / "contacts.parquet")}), shop.out)
    assert (found.carried_out.done, found.carried_out.cost) == (0, 0.0)
    assert not found.teaches
    assert "The plan was not carried out" in found.verdict


# Audiences -------------------------------------------------------------------------------------------------------

TABLE = pd.DataFrame({"customer_id": ["O'Brien", "=cmd()", "ünï"], "clv": [1.0, np.nan, 3.0]})


@pytest.mark.parametrize(("text", "met"), [('"O\'Brien"', 0), ("'=cmd()'", 1), ("'ünï'", 2)])
def test_ids_of_any_letters_are_found(text, met):
    assert audience(TABLE, f"customer_id = {text}").nonzero()[0].tolist() == [met]


def test_a_doubled_quote_is_one_quote():
    assert audience(TABLE, "customer_id = 'O''Brien'").tolist() == [True, False, False]


def test_a_condition_too_deep_is_refused():
    with pytest.raises(DefinitionError, match="condition"):
        audience(TABLE, f"clv > {'-' * 900}1")


def test_a_plan_of_other_scores_is_refused(shop, copied):
    from churnvalue.jobs.audience import audience as chosen

    table = read_parquet(copied, "plan.parquet").to_pandas()
    written(copied, "plan.parquet", table.assign(cutoff=table["cutoff"] - pd.Timedelta(days=90)))
    with pytest.raises(ChurnvalueError, match="cutoff"):
        chosen("action = 'call'", shop.out, copied)


def test_a_measurement_is_plain_json(whole):
    assert json.loads((whole[1] / "measure.json").read_text(encoding="utf-8"))["project"] == "shop"
