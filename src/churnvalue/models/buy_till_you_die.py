"""Buy till you die on feature frames: Pareto/NBD for when, Gamma-Gamma for how much, from three numbers a customer.

Times are days. Several orders on one day are one purchase of the model; what they are in orders is a factor learnt beside.
"""

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import pandas as pd

from churnvalue.features import Feature, expand
from churnvalue.models.bg_nbd import BGNBD
from churnvalue.models.gamma_gamma import GammaGamma
from churnvalue.models.likelihood import Horizon
from churnvalue.models.pareto_nbd import ParetoNBD

Floats = npt.NDArray[np.float64]
Foretold = Literal["churn", "orders", "spend"]
_SURE = 1e-9
_ROLES = {
    "frequency": "repeat_days",
    "recency": "days_first_to_last",
    "age": "days_since_first",
    "amount": "repeat_amount_mean",
}
_ESTIMATORS: dict[str, type[ParetoNBD] | type[BGNBD]] = {"pareto_nbd": ParetoNBD, "bg_nbd": BGNBD}


def inputs(kind: str) -> tuple[Feature, ...]:
    """Return the features that the models read: repeat days, recency, age, mean repeat amount, days and orders."""
    uses = [*_ROLES.values(), "active_days", "event_count", "amount_total"]
    return expand([{"use": use, "kind": kind} for use in uses])


def summary(frame: pd.DataFrame, kind: str) -> pd.DataFrame:
    """Return frequency, recency, age (days) and mean repeat amount from a feature frame, in its order of rows."""
    rfm = pd.DataFrame({role: frame[f"{use}_{kind}"].to_numpy() for role, use in _ROLES.items()})
    # Purchases are counted by the day, so time is too; two orders on one day are one, however many hours lie between them.
    # Who has never bought has neither: a history of no length.
    recency, age = np.floor(rfm["recency"]), np.floor(rfm["age"])
    return rfm.assign(recency=recency.where(rfm["frequency"] > 0, 0.0), age=age.fillna(0.0))


@dataclass(frozen=True)
class BuyTillYouDie:
    """A fitted pair of models, with the orders that a purchase day stands for; plain numbers, so that it lives as JSON."""

    kind: str
    purchases: ParetoNBD | BGNBD
    amounts: GammaGamma | None
    orders_a_day: float

    @classmethod
    def fit(cls, frame: pd.DataFrame, kind: str, estimator: str = "pareto_nbd") -> "BuyTillYouDie":
        """Return the models fitted to everyone in a feature frame that has ``inputs(kind)``; amounts only where there are."""
        rfm = summary(frame, kind)
        days, orders = frame[f"active_days_{kind}"].sum(), frame[f"event_count_{kind}"].sum()
        paid = bool(((rfm["frequency"] > 0) & (rfm["amount"] > 0)).any())
        return cls(
            kind=kind,
            purchases=_ESTIMATORS[estimator]().fit(rfm),
            amounts=GammaGamma().fit(rfm) if paid else None,
            orders_a_day=float(orders / days) if days else 1.0,
        )

    @property
    def features(self) -> tuple[str, ...]:
        """Names of the features that prediction reads."""
        return tuple(f"{use}_{self.kind}" for use in _ROLES.values())

    def p_no_purchase(self, frame: pd.DataFrame, days: Horizon) -> Floats:
        """Return P(no purchase in the next ``days``); a column for each where several come."""
        return np.asarray(self.purchases.p_no_purchase(summary(frame, self.kind), days), dtype=np.float64)

    def orders(self, frame: pd.DataFrame, days: Horizon) -> Floats:
        """Return the expected orders of the next ``days``; a column for each where several come."""
        expected = self.purchases.expected_purchases(summary(frame, self.kind), days)
        return np.asarray(expected, dtype=np.float64) * self.orders_a_day

    def spend(self, frame: pd.DataFrame, days: float) -> Floats:
        """Return the expected money of the next ``days``; NaN without amounts."""
        if self.amounts is None:
            return np.full(len(frame), np.nan)
        rfm = summary(frame, self.kind)
        expected = np.asarray(self.purchases.expected_purchases(rfm, days), dtype=np.float64)
        return expected * np.asarray(self.amounts.expected_amount(rfm), dtype=np.float64)

    def feature(self, role: str) -> str:
        """Return the name of the feature that plays a role: frequency, recency, age or amount."""
        return f"{_ROLES[role]}_{self.kind}"

    def on_link(self, rfm: pd.DataFrame, foretold: Foretold, days: float) -> Floats:
        """Return the prediction for histories on the link scale: logit of no purchase, log of orders or of spend."""
        if foretold == "churn":
            silent = np.clip(np.asarray(self.purchases.p_no_purchase(rfm, days), dtype=np.float64), _SURE, 1 - _SURE)
            return np.log(silent) - np.log1p(-silent)
        orders = np.asarray(self.purchases.expected_purchases(rfm, days), dtype=np.float64)
        factor: Floats | float = self.orders_a_day
        if foretold == "spend":
            factor = np.asarray(self.amounts.expected_amount(rfm), dtype=np.float64) if self.amounts else 1.0
        return np.log(np.maximum(orders * factor, _SURE))

    def parameters(self) -> dict[str, Any]:
        """Return everything learnt, as JSON can hold it."""
        return {
            "kind": self.kind,
            "estimator": next(name for name, kind in _ESTIMATORS.items() if isinstance(self.purchases, kind)),
            "purchases": self.purchases.parameters(),
            "amounts": self.amounts.parameters() if self.amounts else None,
            "orders_a_day": self.orders_a_day,
        }

    @classmethod
    def from_parameters(cls, parameters: dict[str, Any]) -> "BuyTillYouDie":
        """Return the models that ``parameters`` described."""
        amounts = parameters["amounts"]
        return cls(
            kind=parameters["kind"],
            purchases=_ESTIMATORS[parameters["estimator"]].from_parameters(parameters["purchases"]),
            amounts=GammaGamma.from_parameters(amounts) if amounts else None,
            orders_a_day=parameters["orders_a_day"],
        )
