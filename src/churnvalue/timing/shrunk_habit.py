"""A customer's distribution over the cells of one circle: own events, smoothed, shrunk to the types it resembles."""

from collections.abc import Mapping, Sequence
from typing import Self

import numpy as np
from scipy import sparse

from churnvalue.timing.held_out import HeldOut
from churnvalue.timing.latent_types import LatentTypes
from churnvalue.timing.week import Floats

CONCENTRATIONS = (3.0, 8.0, 15.0, 30.0, 60.0, 150.0, np.inf)


class ShrunkHabit:
    """``p = w · own + (1 - w) · types`` with ``w = n / (n + concentration)`` for ``n`` events.

    It is the posterior mean under a Dirichlet prior around what the types say. ``own`` lends each event to
    cells nearby in proportion to how common those are, so that a closed shop's nights stay empty.

    Attributes:
        kernel_: Name of the chosen kernel.
        concentration_: Infinite where the types say all.
    """

    kernel_: str
    concentration_: float
    spread_: Floats
    types_: LatentTypes

    def __init__(self, *, kernels: Mapping[str, Floats], types: int, strength: float = 300.0) -> None:
        self.kernels = kernels
        self.types = types
        self.strength = strength

    def choose(self, folds: Sequence[HeldOut], common: Floats) -> Self:
        """Return self with the kernel and concentration that foretell best what was held out, in the mean over folds."""
        total: dict[tuple[str, float], float] = {}
        for fold in folds:
            rows, cells = fold.later.nonzero()
            types = self._learn_types(fold.known, common).predict(fold.known)[rows, cells]
            events = _events(fold.known)[rows, 0]
            for name in self.kernels:
                own = (fold.known @ self._spread(name, common))[rows, cells]
                for concentration in CONCENTRATIONS:
                    foretold = _shrunk(own, events, types, concentration)
                    loss = -float(fold.later.data @ np.log(foretold)) / fold.later.shape[0]
                    total[name, concentration] = total.get((name, concentration), 0.0) + loss
        self.kernel_, self.concentration_ = min(total, key=lambda setting: total[setting])
        return self

    def fit(self, counts: sparse.csr_array, common: Floats) -> Self:
        """Return self, having learned from ``counts`` with the setting chosen before."""
        self.types_ = self._learn_types(counts, common)
        self.spread_ = self._spread(self.kernel_, common)
        return self

    def predict(self, counts: sparse.csr_array) -> Floats:
        """Probability of each cell. Shape (customers, cells); rows sum to 1."""
        return _shrunk(counts @ self.spread_, _events(counts), self.types_.predict(counts), self.concentration_)

    def _learn_types(self, counts: sparse.csr_array, common: Floats) -> LatentTypes:
        return LatentTypes(types=self.types, strength=self.strength).fit(counts, common)

    def _spread(self, kernel: str, common: Floats) -> Floats:
        """Where an event in each cell (row) lends its weight; rows sum to 1."""
        lent = self.kernels[kernel] * common
        return np.asarray(lent / lent.sum(axis=1, keepdims=True))


def _events(counts: sparse.csr_array) -> Floats:
    return np.asarray(counts.sum(axis=1), dtype=np.float64).reshape(-1, 1)


def _shrunk(own: Floats, events: Floats, types: Floats, concentration: float) -> Floats:
    """``own`` sums to ``events`` over the cells."""
    if np.isinf(concentration):
        return types
    return np.asarray((own + concentration * types) / (events + concentration))
