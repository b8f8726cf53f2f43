"""The plan: who gets which action, who is held out, who is drawn at random, and why.

There is no experiment here: save rates are the configuration's assumption, and every row says so.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from churnvalue.config import Retention, Value
from churnvalue.decisions.action_value import STAY_FLOOR, Candidates, candidates
from churnvalue.decisions.allocation import NONE, Allocation, allocate
from churnvalue.decisions.assignment import (
    EXPLOIT,
    EXPLORE,
    HOLDOUT,
    assign,
    draw,
    explore_order,
    explore_within,
    hashes,
    propensity,
)
from churnvalue.decisions.tiers import service_level

NO_ACTION = "none"
ASSUMPTION = "assumption"
POLICY_VERSION = "assumed save rates 1"
EXPLORE_SHARE = 0.2
_HELD_OUT = "held out to measure the plan"

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]
Ints = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class RetentionPlan:
    """What to do for whom.

    Attributes:
        plan: One row for every scored customer, by customer_id, with the columns of plan.parquet.
        curve: Budget, cost, expected profit, customers and marginal profit of the whole plan, exploration
            included. It starts where exploration is paid for and passes through the given budget.
        price: Profit that the next unit of money would add; 0 when the budget is enough.
        notes: What the plan rests on and how it came out, in sentences.
    """

    plan: pd.DataFrame
    curve: pd.DataFrame
    price: float
    notes: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class _Decision:
    """Who is in which group and gets which action, -1 for none; ``full``: whose capacity is used up."""

    group: npt.NDArray[np.str_]
    choice: Ints
    chances: Floats
    allocation: Allocation
    full: Bools


def plan_retention(
    scores: pd.DataFrame,
    retention: Retention,
    value: Value,
    salt: str = "churnvalue",
    policy_version: str = POLICY_VERSION,
) -> RetentionPlan:
    """Return the plan for every scored customer.

    - A customer can get an action (is eligible) if clv and p_churn are known, the tier is not below zero, the
      action has capacity, and it would pay if the 90 % quantile of its save rate were true.
    - The hold-out depends on id and ``salt`` alone: the same customers stay held out over all plans and
      budgets.
    - Exploration is drawn anew at each cutoff, uniformly among a customer's eligible actions. It may take a
      fifth of the budget, shared evenly among actions, and of each capacity; the rate is lowered where this
      binds, and an action is not explored where a propensity would fall below 0.001, with which nothing can
      be estimated.
    - All others get what earns most. Budget and capacities hold for exploration and the rest together, at
      expected costs.
    - ``propensity`` is the probability, over the hash of the id and at the plan's price, of what the customer
      got.

    Raises:
        OutputError: If a column is missing or a customer comes twice.
    """
    customers = candidates(scores, retention.actions)
    decision = _decide(customers, retention, salt)
    worth, choice = customers.worth, decision.choice
    rows, acts = np.arange(len(choice)), choice != NONE
    names = np.array([*(action.id for action in retention.actions), NO_ACTION])

    def chosen(values: Floats) -> Floats:
        return np.asarray(np.where(acts, np.column_stack([values, np.zeros(len(values))])[rows, choice], 0.0))

    tier = customers.scores["tier"]
    plan = pd.DataFrame(
        {
            "customer_id": customers.scores["customer_id"],
            "cutoff": customers.scores["cutoff"],
            "tier": tier,
            "service_level": tier.map({name: service_level(name) for name in tier.unique()}),
            "action": names[choice],
            "expected_profit": chosen(worth.profit),
            "profit_p10": chosen(worth.profit_p10),
            "profit_p90": chosen(worth.profit_p90),
            "cost": np.append(worth.cost, 0.0)[choice],
            "group": decision.group,
            "propensity": decision.chances[rows, choice],
            "eligible": customers.eligible.any(axis=1),
            "reason": _reasons(customers, decision, names),
            "evidence": ASSUMPTION,
            "policy_version": policy_version,
        }
    )
    explored = plan[plan["group"] == EXPLORE]
    curve = decision.allocation.curve.copy()
    curve[["budget", "cost"]] += explored["cost"].sum()
    curve["expected_profit"] += explored["expected_profit"].sum()
    curve["customers"] += len(explored)
    price = decision.allocation.price
    notes = _notes(plan, float(chosen(worth.saved).sum()), price, retention, value)
    return RetentionPlan(plan, curve, price, notes)


def _decide(customers: Candidates, retention: Retention, salt: str) -> _Decision:
    """Hold out, explore, and allocate to the others what budget and capacity are left."""
    ids = customers.scores["customer_id"].astype(str).tolist()
    occasion = str(customers.scores["cutoff"].iloc[0]) if ids else ""
    eligible, cost = customers.eligible, customers.worth.cost
    held_out = assign(ids, salt, retention.holdout, retention.explore, occasion) == HOLDOUT

    share = EXPLORE_SHARE * retention.budget / max(len(cost), 1)
    affordable = np.divide(share, cost, out=np.full(len(cost), np.inf), where=cost > 0)
    limits = np.floor(np.minimum(affordable, EXPLORE_SHARE * customers.capacity))
    options = draw(eligible, ids, f"{salt} {occasion}")
    order = explore_order(ids, salt, occasion)
    drawn, rates = explore_within(np.where(held_out, NONE, options), order, retention.explore, limits)
    group = np.select([held_out, drawn != NONE], [HOLDOUT, EXPLORE], default=EXPLOIT)

    used = np.bincount(drawn[drawn != NONE], minlength=len(cost)).astype(np.float64)
    allocation = allocate(
        np.where(eligible, customers.worth.profit, -np.inf),
        np.broadcast_to(cost, eligible.shape),
        max(retention.budget - float(used @ cost), 0.0),
        customers.capacity - used,
        hashes(ids, salt, "tie"),
        group == EXPLOIT,
    )
    explored = eligible * rates / np.maximum(eligible.sum(axis=1, keepdims=True), 1)
    choice = np.select([group == HOLDOUT, group == EXPLORE], [np.full(len(ids), NONE), drawn], allocation.choice)
    used = np.bincount(choice[choice != NONE], minlength=len(cost)).astype(np.float64)
    chances = propensity(explored, allocation.choice, retention.holdout)
    return _Decision(group, choice, chances, allocation, used >= customers.capacity)


def _reasons(customers: Candidates, decision: _Decision, names: npt.NDArray[np.str_]) -> list[str]:
    """Why each customer gets what they get, in one sentence with its numbers."""
    worth, choice, group = customers.worth, decision.choice, decision.group
    if not len(worth.cost):
        return [_HELD_OUT if one == HOLDOUT else "no action is configured" for one in group]
    known = np.asarray(~np.isnan(worth.profit).any(axis=1))
    profit = np.where(known[:, None], worth.profit, -np.inf)
    still_open = np.where(decision.full, -np.inf, profit)
    for_money = np.asarray((still_open > 0).any(axis=1) & (decision.allocation.price > 0))
    # Of someone who gets nothing the action that came closest is named.
    closest = np.where(for_money, still_open.argmax(axis=1), profit.argmax(axis=1))
    named = np.where(choice == NONE, closest, choice)
    reasons = []
    for row, action in enumerate(named):
        offer = (
            f"{100 * customers.p_churn[row]:.0f} % likely to leave, {worth.stake[row]:.2f} at stake; "
            f"{names[action]} at {worth.cost[action]:.2f}"
        )
        earns = f"is expected to earn {profit[row, action]:.2f}"
        if group[row] == HOLDOUT:
            reason = _HELD_OUT
        elif group[row] == EXPLORE:
            reason = f"{offer} was drawn at random to learn what it does; it {earns} beyond its cost"
        elif choice[row] != NONE:
            reason = f"{offer} {earns} beyond its cost"
        elif not known[row]:
            reason = "what this customer is worth is not known, so no action can be shown to pay"
        elif customers.below_zero[row]:
            reason = "likely to cost more than they bring, so keeping them is not paid for"
        elif profit[row, action] <= 0:
            reason = f"{offer} would cost more than it is expected to save"
        elif for_money[row]:
            reason = f"{offer} {earns}, but the budget was spent on better cases"
        else:
            reason = f"{offer} {earns}, but its capacity went to better cases"
        reasons.append(reason)
    return reasons


def _notes(plan: pd.DataFrame, saved: float, price: float, retention: Retention, value: Value) -> tuple[str, ...]:
    """Return what the plan rests on and how it came out."""
    rates = "; ".join(
        f"{action.id} keeps {100 * action.save_rate[0] / sum(action.save_rate):.0f} % of those who would "
        f"leave, Beta({action.save_rate[0]:g}, {action.save_rate[1]:g})"
        for action in retention.actions
    )
    spent, groups = plan["cost"].sum(), plan["group"].value_counts()
    half, whole, double = (factor * saved - spent for factor in (0.5, 1.0, 2.0))
    acted, could = int((plan["action"] != NO_ACTION).sum()), int(plan["eligible"].sum())
    return (
        f"There is no experiment yet, so save rates are assumed: {rates or 'no action is configured'}.",
        f"Value is the margin of the next {value.horizon_days} days, discounted at "
        f"{100 * value.discount_rate:g} % a year. Given staying: clv / max(1 - p_churn, {STAY_FLOOR:g}).",
        f"The plan is expected to cost {spent:.2f} of {retention.budget:.2f} and to earn {whole:.2f} beyond "
        f"that; {half:.2f} if the true save rates are half of the assumed, {double:.2f} if twice.",
        f"{groups.get(HOLDOUT, 0)} customers are held out, {groups.get(EXPLORE, 0)} get an action drawn at "
        f"random; {acted} of {len(plan)} get an action, {could} could. "
        f"The next unit of money would earn {price:.2f}.",
    )
