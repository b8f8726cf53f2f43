"""Value against risk: one dot a customer, or one a hexagon of a large base."""

import numpy as np
import pandas as pd

from churnvalue.report.summary import tier_names

SINGLE_DOTS = 400
COLUMNS, ROWS = 28, 18
DECADES = 5.0

Dot = tuple[float, float, float, int]


def risk_map(scores: pd.DataFrame) -> list[Dot]:
    """Return dots of p_churn, clv, customers and tier index; customers without either number are left out.

    Up to ``SINGLE_DOTS`` customers have a dot each. More are counted in hexagons, even steps of risk and of
    the logarithm of value, coloured by their most frequent tier; values at or below zero, and those more than
    ``DECADES`` powers of ten below the largest, share the row at 0.
    """
    known = scores[scores["p_churn"].notna() & scores["clv"].notna()]
    p_churn, clv = (known[column].to_numpy(dtype=np.float64) for column in ("p_churn", "clv"))
    tier = np.maximum(pd.Categorical(known["tier"], categories=tier_names(scores)).codes, 0).astype(int)
    if len(known) <= SINGLE_DOTS:
        seen = np.where(clv > clv.max(initial=0.0) / 10.0**DECADES, clv, np.minimum(clv, 0.0))
        single = zip(p_churn.tolist(), seen.tolist(), tier.tolist(), strict=True)
        return sorted((x, y, 1.0, colour) for x, y, colour in single)
    above = clv > 0
    height = np.log10(np.where(above, clv, 1.0))
    high = float(height[above].max()) if above.any() else 1.0
    low = max(float(height[above].min()), high - DECADES) if above.any() else 0.0
    above &= height >= low
    tall = (high - low) / ROWS or 1.0
    row = np.where(above, np.minimum((height - low) // tall, ROWS - 1), -1).astype(int)
    # Every other row is shifted by half a cell: so squares become hexagons.
    column = np.clip(np.floor(p_churn * COLUMNS - 0.5 * (row % 2)), 0, COLUMNS - 1).astype(int)
    names = int(tier.max()) + 1
    counted = np.bincount(((row + 1) * COLUMNS + column) * names + tier, minlength=(ROWS + 1) * COLUMNS * names)
    dots: list[Dot] = []
    for cell, sizes in enumerate(counted.reshape(-1, names)):
        if sizes.any():
            r, c = cell // COLUMNS - 1, cell % COLUMNS
            x = min((c + 0.5 + 0.5 * (r % 2)) / COLUMNS, 1.0)
            y = float(10.0 ** (low + (r + 0.5) * tall)) if r >= 0 else 0.0
            dots.append((x, y, float(sizes.sum()), int(sizes.argmax())))
    return dots
