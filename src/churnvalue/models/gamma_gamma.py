"""Gamma-Gamma: every customer spends around a mean of their own, and the means differ over customers.

A purchase is gamma(p, nu) and nu is gamma(q, v) over customers, independent of how often they buy. Fader and
Hardie (2013), "The Gamma-Gamma model of monetary value".
"""

from collections.abc import Mapping
from typing import ClassVar, Self

import numpy as np
import pandas as pd
from scipy.special import digamma, gammaln

from churnvalue.errors import DefinitionError, HistoryError
from churnvalue.models.likelihood import Floats, PositiveParameters, most_probable
from churnvalue.models.rfm import column


class GammaGamma(PositiveParameters):
    """Gamma-Gamma, fitted by maximum posterior.

    Attributes:
        p_: Shape of the amounts of one customer.
        q_: Shape of the customers' scales; above 1, so that the population has a mean.
        v_: Scale of the customers' scales, in the unit of money of the data.

    Two repeat purchases of 22.35 on average, and none, by the parameters published for CDNOW:

    >>> model = GammaGamma.from_parameters({"p": 6.25, "q": 3.74, "v": 15.44})
    >>> model.expected_amount(pd.DataFrame({"frequency": [2, 0], "monetary_value": [22.35, 0.0]})).round(2)
    array([24.66, 35.22])

    ``GammaGamma().fit(rfm)`` learns them.
    """

    names: ClassVar[tuple[str, ...]] = ("p", "q", "v")

    @classmethod
    def from_parameters(cls, parameters: Mapping[str, float]) -> Self:
        """Return the fitted model with these parameters.

        Raises:
            DefinitionError: If the names are not the model's own, a value is not positive, or q <= 1.
        """
        model = super().from_parameters(parameters)
        if model.q_ <= 1:
            raise DefinitionError(f"GammaGamma must have q > 1, or the population has no mean, but {model.q_} came.")
        return model

    def fit(self, rfm: pd.DataFrame) -> Self:
        """Learn from customers with repeat purchases of a positive mean ``amount``; the others are left out.

        ``rfm`` has the columns frequency and amount (or monetary_value), the mean money of a repeat purchase.

        Raises:
            DefinitionError: If a column is missing.
            HistoryError: If there is no such customer.
        """
        frequency, amount = column(rfm, "frequency"), column(rfm, "amount")
        known = (frequency > 0) & (amount > 0) & np.isfinite(amount)
        if not known.any():
            raise HistoryError(
                "Gamma-Gamma must see a customer with a repeat purchase of a positive amount, but none came. "
                "Use a later cutoff, or the mean amount of all purchases."
            )
        order = np.lexsort((amount[known], frequency[known]))
        x, amount = frequency[known][order], amount[known][order]
        # In units of the typical amount the fit is the same whatever the currency.
        unit = float(np.median(amount))
        scaled = amount / unit
        distinct_x, counts = np.unique(x, return_counts=True)
        log_sum, size = x @ np.log(x * scaled), float(len(x))

        def total(values: Floats) -> tuple[float, Floats]:
            # The second parameter is q - 1: positive without a bound, and at it the mean would be infinite.
            p, q, v = values[0], values[1] + 1, values[2]
            weight = p * x + q
            log_scale = np.log(v + x * scaled)
            shape = counts @ (gammaln(p * distinct_x + q) - gammaln(p * distinct_x))
            value = shape + size * (q * np.log(v) - gammaln(q)) + p * log_sum - weight @ log_scale
            both = digamma(p * distinct_x + q)
            d_p = (counts * distinct_x) @ (both - digamma(p * distinct_x)) + log_sum - x @ log_scale
            d_q = counts @ both + size * (np.log(v) - digamma(q)) - log_scale.sum()
            d_v = size * q / v - (weight / (v + x * scaled)).sum()
            return float(value), values * np.array([d_p, d_q, d_v])

        p, above, v = most_probable(total, np.array([4.0, 3.0, 1.0]), self.prior_sd, size)
        return self._learn(np.array([p, above + 1, v * unit]))

    def expected_amount(self, rfm: pd.DataFrame) -> Floats:
        """Expected mean amount of a purchase: the customer's own, shrunk towards the mean of the population.

        The mean of the population where frequency is 0 or the amount unknown. An amount below 0, of somebody
        who returned more than they bought, counts as 0.

        Raises:
            DefinitionError: If a column is missing.
        """
        p, q, v = self._values()
        amount = column(rfm, "amount")
        known = np.isfinite(amount)
        x = np.where(known, np.maximum(column(rfm, "frequency"), 0.0), 0.0)
        own = np.maximum(np.where(known, amount, 0.0), 0.0)
        return np.asarray(p * (v + x * own) / (p * x + q - 1), dtype=np.float64)
