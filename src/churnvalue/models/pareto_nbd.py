"""Pareto/NBD: customers buy at their own steady rate until, one day unseen, they stop.

Rates of buying are gamma(r, alpha) and rates of stopping gamma(s, beta) over customers. Schmittlein, Morrison
and Colombo (1987), "Counting your customers"; Fader and Hardie (2005), "A note on deriving the Pareto/NBD
model".
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.special import digamma, expit, exprel, gammaln

from churnvalue.errors import HistoryError
from churnvalue.models.likelihood import Floats, Histories, Objective, PurchaseModel, distinct, histories
from churnvalue.models.stopping import chance_of_stopping, stops_first

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
    chance = chance_of_stopping(r, s, moments.frequency, ratio)
    alive = _alive(values, moments)[0]
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
    chance, d_r, d_s, d_ratio = stops_first(r, s, x, ratio)
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
