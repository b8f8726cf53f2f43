"""When will they come back: P(return within h days) for any h, and quantiles of the days given a return.

A point date is the wrong product: a constant is nearer to the next purchase than the last one plus the mean gap. So the whole
curve is foretold, from up to three members whose hazards are averaged geometrically: buy-till-you-die, a Weibull AFT, and
boosted trees over discrete time. Which of them speak is chosen on past cutoffs (``next_purchase_learning``).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from churnvalue.errors import HistoryError
from churnvalue.features import Feature, expand
from churnvalue.models import buy_till_you_die
from churnvalue.models.buy_till_you_die import BuyTillYouDie
from churnvalue.timing.hazard import LEAST_HAZARD, HazardTrees
from churnvalue.timing.weibull_aft import WeibullAFT

Floats = npt.NDArray[np.float64]
_NEVER = 1e-9  # no smaller probability of staying away, so that hazards stay finite
BUYING, AFT, TREES = "buy_till_you_die", "weibull_aft", "trees"


def inputs(kind: str) -> tuple[Feature, ...]:
    """Return the features that every member needs; trees take whatever else stands in the frame."""
    uses = [{"use": use, "kind": kind} for use in ("days_since_last", "days_since_first", "gap_mean")]
    return (
        *buy_till_you_die.inputs(kind),
        *expand([*uses, {"use": "event_count", "kind": kind, "days": [30, 90]}]),
    )


@dataclass(frozen=True)
class NextPurchase:
    """The wait from a cutoff to the next event of ``kind``, learnt over ``edges[-1]`` days.

    ``edges`` cut the wait into bins (days), ``levels`` are added to the log hazard of each bin, ``weekdays`` are rates of the
    days of the week (Monday first) against their mean. ``members`` names who speaks and ``note`` says why.
    """

    kind: str
    edges: tuple[int, ...]
    members: tuple[str, ...]
    buying: BuyTillYouDie
    aft: WeibullAFT | None
    trees: HazardTrees | None
    weekdays: tuple[float, ...]
    levels: tuple[float, ...]
    note: str

    @property
    def horizon_days(self) -> int:
        """How many days ahead were learnt; beyond them buy-till-you-die alone speaks."""
        return self.edges[-1]

    def p_return(self, frame: pd.DataFrame, days: float) -> Floats:
        """Return P(back within ``days`` of the cutoff): in [0, 1], never falling with ``days``. Shape (rows,).

        Raises:
            HistoryError: If ``days`` is negative or not finite.
        """
        if not 0 <= days < np.inf:
            raise HistoryError(f"The days ahead must be finite and at least 0, but {days} came. Ask for 7, 14 or 30.")
        cumulative, horizon = self._cumulative(frame), self.horizon_days
        whole = min(int(days), horizon)
        expected = cumulative[:, whole]
        if whole < horizon:
            expected = expected + (cumulative[:, whole + 1] - expected) * (days - whole)
        elif days > horizon:
            expected = expected + self._beyond(frame, days)
        return np.asarray(-np.expm1(-expected), dtype=np.float64)

    def quantiles(self, frame: pd.DataFrame, shares: Sequence[float]) -> Floats:
        """Return the days after which each of ``shares`` of those who come back within the horizon are back.

        Shape (rows, shares), in [0, horizon], rising with the share.

        Raises:
            HistoryError: If a share is not in [0, 1].
        """
        if not all(0 <= share <= 1 for share in shares):
            raise HistoryError(f"Shares must lie in 0 to 1, but {list(shares)} came. Ask for 0.1, 0.5, 0.9.")
        cumulative = self._cumulative(frame)
        # The cumulative hazard at which a share of all returns has happened, and the day on which it is reached.
        wanted = -np.log1p(np.expm1(-cumulative[:, -1])[:, None] * np.asarray(shares, dtype=np.float64))
        found = np.empty(wanted.shape)
        edges = np.arange(self.horizon_days + 1.0)
        for row, hazard in enumerate(cumulative):
            found[row] = np.interp(wanted[row], hazard, edges)
        return found

    def hazard(self, frame: pd.DataFrame) -> Floats:
        """Return P(back on a day | not before) for each day to the horizon; day 0 starts at the cutoff. Shape (rows, days)."""
        return np.asarray(-np.expm1(-self._daily(frame)), dtype=np.float64)

    def survival(self, frame: pd.DataFrame) -> Floats:
        """Return P(not yet back) at the start of each day and at the end of the horizon. Shape (rows, days + 1), first 1."""
        return np.asarray(np.exp(-self._cumulative(frame)), dtype=np.float64)

    def second_purchase_day(self, frame: pd.DataFrame) -> Floats:
        """Return for customers of one purchase day how many days ahead their hazard peaks; NaN for all others. Shape (rows,).

        0 means that the best moment is now. Rates of weekdays are left aside: a send plan has its own habits.
        """
        rates = self.binned(frame) / np.diff(self.edges)
        peak = np.array(self.edges[:-1], dtype=np.float64)[np.argmax(rates, axis=1)]
        return np.asarray(np.where(frame[f"active_days_{self.kind}"] == 1, peak, np.nan))

    def cumulative_hazard(self, frame: pd.DataFrame, days: Sequence[float] | Floats) -> Floats:
        """Return -log P(not yet back) at each of ``days``, as if all days of the week were alike. Shape (rows, days).

        For who is given features without a date. Over whole weeks, and nearly over 30 days, it is what ``p_return`` says.
        """
        edges, found = np.array(self.edges, dtype=np.float64), []
        binned = self.binned(frame)
        for ahead in days:
            # Sums of one row, not a product of matrices: the same digits however many rows are asked for.
            expected = (binned * np.clip((ahead - edges[:-1]) / np.diff(edges), 0.0, 1.0)).sum(axis=1)
            found.append(expected + self._beyond(frame, ahead) if ahead > self.horizon_days else expected)
        return np.column_stack(found)

    def binned(self, frame: pd.DataFrame) -> Floats:
        """Return the cumulative hazard of each bin on days of the mean rate. Shape (rows, bins)."""
        hazard = geometric_mean(self.member_hazards(frame), self.members)
        return np.asarray(hazard * np.exp(np.array(self.levels)))

    def member_hazards(self, frame: pd.DataFrame) -> dict[str, Floats]:
        """Return the cumulative hazard of each bin by member, without levels. Shapes (rows, bins)."""
        silent = self.buying.p_no_purchase(frame, self.edges)
        made = {BUYING: self._steps(-np.log(np.maximum(silent, _NEVER)))}
        if self.aft is not None:
            made[AFT] = self._steps(self.aft.cumulative_hazard(frame, self.edges))
            if self.trees is not None:
                made[TREES] = self.trees.hazard(frame, made[AFT])
        return made

    def with_buying(self, frame: pd.DataFrame) -> "NextPurchase":
        """Return the same with buy-till-you-die fitted to everyone in ``frame``, which needs no outcome."""
        return replace(self, buying=BuyTillYouDie.fit(frame, self.kind))

    def exposure(self, frame: pd.DataFrame) -> Floats:
        """Return the rate of each day ahead by its weekday, against the mean day. Shape (rows, days)."""
        first = pd.DatetimeIndex(frame.index.get_level_values("cutoff")).day_of_week.to_numpy()
        return np.array(self.weekdays)[(first[:, None] + np.arange(self.horizon_days)) % 7]

    def _beyond(self, frame: pd.DataFrame, days: float) -> Floats:
        """Cumulative hazard from the horizon to ``days``, of buy-till-you-die. Shape (rows,)."""
        silent = self.buying.p_no_purchase(frame, (self.horizon_days, days))
        later = np.log(np.maximum(silent, _NEVER))
        return np.asarray(np.maximum(later[:, 0] - later[:, 1], 0.0))

    def _steps(self, cumulative: Floats) -> Floats:
        """Hazard of each bin; for those who seem dead a trace by the day, so that logarithms and shares stay defined."""
        return np.asarray(np.maximum(np.diff(cumulative, axis=1), LEAST_HAZARD * np.diff(self.edges)))

    def _daily(self, frame: pd.DataFrame) -> Floats:
        """Cumulative hazard of each day to the horizon. Shape (rows, days)."""
        widths = np.diff(self.edges)
        rates = np.repeat(self.binned(frame) / widths, widths, axis=1)
        return np.asarray(rates * self.exposure(frame), dtype=np.float64)

    def _cumulative(self, frame: pd.DataFrame) -> Floats:
        """Cumulative hazard at the start of each day and at the end of the horizon. Shape (rows, days + 1), first 0."""
        return np.column_stack([np.zeros(len(frame)), np.cumsum(self._daily(frame), axis=1)])

    @property
    def features(self) -> tuple[str, ...]:
        """Names of the features read."""
        own = self.trees.features if self.trees else ()
        return tuple(dict.fromkeys([*[feature.name for feature in inputs(self.kind)], *own]))

    @classmethod
    def of_buying(cls, buying: BuyTillYouDie, edges: tuple[int, ...], note: str) -> "NextPurchase":
        """Return buy-till-you-die alone, as it is; ``note`` says why."""
        even, flat = (1.0,) * 7, (0.0,) * (len(edges) - 1)
        return cls(buying.kind, edges, (BUYING,), buying, None, None, even, flat, note)

    def parameters(self) -> dict[str, Any]:
        """Return everything but the trees' own text, as JSON can hold it."""
        return {
            "kind": self.kind,
            "edges": list(self.edges),
            "members": list(self.members),
            "buying": self.buying.parameters(),
            "aft": self.aft.parameters() if self.aft else None,
            "trees": list(self.trees.features) if self.trees else None,
            "weekdays": list(self.weekdays),
            "levels": list(self.levels),
            "note": self.note,
        }

    @classmethod
    def from_parameters(cls, parameters: Mapping[str, Any], trees: str | None) -> "NextPurchase":
        """Return the model that ``parameters`` described, with the text of its trees where it has any."""
        kind, edges = parameters["kind"], tuple(parameters["edges"])
        features, aft = parameters["trees"], parameters["aft"]
        return cls(
            kind=kind,
            edges=edges,
            members=tuple(parameters["members"]),
            buying=BuyTillYouDie.from_parameters(parameters["buying"]),
            aft=WeibullAFT.from_parameters(aft) if aft else None,
            trees=HazardTrees(trees, tuple(features), kind, edges) if trees is not None else None,
            weekdays=tuple(parameters["weekdays"]),
            levels=tuple(parameters["levels"]),
            note=parameters["note"],
        )


def geometric_mean(hazards: Mapping[str, Floats], members: Sequence[str]) -> Floats:
    """Return the mean of the members' hazards on the log scale."""
    return np.asarray(np.exp(np.mean([np.log(hazards[name]) for name in members], axis=0)), dtype=np.float64)
