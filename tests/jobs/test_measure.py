"""A simulated shop whose voucher was drawn by a plan: what ``measure`` finds, by its truth and by hand."""

import json

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from churnvalue import clock
from churnvalue.config import parse_config
from churnvalue.errors import HistoryError, OutputError
from churnvalue.evaluation.recalibration import recalibration
from churnvalue.jobs.measure import MEASURE, measure
from churnvalue.simulate import EVENT_COLUMNS, Shop, simulate_log
from churnvalue.storage import staged

HOLDOUT, DAYS = 0.3, 60
SHOP = Shop(voucher_share=1 - HOLDOUT, experiment_days=DAYS, late_share=0.0)


@pytest.fixture(scope="module")
def made():
    return simulate_log(customers=400, days=300, seed=5, shop=SHOP)


@pytest.fixture(scope="module")
def plan(made):
    """The plan that the simulated experiment would have been: a voucher for all who took part, some held out."""
    drawn = made.customers[made.customers["arm"].notna()].reset_index(drop=True)
    offers = made.events[made.events["kind"] == "offer"]
    voucher = (drawn["arm"] == "voucher").to_numpy()
    return pd.DataFrame(
        {
            "customer_id": drawn["customer_id"],
            "cutoff": offers["event_time"].min().floor("D").as_unit("us"),
            "tier": "steady",
            "action": np.where(voucher, "voucher", "none"),
            "expected_profit": 3.0,
            "cost": np.where(voucher, 2.0, 0.0),
            "group": np.where(voucher, "exploit", "holdout"),
            "propensity": np.where(voucher, 1 - HOLDOUT, HOLDOUT),
            "eligible": True,
            "evidence": "assumption",
            "planned_action": "voucher",
            "p_stay_change": 0.1,
            "stake": 50.0,
        }
    )


@pytest.fixture(scope="module")
def shop(made, plan, tmp_path_factory):
    """A function that writes a plan into a folder of its own beside the log; returns configuration and folder."""
    tmp_path = tmp_path_factory.mktemp("shop")
    made.events.to_parquet(tmp_path / "events.parquet", index=False)
    columns = {name: name for name in EVENT_COLUMNS if name != "kind"}

    def opened(changed=plan, sends=None, scores=None, events="events.parquet", **sections):
        raw = {
            "project": "shop",
            "events": [{"source": str(events), "kind": {"column": "kind"}, "columns": columns}],
            "outcome": {"horizon_days": DAYS},
            "value": {"margin": 0.4, "cost": {"ticket": 6.0}},
            "retention": {"holdout": HOLDOUT, "actions": [{"id": "voucher", "contact_cost": 2.0}]},
            **sections,
        }
        folder = tmp_path / f"plan{len(list(tmp_path.iterdir()))}"
        with staged(folder, "plan") as stage:
            tables = {"plan.parquet": changed, "sends.parquet": sends, "scores.parquet": scores}
            for name, table in tables.items():
                if table is not None:
                    stage.parquet(name, pa.Table.from_pandas(table, preserve_index=False))
        return parse_config(raw, tmp_path), folder

    return opened


@pytest.fixture(scope="module")
def measured(shop, tmp_path_factory):
    """The plan as it stands, measured, and the file that was written."""
    out = tmp_path_factory.mktemp("out")
    return measure(*shop(), out=out), out / MEASURE


def window(made, plan, kind):
    cutoff = plan["cutoff"].iloc[0]
    inside = (made.events["event_time"] >= cutoff) & (made.events["event_time"] < cutoff + pd.Timedelta(days=DAYS))
    return made.events[inside & (made.events["kind"] == kind)]


def test_what_was_measured_agrees_with_a_count_by_hand(made, plan, measured):
    found, _ = measured
    whole = found.value.whole
    bought = window(made, plan, "purchase")
    stayed = plan["customer_id"].isin(bought["customer_id"])
    treated = plan["action"] == "voucher"
    plain = stayed[treated].mean() - stayed[~treated].mean()
    assert whole.stay.low < plain < whole.stay.high
    assert abs(whole.stay.value - plain) < whole.stay.se  # adjusted, so not the same
    assert (whole.treated, whole.held_out) == (treated.sum(), (~treated).sum())
    assert found.observed_days == DAYS
    assert found.carried_out.done == treated.sum()
    assert found.carried_out.held_out_contacted == 0
    assert whole.promised_stay == pytest.approx(0.1)
    assert whole.promised_kept == pytest.approx(5.0)
    assert whole.kept_ratio.value == pytest.approx(whole.stay.value / 0.1)  # all have the same at stake
    assert found.verdict


def test_profit_is_margin_less_tickets_less_vouchers(made, plan, shop):
    few = plan.iloc[:30].reset_index(drop=True)  # too few for covariates, so the difference is a plain one
    found = measure(*shop(few)).value.whole
    amount = window(made, few, "purchase").groupby("customer_id")["amount"].sum()
    tickets = window(made, few, "ticket").groupby("customer_id").size()
    profit = (
        0.4 * few["customer_id"].map(amount).fillna(0) - 6.0 * few["customer_id"].map(tickets).fillna(0) - few["cost"]
    )
    treated = few["action"] == "voucher"
    assert found.profit.value == pytest.approx(profit[treated].mean() - profit[~treated].mean())
    assert found.profit_total.value == pytest.approx(treated.sum() * found.profit.value)


def test_the_same_inputs_give_the_same_bytes_in_any_order(plan, shop, measured, tmp_path):
    measure(*shop(plan.sample(frac=1, random_state=1)), out=tmp_path)
    texts = [path.read_bytes() for path in (measured[1], tmp_path / MEASURE)]
    assert texts[0] == texts[1]
    assert b"NaN" not in texts[0]
    written = json.loads(texts[0])
    assert set(written["actions"]) == {"voucher"}
    assert 0 < recalibration([written])["voucher"]["assumption"]["se"] < 0.5


def test_a_window_that_is_still_open_is_said(made, plan, shop):
    config, folder = shop()
    cutoff = plan["cutoff"].iloc[0]
    early = measure(config, folder, as_of=str((cutoff + pd.Timedelta(days=20)).date()))
    assert early.observed_days == 20
    assert early.verdict.startswith("Only 20 of 60 days have been observed")
    with pytest.raises(HistoryError, match=rf"in whole from {(cutoff + pd.Timedelta(days=DAYS)).date()}"):
        measure(config, folder, as_of=str(cutoff.date()))


def test_nothing_known_later_counts(made, plan, shop, tmp_path):
    until = plan["cutoff"].iloc[0] + pd.Timedelta(days=30)
    before = measure(*shop(), as_of=str(until.date()))
    later = made.events["known_at"] >= until
    made.events.assign(amount=made.events["amount"].mask(later, 9e6)).to_parquet(
        tmp_path / "other.parquet", index=False
    )
    after = measure(*shop(events=tmp_path / "other.parquet"), as_of=str(until.date()))
    assert after.value == before.value


def test_scores_beside_the_plan_sharpen_it(plan, shop, measured):
    risk = np.random.default_rng(1).uniform(0, 1, len(plan))
    scores = plan[["customer_id", "cutoff"]].assign(p_churn=risk)
    found = measure(*shop(scores=scores))
    assert "highest risk first" in {row.policy for row in found.value.policies}
    assert "highest risk first" not in {row.policy for row in measured[0].value.policies}


def test_costs_are_the_plans_where_no_contact_is_known(shop, plan):
    found = measure(*shop(contacts={"kind": "letter"}))
    assert found.carried_out.done is None
    assert found.carried_out.cost == plan["cost"].sum()
    assert any("costs are those that the plan expected" in note for note in found.notes)


def test_a_plan_without_a_holdout_has_a_named_fallback(plan, shop):
    everyone = plan.assign(action="voucher", group="exploit", propensity=1.0, cost=2.0)
    found = measure(*shop(everyone, retention={"holdout": 0.0}))
    assert not found.value.whole.stay.known
    assert "What the plan earned cannot be told: no customer of these was held out" in found.verdict


def test_sends_are_measured_when_their_week_is_over(made, plan, shop):
    cutoff = plan["cutoff"].iloc[0]
    exploring = np.random.default_rng(2).random(len(plan)) < 0.5
    sends = pd.DataFrame(
        {
            "customer_id": plan["customer_id"],
            "channel": "email",
            "send_at": (cutoff + pd.Timedelta(hours=9)),
            "group": np.where(exploring, "explore", "exploit"),
            "propensity": np.where(exploring, 0.05, 0.55),
            "eligible_slots": 10,
        }
    )
    config, folder = shop(sends=sends)
    found = measure(config, folder).sends
    # By hand: a purchase or an opened message in [send, send + 7 days).
    events = made.events[made.events["kind"].isin(["purchase", "message_open"])]
    start = sends["send_at"].iloc[0]
    inside = events[(events["event_time"] >= start) & (events["event_time"] < start + pd.Timedelta(days=7))]
    came = sends["customer_id"].isin(inside["customer_id"])
    assert found.answered == pytest.approx(came.mean())
    assert found.best.value == pytest.approx(came[~exploring].mean())
    assert measure(config, folder, as_of=str((cutoff + pd.Timedelta(days=5)).date())).sends is None


def test_damaged_plans_are_refused(plan, shop):
    config, folder = shop()
    path = folder / "plan.parquet"
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(OutputError, match="must be as it was written, but its bytes changed"):
        measure(config, folder)
    path.unlink()
    with pytest.raises(OutputError, match="must be readable"):
        measure(config, folder)
    with pytest.raises(OutputError, match=r"must hold manifest.json, but there is none"):
        measure(config, folder / "nowhere")
    with pytest.raises(OutputError, match="must hold each customer once"):
        measure(*shop(pd.concat([plan, plan.iloc[:1]])))
    with pytest.raises(OutputError, match="A plan must have the columns tier"):
        measure(*shop(plan.drop(columns="tier")))


def test_the_cutoff_is_a_time_of_the_log(measured, plan):
    assert measured[0].cutoff == clock.text(clock.micros(plan["cutoff"].iloc[0].to_pydatetime()))
