"""BG/NBD: customers buy at their own steady rate and may stop right after any repeat purchase.

Rates of buying are gamma(r, alpha), probabilities of stopping beta(a, b) over customers. Fader, Hardie and
Lee (2005), "Counting your customers the easy way".
"""

from collections.abc import Callable
from typing import ClassVar

import numpy as np
from scipy.special import digamma, expit, gammaln

from churnvalue.models.likelihood import Floats, Histories, Objective, PurchaseModel, distinct

_NODES = 48


class BGNBD(PurchaseModel):
    """BG/NBD, fitted by maximum posterior.

    Attributes:
        r_: Shape of the buying rates.
        alpha_: Their scale, in the unit of time of the data; the mean rate is r_ / alpha_.
        a_: First shape of the stopping probabilities.
        b_: Their second shape; the mean probability is a_ / (a_ + b_).

    The published customer of CDNOW, with purchases in weeks 0, …, 30.43 of 38.86; expected in the next 39 weeks:

    >>> import pandas as pd
    >>> rfm = pd.DataFrame({"frequency": [2], "recency": [30.43], "T": [38.86]})
    >>> model = BetaGeoNBD.from_parameters({"r": 0.243, "alpha": 4.414, "a": 0.793, "b": 2.426})
    >>> model.expected_purchases(rfm, 39.0).round(3)
    array([1.226])

    ``BetaGeoNBD().fit(rfm)`` learns the parameters.
    """

    names: ClassVar[tuple[str, ...]] = ("r", "alpha", "a", "b")
    times: ClassVar[tuple[str, ...]] = ("alpha",)

    def _centre(self, repeats: float) -> Floats:
        return np.array([0.5, 0.5 / repeats, 1.0, 2.0])

    def _each(self, values: Floats, base: Histories) -> Floats:
        r, alpha, a, b = values
        x, place = np.unique(base.frequency, return_inverse=True)
        shapes = gammaln(r + x) - gammaln(r) + gammaln(b + x) - gammaln(b)
        shapes += gammaln(a + b) - gammaln(a + b + x)
        bought = -base.frequency * np.log(alpha + base.age) - r * np.log1p(base.age / alpha)
        return np.asarray(shapes[place] + bought + np.logaddexp(0.0, _log_stopped(values, base)), dtype=np.float64)

    def _total(self, base: Histories) -> Objective:
        x, place = np.unique(base.frequency, return_inverse=True)

        def total(values: Floats) -> tuple[float, Floats]:
            r, alpha, a, b = values
            stopped = expit(_log_stopped(values, base))
            since_last, since_first = alpha + base.recency, alpha + base.age
            both = digamma(a + b) - digamma(a + b + x)
            d_r = (digamma(r + x) - digamma(r))[place] - np.log1p(base.age / alpha)
            d_r += stopped * np.log(since_first / since_last)
            waited = stopped / since_last + (1 - stopped) / since_first
            d_alpha = r / alpha - (r + base.frequency) * waited
            d_a = both[place] + stopped / a
            # Where frequency is 0 nobody can have stopped, so the last term is 0 whatever it is divided by.
            d_b = (digamma(b + x) - digamma(b) + both)[place]
            d_b -= stopped / np.where(base.frequency > 0, b + base.frequency - 1, 1.0)
            slope = np.array([base.counts @ d for d in (d_r, d_alpha, d_a, d_b)])
            return float(base.counts @ self._each(values, base)), values * slope

        return total

    def _alive(self, values: Floats, base: Histories) -> Floats:
        return np.asarray(expit(-_log_stopped(values, base)), dtype=np.float64)

    def _purchases(self, values: Floats, base: Histories) -> Callable[[float], Floats]:
        r, alpha, a, b = values
        (x, age), rows = distinct(base.frequency, base.age)
        shown, place = np.unique(x, return_inverse=True)
        chances, weights = _beta_quadrature(a, b + shown)
        alive = self._alive(values, base)

        def expected(horizon: float) -> Floats:
            # For the living: the mean of (1 - (1 + p t / (alpha + T))^-(r + x)) / p over p ~ beta(a, b + x).
            total = np.zeros(len(x))
            for chance, weight in zip(chances.T, weights.T, strict=True):
                p = chance[place]
                total -= weight[place] * np.expm1(-(r + x) * np.log1p(p * horizon / (alpha + age))) / p
            return np.asarray(alive * total[rows], dtype=np.float64)

        return expected


BetaGeoNBD = BGNBD  # as others call it


def _log_stopped(values: Floats, base: Histories) -> Floats:
    """Log odds of having stopped at the last purchase; minus infinity without repeat purchases."""
    r, alpha, a, b = values
    odds = a / np.where(base.frequency > 0, b + base.frequency - 1, np.inf)
    with np.errstate(divide="ignore"):
        silence = (r + base.frequency) * np.log((alpha + base.age) / (alpha + base.recency))
        return np.asarray(np.log(odds) + silence, dtype=np.float64)


def _beta_quadrature(a: float, b: Floats) -> tuple[Floats, Floats]:
    """Gauss-Jacobi nodes and weights for means over beta(a, b), a row for each b.

    Eigenvalues of the three-term recurrence, Golub and Welsch (1969). Positive weights keep the
    expected purchases in their bounds and growing in the horizon whatever the parameters; the closed form, a
    difference of hypergeometric functions, does not.
    """
    k = np.arange(1, _NODES)
    total = (a + b)[:, None]
    # Beta(a, b) as a chain sequence: diagonal and squared off-diagonal of its Jacobi matrix on [0, 1].
    even = (a + k - 1) * (total + k - 2) / ((total + 2 * k - 3) * (total + 2 * k - 2))
    even[:, 0] = a / (a + b)
    odd = k * (b[:, None] + k - 1) / ((total + 2 * k - 2) * (total + 2 * k - 1))
    last = (a + _NODES - 1) * (total[:, 0] + _NODES - 2)
    last /= (total[:, 0] + 2 * _NODES - 3) * (total[:, 0] + 2 * _NODES - 2)
    matrix = np.zeros((len(b), _NODES, _NODES))
    matrix[:, k - 1, k - 1] = even
    matrix[:, _NODES - 1, _NODES - 1] = last
    matrix[:, k, k] += odd
    matrix[:, k, k - 1] = matrix[:, k - 1, k] = np.sqrt(even * odd)
    nodes, vectors = np.linalg.eigh(matrix)
    return np.clip(nodes, 1e-300, 1.0), vectors[:, 0, :] ** 2
