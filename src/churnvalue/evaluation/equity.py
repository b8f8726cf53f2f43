"""What a base is worth in total, how sure that is, and how few customers hold it.

Sums run over customers in the order in which they come, so bring them sorted by id: then no digit depends on the order of rows.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

TOP_SHARES = (0.001, 0.01, 0.2)

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Estimate:
    """A total in money: its 80% interval if customers vary alone, its range if all vary together."""

    value: float
    low: float
    high: float
    together_low: float
    together_high: float


@dataclass(frozen=True)
class Top:
    """The most valuable ``share`` of customers and their part of all positive value."""

    share: float
    customers: int
    value_share: float


@dataclass(frozen=True)
class Equity:
    """The sum of all customer values and its concentration; ``tops`` is empty where nobody is worth anything."""

    customers: int
    total: Estimate
    tops: tuple[Top, ...]

    def facts(self) -> dict[str, Any]:
        """Return the same as JSON can hold it, for manifests and summaries."""
        return {"customers": self.customers, **vars(self.total), "tops": [vars(top) for top in self.tops]}


def equity(scores: pd.DataFrame) -> Equity | None:
    """Return customer equity from ``clv``, ``clv_p10``, ``clv_p90``, one row a customer; NaN counts as nothing.

    None where no customer has a value: a log without amounts.
    """
    clv, low, high = (scores[name].to_numpy(dtype=np.float64) for name in ("clv", "clv_p10", "clv_p90"))
    if not np.isfinite(clv).any():
        return None
    return Equity(len(clv), total(clv, low, high), tuple(tops(clv)))


def total(value: Floats, low: Floats, high: Floats) -> Estimate:
    """Return the sum of estimates, each with its 10% and 90% quantile.

    Independent errors add as squares, so the interval of the sum is as wide as the root of the summed squared
    widths. A model wrong for all at once moves every customer together: then quantiles add. The truth lies
    between the two.
    """
    found = float(np.nansum(value))
    half = 0.5 * math.sqrt(float(np.nansum((high - low) ** 2)))
    return Estimate(found, found - half, found + half, float(np.nansum(low)), float(np.nansum(high)))


def tops(value: Floats, shares: Sequence[float] = TOP_SHARES) -> list[Top]:
    """Return how much of all positive value the top customers hold; empty where nobody has any."""
    ranked = positive(value)
    whole = ranked.sum()
    if not whole > 0:
        return []
    sizes = [math.ceil(share * len(ranked)) for share in shares]
    return [Top(share, size, float(ranked[:size].sum() / whole)) for share, size in zip(shares, sizes, strict=True)]


@dataclass(frozen=True)
class Held:
    """What part of all actual value those held whom a prediction had put among the top ``share``, and the most that any could."""

    share: float
    held: float
    most: float


def held_by_foretold_tops(actual: Floats, predicted: Floats, shares: Sequence[float] = TOP_SHARES) -> list[Held]:
    """Return how well a prediction found those in whom value concentrates; empty where nobody has any.

    Customers predicted the same are put in the worst order.
    """
    foretold = np.maximum(actual[np.lexsort((actual, -predicted))], 0.0)
    sizes = {top.share: top for top in tops(actual, shares)}
    return [
        Held(s, float(foretold[: top.customers].sum() / foretold.sum()), top.value_share) for s, top in sizes.items()
    ]


def positive(value: Floats) -> Floats:
    """Return the positive part of every value, largest first; NaN counts as nothing."""
    return np.sort(np.maximum(np.nan_to_num(value), 0.0))[::-1]
