"""Calibration on the newest closed window: the level on the link, at which predictions add up to what happened.

A shift on the link leaves contributions of features additive. The slope stays 1: learnt on models of fewer cutoffs, as it
would have to be, it made later windows worse on both logs that were tried.
"""

from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.optimize import brentq
from scipy.special import expit

from churnvalue.models.link_model import LinkModel

Floats = npt.NDArray[np.float64]
_FARTHEST = 10.0  # on the link; no log needs more


def levelled(model: LinkModel, frame: pd.DataFrame, target: pd.Series) -> LinkModel:
    """Return the model with the level at which its mean over ``frame`` is the mean of ``target``.

    Unchanged where no level can do that: nobody or everybody has the outcome.
    """
    on_link, mean = replace(model, intercept=0.0).on_link(frame), float(target.mean())
    if mean <= 0 or (model.link == "logit" and mean >= 1):
        return model

    def excess(level: float) -> float:
        return float(_inverse(model, level + on_link).mean()) - mean

    if excess(-_FARTHEST) > 0 or excess(_FARTHEST) < 0:
        return model
    return replace(model, intercept=float(brentq(excess, -_FARTHEST, _FARTHEST, xtol=1e-12)))


def _inverse(model: LinkModel, on_link: Floats) -> Floats:
    return expit(on_link) if model.link == "logit" else np.exp(np.clip(on_link, -30, 30))
