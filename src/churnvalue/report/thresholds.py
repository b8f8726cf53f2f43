"""What contacting everyone above some risk would have done in the newest closed window, and what it would have earned.

Who was caught is counted, from the training report; what that is worth is taken from the plan and today's customers.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import pandas as pd

from churnvalue.contacts import NO_ACTION
from churnvalue.effects.action_effects import EXPERIMENT
from churnvalue.report.numbers import number, rows

SHOWN = (0.3, 0.5, 0.7, 0.8, 0.9, 0.95, 0.98)

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Terms:
    """What an action costs each customer who gets it, and whom it is expected to keep.

    Attributes:
        action: Its name.
        cost: Mean cost.
        kept: The share it keeps: of all who get it where that was ``measured``, else of those of them who would leave.
        measured: Whether an experiment tells of most customers for whom it is planned.
    """

    action: str
    cost: float
    kept: float
    measured: bool


@dataclass(frozen=True)
class Reached:
    """Everyone with a risk of at least ``p_churn``: counts of the closed window, money where the plan tells it.

    Attributes:
        p_churn: The threshold.
        customers: Who would have been contacted; ``customer_share`` is of all.
        caught: Leavers among them; ``caught_share`` is of all leavers, None where nobody left.
        falsely: Those contacted who stayed.
        worth: What a leaver kept is worth, by today's customers above the threshold; None where that is not known.
        cost: Of the contacts.
        profit: Of the leavers kept, beyond the cost.
        best: Whether no other threshold shown earns more.
    """

    p_churn: float
    customers: int
    customer_share: float
    caught: int
    caught_share: float | None
    falsely: int
    worth: float | None = None
    cost: float | None = None
    profit: float | None = None
    best: bool = False


def terms(plan: pd.DataFrame, p_churn: Floats) -> Terms | None:
    """Return the terms of the action planned for most customers; None where the plan does not tell them.

    ``p_churn`` stands in the order of the plan's rows. A measured effect is an average over all who got the action, so it is
    taken as the same for everyone; an assumed one is a share of leavers: its sum is set against that of the risks.
    """
    if not {"planned_action", "p_stay_change"} <= set(plan.columns):
        return None
    planned = plan["planned_action"].to_numpy(dtype=object)
    sizes = plan["planned_action"].value_counts()
    ranked = sorted((-int(n), str(name)) for name, n in sizes.items() if name != NO_ACTION and n)
    for _, name in ranked:
        own = planned == name
        costs = plan["cost"].to_numpy(dtype=np.float64)[(own & (plan["action"] == name)).to_numpy(dtype=bool)]
        risk = float(np.nansum(p_churn[own]))
        if len(costs) and risk > 0:
            changed = float(np.nansum(plan["p_stay_change"].to_numpy(dtype=np.float64)[own]))
            measured = 2 * int((plan["evidence"][own] == EXPERIMENT).sum()) > int(own.sum())
            return Terms(name, float(costs.mean()), changed / (own.sum() if measured else risk), measured)
    return None


def reached(told: object, p_churn: Floats, stake: Floats | None, offer: Terms | None) -> list[Reached]:
    """Return the thresholds of ``SHOWN`` that somebody reaches, lowest first.

    Args:
        told: What the training report says of thresholds.
        p_churn: Risk of today's customers.
        stake: What each of them is worth if they stay; None where the plan does not tell.
        offer: What is offered; None if that is not known.
    """
    known = [
        (at, int(customers), int(leavers))
        for row in rows(told)
        for at, customers, leavers in [tuple(number(row.get(name)) for name in ("p_churn", "customers", "leavers"))]
        if at is not None and customers is not None and leavers is not None
    ]
    everyone = max((customers for _, customers, _ in known), default=0)
    leaving = max((leavers for _, _, leavers in known), default=0)
    found = [
        Reached(at, n, n / everyone, caught, caught / leaving if leaving else None, n - caught)
        for at, n, caught in sorted(known)
        if at in SHOWN and n
    ]
    if offer is None or stake is None:
        return found
    return _with_best([_priced(row, p_churn, stake, offer) for row in found])


def _priced(row: Reached, p_churn: Floats, stake: Floats, offer: Terms) -> Reached:
    above = (p_churn >= row.p_churn) & np.isfinite(stake)
    weight = float(p_churn[above].sum())
    if not weight > 0:
        return row
    worth = float((p_churn[above] * np.maximum(stake[above], 0.0)).sum()) / weight
    cost = row.customers * offer.cost
    kept = min(offer.kept * (row.customers if offer.measured else row.caught), row.caught)
    return replace(row, worth=worth, cost=cost, profit=kept * worth - cost)


def _with_best(found: Sequence[Reached]) -> list[Reached]:
    most = max((row.profit for row in found if row.profit is not None), default=0.0)
    return [replace(row, best=row.profit == most and most > 0) for row in found]
