"""How well a ranking finds whom an action changes most, from doubly robust scores, with standard errors.

Every measure is a mean of contributions, one a customer, so that two rankings are compared on the same customers. Ranks run
from 0 for the best to 1; equal scores share theirs, so that the order of rows does not matter.
"""

from dataclasses import dataclass
from math import sqrt

import numpy as np
import numpy.typing as npt
from scipy.stats import rankdata

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Estimate:
    """A mean and its standard error, NaN for fewer than two clusters."""

    value: float
    se: float

    @property
    def clear(self) -> bool:
        """Whether the mean is above 0 by more than one standard error."""
        return self.value > self.se


def mean_of(contributions: Floats, customers: npt.NDArray[np.uint64] | None = None) -> Estimate:
    """Return the mean of contributions; its standard error is clustered by customer where they are given."""
    value, n = float(contributions.mean()), len(contributions)
    apart = contributions - value
    if customers is not None:
        _, which = np.unique(customers, return_inverse=True)
        apart = np.asarray(np.bincount(which, apart), dtype=np.float64)
    clusters = len(apart)
    if clusters < 2:
        return Estimate(value, float("nan"))
    return Estimate(value, sqrt(float(apart @ apart) * clusters / (clusters - 1)) / n)


def ranks(score: Floats) -> Floats:
    """Rank of each score in (0, 1), the highest nearest to 0; equal ones share the mean. Shape (n,)."""
    return np.asarray((rankdata(-score) - 0.5) / len(score))


def qini(score: Floats, effect: Floats) -> Floats:
    """Contributions whose mean is the Qini of a ranking: ``effect · (½ - rank)``; 0 for a random one.

    ``effect`` is each customer's doubly robust score. Qini has several definitions, which differ in scale: this one is the area
    between the curve of the gain over the share treated and the straight line, in the unit of the outcome a customer.
    """
    return np.asarray(effect * (0.5 - ranks(score)))


def mean_gain(score: Floats, effect: Floats) -> Floats:
    """Contributions whose mean is the gain averaged over all shares treated: ``effect · (1 - rank)``."""
    return np.asarray(effect * (1.0 - ranks(score)))


def gain_at(score: Floats, effect: Floats, share: float) -> Floats:
    """Contributions whose mean is the gain a customer of all when the best ``share`` is treated."""
    return np.asarray(effect * top(score, share))


def uplift_at(score: Floats, effect: Floats, share: float) -> Estimate:
    """Return the mean effect among the best ``share``."""
    weight = top(score, share)
    value = float((weight * effect).sum() / weight.sum())
    return Estimate(value, float(np.sqrt(((weight * (effect - value)) ** 2).sum()) / weight.sum()))


def top(score: Floats, share: float) -> Floats:
    """Weight of each customer in the best ``share``, in [0, 1]; equal scores share what is left. Shape (n,)."""
    room = share * len(score)
    before, last = rankdata(-score, method="min") - 1.0, rankdata(-score, method="max")
    return np.asarray(np.clip((room - before) / (last - before), 0.0, 1.0))


def paired(ours: Floats, theirs: Floats, customers: npt.NDArray[np.uint64] | None = None) -> Estimate:
    """Return the difference of two means over the same customers, ours minus theirs."""
    return mean_of(ours - theirs, customers)
