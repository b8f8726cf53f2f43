"""What the page says of the plan: actions, service, what more money buys, who is left alone, what to offer next.

Sums run in the order of customer ids. This module knows no words but those that the plan itself carries.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from churnvalue.contacts import NO_ACTION
from churnvalue.report.general_reasons import general
from churnvalue.report.numbers import listed, number
from churnvalue.report.summary import by_customer

Floats = npt.NDArray[np.float64]

AS_TODAY = "as today"
NEXT_MONEY = 100.0
NEWER = ("planned_action", "stake", "p_profit", "service_profit", "service_cost", "next_category")
MOST_DISTINCT_REASONS = 10
MOST_OFFERS = 8
CURVE_POINTS = 150
_SUMMED = ("action", "group", "evidence", "cost", "expected_profit", "profit_p10", "profit_p90", "p_profit")
_NUMBERS = r"[^\s\d]?\d[\d,.]*%?"


@dataclass(frozen=True)
class ActionRow:
    """One action of the plan.

    Attributes:
        action: Its name; empty for all together.
        customers: Who get it.
        exploring: How many of them to learn what it does.
        cost: What it costs.
        profit: What it is expected to earn beyond its cost; ``low`` and ``high`` add up the 10% and 90% quantiles.
        low: See ``profit``.
        high: See ``profit``.
        p_profit: Mean probability that it pays; None where the plan does not say.
        evidence: What its effect is known from, by the customers for whom the plan chose it.
    """

    action: str
    customers: int
    exploring: int
    cost: float
    profit: float
    low: float
    high: float
    p_profit: float | None
    evidence: str


@dataclass(frozen=True)
class ServiceRow:
    """One level of service: what it costs more, and is expected to earn more, than today's."""

    level: str
    customers: int
    cost: float
    profit: float


@dataclass(frozen=True)
class PlanSummary:
    """A plan in total.

    Attributes:
        actions: One row an action, the largest expected profit first.
        whole: All actions together.
        services: One row a level, the largest expected profit first; empty in a plan that does not value service.
        cost: Of actions and service.
        profit: Of actions and service.
        low: The same with each action's 10% quantile; ``high`` with its 90% quantile. Service has no range.
        high: See ``low``.
        left_alone: Reasons and how many customers they spare, most frequent first. What they say of one customer
            alone is left out; where numbers would still make many they stand as "…"; the rest is summed under "".
        groups: Customers in each group that is not empty.
        offers: What to offer next and to how many, most frequent first, the rest summed under "".
        assumed: Share of the customers an action was chosen for whose effect is an assumption; None without any.
        policies: Versions of the policy.
    """

    actions: list[ActionRow]
    whole: ActionRow
    services: list[ServiceRow]
    cost: float
    profit: float
    low: float
    high: float
    left_alone: list[tuple[str, int]]
    groups: dict[str, int]
    offers: list[tuple[str, int]]
    assumed: float | None
    policies: str


def acts(plan: pd.DataFrame) -> pd.Series:
    """Return which customers of a plan get an action."""
    return plan["action"].notna() & (plan["action"] != NO_ACTION)


def plan_summary(plan: pd.DataFrame) -> PlanSummary:
    """Return the totals of a plan."""
    plan = by_customer(plan)
    acting = acts(plan).to_numpy()
    acted = plan.loc[acting, [name for name in _SUMMED if name in plan]]
    # ``evidence`` is of the planned action, which a customer who explores or is held out does not get.
    by = "planned_action" if "planned_action" in plan else "action"
    chosen = plan.loc[plan[by].notna() & (plan[by] != NO_ACTION), list({by, "evidence"})]
    choice = chosen[by]
    evidence = {str(name): listed(own.unique()) for name, own in chosen["evidence"].groupby(choice)}
    actions = [
        _action(str(name), own, evidence.get(str(name), listed(own["evidence"].unique())))
        for name, own in acted.groupby("action", sort=True)
    ]
    whole = _action("", acted, listed(chosen["evidence"].unique()))
    services = _services(plan)
    served = sum(row.profit for row in services)
    return PlanSummary(
        actions=sorted(actions, key=lambda row: (-np.nan_to_num(row.profit), row.action)),
        whole=whole,
        services=services,
        cost=whole.cost + sum(row.cost for row in services),
        profit=whole.profit + served,
        low=whole.low + served,
        high=whole.high + served,
        left_alone=_reason_counts(plan.loc[~acting, "reason"]),
        groups=dict(sorted(counts(plan["group"]).items())),
        offers=_most(counts(plan["next_category"]).items(), MOST_OFFERS) if "next_category" in plan else [],
        assumed=counts(chosen["evidence"]).get("assumption", 0) / len(chosen) if len(chosen) else None,
        policies=listed(plan["policy_version"].unique()),
    )


def of_customers(scores: pd.DataFrame, plan: pd.DataFrame, column: str) -> Floats | None:
    """Return a number that the plan holds for each scored customer, NaN for others; None where it knows none."""
    if column not in plan or plan[column].isna().all():
        return None
    ids = scores["customer_id"]
    if len(plan) == len(ids) and (plan["customer_id"].to_numpy() == ids.to_numpy()).all():
        return plan[column].to_numpy(dtype=np.float64)
    known = plan.drop_duplicates("customer_id").set_index("customer_id")[column]
    return ids.map(known).to_numpy(dtype=np.float64)


def at_stake(p_churn: Floats, stake: Floats | None) -> float | None:
    """Return how much more the customers would be worth if nobody left; None where what they are worth is not known.

    What would be lost with each who costs more than they bring is no loss, and counts as nothing.
    """
    return None if stake is None else float(np.nansum(p_churn * np.maximum(stake, 0.0)))


def service_levels(plan: pd.DataFrame) -> dict[str, str]:
    """Return the service levels in each tier."""
    pairs = plan[["tier", "service_level"]].drop_duplicates()
    return {str(tier): listed(own["service_level"]) for tier, own in pairs.groupby("tier")}


def profit_curve(curve: pd.DataFrame) -> list[tuple[float, float]]:
    """Return budget and expected profit in rising order of budget, thinned to ``CURVE_POINTS``."""
    known = curve[["budget", "expected_profit"]].astype(float).replace([np.inf, -np.inf], np.nan).dropna()
    known = known.sort_values(["budget", "expected_profit"], kind="stable")
    kept = np.unique(np.linspace(0, len(known) - 1, min(len(known), CURVE_POINTS)).round().astype(int))
    return [(float(budget), float(profit)) for budget, profit in known.to_numpy()[kept]]


def next_money(curve: Sequence[tuple[float, float]], budget: object) -> float | None:
    """Return what ``NEXT_MONEY`` beyond the budget would earn; None where budget or curve is not known."""
    spent = number(budget)
    if spent is None or len(curve) < 2:
        return None
    budgets, profits = np.array(curve).T
    before, after = np.interp([spent, spent + NEXT_MONEY], budgets, profits)
    return float(after - before)


def counts(texts: pd.Series) -> dict[str, int]:
    """Return how often each text stands in a column; empty and missing ones do not count."""
    return {str(name): int(n) for name, n in texts.value_counts().items() if name and n}


def most_first(pair: tuple[str, int]) -> tuple[int, str]:
    """Return the key that sorts the largest count first, then by name."""
    return -pair[1], pair[0]


def _action(name: str, own: pd.DataFrame, evidence: str) -> ActionRow:
    """Return the totals of the plan rows of one action."""
    sums = own.reindex(columns=["cost", "expected_profit", "profit_p10", "profit_p90"]).astype(float).sum()
    return ActionRow(
        action=name,
        customers=len(own),
        exploring=counts(own["group"]).get("explore", 0),
        cost=float(sums["cost"]),
        profit=float(sums["expected_profit"]),
        low=float(sums["profit_p10"]),
        high=float(sums["profit_p90"]),
        p_profit=number(float(own["p_profit"].mean())) if "p_profit" in own else None,
        evidence=evidence,
    )


def _services(plan: pd.DataFrame) -> list[ServiceRow]:
    if "service_profit" not in plan or "service_cost" not in plan:
        return []
    sums = plan.groupby("service_level")[["service_cost", "service_profit"]].sum()
    sizes = counts(plan["service_level"])
    rows = [
        ServiceRow(str(level), sizes[str(level)], float(cost), float(profit))
        for level, cost, profit in sums.itertuples()
        if str(level) in sizes
    ]
    # Today's service, which is what the others are measured against, comes last.
    return sorted(rows, key=lambda row: (row.level == AS_TODAY, -row.profit, row.level))


def _reason_counts(reasons: pd.Series) -> list[tuple[str, int]]:
    """Return the reasons and how often each stands, without what they say of one customer alone."""
    texts = general(pc.fill_null(pa.array(reasons, pa.string(), from_pandas=True), ""))
    found = _counted(texts)
    if len(found) > MOST_DISTINCT_REASONS:
        found = _counted(pc.replace_substring_regex(texts, _NUMBERS, "…"))
    return _most(found, MOST_DISTINCT_REASONS)


def _counted(texts: pa.Array) -> list[tuple[str, int]]:
    return [(str(one["values"]), int(one["counts"])) for one in texts.value_counts().to_pylist()]


def _most(pairs: Iterable[tuple[str, int]], limit: int) -> list[tuple[str, int]]:
    """Return the most frequent, and what exceeds the limit summed under an empty name."""
    ranked = sorted(pairs, key=most_first)
    rest = sum(n for _, n in ranked[limit:])
    return ranked[:limit] + ([("", rest)] if rest else [])
