"""The three models of the horizon, one coherent set: probability of leaving, orders, spend with its quantiles.

Each carries what it needs to agree with the others, so that each can be served alone: orders are never below the
probability of one, and the quantiles of spend belong to one distribution with the given P(churn) and mean.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.special import ndtri

from churnvalue.language import N_
from churnvalue.models.blend import Blend

Floats = npt.NDArray[np.float64]
_CERTAIN = 1e-6


@dataclass(frozen=True)
class ChurnModel:
    """Probability of no event of the outcome's kind within the horizon; ``bands`` part low, medium and high risk."""

    churn: Blend
    bands: tuple[float, float]

    @property
    def inputs(self) -> tuple[str, ...]:
        """Names of the features read."""
        return self.churn.features

    def predict(self, frame: pd.DataFrame) -> pd.DataFrame:
        """Return ``p_churn`` for each row."""
        return pd.DataFrame({"p_churn": self.churn.predict(frame)}, index=frame.index)

    def band(self, p_churn: Floats) -> npt.NDArray[np.str_]:
        """Return low, medium or high risk."""
        return np.array([N_("low"), N_("medium"), N_("high")])[np.searchsorted(self.bands, p_churn, side="right")]


@dataclass(frozen=True)
class OrdersModel:
    """Expected events of the outcome's kind within the horizon."""

    orders: Blend
    churn: Blend

    @property
    def inputs(self) -> tuple[str, ...]:
        """Names of the features read."""
        return tuple(dict.fromkeys([*self.orders.features, *self.churn.features]))

    def predict(self, frame: pd.DataFrame) -> pd.DataFrame:
        """Return ``orders``: at least P(one or more), since a mean of counts cannot be less."""
        orders = np.maximum(self.orders.predict(frame), 1.0 - self.churn.predict(frame))
        return pd.DataFrame({"orders": orders}, index=frame.index)


@dataclass(frozen=True)
class SpendModel:
    """Expected money within the horizon and its quantiles: nothing with P(churn), else lognormal around the mean.

    ``dispersion`` is the standard deviation of log spend given that there is any.
    """

    spend: Blend
    churn: Blend
    dispersion: float

    @property
    def inputs(self) -> tuple[str, ...]:
        """Names of the features read."""
        return tuple(dict.fromkeys([*self.spend.features, *self.churn.features]))

    def predict(self, frame: pd.DataFrame) -> pd.DataFrame:
        """Return ``spend, spend_p10, spend_p50, spend_p90``; the quantiles never decrease."""
        spend, p_churn = self.spend.predict(frame), self.churn.predict(frame)
        quantiles = {
            f"spend_p{level}": hurdle_quantile(level / 100, p_churn, spend, self.dispersion) for level in (10, 50, 90)
        }
        return pd.DataFrame({"spend": spend, **quantiles}, index=frame.index)


def hurdle_quantile(level: float, p_zero: Floats, mean: Floats, dispersion: float) -> Floats:
    """Return a quantile of amounts that are 0 with ``p_zero``, else lognormal, with the given overall mean.

    0 where ``level <= p_zero``.
    """
    buys = np.maximum(1.0 - p_zero, _CERTAIN)
    beyond = np.clip((level - p_zero) / buys, _CERTAIN, 1 - _CERTAIN)
    location = np.log(np.maximum(mean, np.finfo(float).tiny) / buys) - dispersion**2 / 2
    return np.where(level <= p_zero, 0.0, np.exp(location + dispersion * ndtri(beyond)))


def fit_dispersion(spend: Floats, mean: Floats, p_churn: Floats) -> float:
    """Return the dispersion with which 80 % of those who spend lie between their own 10 % and 90 % quantiles.

    Found by bisection on rows that the models have not seen; in [0.05, 3].
    """
    bought = spend > 0
    if bought.sum() < 30:
        return 1.0
    amount, mean, p_churn = spend[bought], mean[bought], p_churn[bought]
    # Given a purchase, quantile u of the buyers is quantile p + u (1 - p) of everyone.
    low, high = 0.05, 3.0
    for _ in range(40):
        middle = (low + high) / 2
        inner = [_buyers_quantile(u, p_churn, mean, middle) for u in (0.1, 0.9)]
        covered = np.mean((amount >= inner[0]) & (amount <= inner[1]))
        low, high = (middle, high) if covered < 0.8 else (low, middle)
    return (low + high) / 2


def _buyers_quantile(level: float, p_zero: Floats, mean: Floats, dispersion: float) -> Floats:
    location = np.log(np.maximum(mean, np.finfo(float).tiny) / np.maximum(1 - p_zero, _CERTAIN)) - dispersion**2 / 2
    return np.asarray(np.exp(location + dispersion * ndtri(level)), dtype=np.float64)
