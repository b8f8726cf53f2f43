"""In which hour of the local week each customer is active: own events, shrunk to what is common.

This module knows activity, not response: that a customer buys on Tuesday evening does not show that a message
sent then works better. It sees counts alone, neither times nor customers.
"""

from itertools import product
from typing import Self

import numpy as np
import numpy.typing as npt
from scipy import sparse

from churnvalue.errors import DefinitionError, HistoryError

SLOTS = 168
BANDWIDTH_HOURS = (0.0, 1.0, 2.0, 4.0)
DAY_LEAKS = (0.0, 0.1, 0.3, 1.0)
CONCENTRATIONS = (1.0, 3.0, 8.0, 20.0, 50.0, 120.0, 300.0, np.inf)
_FIT_CUSTOMERS = 20_000
_CHUNK = 32_768
_FEW_EVENTS = 2

Floats = npt.NDArray[np.float64]


def week_kernel(bandwidth_hours: float, day_leak: float) -> Floats:
    """Weight an event in one hour of the week lends to every other. Shape (168, 168); rows sum to 1.

    A Gaussian on the circle of the week, repeated on each other day with the weight ``day_leak``. A bandwidth
    of 0 keeps the hour itself.
    """
    repeats = np.full(7, day_leak)
    repeats[0] = 1.0
    apart = np.arange(SLOTS)[:, None] - 24 * np.arange(7)[None, :]
    hours = np.minimum(apart % SLOTS, -apart % SLOTS)
    near = np.exp(-0.5 * (hours / bandwidth_hours) ** 2) if bandwidth_hours > 0 else (hours == 0).astype(np.float64)
    lent = near @ repeats
    lent /= lent.sum()
    slots = np.arange(SLOTS)
    return np.asarray(lent[(slots[None, :] - slots[:, None]) % SLOTS])


class SlotHabit:
    """Probability of each hour of the local week for each customer's next event.

    ``p = w · own + (1 - w) · common`` with ``w = n / (n + concentration)`` for ``n`` events: the posterior
    mean under a Dirichlet prior around the common distribution. ``own`` lends each event to nearby hours and
    to the same hour of other days, in proportion to how common those hours are, so that a closed shop's
    nights stay empty.

    Bandwidth, day leak and concentration minimise the leave-one-out negative log-likelihood, each customer
    weighing the same, over those settings with which customers left with one or two events do no worse than
    the common distribution.

    Attributes:
        common_: What is common to all customers; shape (168,), sums to 1, all above 0.
        bandwidth_hours_, day_leak_, concentration_: The chosen setting. A concentration of infinity says that
            own events do not help and all customers get ``common_``.
        loss_: Leave-one-out mean negative log-likelihood of the setting; NaN if no customer has two events.
    """

    common_: Floats
    spread_: Floats
    bandwidth_hours_: float
    day_leak_: float
    concentration_: float
    loss_: float

    def __init__(self, *, concentrations: tuple[float, ...] = CONCENTRATIONS) -> None:
        self.concentrations = concentrations

    def fit(self, counts: npt.ArrayLike) -> Self:
        """Return self, having learned from ``counts[i, s]``, the events of customer ``i`` in hour ``s``.

        Fractional counts, of events that weigh less with age, are fine. Without events the common
        distribution is uniform.

        Raises:
            DefinitionError: If the shape is not (n, 168).
            HistoryError: If a count is negative or not a number.
        """
        table = _table(counts)
        table = table[_canonical_order(table)]
        total = sum(
            (table[start : start + _CHUNK].sum(axis=0) for start in range(0, len(table), _CHUNK)),
            np.zeros(SLOTS),
        )
        self.common_ = _common(total)
        repeated = table[table.sum(axis=1) >= _FEW_EVENTS]
        step = max(1, -(-len(repeated) // _FIT_CUSTOMERS))
        self._choose(sparse.csr_array(repeated[::step]))
        return self

    def predict(self, counts: npt.ArrayLike) -> npt.NDArray[np.float32]:
        """Probability of each hour of the week. Shape (n, 168); rows sum to 1; ``common_`` without events."""
        table = _table(counts)
        probability = np.empty(table.shape, np.float32)
        for start in range(0, len(table), _CHUNK):
            chunk = table[start : start + _CHUNK]
            events = chunk.sum(axis=1, keepdims=True)
            own = sparse.csr_array(chunk) @ self.spread_ / np.maximum(events, np.finfo(np.float64).tiny)
            weight = events / (events + self.concentration_)
            probability[start : start + _CHUNK] = weight * own + (1.0 - weight) * self.common_
        return probability

    def score(self, counts: npt.ArrayLike, next_slot: npt.ArrayLike) -> float:
        """Mean negative log-likelihood of each customer's next hour of the week, in nats; lower is better."""
        slots = np.asarray(next_slot, np.int64)
        chosen = self.predict(counts)[np.arange(len(slots)), slots]
        return float(-np.log(chosen.astype(np.float64)).mean())

    def _choose(self, counts: sparse.csr_array) -> None:
        """Choose the setting by leaving out one event at a time."""
        self.bandwidth_hours_, self.day_leak_, self.concentration_, self.loss_ = 0.0, 0.0, np.inf, np.nan
        rows, slots = counts.nonzero()
        events = np.asarray(counts.sum(axis=1)).ravel()[rows]
        left = events - np.minimum(counts.data, 1.0)
        common = self.common_[slots]
        # Customers weigh the same: the next event of each is foretold once, however many they have.
        weight = counts.data / events / max(counts.shape[0], 1)
        few = events <= _FEW_EVENTS + 1
        allowed = -(weight * np.log(common))[few].sum()
        best = np.inf
        for bandwidth, leak in product(BANDWIDTH_HOURS, DAY_LEAKS) if len(rows) else ():
            own = _left_out(counts, self._spread(bandwidth, leak)) / np.maximum(left, 1e-12)
            for concentration in self.concentrations:
                share = left / (left + concentration)
                loss = -weight * np.log(share * own + (1.0 - share) * common)
                if loss.sum() < best and loss[few].sum() <= allowed:
                    best = float(loss.sum())
                    self.bandwidth_hours_, self.day_leak_ = bandwidth, leak
                    self.concentration_, self.loss_ = concentration, best
        self.spread_ = self._spread(self.bandwidth_hours_, self.day_leak_)

    def _spread(self, bandwidth_hours: float, day_leak: float) -> Floats:
        """Where an event in each hour (row) lends its weight; rows sum to 1."""
        lent = week_kernel(bandwidth_hours, day_leak) * self.common_
        return np.asarray(lent / lent.sum(axis=1, keepdims=True))


def _table(counts: npt.ArrayLike) -> Floats:
    """``counts`` as floats, checked."""
    table = np.asarray(counts, np.float64)
    if table.ndim != 2 or table.shape[1] != SLOTS:
        raise DefinitionError(
            f"Counts by hour of the week must have the shape (customers, {SLOTS}), but {table.shape} came. "
            "Count events by local hour, Monday 00:00 first."
        )
    if not (np.isfinite(table).all() and (table >= 0).all()):
        raise HistoryError(
            "Counts by hour of the week must be numbers of at least 0, but some are not. Count events without blanks."
        )
    return table


def _canonical_order(table: Floats) -> npt.NDArray[np.int64]:
    """Order of rows by their content alone, so that neither sums nor the sample follow the input's order."""
    odd = np.random.default_rng(168).integers(1, 2**63, SLOTS, dtype=np.uint64) | np.uint64(1)
    keys = np.empty(len(table), np.uint64)
    for start in range(0, len(table), _CHUNK):
        bits = (table[start : start + _CHUNK] + 0.0).view(np.uint64)
        # The high bits are folded in: small whole numbers differ in nothing else.
        folded = bits ^ (bits >> np.uint64(32)) ^ (bits >> np.uint64(52))
        keys[start : start + _CHUNK] = (folded * odd).sum(axis=1, dtype=np.uint64)
    return np.argsort(keys, kind="stable")


def _common(total: Floats) -> Floats:
    """Distribution of all events over the week, smoothed as far as leaving one out asks for; sums to 1.

    Half an event is added to every hour, so that nothing is impossible.
    """
    events = total.sum()
    best, chosen = np.inf, np.full(SLOTS, 1.0 / SLOTS)
    seen = total > 0
    for bandwidth in (0.0, 0.5, 0.75, 1.0, 1.5, 2.0):
        for leak in (0.0, 0.05, 0.2):
            kernel = week_kernel(bandwidth, leak)
            smooth = total @ kernel
            left_out = np.maximum(smooth - np.minimum(total, 1.0) * kernel[0, 0], 0.0) + 0.5
            loss = -(total * np.log(left_out))[seen].sum()
            if events > 0 and loss < best:
                best, chosen = loss, (smooth + 0.5) / (events + 0.5 * SLOTS)
    return chosen


def _left_out(counts: sparse.csr_array, spread: Floats) -> Floats:
    """Weight a customer's other events lend to the hour of each event; one a filled cell of ``counts``."""
    rows, slots = counts.nonzero()
    lent = (counts @ spread)[rows, slots]
    return np.asarray(np.maximum(lent - np.minimum(counts.data, 1.0) * spread[slots, slots], 0.0))
