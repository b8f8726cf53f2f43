"""Value against risk: one dot a customer, or one a hexagon of a large base."""

import numpy as np
import pandas as pd

from churnvalue.report.summary import tier_names

SINGLE_DOTS = 400
COLUMNS, ROWS = 28, 18

Dot = tuple[float, float, float, int]


def risk_map(scores: pd.DataFrame) -> list[Dot]:
    """Return dots of p_churn, clv, customers and tier index; customers without either number are left out.

    Up to ``SINGLE_DOTS`` customers have a dot each. More are counted in hexagons, even steps of risk and of
    the logarithm of value, coloured by their most frequent tier; values at or below zero share the row at 0.
    """
    known = scores[scores["p_churn"].notna() & scores["clv"].notna()]
    p_churn, clv = (known[column].to_numpy(dtype=np.float64) for column in ("p_churn", "clv"))
    tier = np.maximum(pd.Categorical(known["tier"], categories=tier_names(scores)).codes, 0).astype(int)
    if len(known) <= SINGLE_DOTS:
        single = zip(p_churn.tolist(), clv.tolist(), tier.tolist(), strict=True)
        return sorted((x, y, 1.0, colour) for x, y, colour in single)
    above = clv > 0
    height = np.log10(np.where(above, clv, 1.0))
    low, high = (height[above].min(), height[above].max()) if above.any() else (0.0, 1.0)
    tall = (high - low) / ROWS or 1.0
    row = np.where(above, np.minimum((height - low) // tall, ROWS - 1), -1).astype(int)
    # Every other row is shifted by half a cell: so squares become hexagons.
    column = np.clip(np.floor(p_churn * COLUMNS - 0.5 * (row % 2)), 0, COLUMNS - 1).astype(int)
    place = ["row", "column"]
    each = pd.DataFrame({"row": row, "column": column, "tier": tier})
    counted = each.value_counts().rename("n").reset_index()
    counted = counted.sort_values([*place, "n", "tier"], ascending=[True, True, False, True])
    cells = counted.groupby(place).agg(n=("n", "sum"), tier=("tier", "first")).reset_index()
    dots: list[Dot] = []
    for r, c, n, colour in cells[[*place, "n", "tier"]].to_numpy().tolist():
        x = min((c + 0.5 + 0.5 * (r % 2)) / COLUMNS, 1.0)
        dots.append((x, float(10.0 ** (low + (r + 0.5) * tall)) if r >= 0 else 0.0, float(n), int(colour)))
    return dots
