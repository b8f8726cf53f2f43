"""Calibration of the level: the shift on the link at which predictions add up to what happened on closed windows.

A shift on the link leaves contributions of features additive. How far predictions spread is the business of ``stacking``.
"""

import numpy as np
import numpy.typing as npt
from scipy.optimize import brentq
from scipy.special import expit

from churnvalue.models.link_model import BOUND, Link

Floats = npt.NDArray[np.float64]
_FARTHEST = 10.0  # on the link; no log needs more
_NEWEST = 0.5  # how far the newest window's level counts beyond the mean of all; seasons and chance move single windows
_BUYING_OFF = 0.3  # by how much on the link buy-till-you-die's total is off where nothing but its theory is wrong


def level(on_link: Floats, actual: Floats, link: Link) -> float:
    """Return the shift that makes the mean prediction the mean of ``actual``; in [-10, 10].

    0 where no shift can do that: nobody or everybody has the outcome.
    """
    mean = float(np.mean(actual)) if len(actual) else 0.0
    if mean <= 0 or (link == "logit" and mean >= 1):
        return 0.0

    def excess(shift: float) -> float:
        moved = shift + on_link
        foretold = expit(moved) if link == "logit" else np.exp(np.clip(moved, -BOUND, BOUND))
        return float(np.mean(foretold)) - mean

    if excess(-_FARTHEST) > 0 or excess(_FARTHEST) < 0:
        return 0.0
    return float(brentq(excess, -_FARTHEST, _FARTHEST, xtol=1e-12))


def foretold_level(needed: Floats, alone: Floats, neutral: float, independent: float) -> float:
    """Return the level for now: what closed windows needed, drawn to buy-till-you-die's total as far as they disagree.

    Windows that needed much the same teach a level. Where they contradict each other (a peak that the log has seen only
    once, a jump) the newest one says little of the next, and buy-till-you-die, which spreads what it saw over the whole
    history, errs less. The weight is that of a normal prior around its total against the mean of so many windows.

    Args:
        needed: Levels that the blend would have needed at closed windows, oldest first.
        alone: Levels that buy-till-you-die alone would have needed there; their variance is the disagreement.
        neutral: Level at which the blend's total now is buy-till-you-die's.
        independent: How many windows that do not overlap the closed ones amount to, at least 1.
    """
    measured = _NEWEST * float(needed[-1]) + (1 - _NEWEST) * float(np.mean(needed))
    disagreement = float(np.var(alone, ddof=1)) if len(alone) > 1 else 0.0
    trust = _BUYING_OFF**2 / (_BUYING_OFF**2 + disagreement / independent)
    return neutral + trust * (measured - neutral)
