"""How far estimated effects are to be believed: as a whole against what was assumed, and apart from one another."""

from dataclasses import dataclass
from math import sqrt

import numpy as np
import numpy.typing as npt
from scipy.stats import beta

from churnvalue.effects.ranking import Estimate, mean_of

_SURE = 1.96

Floats = npt.NDArray[np.float64]
Hashes = npt.NDArray[np.uint64]


def slope(effects: Floats, scores: Floats, fold: npt.NDArray[np.int64], customers: Hashes) -> Estimate:
    """Return by how much the doubly robust score rises where the cross-fitted effect of one action rises by 1.

    The slope of the best linear predictor (Chernozhukov, Demirer, Duflo and Fernández-Val, 2018): 1 for calibrated effects,
    below it for exaggerated ones, 0 where they tell nothing or do not vary. Effects are centred within their fold: the mean
    of a fold's model is lower by chance where the fold itself is higher.
    """
    sizes = np.maximum(np.bincount(fold), 1)
    apart = effects - (np.bincount(fold, effects) / sizes)[fold]
    weight = float(apart @ apart)
    if weight <= 1e-18 * len(apart):
        return Estimate(0.0, 0.0)
    value = float(apart @ scores) / weight
    residual = scores - scores.mean() - value * apart
    return Estimate(value, mean_of(apart * residual, customers).se * len(apart) / weight)


def believed(measured: Estimate) -> float:
    """Return a slope as it is used: cut to [0, 1], for effects are never stretched nor turned round."""
    return float(np.clip(measured.value, 0.0, 1.0))


def assumed_average(leaving: float, save_rate: tuple[float, float]) -> Estimate:
    """Return the average effect on staying that a Beta save rate says, with its standard deviation as ``se``.

    ``leaving`` is the share that leaves without the action.
    """
    return Estimate(leaving * float(beta.mean(*save_rate)), leaving * float(beta.std(*save_rate)))


def pooled(measured: Estimate, prior: Estimate) -> tuple[Estimate, float]:
    """Return the average by precision of what was measured and what was assumed, and the weight of the assumption.

    Empirical Bayes with normal errors: a small noisy experiment hardly moves the assumption, a large one replaces it.
    """
    total = measured.se**2 + prior.se**2
    weight = measured.se**2 / total if total > 0 else 0.0
    value = (1.0 - weight) * measured.value + weight * prior.value
    return Estimate(value, sqrt(weight) * prior.se), weight


@dataclass(frozen=True)
class Harm:
    """What is known of the customers whom an action seems to drive away.

    Attributes:
        group: Their mean doubly robust score; NaN for fewer than two.
        customers: How many rows they are.
        lowest: The lowest effect, which is lifted to 0.
        knot: Effects below it are lifted; -inf where none is: nobody has a negative effect, or the harm is certain.
    """

    group: Estimate
    customers: int
    lowest: float
    knot: float

    @property
    def certain(self) -> bool:
        """Whether negative effects stand."""
        return self.customers > 0 and self.knot < 0

    def lifted(self, effects: Floats) -> Floats:
        """Return the effects with those from the lowest to the knot spread over 0 to the knot, their order kept."""
        if self.knot < 0:
            return effects
        share = np.clip((effects - self.lowest) / max(self.knot - self.lowest, 1e-12), 0.0, 1.0)
        return np.asarray(np.where(effects < self.knot, self.knot * share, effects))


def harm(effects: Floats, scores: Floats, customers: Hashes) -> Harm:
    """Return what to do with negative effects of one action, by cross-fitted effects and doubly robust scores.

    Only where the upper bound of the scores of those with a negative effect is below 0 do they stand. Otherwise the lowest
    effects are pooled, the negative ones and as many more as it takes until the pool's mean score is no higher than the next
    effect; up to there, the knot, effects are lifted to between 0 and the knot.
    """
    chosen = effects < 0
    negative = int(chosen.sum())
    if negative == 0:
        return Harm(Estimate(float("nan"), float("nan")), 0, 0.0, float("-inf"))
    group = mean_of(scores[chosen], customers[chosen])
    lowest = float(effects.min())
    if group.value + _SURE * group.se < 0:
        return Harm(group, negative, lowest, float("-inf"))
    order = np.lexsort((scores, effects))
    means = np.cumsum(scores[order])[negative - 1 :] / np.arange(negative, len(order) + 1)
    following = effects[order][negative:]
    ends = np.flatnonzero(means[:-1] <= following)
    knot = following[ends[0]] if len(ends) else means[-1]
    return Harm(group, negative, lowest, max(0.0, float(knot)))
