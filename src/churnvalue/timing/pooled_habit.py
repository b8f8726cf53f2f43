"""Two views of a customer's week and of its segment, multiplied: the hours of the week as they are, and day times hour.

``log p = (1 - w) log week + w log(common · hour/common · day/common) + r log(segment/common)``, normalised. The first
view knows a Tuesday evening from a Friday one; the second learns the hour from all days, hence sooner.
"""

from collections.abc import Sequence
from itertools import product
from typing import Self

import numpy as np
from scipy import sparse

from churnvalue.timing.held_out import HeldOut
from churnvalue.timing.shrunk_habit import ShrunkHabit
from churnvalue.timing.week import (
    DAY_HOURS,
    SLOTS,
    TO_DAYS,
    TO_HOURS,
    WEEK_DAYS,
    Floats,
    Ints,
    by_day,
    by_hour,
    circle_kernel,
    week_kernel,
)

_WEEK_KERNELS = {
    f"{bandwidth} h, {leak} to other days": week_kernel(bandwidth, leak)
    for bandwidth in (0.0, 1.0, 2.0, 4.0)
    for leak in (0.1, 0.3, 1.0)
}
_HOUR_KERNELS = {f"{bandwidth} h": circle_kernel(DAY_HOURS, bandwidth) for bandwidth in (0.0, 0.5, 1.0, 2.0, 4.0)}
_DAY_KERNELS = {f"{bandwidth} d": circle_kernel(WEEK_DAYS, bandwidth) for bandwidth in (0.0, 0.5)}
_WEIGHTS = (0.0, 0.25, 0.5, 0.75, 1.0)
_SEGMENT_POWERS = (0.0, 0.5, 1.0)
_SEGMENT_STRENGTH = 300.0


class PooledHabit:
    """Probability of each hour of the week, pooled from both views and the segment.

    Attributes:
        week_, hour_, day_: The habits on the week, on the day and over its days.
        hours_weight_: Weight of day times hour, in [0, 1].
        segment_power_: Power of the segment's ratio to what is common, in [0, 1].
        ratio_: That ratio, shape (segments, 168), shrunk to 1 by 300 events.
    """

    common_: Floats
    week_: ShrunkHabit
    hour_: ShrunkHabit
    day_: ShrunkHabit
    hours_weight_: float
    segment_power_: float
    ratio_: Floats

    def choose(self, folds: Sequence[HeldOut], common: Floats, segments: int) -> Self:
        """Return self with the settings that foretell best what was held out, in the mean over the folds."""
        self.week_ = ShrunkHabit(kernels=_WEEK_KERNELS, types=16).choose(folds, common)
        self.hour_ = ShrunkHabit(kernels=_HOUR_KERNELS, types=4).choose(
            [f.on(TO_HOURS) for f in folds], by_hour(common)
        )
        self.day_ = ShrunkHabit(kernels=_DAY_KERNELS, types=4, strength=100.0).choose(
            [f.on(TO_DAYS) for f in folds], by_day(common)
        )
        powers = _SEGMENT_POWERS if segments > 1 else (0.0,)
        total = dict.fromkeys(product(_WEIGHTS, powers), 0.0)
        for fold in folds:
            self.fit(fold.known, common, fold.segment, segments)
            views = self._views(fold.known, fold.segment)
            for setting in total:
                total[setting] += float(fold.loss(_pool(views, *setting)).mean())
        self.hours_weight_, self.segment_power_ = min(total, key=lambda setting: total[setting])
        return self

    def fit(self, counts: sparse.csr_array, common: Floats, segment: Ints, segments: int) -> Self:
        """Return self, having learned from ``counts`` with the settings chosen before."""
        self.common_ = common
        self.week_.fit(counts, common)
        self.hour_.fit(sparse.csr_array(counts @ TO_HOURS), by_hour(common))
        self.day_.fit(sparse.csr_array(counts @ TO_DAYS), by_day(common))
        members = sparse.csr_array(
            (np.ones(len(segment)), (segment, np.arange(len(segment)))), shape=(segments, len(segment))
        )
        events = (members @ counts).toarray()
        overall = events.sum(axis=0) + common
        shrunk = (events + _SEGMENT_STRENGTH * overall / overall.sum()) / (
            events.sum(axis=1, keepdims=True) + _SEGMENT_STRENGTH
        )
        self.ratio_ = shrunk / (overall / overall.sum())
        return self

    def predict(self, counts: sparse.csr_array, segment: Ints) -> Floats:
        """Probability of each hour of the week. Shape (customers, 168); rows sum to 1.

        A segment of -1 was not seen and changes nothing.
        """
        return _pool(self._views(counts, segment), self.hours_weight_, self.segment_power_)

    def common(self, segment: Ints) -> Floats:
        """What is common to each customer's segment. Shape (customers, 168); rows sum to 1."""
        log_common = np.broadcast_to(np.log(self.common_), (len(segment), SLOTS))
        return _pool((log_common, log_common, self._log_ratio(segment)), 0.0, self.segment_power_)

    def _views(self, counts: sparse.csr_array, segment: Ints) -> tuple[Floats, Floats, Floats]:
        """Logarithms of the week, of day times hour, and of the segment's ratio."""
        hours = np.log(self.hour_.predict(sparse.csr_array(counts @ TO_HOURS)) / by_hour(self.common_))
        days = np.log(self.day_.predict(sparse.csr_array(counts @ TO_DAYS)) / by_day(self.common_))
        apart = np.log(self.common_) + np.tile(hours, WEEK_DAYS) + np.repeat(days, DAY_HOURS, axis=1)
        apart -= np.log(np.exp(apart).sum(axis=1, keepdims=True))
        return np.log(self.week_.predict(counts)), apart, self._log_ratio(segment)

    def _log_ratio(self, segment: Ints) -> Floats:
        return np.log(np.vstack([self.ratio_, np.ones(SLOTS)]))[segment]


def _pool(views: tuple[Floats, Floats, Floats], hours_weight: float, segment_power: float) -> Floats:
    week, apart, ratio = views
    pooled = np.exp((1.0 - hours_weight) * week + hours_weight * apart + segment_power * ratio)
    pooled /= pooled.sum(axis=1, keepdims=True)
    return np.asarray(pooled)
