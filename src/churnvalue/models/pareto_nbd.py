"""Pareto/NBD: customers buy at their own steady rate until, one day unseen, they stop.

Rates of buying are gamma(r, alpha) and rates of stopping gamma(s, beta) over customers. Schmittlein, Morrison
and Colombo (1987), "Counting your customers"; Fader and Hardie (2005), "A note on deriving the Pareto/NBD
model".
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

import numba
import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.special import digamma, expit, exprel, gammaln

from churnvalue.errors import HistoryError
from churnvalue.models.likelihood import Floats, Histories, Objective, PurchaseModel, distinct, histories

_MOST_TERMS = 2048
_BLOCK = 2048
_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(48)


class ParetoNBD(PurchaseModel):
    """Pareto/NBD, fitted by maximum posterior.

    Attributes:
        r_: Shape of the buying rates.
        alpha_: Their scale, in the unit of time of the data; the mean rate is r_ / alpha_.
        s_: Shape of the stopping rates.
        beta_: Their scale, in the unit of time of the data.

    Weeks, from the first purchase; customers who bought again early, late and never:

    >>> rfm = pd.DataFrame({"frequency": [2, 4, 0], "recency": [5.0, 36.0, 0.0], "T": [38.0, 38.0, 38.0]})
    >>> model = ParetoNBD.from_parameters({"r": 0.553, "alpha": 10.578, "s": 0.606, "beta": 11.669})
    >>> model.p_alive(rfm).round(2)
    array([0.14, 0.97, 0.3 ])
    >>> model.p_no_purchase(rfm, 13.0).round(2)  # the churn score of a quarter
    array([0.94, 0.39, 0.97])

    ``ParetoNBD().fit(rfm)`` learns the parameters; these are the published ones of CDNOW.
    """

    names: ClassVar[tuple[str, ...]] = ("r", "alpha", "s", "beta")
    times: ClassVar[tuple[str, ...]] = ("alpha", "beta")

    def discounted_purchases(self, rfm: pd.DataFrame, horizon: float, discount_rate: float) -> Floats:
        """Expected purchases within ``horizon`` of the cutoff, each worth exp(-discount_rate * its distance).

        ``discount_rate`` is continuous, per unit of time of the data. By Gauss-Legendre quadrature of the
        expected rate of purchases.

        Raises:
            HistoryError: If the horizon or the rate is negative or not finite.
        """
        if not (0 <= horizon < np.inf and 0 <= discount_rate < np.inf):
            raise HistoryError(
                f"Horizon and discount rate must be finite and >= 0, but {horizon} and {discount_rate} came."
            )
        base, values = histories(rfm), self._values()
        s, scale = values[2], values[3] + base.age
        # What lies further off than e^-40 of its worth is nothing.
        end = min(horizon, 40.0 / discount_rate) if discount_rate else horizon
        # In log time the expected rate, which falls as a power, is smooth.
        reach = np.log1p(end / scale) / 2
        present = np.zeros(len(scale))
        for node, weight in zip(_NODES, _WEIGHTS, strict=True):
            log_time = reach * (node + 1)
            worth = np.exp((1 - s) * log_time - discount_rate * scale * np.expm1(log_time))
            present += weight * reach * scale * worth
        return (self._rate(values, base) * present)[base.rows]

    def _centre(self, repeats: float) -> Floats:
        return np.array([0.5, 0.5 / repeats, 0.5, 0.5])

    def _each(self, values: Floats, base: Histories) -> Floats:
        moments = _moments(base)
        stops, buys = _likelihoods(values, moments)
        return np.asarray(np.logaddexp(stops[moments.last], buys[moments.end]), dtype=np.float64)

    def _total(self, base: Histories) -> Objective:
        moments = _moments(base)

        def total(values: Floats) -> tuple[float, Floats]:
            fates, size = _fates(values, moments), len(moments.at)
            stops, buys = fates.stops[moments.last], fates.buys[moments.end]
            stopped = base.counts * expit(stops - buys)
            slope = fates.d_stops @ np.bincount(moments.last, stopped, size)
            slope += fates.d_buys @ np.bincount(moments.end, base.counts - stopped, size)
            return float(base.counts @ np.logaddexp(stops, buys)), slope

        return total

    def _alive(self, values: Floats, base: Histories) -> Floats:
        moments = _moments(base)
        stops, all_buys = _likelihoods(values, moments)
        buys = all_buys[moments.end]
        both = np.logaddexp(buys, stops[moments.end])
        return np.asarray(np.exp(np.minimum(both - np.logaddexp(buys, stops[moments.last]), 0.0)))

    def _purchases(self, values: Floats, base: Histories) -> Callable[[float], Floats]:
        s, scale, rate = values[2], values[3] + base.age, self._rate(values, base)

        def expected(horizon: float) -> Floats:
            # (1 - e^-(s-1)w) / (s-1) in log time w, written so that s = 1 is no exception.
            log_time = np.log1p(horizon / scale)
            return np.asarray(rate * scale * log_time * exprel((1 - s) * log_time), dtype=np.float64)

        return expected

    def _rate(self, values: Floats, base: Histories) -> Floats:
        """Expected purchases a unit of time at the cutoff."""
        r, alpha = values[:2]
        mean_rate = (r + base.frequency) / (alpha + base.age)
        return np.asarray(self._alive(values, base) * mean_rate, dtype=np.float64)


@dataclass(frozen=True)
class _Moments:
    """Distinct (repeat purchases so far, age), and where the last purchase and cutoff of histories are."""

    frequency: Floats
    at: Floats
    last: npt.NDArray[np.intp]
    end: npt.NDArray[np.intp]


@dataclass(frozen=True)
class _Fates:
    """Log-likelihood of being alive at a moment and then of stopping, or buying, first; their gradients."""

    stops: Floats
    buys: Floats
    d_stops: Floats
    d_buys: Floats


def _moments(base: Histories) -> _Moments:
    frequency = np.concatenate([base.frequency, base.frequency])
    (frequency, at), rows = distinct(frequency, np.concatenate([base.recency, base.age]))
    return _Moments(frequency, at, rows[: len(base.age)], rows[len(base.age) :])


def _likelihoods(values: Floats, moments: _Moments) -> tuple[Floats, Floats]:
    """Log-likelihood, at every moment, of being alive and then of stopping first, and of buying first.

    Of those silent from t_x to T, some stop before they buy again, be it before or after T, and the others
    live to buy after T: L = stops(t_x) + buys(T). Two positive terms, where the usual form subtracts one
    hypergeometric function from another.
    """
    r, alpha, s, beta = values
    ratio = (beta + moments.at) / (alpha + moments.at)
    chance = np.empty(len(ratio))
    _chances(r, s, moments.frequency, ratio, _terms(ratio), chance)
    alive = _alive(values, moments)[0]
    chance = _bounded(chance)
    return alive + np.log(chance), alive + np.log1p(-chance)


def _alive(values: Floats, moments: _Moments) -> tuple[Floats, Floats, npt.NDArray[np.intp]]:
    """Log-likelihood of being alive at every moment; the distinct frequencies, and the place of each moment's among them."""
    r, alpha, s, beta = values
    x, y = moments.frequency, moments.at
    distinct_x, place = np.unique(x, return_inverse=True)
    alive = (gammaln(r + distinct_x) - gammaln(r))[place]
    alive += -r * np.log1p(y / alpha) - x * np.log(alpha + y) - s * np.log1p(y / beta)
    return alive, distinct_x, place


def _fates(values: Floats, moments: _Moments) -> _Fates:
    """Both fates at every moment, as ``_likelihoods`` gives them; gradients in the logarithms of r, alpha, s, beta."""
    r, alpha, s, beta = values
    x, y = moments.frequency, moments.at
    buying, stopping = alpha + y, beta + y
    ratio = stopping / buying
    chance, d_r, d_s, d_ratio = _stops_first(r, s, x, ratio)
    alive, distinct_x, place = _alive(values, moments)
    d_alive = np.stack(
        [
            (digamma(r + distinct_x) - digamma(r))[place] - np.log1p(y / alpha),
            r / alpha - (r + x) / buying,
            -np.log1p(y / beta),
            s / beta - s / stopping,
        ]
    )
    d_chance = np.stack([d_r, -d_ratio * ratio / buying, d_s, d_ratio / buying])
    return _Fates(
        alive + np.log(chance),
        alive + np.log1p(-chance),
        values[:, None] * (d_alive + d_chance / chance),
        values[:, None] * (d_alive - d_chance / (1 - chance)),
    )


def _stops_first(r: float, s: float, x: Floats, ratio: Floats) -> tuple[Floats, Floats, Floats, Floats]:
    """Probability that somebody alive stops before the next purchase, and its slopes in r, s and ratio.

    With ratio = (beta + y) / (alpha + y) and n = r + s + x it is s/n 2F1(1, r + x; n + 1; 1 - ratio),
    whichever of alpha and beta is larger. Gauss's continued fraction (DLMF 15.7.1 with b = 0) needs no
    powers, so nothing overflows for any x, and its convergents are probabilities too.
    """
    terms = _terms(ratio)
    result = np.empty((4, len(x)))
    for level in np.unique(terms):
        members = np.flatnonzero(terms == level)
        # Blocks that fit the processor's cache.
        for start in range(0, len(members), _BLOCK):
            block = members[start : start + _BLOCK]
            result[:, block] = _continued_fraction(r, s, x[block], ratio[block], int(level))
    chance, d_r, d_s, d_ratio = result
    return _bounded(chance), d_r, d_s, d_ratio


def _bounded(chance: Floats) -> Floats:
    return np.clip(chance, 1e-300, 1 - 1e-15)


def _terms(ratio: Floats) -> npt.NDArray[np.int64]:
    """How many pairs of terms the continued fraction needs.

    The error falls by ((root - 1) / (root + 1))^2 a pair; enough of them for 1e-13. Their number is a matter of the moment
    alone: one customer never touches another, not even in the last digit.
    """
    root = np.sqrt(np.maximum(ratio, 1 / ratio))
    needed = 1 + 15 / np.log((root + 1) / np.maximum(root - 1, 1e-12))
    return np.asarray(np.minimum(2 ** np.ceil(np.log2(needed)), _MOST_TERMS), dtype=np.int64)


@numba.njit(cache=True, nogil=True)
def _chances(r, s, x, ratio, terms, chance):  # type: ignore[no-untyped-def]
    """Fill in the probability of ``_stops_first``: the same fraction without its slopes, which prediction does not need."""
    for i in range(len(x)):
        a, n, z = r + x[i], r + s + x[i], 1 - ratio[i]
        tail = 1.0
        for j in range(terms[i], 0, -1):
            tail = 1 - (a + j) * (n + j) / ((n + 2 * j) * (n + 2 * j + 1)) / tail * z
            tail = 1 - j * (s + j) / ((n + 2 * j - 1) * (n + 2 * j)) / tail * z
        chance[i] = s / (n * (1 - a * n / (n * (n + 1)) / tail * z))


def _continued_fraction(r: float, s: float, x: Floats, ratio: Floats, terms: int) -> Floats:
    """Rows: the probability of ``_stops_first`` by so many pairs of terms, its slopes in r, s and ratio."""
    a, n, z = r + x, r + s + x, 1 - ratio
    tail, t_r, t_s, t_z = np.ones_like(x), np.zeros_like(x), np.zeros_like(x), np.zeros_like(x)
    for j in range(terms, -1, -1):
        # 1 - k z / tail for the odd coefficient, then for the even one; slopes by the product rule.
        low, high = 1 / (n + 2 * j), 1 / (n + 2 * j + 1)
        rest = 1 / (n + j)
        step = (a + j) * (n + j) * low * high / tail
        both = rest - low - high
        t_r = step * z * (t_r / tail - both - 1 / (a + j))
        t_s = step * z * (t_s / tail - both)
        t_z = step * (z * t_z / tail - 1)
        tail = 1 - step * z
        if j:
            low, high = 1 / (n + 2 * j - 1), low
            step = j * (s + j) * low * high / tail
            t_r = step * z * (t_r / tail + low + high)
            t_s = step * z * (t_s / tail + low + high - 1 / (s + j))
            t_z = step * (z * t_z / tail - 1)
            tail = 1 - step * z
    chance = s / (n * tail)
    return np.stack(
        [chance, chance * (-1 / n - t_r / tail), chance * (1 / s - 1 / n - t_s / tail), chance * t_z / tail]
    )
