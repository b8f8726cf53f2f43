"""Customer value: the present value of a customer's net margin to the value horizon, less the cost of serving them.

Inside the outcome's horizon the spend model speaks; beyond it, its spend fades as Pareto/NBD says that this customer's
purchases fade. One distribution gives interval and risk: who never comes back brings nothing and costs what we go on
sending; of who does, margin is lognormal with the spread of spend, and the orders' cost comes on top.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.special import ndtr, ndtri

from churnvalue.features import Feature, expand
from churnvalue.models.blend import Blend
from churnvalue.models.buy_till_you_die import BuyTillYouDie

Floats = npt.NDArray[np.float64]
_COST_DAYS = 365  # cost to serve is read off the last year
_SHORTEST = 90  # a tenure shorter than this says little about a rate
_PRIOR_ORDERS = 2.0  # a customer's cost for an order is shrunk to the base's as by this many orders
_PERIODS = 12
_SURE = 1e-9
_MONEY = ("clv", "clv_p10", "clv_p90", "p_below_zero", "cost_to_serve")


@dataclass(frozen=True)
class Terms:
    """What value means: horizon of the outcome and of the value (days), margin, discount a year, cost of an event by kind."""

    horizon_days: int
    value_days: int
    margin: float
    discount_rate: float
    cost: dict[str, float]


def is_sent(kind: str) -> bool:
    """Whether we cause such events ourselves, whatever the customer does: messages."""
    return kind.startswith("message_sent")


def cost_features(kind: str, cost: dict[str, float]) -> tuple[Feature, ...]:
    """Return the features from which the cost to serve is read."""
    counted = [{"use": "event_count", "kind": cause, "days": _COST_DAYS} for cause in sorted({kind, *cost})]
    return expand([*counted, {"use": "days_since_first", "kind": kind}])


@dataclass(frozen=True)
class ValueModel:
    """Value with interval.

    ``cost_an_order`` is the base's mean cost of serving an order. Without amounts ``spend`` is None and value is NaN.
    """

    churn: Blend
    spend: Blend | None
    buying: BuyTillYouDie
    terms: Terms
    dispersion: float
    cost_an_order: float

    @property
    def inputs(self) -> tuple[str, ...]:
        """Names of the features read."""
        served = [f.name for f in cost_features(self.buying.kind, self.terms.cost)]
        spend = self.spend.features if self.spend else ()
        return tuple(dict.fromkeys([*self.churn.features, *spend, *self.buying.features, *served]))

    def predict(self, frame: pd.DataFrame) -> pd.DataFrame:
        """Return value, its interval and its risk, and cost to serve.

        ``clv, clv_p10, clv_p90``: money, may be negative. ``p_below_zero``: probability that a customer who does come
        back within the value horizon costs more than they bring. ``cost_to_serve``: present value of serving them over
        the value horizon, part of ``clv``. All NaN without amounts.
        """
        if self.spend is None:
            return pd.DataFrame(dict.fromkeys(_MONEY, np.full(len(frame), np.nan)), index=frame.index)
        gross, caused, sent = self._gross_and_costs(frame)
        silent = self._p_silent(frame, self.churn.predict(frame), self.terms.value_days)
        spread = _Spread(silent, gross, caused, sent, self.dispersion)
        value = gross - (caused + sent)
        # A mean may lie outside the quantiles of a skewed distribution; a reader would take that for an error.
        low, high = np.minimum(spread.quantile(0.1), value), np.maximum(spread.quantile(0.9), value)
        money = dict(zip(_MONEY, (value, low, high, spread.p_below_zero(), caused + sent), strict=True))
        return pd.DataFrame(money, index=frame.index)

    def _p_silent(self, frame: pd.DataFrame, p_churn: Floats, days: float) -> Floats:
        """P(no purchase in ``days``): Pareto/NBD's curve, its hazard scaled so that it passes through ``p_churn``."""
        horizon = self.terms.horizon_days
        share = self._hazard(frame, days) / self._hazard(frame, horizon)
        return np.asarray(np.exp(share * np.log(np.clip(p_churn, _SURE, 1 - _SURE))))

    def _hazard(self, frame: pd.DataFrame, days: float) -> Floats:
        """Cumulative hazard of buying; for those who seem dead a trace that grows with time, so that it can be scaled."""
        silent = np.clip(self.buying.p_no_purchase(frame, days), _SURE, 1.0)
        return np.maximum(-np.log(silent), _SURE * days)

    def _gross_and_costs(self, frame: pd.DataFrame) -> tuple[Floats, Floats, Floats]:
        """Present value, to the value horizon, of margin, of what orders cost, and of what is sent whatever they do."""
        terms = self.terms
        edges = _edges(terms.horizon_days, terms.value_days)
        by_then = self.buying.orders(frame, [*edges[1:], terms.horizon_days]).T
        orders = np.vstack([np.zeros(len(frame)), by_then[:-1]])
        at_horizon = np.maximum(by_then[-1], np.finfo(float).tiny)
        fading = np.diff(orders, axis=0) / at_horizon
        middles = (edges[1:] + edges[:-1]) / 2
        discount = (1 + terms.discount_rate) ** (-middles / 365)
        # Sums of one customer, not a product of matrices: the same digits however many customers are asked for.
        discounted = (discount[:, None] * fading).sum(axis=0)
        assert self.spend is not None
        gross = terms.margin * self.spend.predict(frame) * discounted
        orders_now = at_horizon * discounted
        sent = self._sent_a_day(frame) * float(discount @ np.diff(edges))
        return gross, self._cost_an_order(frame) * orders_now, sent

    def _cost_an_order(self, frame: pd.DataFrame) -> Floats:
        """Cost of what customers cause, for each order: their own last year, shrunk to the base."""
        caused = np.zeros(len(frame))
        for kind, cost in self.terms.cost.items():
            if not is_sent(kind):
                caused = caused + cost * frame[f"event_count_{kind}_{_COST_DAYS}d"].to_numpy()
        orders = frame[f"event_count_{self.buying.kind}_{_COST_DAYS}d"].to_numpy()
        return (caused + _PRIOR_ORDERS * self.cost_an_order) / (orders + _PRIOR_ORDERS)

    def _sent_a_day(self, frame: pd.DataFrame) -> Floats:
        """Cost a day of what we send, which goes on whether they buy or not."""
        days = frame[f"days_since_first_{self.buying.kind}"].clip(_SHORTEST, _COST_DAYS).to_numpy()
        sent = np.zeros(len(frame))
        for kind, cost in self.terms.cost.items():
            if is_sent(kind):
                sent = sent + cost * frame[f"event_count_{kind}_{_COST_DAYS}d"].to_numpy() / days
        return sent

    def parameters(self) -> dict[str, Any]:
        """Return what is not a tree, as JSON can hold it."""
        return {
            "buying": self.buying.parameters(),
            "terms": vars(self.terms),
            "dispersion": self.dispersion,
            "cost_an_order": self.cost_an_order,
        }


@dataclass(frozen=True)
class _Spread:
    """How value may turn out: ``-sent`` with ``p_silent``, else lognormal margin less the cost of orders, less ``sent``.

    ``gross`` and ``caused`` are means over both cases, so those who come back bring and cause more than them.
    """

    p_silent: Floats
    gross: Floats
    caused: Floats
    sent: Floats
    dispersion: float

    @property
    def _buys(self) -> Floats:
        return np.maximum(1.0 - self.p_silent, _SURE)

    @property
    def _location(self) -> Floats:
        return np.log(np.maximum(self.gross, np.finfo(float).tiny) / self._buys) - self.dispersion**2 / 2

    def p_below_zero(self) -> Floats:
        """P(value < 0) of those who come back."""
        return self._p_margin_below(self.caused / self._buys + self.sent)

    def quantile(self, level: float) -> Floats:
        """Return a quantile over both cases; the silent stand between buyers who lose money and those who earn it."""
        caused = self.caused / self._buys
        losing = self._buys * self._p_margin_below(caused)
        place = np.where(level <= losing, level, np.maximum(level - self.p_silent, losing)) / self._buys
        margin = np.exp(self._location + self.dispersion * ndtri(np.clip(place, _SURE, 1 - _SURE))) - caused
        silent = (losing < level) & (level <= losing + self.p_silent)
        return np.asarray(np.where(silent, 0.0, margin) - self.sent)

    def _p_margin_below(self, money: Floats) -> Floats:
        with np.errstate(divide="ignore"):
            return np.asarray(ndtr((np.log(money) - self._location) / self.dispersion), dtype=np.float64)


def mean_cost_an_order(frame: pd.DataFrame, kind: str, cost: dict[str, float]) -> float:
    """Return the base's cost of serving an order, over the last year of everyone in ``frame``."""
    caused = sum(
        c * frame[f"event_count_{cause}_{_COST_DAYS}d"].sum() for cause, c in cost.items() if not is_sent(cause)
    )
    return float(caused / max(frame[f"event_count_{kind}_{_COST_DAYS}d"].sum(), 1.0))


def _edges(horizon_days: int, value_days: int) -> Floats:
    """Ends of the periods over which value is added up: the horizon, then equal steps to the value horizon."""
    if value_days <= horizon_days:
        return np.array([0.0, float(value_days)])
    return np.concatenate(([0.0], np.linspace(horizon_days, value_days, _PERIODS)))
