from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from churnvalue.config import Action, Floor, Retention, ServiceLevel, Value
from churnvalue.decisions.candidates import Known, assumed_effects
from churnvalue.decisions.retention import COLUMNS, RetentionPlan, plan_retention
from churnvalue.decisions.tiers import tiers
from churnvalue.errors import DefinitionError

CERTAIN = Retention(holdout=0.0, explore=0.0)


def scores(customers=600, seed=1):
    random = np.random.default_rng(seed)
    p_churn = random.beta(2, 3, customers)
    clv = (1 - p_churn) * random.lognormal(4, 1, customers) - 3.0
    table = pd.DataFrame(
        {
            "customer_id": [f"{number:05d}" for number in random.permutation(customers)],
            "cutoff": pd.Timestamp("2011-09-01", tz="UTC").as_unit("us"),
            "p_churn": p_churn,
            "orders": 1.0,
            "clv": clv,
            "clv_p10": clv - 5,
            "clv_p90": clv * 1.5,
            "p_below_zero": (clv < 0) * 1.0,
            "attainable": clv * 1.2,
            "cost_to_serve": 0.0,
        }
    )
    return table.assign(tier=tiers(table))


def small(clv, p_churn):
    table = scores(len(clv)).sort_values("customer_id", ignore_index=True)
    table[["clv", "p_churn"]] = np.column_stack([clv, p_churn])
    return table.assign(tier=np.where(table["clv"] < 0, "below zero", "steady"))


def within_limits(plan: RetentionPlan, retention: Retention):
    assert plan.plan["cost"].sum() <= retention.budget + 1e-9
    used = plan.plan["action"].value_counts()
    for action in retention.actions:
        assert action.capacity is None or used.get(action.id, 0) <= action.capacity


def test_by_hand():
    plan = plan_retention(small([70.0, 70.0, 1.0, -2.0, np.nan], [0.5, 0.0, 0.5, 0.5, 0.5]), CERTAIN, Value())
    table = plan.plan
    assert tuple(table.columns) == COLUMNS
    assert table["action"].tolist() == ["call", "none", "none", "none", "none"]
    assert table["expected_profit"].tolist() == [pytest.approx(17.0), 0.0, 0.0, 0.0, 0.0]
    assert table["cost"].tolist() == [4.0, 0.0, 0.0, 0.0, 0.0]
    assert table["eligible"].tolist() == [True, False, False, False, False]
    assert table["service_level"].tolist() == ["standard"] * 3 + ["self-service", "standard"]
    assert table["reason"].tolist() == [
        "50 % likely to leave, 140.00 at stake; call at 4.00 is expected to earn 17.00 beyond its cost",
        "0 % likely to leave, 70.00 at stake; voucher at 3.05 would cost more than it is expected to save",
        "50 % likely to leave, 2.00 at stake; voucher at 3.05 would cost more than it is expected to save",
        "likely to cost more than they bring, so keeping them is not paid for",
        "what this customer is worth is not known, so no action can be shown to pay",
    ]
    assert (table["propensity"] == 1.0).all()
    assert (table["evidence"] == "assumption").all()
    assert plan.price == 0.0


def test_budget_and_capacity_are_named_as_reasons():
    actions = (
        Action(id="call", contact_cost=4.0, capacity=1),
        Action(id="letter", contact_cost=1.0, save_rate=(1, 19)),
    )
    clv, p_churn = [90.0, 80.0, 70.0], [0.5, 0.5, 0.5]
    plan = plan_retention(small(clv, p_churn), Retention(holdout=0, explore=0, budget=5.5, actions=actions), Value())
    assert plan.plan["action"].tolist() == ["call", "letter", "none"]
    assert (
        plan.plan["reason"]
        .iloc[2]
        .endswith("letter at 1.00 is expected to earn 2.50, but the budget was spent on better cases")
    )
    assert plan.price == pytest.approx(2.5)
    plan = plan_retention(small(clv, p_churn), Retention(holdout=0, explore=0, actions=actions[:1]), Value())
    assert (
        plan.plan["reason"]
        .iloc[2]
        .endswith("call at 4.00 is expected to earn 17.00, but its capacity went to better cases")
    )


def test_everyone_has_a_row_and_limits_hold():
    for budget in (0.0, 3.0, 50.0, 400.0, 1e6):
        retention = Retention(budget=budget, holdout=0.1, explore=0.3)
        retention = retention.model_copy(
            update={"actions": (retention.actions[0].model_copy(update={"capacity": 20}), retention.actions[1])}
        )
        plan = plan_retention(scores(), retention, Value())
        assert len(plan.plan) == 600
        assert plan.plan["customer_id"].is_monotonic_increasing
        within_limits(plan, retention)
        assert (plan.plan.loc[plan.plan["group"] == "holdout", "action"] == "none").all()
        assert (plan.plan.loc[plan.plan["group"] == "explore", "action"] != "none").all()
        assert (plan.plan.loc[plan.plan["tier"] == "below zero", "action"] == "none").all()
        assert plan.plan["propensity"].between(0.001 * 0.9, 1.0).all()
        assert plan.plan["reason"].str.len().gt(10).all()


def test_exploration_takes_at_most_a_fifth():
    retention = Retention(budget=100.0, holdout=0.0, explore=0.9)
    table = plan_retention(scores(), retention, Value()).plan
    explored = table[table["group"] == "explore"]
    assert 10.0 < explored["cost"].sum() <= 20.0
    assert table["cost"].sum() > 90.0


def test_holdout_ignores_budget_model_and_cutoff():
    first = plan_retention(scores(seed=1), Retention(holdout=0.2), Value()).plan
    later = scores(seed=2).assign(cutoff=pd.Timestamp("2011-12-01", tz="UTC"))
    second = plan_retention(later, Retention(holdout=0.2, budget=7.0, explore=0.5), Value()).plan
    assert (first["group"] == "holdout").tolist() == (second["group"] == "holdout").tolist()
    assert 0.1 < (first["group"] == "holdout").mean() < 0.3


def test_more_money_earns_more_and_takes_no_action_away():
    before, earned = np.zeros(600, bool), -1.0
    for budget in (2.0, 20.0, 100.0, 300.0, 500.0):
        table = plan_retention(scores(), CERTAIN.model_copy(update={"budget": budget}), Value()).plan
        now = (table["action"] != "none").to_numpy()
        assert (now | ~before).all()
        assert table["expected_profit"].sum() > earned
        before, earned = now, table["expected_profit"].sum()


def test_propensity_is_how_often_it_happens():
    # Over many salts; the budget is ample, so that nobody's best action depends on the others.
    table, retention, times = scores(200), Retention(holdout=0.2, explore=0.3, budget=1e6), 60
    first = plan_retention(table, retention, Value(), salt="0").plan
    plans = [plan_retention(table, retention, Value(), salt=str(salt)).plan for salt in range(times)]
    happened = np.mean([plan["action"] == first["action"] for plan in plans], axis=0)
    wrong, chance = happened - first["propensity"], first["propensity"]
    error = np.sqrt(chance * (1 - chance) / times)
    assert (wrong.abs() <= 5 * error + 1e-9).all()  # nobody is always drawn, or never
    alike = chance.round(9)
    assert alike.nunique() > 2
    together = error.groupby(alike).max() / np.sqrt(alike.value_counts())
    assert (wrong.groupby(alike).mean().abs() <= 4 * together + 1e-9).all()


def test_curve_passes_through_the_plan():
    plan = plan_retention(scores(), Retention(budget=400.0), Value())
    at = plan.curve[np.isclose(plan.curve["budget"], 400.0)].iloc[0]
    assert at["cost"] == pytest.approx(plan.plan["cost"].sum())
    assert at["expected_profit"] == pytest.approx(plan.plan["expected_profit"].sum())
    assert at["customers"] == (plan.plan["action"] != "none").sum()
    assert at["marginal_profit"] == pytest.approx(plan.price)


def test_same_scores_in_another_order_give_the_same_plan():
    table = scores()
    before = table.copy()
    one = plan_retention(table, Retention(), Value())
    other = plan_retention(table.sample(frac=1, random_state=3), Retention(), Value())
    pd.testing.assert_frame_equal(one.plan, other.plan, check_exact=True)
    pd.testing.assert_frame_equal(one.curve, other.curve, check_exact=True)
    assert (one.notes, one.price) == (other.notes, other.price)
    pd.testing.assert_frame_equal(table, before)


def test_log_without_amounts():
    table = scores().assign(clv=np.nan, clv_p10=np.nan, clv_p90=np.nan)
    plan = plan_retention(table.assign(tier=tiers(table)), Retention(), Value()).plan
    assert (plan["action"] == "none").all()
    assert not plan["eligible"].any()
    assert (
        plan.loc[plan["group"] != "holdout", "reason"].str.startswith("what this customer is worth is not known").all()
    )
    assert (plan["expected_profit"] == 0).all()


def test_no_actions_and_nobody():
    plan = plan_retention(scores(5), Retention(actions=(), holdout=0.0), Value())
    assert plan.plan["reason"].tolist() == ["no action is configured"] * 5
    assert len(plan_retention(scores(5).iloc[:0], Retention(), Value()).plan) == 0


def test_notes_say_what_the_plan_rests_on():
    notes = plan_retention(scores(), Retention(), Value()).notes
    assert "call: no experiment; a share of Beta(6, 14), 30% on average" in notes[0]
    assert any("next 1095 days, discounted at 10 % a year" in note for note in notes)
    assert any(note.startswith("If actions keep half as many as expected they earn") for note in notes)
    assert "The next 100 would earn" in plan_retention(scores(), Retention(budget=100.0), Value()).notes[-1]
    assert "More money would earn nothing." in plan_retention(scores(), Retention(budget=1e6), Value()).notes[-1]


def test_measured_effects_take_the_place_of_assumed_ones():
    table = small([70.0, 70.0], [0.5, 0.5])
    effects = assumed_effects(np.array([0.5, 0.5]), CERTAIN.actions)
    effects = replace(
        effects,
        stay=np.array([[0.0, 0.1], [-0.02, 0.0]]),  # the call does nothing for the first and harm to the second
        stay_p10=np.array([[-0.01, 0.05], [-0.04, -0.1]]),
        stay_p90=np.array([[0.01, 0.15], [0.0, 0.01]]),
        evidence=np.array(["experiment", "experiment"]),
    )
    table = plan_retention(table, CERTAIN, Value(), known=Known(effects)).plan
    assert table["action"].tolist() == ["voucher", "none"]
    assert table["expected_profit"].tolist() == pytest.approx([0.1 * 140.0 - 3.05, 0.0])
    assert table["p_stay_change"].tolist() == [0.1, 0.0]
    assert (table["evidence"] == "experiment").all()
    with pytest.raises(DefinitionError, match="Effects must be of the 3 customers"):
        plan_retention(small([7.0, 7.0, 7.0], [0.5, 0.5, 0.5]), CERTAIN, Value(), known=Known(effects))


def test_excluded_customers_are_left_alone():
    known = Known(excluded={"00001": "left alone: unsubscribe within the last 30 days"}, next_category={"00000": "tea"})
    plan = plan_retention(scores(50), CERTAIN, Value(), known=known)
    row = plan.plan.set_index("customer_id").loc["00001"]
    assert (row["action"], row["planned_action"], row["eligible"]) == ("none", "none", False)
    assert row["reason"].startswith("left alone: unsubscribe")
    assert plan.notes[-1] == "1 customers are left alone by [retention] exclude."
    assert plan.plan["next_category"].dropna().tolist() == ["tea"]


def test_sentences_are_the_same_in_ranges_of_customers(monkeypatch):
    retention, known = Retention(holdout=0.1, explore=0.2, budget=300.0), Known(next_category={"00003": "tea"})
    whole = plan_retention(scores(50), retention, Value(), known=known).plan["reason"]
    monkeypatch.setattr("churnvalue.decisions.plan_words._AT_ONCE", 7)
    assert plan_retention(scores(50), retention, Value(), known=known).plan["reason"].tolist() == whole.tolist()
    assert whole.nunique() > 40


def test_those_held_out_and_exploring_are_told_what_they_would_get():
    undrawn = plan_retention(scores(), CERTAIN.model_copy(update={"budget": 1e6}), Value()).plan
    drawn = plan_retention(scores(), Retention(holdout=0.3, explore=0.3, budget=1e6), Value()).plan
    assert (drawn["group"] != "exploit").sum() > 200
    assert (drawn["planned_action"] == undrawn["action"]).all()
    assert drawn["stake"].tolist() == undrawn["stake"].tolist()


def test_service_and_actions_draw_on_one_budget():
    level = ServiceLevel(id="preferred", tiers=("steady",), cost_factor=2.0, save_rate=(10, 10))
    retention = CERTAIN.model_copy(
        update={"service_levels": (level,), "actions": (Action(id="call", contact_cost=4.0),)}
    )
    table = small([70.0, 70.0], [0.5, 0.5]).assign(cost_to_serve=[10.0, 1000.0])
    # V = 140; service keeps half: .5 · .5 · 140 - 10 = 25; a call beside it .5 · .3 · 140 · .5 - 4 = 6.5, alone 17.
    both = plan_retention(table, retention.model_copy(update={"budget": 100.0}), Value()).plan
    assert both["service_level"].tolist() == ["preferred", "as today"]
    assert both["service_profit"].tolist() == pytest.approx([25.0, 0.0])
    assert both["expected_profit"].tolist() == pytest.approx([6.5, 17.0])
    assert both["reason"].iloc[0].endswith("; preferred instead of today's service is expected to earn 25.00")
    poor = plan_retention(table, retention.model_copy(update={"budget": 8.0}), Value()).plan
    assert poor["service_level"].tolist() == ["as today", "as today"]
    assert poor["expected_profit"].tolist() == pytest.approx([17.0, 17.0])


def test_floors_hold_or_are_refused():
    floor = Floor(tier="steady", customers=3, action="voucher")
    retention = CERTAIN.model_copy(update={"floors": (floor,)})
    table = small([70.0, 60.0, 50.0, 40.0], [0.5] * 4)
    assert (plan_retention(table, retention, Value()).plan["action"] == "voucher").sum() == 3
    with pytest.raises(DefinitionError, match="floor"):
        plan_retention(table, retention.model_copy(update={"budget": 3.0}), Value())
