"""What the buy-till-you-die models share: distinct customers, the regularised fit, parameters as JSON.

Their likelihood sees a customer only through a few numbers, so a million customers cost no more than their
distinct histories. This module knows nothing of any one model.
"""

from abc import abstractmethod
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import ClassVar, Self

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.optimize import minimize
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted

from churnvalue.errors import DefinitionError, HistoryError
from churnvalue.models.rfm import column

Floats = npt.NDArray[np.float64]
Horizon = float | npt.ArrayLike
# Parameters in; log-likelihood of all customers, and its gradient in the logarithms of the parameters, out.
Objective = Callable[[Floats], tuple[float, Floats]]

# Parameters stay within a factor of e^7 (about 1,000) of their prior centre: a likelihood that keeps rising
# along a ridge, as on tiny or uniform bases, then still ends in usable numbers.
_REACH = 7.0
# Times to the second make every customer distinct. Above this number the fit takes them to the nearest 1/1024
# of the mean age, which moves parameters far less than their standard error at this size.
_MANY = 50_000


@dataclass(frozen=True)
class Histories:
    """Distinct (frequency, recency, age) of a customer base, sorted, so that the order of rows cannot matter.

    ``counts`` are the customers of each history, ``rows`` the place of every customer's history.
    """

    frequency: Floats
    recency: Floats
    age: Floats
    counts: Floats
    rows: npt.NDArray[np.intp]


def distinct(*columns: Floats) -> tuple[list[Floats], npt.NDArray[np.intp]]:
    """Return the distinct rows of ``columns`` in rising order, and the place of every row among them."""
    # Columns are coded one by one into one integer: hashing that is ten times faster than sorting rows.
    rows, size = np.zeros(len(columns[0]), np.int64), 1
    for values in columns:
        places, found = pd.factorize(values, sort=True)
        if size * len(found) >= 2**62:
            rows, seen = pd.factorize(rows, sort=True)
            size = len(seen)
        rows, size = rows * len(found) + places, size * len(found)
    rows, seen = pd.factorize(rows, sort=True)
    picked = np.empty((len(columns), len(seen)))
    picked[:, rows] = columns
    return list(picked), rows


def histories(rfm: pd.DataFrame) -> Histories:
    """Distinct histories of the customers in ``rfm``; recency counts as 0 where frequency is 0.

    Raises:
        DefinitionError: If a column is missing.
        HistoryError: If a value is impossible.
    """
    frequency, recency, age = (column(rfm, name) for name in ("frequency", "recency", "age"))
    # Two orders on one day are one purchase, yet hours apart.
    recency = np.where(frequency == 0, 0.0, recency)
    possible = (frequency >= 0) & (recency >= 0) & (age >= recency) & np.isfinite(frequency + age)
    if not possible.all():
        row = int(np.argmin(possible))
        raise HistoryError(
            f"Frequency must be >= 0 and age >= recency >= 0, but row {row} has {frequency[row]:g} and "
            f"{age[row]:g}, {recency[row]:g}. Count all three up to the same cutoff."
        )
    (frequency, recency, age), rows = distinct(frequency, recency, age)
    return Histories(frequency, recency, age, np.bincount(rows).astype(np.float64), rows)


def on_grid(base: Histories, unit: float) -> Histories:
    """Histories with times in ``unit``; where too many are distinct, to the nearest 1/1024 of it."""
    recency, age = base.recency / unit, base.age / unit
    if len(age) > _MANY:
        recency, age = np.round(recency * 1024) / 1024, np.round(age * 1024) / 1024
    (frequency, recency, age), rows = distinct(base.frequency, recency, age)
    return Histories(frequency, recency, age, np.bincount(rows, base.counts).astype(np.float64), rows)


def most_probable(log_likelihood: Objective, centre: Floats, prior_sd: float, size: float) -> Floats:
    """Positive parameters that maximise log-likelihood plus a lognormal prior.

    Args:
        log_likelihood: Sum over customers at given parameters, and its gradient in the logarithms of them.
        centre: Prior median, also the start.
        prior_sd: Standard deviation of the prior in logarithms; one prior, so it fades as customers come.
        size: Customers, which only sets the scale for the optimiser.
    """
    middle = np.log(centre)

    def loss(logarithms: Floats) -> tuple[float, Floats]:
        value, gradient = log_likelihood(np.exp(logarithms))
        away = (logarithms - middle) / prior_sd
        return float(away @ away / 2 - value) / size, (away / prior_sd - gradient) / size

    bounds = [(place - _REACH, place + _REACH) for place in middle]
    found = middle
    # A second run from the end of the first costs a step or two, and gets past a line search that gave up.
    for _ in range(2):
        found = minimize(
            loss, found, jac=True, method="L-BFGS-B", bounds=bounds, options={"ftol": 1e-13, "gtol": 1e-8}
        ).x
    return np.asarray(np.exp(found), dtype=np.float64)


class PositiveParameters(BaseEstimator):  # type: ignore[misc]
    """A model that is nothing but a few positive numbers, so it lives as JSON."""

    names: ClassVar[tuple[str, ...]]

    def __init__(self, *, prior_sd: float = 2.0) -> None:
        self.prior_sd = prior_sd

    def parameters(self) -> dict[str, float]:
        """Return the fitted parameters by name; ``from_parameters`` gives back the same model."""
        check_is_fitted(self)
        return {name: float(getattr(self, f"{name}_")) for name in self.names}

    @classmethod
    def from_parameters(cls, parameters: Mapping[str, float]) -> Self:
        """Return the fitted model with these parameters.

        Raises:
            DefinitionError: If the names are not the model's own, or a value is not positive.
        """
        if set(parameters) != set(cls.names):
            wanted, came = ", ".join(cls.names), ", ".join(parameters)
            raise DefinitionError(f"{cls.__name__} must have {wanted}, but {came} came. Fit it again.")
        model = cls()
        for name in cls.names:
            value = parameters[name]
            if not 0 < value < np.inf:
                raise DefinitionError(f"{cls.__name__} must have a positive {name}, but {value} came.")
        return model._learn(parameters[name] for name in cls.names)

    def _values(self) -> Floats:
        return np.array(list(self.parameters().values()))

    def _learn(self, values: Iterable[float]) -> Self:
        for name, value in zip(self.names, values, strict=True):
            setattr(self, f"{name}_", float(value))
        return self


class PurchaseModel(PositiveParameters):
    """A model of when customers buy and stop, from frequency, recency and age in any one unit of time."""

    # Which parameters are times; the others are pure numbers.
    times: ClassVar[tuple[str, ...]]

    def fit(self, rfm: pd.DataFrame) -> Self:
        """Learn the parameters from ``rfm``: one row a customer, columns frequency, recency and age or T.

        Frequency counts repeat purchases; recency and age are times from the first purchase to the last one and to the cutoff.

        Raises:
            DefinitionError: If a column is missing.
            HistoryError: If a value is impossible, or there is no customer.
        """
        base = histories(rfm)
        size = float(base.counts.sum())
        if not size:
            raise HistoryError("A purchase model must see a customer, but none came. Use a later cutoff.")
        # In units of the mean age the fit is the same whatever the unit of the columns.
        unit = float(base.counts @ base.age) / size or 1.0
        scaled = on_grid(base, unit)
        repeats = float(scaled.counts @ scaled.frequency) / size
        fitted = most_probable(self._total(scaled), self._centre(repeats + 0.5 / size), self.prior_sd, size)
        return self._learn(fitted * np.where(np.isin(self.names, self.times), unit, 1.0))

    def log_likelihood(self, rfm: pd.DataFrame) -> Floats:
        """Log-likelihood of each customer's purchase times, in rows of ``rfm``."""
        base = histories(rfm)
        return self._each(self._values(), base)[base.rows]

    def p_no_purchase(self, rfm: pd.DataFrame, horizon: Horizon) -> Floats:
        """Probability of no purchase within ``horizon`` of the cutoff: L(x, t_x, T + t) / L(x, t_x, T).

        One row a customer; a column a horizon where several come. This form holds for one-time buyers too.
        """
        base, values = histories(rfm), self._values()
        now = self._each(values, base)

        def silent(time: float) -> Floats:
            return np.minimum(np.exp(self._each(values, replace(base, age=base.age + time)) - now), 1.0)

        return _by_horizon(horizon, silent, base)

    def expected_purchases(self, rfm: pd.DataFrame, horizon: Horizon) -> Floats:
        """Expected purchases within ``horizon`` of the cutoff; a column a horizon where several come."""
        base = histories(rfm)
        return _by_horizon(horizon, self._purchases(self._values(), base), base)

    def p_alive(self, rfm: pd.DataFrame) -> Floats:
        """Probability of not having stopped by the cutoff. Not a churn score: see ``p_no_purchase``."""
        base = histories(rfm)
        return self._alive(self._values(), base)[base.rows]

    @abstractmethod
    def _centre(self, repeats: float) -> Floats:
        """Prior medians given the mean of repeat purchases, above 0; times in units of the mean age."""

    @abstractmethod
    def _each(self, values: Floats, base: Histories) -> Floats:
        """Log-likelihood of each distinct history."""

    @abstractmethod
    def _total(self, base: Histories) -> Objective:
        """Return the log-likelihood of all customers as a function of the parameters."""

    @abstractmethod
    def _alive(self, values: Floats, base: Histories) -> Floats:
        """Probability that each distinct history is alive."""

    @abstractmethod
    def _purchases(self, values: Floats, base: Histories) -> Callable[[float], Floats]:
        """Return a function of the horizon that gives expected purchases of each distinct history."""


def _by_horizon(horizon: Horizon, each: Callable[[float], Floats], base: Histories) -> Floats:
    horizons = np.asarray(horizon, dtype=np.float64)
    if not (np.isfinite(horizons).all() and (horizons >= 0).all() and horizons.ndim <= 1 and horizons.size):
        raise HistoryError(f"A horizon must be a finite time >= 0, or a list of such, but {horizons} came.")
    if horizons.ndim == 0:
        return each(float(horizons))[base.rows]
    return np.stack([each(float(time)) for time in horizons], axis=1)[base.rows]
