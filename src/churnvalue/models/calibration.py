"""Calibration of the level: the shift on the link at which predictions add up to what happened on the newest closed window.

A shift on the link leaves contributions of features additive. How far predictions spread is the business of ``stacking``.
"""

import numpy as np
import numpy.typing as npt
from scipy.optimize import brentq
from scipy.special import expit

from churnvalue.models.link_model import BOUND, Link

Floats = npt.NDArray[np.float64]
_FARTHEST = 10.0  # on the link; no log needs more


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
