"""The single customers that the page lists: those acted on, and the most valuable."""

from collections.abc import Sequence

import pandas as pd

from churnvalue.contacts import NO_ACTION
from churnvalue.report.evidence import driver_rows
from churnvalue.report.plans import acts

MOST_CUSTOMERS = 500
MOST_PLANNED = 300
SHOWN_REASONS = 2
SHOWN = ("customer_id", "tier", "p_churn", "orders", "spend", "clv", "p_return_30d")


def customer_rows(
    scores: pd.DataFrame, plan: pd.DataFrame | None, sends: pd.DataFrame | None, has_amounts: bool
) -> list[dict[str, object]]:
    """Return the ``MOST_CUSTOMERS`` worth reading about: those acted on, and the most valuable.

    The most valuable first; without money, those with the most expected orders.
    """
    worth = "clv" if has_amounts else "orders"
    ranked = scores[[worth, "customer_id"]]
    ranked = ranked.sort_values([worth, "customer_id"], ascending=[False, True], na_position="last")
    planned = _planned(plan)[:MOST_PLANNED]
    others = ranked.loc[~ranked["customer_id"].isin(planned), "customer_id"]
    keep = [*planned, *others[: MOST_CUSTOMERS - len(planned)]]
    actions, times = _lookup(plan, keep, "action"), _lookup(sends, keep, "send_at_local")
    offers = _lookup(plan, keep, "next_category")
    found = []
    for row in scores.loc[ranked.index[ranked["customer_id"].isin(keep)]].to_dict("records"):
        customer = row["customer_id"]
        action = actions.get(customer, "")
        texts = [str(driver["text"]) for driver in driver_rows(row.get("drivers")) if driver.get("text")]
        found.append(
            {str(key): row[key] for key in SHOWN}
            | {"action": "" if action == NO_ACTION else action, "why": texts[:SHOWN_REASONS]}
            | {"send_at": times.get(customer, ""), "offer": offers.get(customer, "")}
        )
    return found


def _planned(plan: pd.DataFrame | None) -> Sequence[str]:
    """Return the customers acted on, the largest expected profit first."""
    if plan is None:
        return []
    order = ["expected_profit", "customer_id"]
    ranked = plan.loc[acts(plan), order].sort_values(order, ascending=[False, True], na_position="last")
    return list(dict.fromkeys(ranked["customer_id"]))


def _lookup(table: pd.DataFrame | None, keep: Sequence[str], column: str) -> dict[str, str]:
    """Return the first value of a text column by customer, in text order."""
    if table is None or column not in table:
        return {}
    own = table.loc[table["customer_id"].isin(keep) & table[column].notna(), ["customer_id", column]]
    own = own.sort_values(["customer_id", column]).drop_duplicates("customer_id")
    return dict(zip(own["customer_id"], own[column].astype(str), strict=True))
