"""The single customers that the page lists: those acted on, and the most valuable."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from churnvalue.contacts import NO_ACTION
from churnvalue.report.plans import acts

MOST_CUSTOMERS = 500
MOST_PLANNED = 300
SHOWN_REASONS = 2
SHOWN = ("customer_id", "tier", "p_churn", "orders", "spend", "clv", "p_return_30d")


def listed_customers(scores: pd.DataFrame, plan: pd.DataFrame | None, has_amounts: bool) -> pd.DataFrame:
    """Return the scores of the ``MOST_CUSTOMERS`` worth reading about: those acted on, and the most valuable.

    The most valuable first; without money, those with the most expected orders.
    """
    worth = "clv" if has_amounts else "orders"
    planned: list[str] = []
    if plan is not None:
        acted = plan[acts(plan).to_numpy(dtype=bool)]
        planned = list(dict.fromkeys(_top(acted, "expected_profit", MOST_PLANNED)["customer_id"]))
    ranked = _top(scores, worth, MOST_CUSTOMERS)
    others = ranked.loc[~ranked["customer_id"].isin(planned), "customer_id"]
    keep = [*planned, *others[: MOST_CUSTOMERS - len(planned)]]
    return _top(scores[scores["customer_id"].isin(keep)], worth, MOST_CUSTOMERS)


def customer_rows(
    listed: pd.DataFrame,
    plan: pd.DataFrame | None,
    sends: pd.DataFrame | None,
    told: Mapping[str, Sequence[Mapping[str, Any]]],
) -> list[dict[str, object]]:
    """Return a row of the page for each of the ``listed`` customers; ``told`` holds their drivers, the strongest first.

    ``why`` pairs each reason with whether it speaks for leaving.
    """
    keep = listed["customer_id"]
    own = None if plan is None else plan[plan["customer_id"].isin(keep)]
    actions, offers = _lookup(own, "action"), _lookup(own, "next_category")
    times = _lookup(None if sends is None else sends[sends["customer_id"].isin(keep)], "send_at_local")
    found = []
    for row in listed[[name for name in SHOWN if name in listed]].to_dict("records"):
        customer = str(row["customer_id"])
        action = actions.get(customer, "")
        why = [
            (str(one["text"]), float(one.get("effect") or 0.0) > 0) for one in told.get(customer, ()) if one.get("text")
        ]
        found.append(
            {str(key): value for key, value in row.items()}
            | {"action": "" if action == NO_ACTION else action, "why": why[:SHOWN_REASONS]}
            | {"send_at": times.get(customer, ""), "offer": offers.get(customer, "")}
        )
    return found


def _top(table: pd.DataFrame, column: str, most: int) -> pd.DataFrame:
    """Return the ``most`` rows with the largest numbers, the largest first; the same numbers by id, NaN last."""
    values = np.nan_to_num(table[column].to_numpy(dtype=np.float64), nan=-np.inf)
    if len(values) > most:
        table = table[values >= np.partition(values, -most)[-most]]
    order = table[[column, "customer_id"]].sort_values(
        [column, "customer_id"], ascending=[False, True], na_position="last"
    )
    return table.loc[order.index[:most]]


def _lookup(table: pd.DataFrame | None, column: str) -> dict[str, str]:
    """Return the first value of a text column by customer, in text order."""
    if table is None or column not in table:
        return {}
    own = table.loc[table[column].notna(), ["customer_id", column]].astype({column: "str"})
    own = own.sort_values(["customer_id", column]).drop_duplicates("customer_id")
    return dict(zip(own["customer_id"].astype(str), own[column], strict=True))
