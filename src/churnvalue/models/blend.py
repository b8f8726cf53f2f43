"""Trees and buy-till-you-die, blended on the link scale, so that reasons still add up exactly.

``link = level + trees_weight * trees + buying_weight * buying``. Trees see everything but extrapolate badly; three numbers and a
theory of buying extrapolate well but see little. Where the horizon is longer than what could be learnt from, the theory says
how the prediction stretches.
"""

from dataclasses import dataclass
from itertools import combinations
from math import factorial
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.special import expit

from churnvalue.models.buy_till_you_die import BuyTillYouDie, Foretold, summary
from churnvalue.models.link_model import BOUND, Link, LinkModel

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Blend:
    """A prediction of ``foretells`` over ``horizon_days``, learnt on outcomes of ``learnt_days``.

    ``reference`` are the frequency, recency, age and amount of the customer against whom reasons are told.
    """

    trees: LinkModel
    buying: BuyTillYouDie
    foretells: Foretold
    learnt_days: int
    horizon_days: int
    trees_weight: float
    buying_weight: float
    level: float
    reference: dict[str, float]

    @property
    def link(self) -> Link:
        """Scale on which the parts add up."""
        return self.trees.link

    @property
    def features(self) -> tuple[str, ...]:
        """Names of the features read: those of the trees, then the rest of buy-till-you-die's."""
        return tuple(dict.fromkeys([*self.trees.features, *self.buying.features]))

    def on_link(self, frame: pd.DataFrame) -> Floats:
        """Return the prediction on the link scale. Shape (rows,)."""
        buying = self._buying(summary(frame, self.buying.kind))
        total = self.level + self.trees_weight * self.trees.on_link(frame) + buying
        return np.clip(total, -BOUND, BOUND)

    def predict(self, frame: pd.DataFrame) -> Floats:
        """Return probabilities (logit) or amounts (log). Shape (rows,)."""
        on_link = self.on_link(frame)
        return expit(on_link) if self.link == "logit" else np.exp(on_link)

    def contributions(self, frame: pd.DataFrame) -> Floats:
        """Return what each of ``features`` adds on the link scale, and the base last; each row sums to ``on_link``.

        SHAP values of the trees (Lundberg et al. 2020), and exact Shapley values of buy-till-you-die's inputs against the
        reference customer, over all 2^3 coalitions.
        """
        names = list(self.features)
        parts = np.zeros((len(frame), len(names) + 1))
        trees = self.trees.contributions(frame) * self.trees_weight
        parts[:, [names.index(name) for name in self.trees.features]] = trees[:, :-1]
        parts[:, -1] = trees[:, -1] + self.level
        shares, base = self._shapley(summary(frame, self.buying.kind))
        for role, share in shares.items():
            parts[:, names.index(self.buying.feature(role))] += share
        parts[:, -1] += base
        return parts

    def _buying(self, rfm: pd.DataFrame) -> Floats:
        """What buy-till-you-die adds: its own link, and the stretch from the horizon learnt to the one foretold."""
        learnt = self.buying.on_link(rfm, self.foretells, self.learnt_days)
        if self.learnt_days == self.horizon_days:
            return self.buying_weight * learnt
        return (self.buying_weight - 1) * learnt + self.buying.on_link(rfm, self.foretells, self.horizon_days)

    def _shapley(self, rfm: pd.DataFrame) -> tuple[dict[str, Floats], float]:
        players: list[str] = [role for role in ("frequency", "recency", "age", "amount") if role in self.reference]
        rfm = rfm.assign(amount=rfm["amount"].fillna(self.reference.get("amount", np.nan)))
        worth = {
            coalition: self._buying(self._mixed(rfm, coalition))
            for size in range(len(players) + 1)
            for coalition in combinations(players, size)
        }
        n = len(players)
        shares: dict[str, Floats] = {}
        for player in players:
            share = np.zeros(len(rfm))
            for coalition, value in worth.items():
                if player not in coalition:
                    joined = tuple(p for p in players if p in coalition or p == player)
                    weight = factorial(len(coalition)) * factorial(n - len(coalition) - 1) / factorial(n)
                    share += weight * (worth[joined] - value)
            shares[player] = share
        return shares, float(worth[()][0]) if len(rfm) else 0.0

    def _mixed(self, rfm: pd.DataFrame, coalition: tuple[str, ...]) -> pd.DataFrame:
        """Return histories with the customer's inputs in the coalition and the reference's in the others' place."""
        mixed = rfm.assign(**{role: value for role, value in self.reference.items() if role not in coalition})
        # A recency beyond the age is no history; the nearest one that is takes its place.
        return mixed.assign(recency=np.minimum(mixed["recency"], mixed["age"]))

    def parameters(self) -> dict[str, Any]:
        """Return everything but the trees' own text, as JSON can hold it."""
        return {
            "trees": {
                "features": list(self.trees.features),
                "link": self.trees.link,
                "intercept": self.trees.intercept,
            },
            "buying": self.buying.parameters(),
            "foretells": self.foretells,
            "learnt_days": self.learnt_days,
            "horizon_days": self.horizon_days,
            "trees_weight": self.trees_weight,
            "buying_weight": self.buying_weight,
            "level": self.level,
            "reference": self.reference,
        }

    @classmethod
    def from_parameters(cls, parameters: dict[str, Any], trees: str) -> "Blend":
        """Return the blend that ``parameters`` described, with the text of its trees."""
        described = parameters["trees"]
        return cls(
            **{
                **parameters,
                "trees": LinkModel(trees, tuple(described["features"]), described["link"], described["intercept"]),
                "buying": BuyTillYouDie.from_parameters(parameters["buying"]),
            }
        )


def reference_of(rfm: pd.DataFrame) -> dict[str, float]:
    """Return the median customer, against whom reasons are told; without an amount where nobody has one."""
    medians = {role: float(rfm[role].median()) for role in ("frequency", "recency", "age")}
    medians["recency"] = min(medians["recency"], medians["age"])
    amounts = rfm["amount"][rfm["amount"] > 0]
    return {**medians, "amount": float(amounts.median())} if len(amounts) else medians
