"""What the page says of the plan: profit against budget, actions, who is left alone, messages, customers.

Sums run in the order of customer ids. This module knows no words but those that the plan itself carries.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from churnvalue.report.evidence import driver_rows
from churnvalue.report.numbers import listed
from churnvalue.report.summary import by_customer

NO_ACTION = "none"
MOST_CUSTOMERS = 500
MOST_PLANNED = 300
MOST_DISTINCT_REASONS = 10
CURVE_POINTS = 150
SHOWN_REASONS = 2
SHOWN = ("customer_id", "tier", "p_churn", "orders", "spend", "clv", "p_return_30d")
_NUMBERS = re.compile(r"[^\s\d]?\d[\d,.]*%?")


@dataclass(frozen=True)
class ActionRow:
    """One action of the plan; money is expected, ``low`` and ``high`` add up the 10% and 90% quantiles."""

    action: str
    customers: int
    exploring: int
    cost: float
    profit: float
    low: float
    high: float
    evidence: str


@dataclass(frozen=True)
class PlanSummary:
    """A plan in total.

    Attributes:
        actions: One row an action, the largest expected profit first.
        whole: All actions together.
        left_alone: Reasons and how many customers they spare, most frequent first. Where numbers would make
            every reason its own they stand as "…"; what exceeds the limit is summed under "".
        groups: Customers in each group that is not empty.
        assumed: Share of acted-on customers whose effect is an assumption; None where nobody is acted on.
        policies: Versions of the policy.
    """

    actions: list[ActionRow]
    whole: ActionRow
    left_alone: list[tuple[str, int]]
    groups: dict[str, int]
    assumed: float | None
    policies: str


@dataclass(frozen=True)
class Calendar:
    """Messages by hour of the week: ``hours[weekday][hour]``, Monday first."""

    messages: int
    customers: int
    hours: list[list[int]]
    channels: list[tuple[str, int]]
    first: str
    last: str

    @property
    def weekdays(self) -> list[int]:
        """Messages on each weekday."""
        return [sum(row) for row in self.hours]


def plan_summary(plan: pd.DataFrame) -> PlanSummary:
    """Return the totals of a plan."""
    plan = by_customer(plan)
    acting = (plan["action"].notna() & (plan["action"] != NO_ACTION)).to_numpy()
    acted = plan[acting]
    actions = [_action(str(name), own) for name, own in acted.groupby("action", sort=True)]
    return PlanSummary(
        actions=sorted(actions, key=lambda row: (-np.nan_to_num(row.profit), row.action)),
        whole=_action("", acted),
        left_alone=_reason_counts(plan.loc[~acting, "reason"]),
        groups=dict(sorted(_counts(plan["group"]).items())),
        assumed=_counts(acted["evidence"]).get("assumption", 0) / len(acted) if len(acted) else None,
        policies=listed(plan["policy_version"].unique()),
    )


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


def calendar(sends: pd.DataFrame) -> Calendar:
    """Return the messages counted by local hour of the week."""
    slots = pd.to_numeric(sends["slot"], errors="coerce")
    slots = slots[slots.between(0, 167)].astype(int)
    hours = np.bincount(slots.to_numpy(), minlength=168).reshape(7, 24)
    days = sends["send_at_local"].dropna().str[:10]
    return Calendar(
        messages=len(sends),
        customers=int(sends["customer_id"].nunique()),
        hours=[[int(n) for n in row] for row in hours],
        channels=sorted(_counts(sends["channel"]).items(), key=_most_first),
        first=str(days.min()) if len(days) else "",
        last=str(days.max()) if len(days) else "",
    )


def customer_rows(
    scores: pd.DataFrame, plan: pd.DataFrame | None, sends: pd.DataFrame | None, has_amounts: bool
) -> list[dict[str, object]]:
    """Return the ``MOST_CUSTOMERS`` worth reading about: those acted on, and the most valuable.

    The most valuable first; without money, those with the most expected orders.
    """
    worth = "clv" if has_amounts else "orders"
    ranked = scores.sort_values([worth, "customer_id"], ascending=[False, True], na_position="last")
    planned = list(_planned(plan))[:MOST_PLANNED]
    others = ranked.loc[~ranked["customer_id"].isin(planned), "customer_id"]
    keep = [*planned, *others[: MOST_CUSTOMERS - len(planned)]]
    actions, times = _lookup(plan, keep, "action"), _lookup(sends, keep, "send_at_local")
    found = []
    for row in ranked[ranked["customer_id"].isin(keep)].to_dict("records"):
        action = actions.get(row["customer_id"], "")
        texts = [str(driver["text"]) for driver in driver_rows(row.get("drivers")) if driver.get("text")]
        found.append(
            {str(key): row[key] for key in SHOWN}
            | {"action": "" if action == NO_ACTION else action, "why": texts[:SHOWN_REASONS]}
            | {"send_at": times.get(row["customer_id"], "")}
        )
    return found


def _planned(plan: pd.DataFrame | None) -> Sequence[str]:
    """Return the customers acted on, the largest expected profit first."""
    if plan is None:
        return []
    acted = plan[plan["action"].notna() & (plan["action"] != NO_ACTION)]
    order = ["expected_profit", "customer_id"]
    ranked = acted.sort_values(order, ascending=[False, True], na_position="last")
    return list(dict.fromkeys(ranked["customer_id"]))


def _lookup(table: pd.DataFrame | None, keep: Sequence[str], column: str) -> dict[str, str]:
    """Return the first value of a text column by customer, in text order."""
    if table is None:
        return {}
    own = table.loc[table["customer_id"].isin(keep) & table[column].notna(), ["customer_id", column]]
    own = own.sort_values(["customer_id", column]).drop_duplicates("customer_id")
    return dict(zip(own["customer_id"], own[column].astype(str), strict=True))


def _action(name: str, own: pd.DataFrame) -> ActionRow:
    """Return the totals of the plan rows of one action."""
    sums = own.reindex(columns=["cost", "expected_profit", "profit_p10", "profit_p90"]).astype(float).sum()
    return ActionRow(
        action=name,
        customers=len(own),
        exploring=_counts(own["group"]).get("explore", 0),
        cost=float(sums["cost"]),
        profit=float(sums["expected_profit"]),
        low=float(sums["profit_p10"]),
        high=float(sums["profit_p90"]),
        evidence=listed(own["evidence"].unique()),
    )


def _counts(texts: pd.Series) -> dict[str, int]:
    """Return how often each text stands in a column; empty and missing ones do not count."""
    return {str(name): int(n) for name, n in texts.value_counts().items() if name}


def _reason_counts(reasons: pd.Series) -> list[tuple[str, int]]:
    counts = reasons.fillna("").astype(str).value_counts()
    if len(counts) > MOST_DISTINCT_REASONS:
        counts = counts.groupby([_NUMBERS.sub("…", str(reason)) for reason in counts.index]).sum()
    ranked = sorted(((str(reason), int(n)) for reason, n in counts.items()), key=_most_first)
    rest = sum(n for _, n in ranked[MOST_DISTINCT_REASONS:])
    return ranked[:MOST_DISTINCT_REASONS] + ([("", rest)] if rest else [])


def _most_first(pair: tuple[str, int]) -> tuple[int, str]:
    return -pair[1], pair[0]
