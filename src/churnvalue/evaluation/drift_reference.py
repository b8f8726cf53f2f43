"""What models were trained on, in a few counts a feature and score. No row and no value of a single customer is kept.

A feature "so far" grows with calendar time, and so does one of the last 365 days while the log is younger than that. Neither
is *steady*: it moves from month to month though nothing is broken.
"""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from churnvalue.errors import RegistryError
from churnvalue.language import N_

Ints = npt.NDArray[np.int64]
SCORES = {"p_churn": N_("chance of leaving"), "orders": N_("orders"), "spend": N_("spend"), "clv": N_("customer value")}
_FORMAT = 1
_MOST_BINS = 10
_FEWEST = 30  # customers a bin, so that neither chance nor a single customer shows in it
_DIGITS = 4  # of a bin's edge


@dataclass(frozen=True)
class Binned:
    """One feature or score: ``counts`` of the customers without a value, then of those in each bin.

    Bin i holds ``edges[i - 1] < x <= edges[i]``; the first has no lower, the last no upper edge.
    """

    name: str
    title: str
    steady: bool
    edges: tuple[float, ...]
    counts: tuple[int, ...]

    @property
    def customers(self) -> int:
        """How many customers were counted."""
        return sum(self.counts)

    @property
    def missing(self) -> float:
        """Share of customers without a value."""
        return self.counts[0] / max(self.customers, 1)

    def count(self, values: pd.Series) -> Ints:
        """Return ``counts`` of other values in these bins."""
        return counted(values.to_numpy(dtype=np.float64), self.edges)


@dataclass(frozen=True)
class Reference:
    """The population at the end of a training log: features, scores, and the share of rows quarantined.

    ``cutoff`` in UTC microseconds.
    """

    cutoff: int
    customers: int
    quarantined: float
    features: tuple[Binned, ...]
    scores: tuple[Binned, ...]

    def text(self) -> str:
        """Return it as JSON; the same reference gives the same bytes."""
        return json.dumps({"format": _FORMAT, **asdict(self)}, indent=1, sort_keys=True, allow_nan=False) + "\n"

    @classmethod
    def read(cls, text: str) -> "Reference":
        """Return the reference in a text.

        Raises:
            RegistryError: If it is of another format.
        """
        found = json.loads(text)
        if (made := found.pop("format")) != _FORMAT:
            raise RegistryError(
                f"The reference of a model must be of format {_FORMAT}, but this one is of format {made}. Use the version of"
                " churnvalue that trained it, or train again."
            )
        columns = {
            key: tuple(
                Binned(**{**one, "edges": tuple(one["edges"]), "counts": tuple(one["counts"])}) for one in found[key]
            )
            for key in ("features", "scores")
        }
        return cls(**{**found, **columns})


def binned(values: pd.Series, title: str, steady: bool) -> Binned:
    """Return a column in up to ten bins of about equally many customers; values that many share have a bin of their own."""
    column = values.to_numpy(dtype=np.float64)
    edges = _edges(column[np.isfinite(column)])
    return Binned(str(values.name), title, steady, edges, tuple(counted(column, edges).tolist()))


def counted(values: npt.NDArray[np.float64], edges: Sequence[float]) -> Ints:
    """Return how many values are missing, then how many lie in each bin; infinite ones lie in the outer bins."""
    missing = np.isnan(values)
    cells = np.where(missing, 0, 1 + np.searchsorted(np.asarray(edges), values, side="left"))
    return np.bincount(cells, minlength=len(edges) + 2).astype(np.int64)


def _edges(known: npt.NDArray[np.float64]) -> tuple[float, ...]:
    """Rising edges at quantiles, rounded so that none is the very value of one customer."""
    bins = min(_MOST_BINS, max(2, len(known) // _FEWEST))
    if not len(known):
        return ()
    quantiles = np.quantile(known, np.arange(1, bins) / bins, method="inverted_cdf")
    edges = sorted({float(f"{value:.{_DIGITS}g}") for value in quantiles})
    if edges[0] <= known.min():
        # Many share the lowest value. Whoever comes to lie below it is in another bin.
        edges.insert(0, edges[0] - 1e-6 * max(abs(edges[0]), 1.0))
    return tuple(edges)
