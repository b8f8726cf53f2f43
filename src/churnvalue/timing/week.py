"""Hours and days on the circle of the local week: kernels, the common distribution, tables of counts.

Tables hold ``counts[i, s]``, the events of customer ``i`` in hour ``s`` of the local week, Monday 00:00 first.
"""

import numpy as np
import numpy.typing as npt
from scipy import sparse

from churnvalue.errors import DefinitionError, HistoryError

SLOTS = 168
DAY_HOURS = 24
WEEK_DAYS = 7
CHUNK = 16_384
WINDOW_HOURS = 3
_COMMON_BANDWIDTHS = (0.0, 0.5, 0.75, 1.0, 1.5, 2.0)
_COMMON_LEAKS = (0.0, 0.05, 0.2)

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

_SLOT = np.arange(SLOTS)
TO_HOURS = sparse.csr_array((np.ones(SLOTS), (_SLOT, _SLOT % DAY_HOURS)), shape=(SLOTS, DAY_HOURS))
TO_DAYS = sparse.csr_array((np.ones(SLOTS), (_SLOT, _SLOT // DAY_HOURS)), shape=(SLOTS, WEEK_DAYS))


def circle_kernel(cells: int, bandwidth: float) -> Floats:
    """Weight an event in one cell of a circle lends to every other. Shape (cells, cells); rows sum to 1.

    A Gaussian of the distance in cells; a bandwidth of 0 keeps the cell itself.
    """
    place = np.arange(cells)
    ahead = (place[None, :] - place[:, None]) % cells
    lent = _bell(np.minimum(ahead, cells - ahead), bandwidth)
    return np.asarray(lent / lent.sum(axis=1, keepdims=True), dtype=np.float64)


def week_kernel(bandwidth_hours: float, day_leak: float) -> Floats:
    """Weight an event in one hour of the week lends to every other. Shape (168, 168); rows sum to 1.

    A Gaussian on the circle of the week, repeated on each other day with the weight ``day_leak``. A bandwidth
    of 0 keeps the hour itself.
    """
    repeats = np.full(WEEK_DAYS, day_leak)
    repeats[0] = 1.0
    apart = np.arange(SLOTS)[:, None] - DAY_HOURS * np.arange(WEEK_DAYS)[None, :]
    lent = _bell(np.minimum(apart % SLOTS, -apart % SLOTS), bandwidth_hours) @ repeats
    lent /= lent.sum()
    slots = np.arange(SLOTS)
    return np.asarray(lent[(slots[None, :] - slots[:, None]) % SLOTS], dtype=np.float64)


def _bell(distance: Ints, bandwidth: float) -> Floats:
    if bandwidth == 0:
        return np.asarray(distance == 0, dtype=np.float64)
    return np.asarray(np.exp(-0.5 * (distance / bandwidth) ** 2), dtype=np.float64)


def common_distribution(total: Floats) -> Floats:
    """Distribution over the week of all events, smoothed as far as leaving one out asks for. Shape (168,), sums to 1.

    Half an event is added to every hour, so that nothing is impossible; without events it is uniform.
    """
    events = total.sum()
    best, chosen = np.inf, np.full(SLOTS, 1.0 / SLOTS)
    seen = total > 0
    for bandwidth in _COMMON_BANDWIDTHS if events > 0 else ():
        for leak in _COMMON_LEAKS:
            kernel = week_kernel(bandwidth, leak)
            smooth = total @ kernel
            left_out = np.maximum(smooth - np.minimum(total, 1.0) * kernel[0, 0], 0.0) + 0.5
            loss = -(total * np.log(left_out))[seen].sum()
            if loss < best:
                best, chosen = loss, (smooth + 0.5) / (events + 0.5 * SLOTS)
    return chosen


def by_hour(week: Floats) -> Floats:
    """Sums over the days, by hour of the day; (…, 168) gives (…, 24)."""
    return np.asarray(week.reshape(*week.shape[:-1], WEEK_DAYS, DAY_HOURS).sum(axis=-2), dtype=np.float64)


def by_day(week: Floats) -> Floats:
    """Sums over the hours, by day of the week; (…, 168) gives (…, 7)."""
    return np.asarray(week.reshape(*week.shape[:-1], WEEK_DAYS, DAY_HOURS).sum(axis=-1), dtype=np.float64)


def best_window(probability: npt.NDArray[np.floating]) -> Ints:
    """First hour of the 3 hours of the day, running past midnight, that are likeliest. (n, 168) gives (n,)."""
    return np.asarray(_windows(by_hour(probability.astype(np.float64))).argmax(axis=1), dtype=np.int64)


def captured(probability: npt.NDArray[np.floating], counts: Floats) -> Floats:
    """Share of each customer's events in ``counts`` within its ``best_window``; NaN without events. Shape (n,)."""
    inside = _windows(by_hour(counts))[np.arange(len(counts)), best_window(probability)]
    events = counts.sum(axis=1)
    share = np.full(len(counts), np.nan)
    np.divide(inside, events, out=share, where=events > 0)
    return share


def _windows(hours: Floats) -> Floats:
    inside = hours.copy()
    for ahead in range(1, WINDOW_HOURS):
        inside += np.roll(hours, -ahead, axis=1)
    return inside


def checked_counts(counts: npt.ArrayLike) -> Floats:
    """Return ``counts`` as floats.

    Raises:
        DefinitionError: If the shape is not (n, 168).
        HistoryError: If a count is negative or not a number.
    """
    table = np.asarray(counts, np.float64)
    if table.ndim != 2 or table.shape[1] != SLOTS:
        raise DefinitionError(
            f"Counts by hour of the week must have the shape (customers, {SLOTS}), but {table.shape} came. "
            "Count events by local hour, Monday 00:00 first."
        )
    if not all(
        np.isfinite(table[a : a + CHUNK]).all() and (table[a : a + CHUNK] >= 0).all()
        for a in range(0, len(table), CHUNK)
    ):
        raise HistoryError(
            "Counts by hour of the week must be numbers of at least 0, but some are not. Count events without blanks."
        )
    return table


def content_keys(table: Floats) -> npt.NDArray[np.uint64]:
    """A number for each row by its content alone; like rows have like numbers. Shape (n,)."""
    odd = np.random.default_rng(168).integers(1, 2**63, table.shape[1], dtype=np.uint64) | np.uint64(1)
    keys = np.empty(len(table), np.uint64)
    for start in range(0, len(table), CHUNK):
        bits = (table[start : start + CHUNK] + 0.0).view(np.uint64)
        # The high bits are folded in: small whole numbers differ in nothing else.
        folded = bits ^ (bits >> np.uint64(32)) ^ (bits >> np.uint64(52))
        keys[start : start + CHUNK] = (folded * odd).sum(axis=1, dtype=np.uint64)
    return keys
