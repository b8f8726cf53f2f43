"""A measured number with its 95 % interval, or the words why nothing can be said; never a NaN."""

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
from scipy.stats import t as student

from churnvalue.language import _

Floats = npt.NDArray[np.float64]
CONFIDENCE = 0.95
_FEWEST = 2
_STRAIGHT = 1e-6


@dataclass(frozen=True)
class Estimate:
    """A number with standard error and 95 % interval; all None, with the reason in ``note``, where nothing can be said.

    ``effective`` is how many equally weighted customers would tell as much as those it rests on.
    """

    value: float | None
    se: float | None
    low: float | None
    high: float | None
    effective: float = 0.0
    note: str = ""

    @property
    def known(self) -> bool:
        """Whether there is a number."""
        return self.value is not None

    @property
    def conclusive(self) -> bool:
        """Whether the interval leaves out 0."""
        return self.low is not None and self.high is not None and (self.low > 0 or self.high < 0)

    def times(self, factor: float) -> "Estimate":
        """Return the same of a quantity ``factor`` times as large."""
        if self.value is None or self.se is None or self.low is None or self.high is None:
            return self
        low, high = sorted((self.low * factor, self.high * factor))
        return replace(self, value=self.value * factor, se=self.se * abs(factor), low=low, high=high)


def unknown(note: str) -> Estimate:
    """Return that nothing can be said, and why."""
    return Estimate(None, None, None, None, note=note)


def t_interval(value: float, parts: Floats, degrees: float, effective: float, note: str = "") -> Estimate:
    """Return an estimate with Student's interval, bent for skewness; unknown where there is no spread to judge it by.

    Hall (1992), On the removal of skewness by transformation: the mean of a few amounts with a long tail is more often
    too low than too high, and its error then looks too small. The bend vanishes as customers become many.

    Args:
        value: The estimate.
        parts: What each customer adds to its error; their sum of squares is its variance.
        degrees: Degrees of freedom of that variance.
        effective: As in ``Estimate``.
        note: What else to say.
    """
    square = float((parts**2).sum())
    se = square**0.5
    if not (np.isfinite(value) and np.isfinite(se)) or degrees < 1:
        return unknown(_("too few customers for an interval"))
    if se <= 0:
        return unknown(_("all have the same outcome, so nothing tells how sure a difference would be"))
    skewness = float((parts**3).sum()) / square**1.5
    reach = float(student.ppf(0.5 + CONFIDENCE / 2, degrees))
    low, high = (value - se * _unbent(place, skewness) for place in (reach, -reach))
    return Estimate(float(value), float(se), float(low), float(high), float(effective), note)


def _unbent(place: float, skewness: float) -> float:
    """Return where Student's statistic of a skewed mean stands when its normal counterpart stands at ``place``."""
    if abs(skewness) < _STRAIGHT:
        return place
    return float(3.0 / skewness * (np.cbrt(1.0 + skewness * (place - skewness / 6.0)) - 1.0))


def from_influence(value: float, influence: Floats, customers: npt.NDArray[np.int64], effective: float) -> Estimate:
    """Return an estimate from the influence of each row, rows of one customer summed first.

    The variance is ``G/(G-1) · Σ c²/n²`` over the ``G`` customers' sums ``c``.

    Args:
        value: The estimate.
        influence: Shape (n,): mean 0.
        customers: Shape (n,): number of each row's customer, 0 … G - 1.
        effective: As in ``Estimate``.
    """
    rows = len(influence)
    sums = np.bincount(customers, weights=influence).astype(np.float64)
    size = len(sums)
    if size < _FEWEST:
        return unknown(_("at least 2 customers are needed"))
    parts = sums * (np.sqrt(size / (size - 1)) / rows)
    return t_interval(value, parts, degrees_of_freedom(sums, size - 1.0), effective)


def degrees_of_freedom(parts: Floats, most: float) -> float:
    """Return those of a variance estimated from ``parts``: ``2 G/(κ - 1)`` at the kurtosis κ, from 1 to ``most``.

    A few heavy ones tell as little as few.
    """
    square = float((parts**2).sum())
    kurtosis = len(parts) * float((parts**4).sum()) / square**2 if square > 0 else 3.0
    return max(min(most, 2.0 * len(parts) / max(kurtosis - 1.0, 1e-9)), 1.0)


def effective_size(weights: Floats) -> float:
    """Return ``(Σ w)² / Σ w²``, Kish's effective sample size; 0 without weights."""
    square = float((weights**2).sum())
    return float(weights.sum()) ** 2 / square if square > 0 else 0.0
