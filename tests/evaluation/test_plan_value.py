import numpy as np
import pandas as pd
import pytest

from churnvalue.errors import OutputError
from churnvalue.evaluation.group_value import Happened
from churnvalue.evaluation.plan_value import CHOSEN, EXPLORED, plan_value

SAVED = {"none": 0.0, "call": 0.2, "mail": 0.1}  # change of staying
COST = {"none": 0.0, "call": 3.0, "mail": 1.0}
HOLDOUT, EXPLORE = 0.2, 0.1


def world(seed=1, size=6000, holdout=HOLDOUT, explore=EXPLORE):
    """A plan that calls the third at most risk and writes to the next, and what came of it."""
    generator = np.random.default_rng(seed)
    risk = generator.uniform(0.2, 0.8, size)
    planned = np.select([risk > 0.6, risk > 0.4], ["call", "mail"], default="none")
    held_out, exploring = generator.random(size) < holdout, generator.random(size) < explore
    drawn = np.where(generator.random(size) < 0.5, "call", "mail")
    action = np.select([held_out, exploring], ["none", drawn], default=planned)
    chance = np.where(action == "none", holdout, (1 - holdout) * explore / 2)
    chance = chance + (action == planned) * (1 - holdout) * (1 - explore)
    stake = 40 * np.exp(0.3 * generator.normal(size=size))
    plan = pd.DataFrame(
        {
            "customer_id": [f"c{k:05d}" for k in range(size)],
            "tier": np.where(stake > 40, "most valuable", "steady"),
            "action": action,
            "group": np.select([held_out, exploring], ["holdout", "explore"], default="exploit"),
            "propensity": chance,
            "eligible": True,
            "cost": [COST[one] for one in action],
            "evidence": "assumption",
            "expected_profit": 1.0,
            "planned_action": planned,
            "p_stay_change": [2 * SAVED[one] for one in planned],  # promised twice what is true
            "stake": stake,
        }
    )
    stayed = (generator.random(size) < 1 - risk + np.array([SAVED[one] for one in action])).astype(float)
    earned = 0.3 * stayed * stake * generator.exponential(1.0, size)
    happened = Happened(stayed, earned, plan["cost"].to_numpy(), np.column_stack([risk, stake]), {"risk": risk}, risk)
    return plan, happened


@pytest.fixture(scope="module")
def found():
    return plan_value(*world(), HOLDOUT)


def test_the_truth_lies_in_the_intervals(found):
    plan, _ = world()
    chosen = plan[plan["planned_action"] != "none"]
    truth = chosen["p_stay_change"] / 2
    whole = found.whole
    assert (whole.by, whole.name) == ("all", CHOSEN)
    assert whole.stay.low < truth.mean() < whole.stay.high
    assert whole.kept.low < (truth * chosen["stake"]).mean() < whole.kept.high
    assert whole.kept_ratio.low < 0.5 < whole.kept_ratio.high < 1.0  # promised too much, and it is seen
    assert whole.promised_stay == pytest.approx(2 * truth.mean())
    assert whole.promised_profit == 1.0
    assert whole.treated + whole.held_out <= len(chosen)
    assert whole.profit_total.value == pytest.approx(whole.treated * whole.profit.value)
    assert whole.needed < len(chosen)


def test_every_group_has_its_row(found):
    rows = {(group.by, group.name): group for group in found.groups}
    assert set(rows) == {
        ("all", CHOSEN), ("all", EXPLORED), ("tier", "most valuable"), ("tier", "steady"), ("evidence", "assumption"),
        ("action", "call"), ("action", "mail"),
    }  # fmt: skip
    call, mail = rows["action", "call"], rows["action", "mail"]
    assert call.stay.low < 0.2 < call.stay.high
    assert mail.stay.low < 0.1 < mail.stay.high
    assert call.stay_ratio.value == pytest.approx(call.stay.value / 0.4)
    assert rows["evidence", "assumption"].stay == found.whole.stay
    assert rows["all", EXPLORED].promised_stay is None
    assert rows["all", EXPLORED].kept_ratio.note == "the plan promises nothing here"


def test_policies_stand_beside_the_plan(found):
    rows = {(row.policy, row.outcome): row for row in found.policies}
    names = {"plan", "none", "call for all", "mail for all", "random", "risk"}
    assert set(rows) == {(name, outcome) for name in names for outcome in ("kept", "profit")}
    none = rows["none", "kept"]
    assert none.plan_more["dr"].low > 0
    assert rows["plan", "kept"].plan_more["dr"].note == "both policies do the same"
    assert none.support.covered == pytest.approx(1.0, abs=0.1)
    assert none.value["snips"].value < rows["plan", "kept"].value["snips"].value


def test_the_draw_is_checked(found):
    assert found.sample_ratio.fits
    plan, happened = world()
    unfair = plan_value(plan, happened, 0.1)
    assert not unfair.sample_ratio.fits
    assert "customers are held out where 10.0% should be" in unfair.notes[0]


def test_without_a_holdout_the_scores_are_a_named_fallback():
    plan, happened = world(holdout=0.0)
    found = plan_value(plan, happened, 0.0)
    assert found.whole.stay.note.startswith("no customer of these was held out")
    assert found.sample_ratio is None
    assert found.fallback.value == pytest.approx(0.15, abs=0.05)  # the scores of this world are true
    assert any("Set [retention] holdout above 0" in note for note in found.notes)
    blind = Happened(**{**vars(happened), "p_churn": None})
    assert "they are not at hand" in plan_value(plan, blind, 0.0).fallback.note


def test_an_old_plan_is_compared_as_it_was_run():
    plan, happened = world()
    found = plan_value(plan.drop(columns=["planned_action", "p_stay_change", "stake"]), happened, HOLDOUT)
    assert "has no column planned_action, p_stay_change, stake" in found.notes[0]
    truth = plan.loc[plan["group"] != "holdout", "action"].map(SAVED).mean()  # whatever was drawn
    assert found.whole.stay.low < truth < found.whole.stay.high
    assert found.whole.kept.note == "the plan does not say what is at stake"
    assert found.policies == ()
    assert not found.whole.stay_ratio.known


def test_a_log_without_amounts_is_measured_by_staying_alone():
    plan, happened = world(size=2000)
    moneyless = Happened(**{**vars(happened), "earned": np.full(2000, np.nan)})
    found = plan_value(plan.assign(stake=np.nan), moneyless, HOLDOUT)
    assert found.whole.stay.known
    assert found.whole.profit.note == "the log holds no amounts"
    assert found.whole.promised_kept is None
    assert found.policies == ()


def test_a_plan_that_does_nothing_is_no_error():
    plan, happened = world(size=200)
    idle = plan.assign(action="none", planned_action="none", propensity=1.0, eligible=False, group="exploit")
    found = plan_value(idle, happened, 0.0)
    assert not found.whole.stay.known
    assert (found.whole.treated, found.whole.promised_stay) == (0, None)


@pytest.mark.parametrize(
    ("change", "match"),
    [
        (lambda plan: plan.drop(columns=["tier", "cost"]), "A plan must have the columns tier, cost"),
        (lambda plan: plan.assign(propensity=0.0), r"above 0 and at most 1, but 0 came \(50 such rows\)"),
    ],
)
def test_a_plan_that_cannot_be(change, match):
    plan, happened = world(size=50)
    with pytest.raises(OutputError, match=match):
        plan_value(change(plan), happened, HOLDOUT)
