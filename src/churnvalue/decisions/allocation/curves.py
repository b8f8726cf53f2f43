"""Profit against budget."""

import numpy as np
import pandas as pd

from churnvalue.decisions.allocation.blocks import ROUNDING, Floats, Ints
from churnvalue.decisions.allocation.hulls import walk

CURVE_POINTS = 101
CURVE_COLUMNS = ("budget", "cost", "expected_profit", "customers", "marginal_profit")


def curve_budgets(whole: float, budget: float) -> Floats:
    """Return the budgets of a curve: even steps to ``whole``, and the given one."""
    return np.unique(np.append(np.linspace(0.0, whole, CURVE_POINTS), budget))


def walked(places: Ints, numbers: Floats, budgets: Floats) -> Floats:
    """Return cost, profit, customers and price of money of walking one queue with each budget. Shape (budgets, 4).

    ``places``: customer, old and new option of each step; ``numbers``: extra cost, gain, efficiency.
    """
    customers = places[:, 0].max(initial=-1) + 1
    rows = [walk(places, numbers, budget * ROUNDING, np.full(customers, -1, dtype=np.int64)) for budget in budgets]
    return np.array(rows).reshape(-1, 4)


def curve_table(budgets: Floats, totals: Floats, plan: tuple[float, float, float, float, float]) -> pd.DataFrame:
    """Return the curve with ``plan``, its budget and totals, in its row.

    With more money one could always do the same, so profit is never less than with a smaller budget.
    """
    table = np.column_stack([budgets, totals])
    at = int(np.searchsorted(budgets, plan[0]))
    table[:at, 2] = np.minimum(table[:at, 2], plan[2])
    table[at] = plan
    for row in [*range(1, at), *range(at + 1, len(table))]:
        if table[row, 2] < table[row - 1, 2]:
            table[row, 1:4] = table[row - 1, 1:4]
    curve = pd.DataFrame(table, columns=list(CURVE_COLUMNS))
    return curve.assign(customers=np.round(curve["customers"]).astype(np.int64))
