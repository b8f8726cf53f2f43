"""Metrics of a survival curve: restricted mean, concordance, integrated Brier score.

Curves are P(not yet back) at 0, 1, … days, shape (rows, days + 1). All customers are followed over the whole curve, so no
weights for censoring are needed: who has not come back was seen not to.
"""

import numpy as np
import numpy.typing as npt

from churnvalue.errors import ChurnvalueError

Floats = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]


def restricted_mean(survival: Floats) -> Floats:
    """Return the expected days to the return, cut at the end of the curve: the area below it. Shape (rows,)."""
    return np.asarray(np.trapezoid(survival, axis=1), dtype=np.float64)


def concordance(days: Floats, observed: Flags, predicted_days: Floats) -> float:
    """Return the share of pairs whose waits are predicted in the right order, ties of prediction half; NaN without pairs.

    A pair counts where the shorter wait ended in a return; of equal waits, where just one did. Harrell et al. (1982).
    """
    order = np.argsort(predicted_days, kind="stable")
    days, observed, predicted = days[order], observed[order], predicted_days[order]
    right = pairs = 0.0
    for day in np.unique(days[observed]):
        later = predicted[(days > day) | ((days == day) & ~observed)]
        sooner = predicted[(days == day) & observed]
        below = np.searchsorted(later, sooner, side="left").sum()
        at_most = np.searchsorted(later, sooner, side="right").sum()
        pairs += len(later) * len(sooner)
        right += len(later) * len(sooner) - (below + at_most) / 2
    return float(right / pairs) if pairs else np.nan


def brier_of_customers(days: Floats, observed: Flags, survival: Floats) -> Floats:
    """Return each customer's squared error of the curve, averaged over the days by the trapezoidal rule. Shape (rows,).

    Raises:
        ChurnvalueError: If somebody was followed for less than the curve.
    """
    times = np.arange(survival.shape[1])
    if (days[~observed] < times[-1]).any():
        raise ChurnvalueError(
            f"Everyone must be followed for {times[-1]} days, but some only for {days[~observed].min():g}."
            " Use an earlier cutoff or a shorter curve."
        )
    waiting = (days[:, None] >= times) | ~observed[:, None]
    return np.asarray(np.trapezoid((survival - waiting) ** 2, axis=1) / times[-1], dtype=np.float64)


def integrated_brier(days: Floats, observed: Flags, survival: Floats) -> float:
    """Return the mean of ``brier_of_customers``: Graf et al. (1999) without censoring. Lower is better."""
    return float(brier_of_customers(days, observed, survival).mean())
