"""In which hour of the local week each customer is active: own events, shrunk to those alike and to what is common.

This module knows activity, not response: that a customer buys on Tuesday evening does not show that a message
sent then works better. It sees counts alone, neither times nor customers.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt
from scipy import sparse
from sklearn.base import BaseEstimator

from churnvalue.errors import DefinitionError
from churnvalue.timing.habit_challenger import HabitChallenger, challenge
from churnvalue.timing.held_out import HeldOut, checked_earlier, held_out
from churnvalue.timing.pooled_habit import PooledHabit
from churnvalue.timing.week import (
    CHUNK,
    DAY_HOURS,
    SLOTS,
    Floats,
    Ints,
    by_day,
    captured,
    checked_counts,
    common_distribution,
    content_keys,
)

_FIT_CUSTOMERS = 10_000
_FEWEST_JUDGED = 20
FEW_EVENTS = 2


@dataclass(frozen=True)
class Evidence:
    """How customers held out were foretold: mean negative log-likelihood in nats, and share of their events captured.

    Captured is what fell into the likeliest daily 3 hours; ``captured_error`` is the standard error of its difference.
    """

    customers: int
    loss: float
    common_loss: float
    captured: float
    common_captured: float
    captured_error: float

    @property
    def wins(self) -> bool:
        """Whether own events help: likelier than by what is common, and no fewer captured beyond noise."""
        return self.loss < self.common_loss and self.captured >= self.common_captured - self.captured_error


class SlotHabit(BaseEstimator):  # type: ignore[misc]
    """Probability of each hour of the local week for each customer's next event.

    A customer's events are lent to nearby hours and shrunk to the types of customer it resembles; the week as it is and
    day times hour are multiplied, with the segment's ratio to all (see ``PooledHabit``). Where boosted trees win clearly on
    customers they did not see, they correct it. All settings are those which foretell best what was held out: one event
    of each customer, and what came after ``earlier``.

    Attributes:
        common_: What is common to all customers; shape (168,), sums to 1, all above 0.
        days_only_: All events stand at midnight: the log knows days, and every day's probability is spread evenly.
        few_, more_: Evidence on customers of whom one or two events were known, and of others. Where own events do not win
            (``wins``), these customers get what is common to their segment.
        challenger_: The boosted trees that correct; None where they did not win or were not tried.
        habit_: The model behind it; None if there is nothing to judge by.

    Sixty customers who come on Mondays at 9 or on Fridays at 20:

    >>> import pandas as pd
    >>> from churnvalue.timing import slot_counts
    >>> mondays, fridays = pd.date_range("2024-01-01 09:00Z", periods=12, freq="7D"), pd.Timedelta(days=4, hours=11)
    >>> events = pd.concat([pd.DataFrame({"who": i, "at": mondays + i % 2 * fridays}) for i in range(60)])
    >>> counts = slot_counts(events["who"], events["at"])
    >>> probability = SlotHabit().fit(counts).predict(counts)
    >>> probability[:4].argmax(axis=1)  # 4 days and 20 hours into the week is 116
    array([  9, 116,   9, 116])
    """

    common_: Floats
    days_only_: bool
    few_: Evidence
    more_: Evidence
    challenger_: HabitChallenger | None
    habit_: PooledHabit | None
    segments_: npt.NDArray[np.str_]

    def __init__(self, *, seed: int = 0) -> None:
        self.seed = seed

    def fit(
        self, counts: npt.ArrayLike, segment: npt.ArrayLike | None = None, earlier: npt.ArrayLike | None = None
    ) -> Self:
        """Return self, having learned from ``counts[i, s]``, the events of customer ``i`` in hour ``s``.

        Args:
            counts: Shape (n, 168). Fractional counts, of events that weigh less with age, are fine.
            segment: A label for each customer, such as its country; shape (n,).
            earlier: Counts of the same events that were known at an earlier cutoff; what came after it then judges.

        Raises:
            DefinitionError: If a shape does not fit, or ``earlier`` is not part of ``counts``.
            HistoryError: If a count is negative or not a number.
        """
        table = checked_counts(counts)
        past = None if earlier is None else checked_earlier(earlier, table)
        labels = np.zeros(len(table), np.str_) if segment is None else _labels(segment, len(table))
        self.segments_, codes = np.unique(labels, return_inverse=True)
        order = _canonical_order(table, codes, past)
        total = sum((table[order[a : a + CHUNK]].sum(axis=0) for a in range(0, len(table), CHUNK)), np.zeros(SLOTS))
        self.days_only_ = bool(total.any() and not total.reshape(-1, DAY_HOURS)[:, 1:].any())
        common = common_distribution(total)
        self.common_ = self._even_days(common)
        active = np.asarray(table.any(axis=1))
        seen = order[active[order]]
        chosen = seen[:: max(1, -(-len(seen) // _FIT_CUSTOMERS))]
        sample = table[chosen]
        folds = held_out(sample, None if past is None else past[chosen], codes[chosen], self.seed)
        self._learn(folds, common)
        if self.habit_ is not None:
            self.habit_.fit(sparse.csr_array(sample), common, codes[chosen], len(self.segments_))
        return self

    def predict(self, counts: npt.ArrayLike, segment: npt.ArrayLike | None = None) -> npt.NDArray[np.float32]:
        """Probability of each hour of the week. Shape (n, 168); rows sum to 1.

        Without events it is what is common to the customer's segment; to all, where the segment was not seen.
        """
        table = checked_counts(counts)
        codes = np.full(len(table), -1)
        if segment is not None:
            labels = _labels(segment, len(table))
            place = np.searchsorted(self.segments_, labels).clip(max=max(len(self.segments_) - 1, 0))
            codes = np.where(self.segments_[place] == labels, place, -1)
        probability = np.empty(table.shape, np.float32)
        for start in range(0, len(table), CHUNK):
            part = slice(start, start + CHUNK)
            probability[part] = self._even_days(self._foretell(table[part], codes[part]))
        return probability

    def _learn(self, folds: Sequence[HeldOut], common: Floats) -> None:
        """Choose the settings and whether own events, and the challenger, are used at all."""
        self.habit_ = self.challenger_ = None
        judged: list[tuple[HeldOut, Floats, Floats]] = []
        if folds:
            segments = len(self.segments_)
            self.habit_ = habit = PooledHabit().choose(folds, common, segments)
            for fold in folds:
                habit.fit(fold.known, common, fold.segment, segments)
                foretold = habit.predict(fold.known, fold.segment)
                if fold is folds[-1]:
                    self.challenger_, foretold = challenge(fold, foretold, self.seed)
                judged.append((fold, foretold, habit.common(fold.segment)))
        self.few_ = _evidence(judged, 0.0, FEW_EVENTS)
        self.more_ = _evidence(judged, FEW_EVENTS, np.inf)

    def _foretell(self, table: Floats, codes: Ints) -> Floats:
        if self.habit_ is None:
            return np.broadcast_to(self.common_, table.shape)
        events = table.sum(axis=1)
        probability = self.habit_.common(codes)
        known = np.flatnonzero((events > 0) & np.where(events <= FEW_EVENTS, self.few_.wins, self.more_.wins))
        counts = sparse.csr_array(table[known])
        own = self.habit_.predict(counts, codes[known])
        if self.challenger_ is not None:
            own = self.challenger_.correct(counts, own, codes[known])
        probability[known] = own
        return probability

    def _even_days(self, probability: Floats) -> Floats:
        """Spread each day's probability evenly over its hours if the log knows days alone."""
        return np.repeat(by_day(probability) / DAY_HOURS, DAY_HOURS, axis=-1) if self.days_only_ else probability


def _evidence(judged: Sequence[tuple[HeldOut, Floats, Floats]], above: float, up_to: float) -> Evidence:
    """Evidence on the customers of whom more than ``above`` and at most ``up_to`` events were known."""
    rows = []
    for fold, foretold, common in judged:
        events = np.asarray(fold.known.sum(axis=1)).ravel()
        later = fold.later.toarray()
        columns = (fold.loss(foretold), fold.loss(common), captured(foretold, later), captured(common, later))
        rows.append(np.column_stack(columns)[(events > above) & (events <= up_to)])
    found = np.concatenate(rows) if rows else np.empty((0, 4))
    if len(found) < _FEWEST_JUDGED:
        return Evidence(len(found), *(np.nan,) * 5)
    loss, common_loss, inside, common_inside = found.T
    error = (inside - common_inside).std(ddof=1) / np.sqrt(len(found))
    return Evidence(
        len(found),
        float(loss.mean()),
        float(common_loss.mean()),
        float(inside.mean()),
        float(common_inside.mean()),
        float(error),
    )


def _labels(segment: npt.ArrayLike, customers: int) -> npt.NDArray[np.str_]:
    labels = np.asarray(segment).astype(np.str_)
    if labels.shape != (customers,):
        raise DefinitionError(
            f"There must be one segment for each of the {customers} customers, but the shape {labels.shape} came. "
            "Give a label for each row of the counts."
        )
    return labels


def _canonical_order(table: Floats, codes: Ints, past: Floats | None) -> Ints:
    """Order of rows by their content alone, so that no sum, sample or draw follows the input's order."""
    keys = content_keys(table) * np.uint64(3) + codes.astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15)
    if past is not None:
        keys += content_keys(past) * np.uint64(5)
    return np.argsort(keys, kind="stable")
