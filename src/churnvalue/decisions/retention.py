"""The plan: who gets which action and which service, who is held out, and who is drawn at random."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa

from churnvalue.config import Retention, Value
from churnvalue.contacts import NO_ACTION
from churnvalue.decisions.action_value import p_profit
from churnvalue.decisions.allocation import NONE, Allocation
from churnvalue.decisions.assignment import EXPLOIT, EXPLORE, HOLDOUT, propensity
from churnvalue.decisions.candidates import Candidates, Known, candidates
from churnvalue.decisions.choosing import decide, draws_of, level_given
from churnvalue.decisions.options import profit_beside
from churnvalue.decisions.plan_notes import notes
from churnvalue.decisions.plan_words import Outcome, reasons
from churnvalue.effects.action_effects import ASSUMPTION, EXPERIMENT
from churnvalue.language import N_, _

POLICY_VERSION = "net value 2"
AS_TODAY = N_("as today")
COLUMNS = (
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
)

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class RetentionPlan:
    """What to do for whom.

    Attributes:
        plan: One row for every scored customer, by customer_id, with ``COLUMNS``. ``expected_profit`` and its quantiles, ``cost``
            and ``p_profit`` are of the action given, beside the level of service; ``evidence``, ``p_stay_change`` and ``stake``
            belong to ``planned_action``; service has its own profit and cost, both over the value horizon.
        curve: Budget, cost, expected profit, customers and marginal profit of the whole plan, exploration
            included. It starts where exploration is paid for and passes through the given budget.
        price: Profit that the next unit of money would add; 0 when the budget is enough.
        gap: Share of the best possible profit that the plan may fall short of it.
        notes: What the plan rests on and how it came out, in sentences.
    """

    plan: pd.DataFrame
    curve: pd.DataFrame
    price: float
    gap: float
    notes: tuple[str, ...]


_NOTHING_KNOWN = Known()


def plan_retention(
    scores: pd.DataFrame,
    retention: Retention,
    value: Value,
    salt: str = "churnvalue",
    known: Known = _NOTHING_KNOWN,
) -> RetentionPlan:
    """Return the plan for every scored customer.

    - Levels of service and actions draw on one budget; together they may be worth less than each alone.
    - The hold-out depends on id and ``salt`` alone: the same customers stay held out over all plans and
      budgets. They get no action, but the service that suits them: it is actions that are measured.
    - Exploration is drawn anew at each cutoff, uniformly among a customer's eligible actions. It may take a
      fifth of the budget, shared evenly among actions, and of each capacity; the rate is lowered where this
      binds, and an action is not explored where a propensity would fall below 0.001, with which nothing can
      be estimated.
    - All others get what earns most. Budget, capacities and floors hold for exploration and the rest
      together, at expected costs.
    - ``propensity`` is the probability, over the hash of the id and at the plan's prices, of what the customer
      got; ``planned_action`` what they would get without hold-out and exploration.

    Raises:
        OutputError: If a column is missing or a customer comes twice.
        DefinitionError: If no plan can keep the floors.
    """
    customers = candidates(scores, retention, known)
    draws = draws_of(customers, retention, salt)
    allocation, chosen, planned = decide(customers, draws, retention, salt)
    choice = np.select(
        [draws.group == HOLDOUT, draws.group == EXPLORE], [np.full(len(planned), NONE), draws.drawn], planned
    )
    explored = customers.eligible * draws.rates / np.maximum(customers.eligible.sum(axis=1, keepdims=True), 1)
    used = np.bincount(choice[choice != NONE], minlength=len(customers.worth.cost)).astype(np.float64)
    outcome = Outcome(
        group=draws.group,
        choice=choice,
        planned=planned,
        level=level_given(customers, chosen),
        profit=profit_beside(customers, chosen),
        price=allocation.price,
        capacity_price=allocation.capacity_price[: len(used)],
        full=used >= customers.capacity,
    )
    chances = propensity(explored, planned, retention.holdout)
    offered = [known.next_category.get(one) for one in customers.ids]
    plan = _table(customers, outcome, chances, retention, offered)
    curve = _with_explored(allocation, plan)
    worth = _(
        "Value is the margin of the next {days} days, discounted at {rate:g} % a year.",
        days=value.horizon_days,
        rate=100 * value.discount_rate,
    )
    told = notes(customers, outcome, plan, curve, retention)
    return RetentionPlan(
        plan, curve, allocation.price, allocation.gap, (*known.notes, *customers.effects.notes, worth, *told)
    )


def _table(
    customers: Candidates, outcome: Outcome, chances: Floats, retention: Retention, offered: Sequence[str | None]
) -> pd.DataFrame:
    """Return the columns of plan.parquet; ``chances`` of each action and, last, of none, ``offered`` next to each customer."""
    worth, choice, level = customers.worth, outcome.choice, outcome.level
    rows = np.arange(len(choice))
    names = [*(action.id for action in retention.actions), NO_ACTION]
    levels = [*(one.id for one in retention.service_levels), AS_TODAY]

    def of(values: Floats, option: Ints) -> Floats:
        return np.asarray(np.where(option != NONE, np.column_stack([values, np.zeros(len(values))])[rows, option], 0.0))

    lost = outcome.profit - worth.profit  # what the level of service keeps already
    evidence = [*customers.effects.evidence.tolist(), _common_evidence(customers.effects.evidence)]
    groups = (HOLDOUT, EXPLORE, EXPLOIT)
    columns: dict[str, Any] = {
        "customer_id": customers.scores["customer_id"],
        "cutoff": customers.scores["cutoff"],
        "tier": customers.scores["tier"],
        "service_level": _texts(levels, level),
        "action": _texts(names, choice),
        "expected_profit": of(outcome.profit, choice),
        "profit_p10": of(worth.profit_p10 + lost, choice),
        "profit_p90": of(worth.profit_p90 + lost, choice),
        "cost": np.append(worth.cost, 0.0)[choice],
        "service_profit": of(customers.service.profit, level),
        "service_cost": of(customers.service.cost, level),
        "group": _texts(groups, np.select([outcome.group == name for name in groups], range(len(groups)))),
        "propensity": chances[rows, choice],
        "eligible": customers.eligible.any(axis=1),
        "planned_action": _texts(names, outcome.planned),
        "p_stay_change": of(worth.stay, outcome.planned),
        "stake": worth.stake,
        "p_profit": p_profit(worth, choice, customers.p_churn, retention.actions, customers.effects),
        "evidence": _texts(evidence, outcome.planned),
        "policy_version": _texts((POLICY_VERSION,), np.zeros(len(choice), dtype=np.int64)),
        "reason": reasons(customers, outcome, retention, offered).to_pandas(),
        "next_category": pa.array(offered, pa.large_string()).to_pandas(),
    }
    return pd.DataFrame({name: columns[name] for name in COLUMNS}, copy=False)


def _texts(names: Sequence[str], places: Ints) -> pd.Series:
    """Return the name at each place, -1 the last, as a column of text; through objects it would take many times the memory."""
    found: pd.Series = pa.array(names, pa.large_string()).take(pa.array(places % len(names))).to_pandas()
    return found


def _common_evidence(evidence: npt.NDArray[np.str_]) -> str:
    """What the choice of no action rests on: on assumptions as soon as one action does."""
    return EXPERIMENT if len(evidence) and (evidence == EXPERIMENT).all() else ASSUMPTION


def _with_explored(allocation: Allocation, plan: pd.DataFrame) -> pd.DataFrame:
    """Return the curve of the whole plan: with those who explore, and with the service that those held out get instead."""
    explored = plan[plan["group"] == EXPLORE]
    others = plan[plan["group"] != EXPLORE]
    curve = allocation.curve.copy()
    curve["budget"] += explored["cost"].sum()
    allocated = {"cost": allocation.cost, "expected_profit": allocation.profit}
    for name, service in (("cost", "service_cost"), ("expected_profit", "service_profit")):
        curve[name] += explored[name].sum() + others[name].sum() + plan[service].sum() - allocated[name]
    curve["customers"] += len(explored)
    return curve
