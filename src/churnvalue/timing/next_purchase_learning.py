"""Learning when customers come back: members fitted to closed windows, chosen on past cutoffs, set to today's level."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import pandas as pd

from churnvalue.language import _
from churnvalue.models.buy_till_you_die import BuyTillYouDie
from churnvalue.timing.hazard import HazardTrees, bin_edges, periods
from churnvalue.timing.next_purchase import AFT, BUYING, TREES, NextPurchase, geometric_mean
from churnvalue.timing.waits import LEVEL_DAYS, YEAR_DAYS, Waits
from churnvalue.timing.weibull_aft import WeibullAFT

Floats = npt.NDArray[np.float64]
Members = tuple[str, ...]
_CANDIDATES: tuple[Members, ...] = (
    (BUYING,),
    (AFT,),
    (BUYING, AFT),
    (TREES,),
    (AFT, TREES),
    (BUYING, TREES),
    (BUYING, AFT, TREES),
)
_FEWEST_RETURNS = 100  # below it nothing but buy-till-you-die, which learns from histories
_FEWEST_FOR_TREES = 1000
_FOLDS = 2
_NEWEST = 0.5  # how far the newest closed window's level counts beyond the mean of all
_SEASON = 0.7  # share of last year's movement that is expected again; some of it was chance
_PRIOR_RETURNS = 100.0  # a window's level counts half where so many are expected
_PRIOR_WEEK = 70.0  # returns, spread evenly over the week


@dataclass(frozen=True)
class _Learner:
    """What all steps of learning share."""

    kind: str
    edges: tuple[int, ...]
    seed: int

    @property
    def horizon(self) -> pd.Timedelta:
        return pd.Timedelta(days=self.edges[-1])


def fit_next_purchase(
    learning: Waits, beside: Waits, now: pd.DataFrame, kind: str, seed: int, members: Members | None = None
) -> NextPurchase:
    """Return the model of the wait from ``now``'s cutoff on.

    Args:
        learning: Waits at cutoffs whose whole horizon has closed; the horizon is the longest wait that was followed.
        beside: Waits at ``level_cutoffs``, followed as far as the log goes; they only set the level.
        now: Features of those who will be foretold, at the newest cutoff; buy-till-you-die is fitted to them.
        kind: Of the event that is waited for.
        seed: Of the trees.
        members: Who is to speak; chosen on past windows if None.
    """
    learner = _Learner(kind, bin_edges(max(int(learning.days.max()), 1)), seed)
    members, note = _chosen(learner, learning) if members is None else (members, " + ".join(members))
    model = replace(_fit(learner, learning, members), note=note).with_buying(now.sort_index())
    return replace(model, levels=_levels(model, learning, beside, now.index.get_level_values("cutoff")[0]))


def _fit(learner: _Learner, waits: Waits, members: Sequence[str]) -> NextPurchase:
    """Fit what ``members`` need; trees are boosted from the AFT, at the rates of the days of the week."""
    frame, edges, kind = waits.frame, learner.edges, learner.kind
    model = NextPurchase(
        kind=kind,
        edges=edges,
        members=tuple(members),
        buying=BuyTillYouDie.fit(waits.at(waits.cutoffs[-1:]).frame, kind),
        aft=WeibullAFT.fit(waits, kind) if {AFT, TREES} & set(members) else None,
        trees=None,
        weekdays=_weekdays(waits),
        levels=(0.0,) * (len(edges) - 1),
        note="",
    )
    if TREES not in members:
        return model
    base = model.member_hazards(frame)[AFT] * _bin_exposure(model, frame)
    return replace(model, trees=HazardTrees.fit(waits, base, edges, kind, learner.seed))


def _chosen(learner: _Learner, learning: Waits) -> tuple[Members, str]:
    """Return the members that foretold past windows best, not having seen them, and why in words.

    Compared by the likelihood of the waits with each bin at its own level, since levels are set anew afterwards.
    """
    returns = int(learning.observed.sum())
    cutoffs = learning.cutoffs
    folds = [c for c in cutoffs if cutoffs[0] + learner.horizon <= c][-_FOLDS:]
    if returns < _FEWEST_RETURNS or not folds:
        if folds:
            return (BUYING,), _("buy-till-you-die alone: the log holds {returns:,} returns", returns=returns)
        return (BUYING,), _(
            "buy-till-you-die alone: the log holds {windows} past windows, none after another has closed",
            windows=len(cutoffs),
        )
    allowed = [m for m in _CANDIDATES if returns >= _FEWEST_FOR_TREES or TREES not in m]
    losses = dict.fromkeys(allowed, 0.0)
    for fold in folds:
        past, test = learning.at([c for c in cutoffs if c + learner.horizon <= fold]), learning.at([fold])
        model = _fit(learner, past, allowed[-1]).with_buying(test.frame)
        hazards = model.member_hazards(test.frame)
        for members in allowed:
            losses[members] += _loss(geometric_mean(hazards, members), test, learner.edges)
    best = min(allowed, key=lambda members: losses[members])
    dates = ", ".join(str(fold.date()) for fold in folds)
    return best, _(
        "{best}: least deviance of {allowed} candidates at {dates}",
        best=" + ".join(best),
        allowed=len(allowed),
        dates=dates,
    )


def _loss(hazard: Floats, test: Waits, edges: tuple[int, ...]) -> float:
    """Minus the mean log-likelihood of waits but for what candidates share, each bin at its best level."""
    found, bins = periods(test, edges), len(edges) - 1
    risk = hazard[found.rows, found.bins]
    happened, expected = np.bincount(found.bins, found.returned, bins), np.bincount(found.bins, risk, bins)
    level = np.log(np.maximum(happened, 0.5) / np.maximum(expected, 1e-12))
    return -float(found.returned @ (np.log(risk) + level[found.bins])) / len(test.days)


def _weekdays(waits: Waits) -> tuple[float, ...]:
    """Rates of the days of the week against their mean, from returns within four whole weeks, drawn to an even week."""
    first = pd.DatetimeIndex(waits.frame.index.get_level_values("cutoff")).day_of_week.to_numpy()
    early = waits.observed & (waits.days < 28)
    counts = np.bincount((first + waits.days.astype(np.int64))[early] % 7, minlength=7) + _PRIOR_WEEK / 7
    return tuple(float(rate) for rate in counts * 7 / counts.sum())


def _bin_exposure(model: NextPurchase, frame: pd.DataFrame) -> Floats:
    """Mean rate of the days in each bin. Shape (rows, bins)."""
    edges = np.array(model.edges)
    return np.asarray(np.add.reduceat(model.exposure(frame), edges[:-1], axis=1) / np.diff(edges))


def _levels(model: NextPurchase, learning: Waits, beside: Waits, now: pd.Timestamp) -> tuple[float, ...]:
    """Return what to add to the log hazard of each bin: what past windows needed, moved as the season moved a year ago.

    Bins share a level up to 7, 14, 30 days and beyond. Each window counts as far as that many days of it had closed.
    """
    ends = [days for days in LEVEL_DAYS if days < model.horizon_days]
    groups = np.searchsorted(ends, np.array(model.edges[1:]))
    needed: dict[pd.Timestamp, dict[int, float]] = {}
    for waits in (learning, beside):
        for cutoff in waits.cutoffs:
            needed[cutoff] = _needed(model, waits.at([cutoff]), groups)
    year = pd.Timedelta(days=YEAR_DAYS)

    def moved(cutoff: pd.Timestamp, group: int) -> float:
        then, last = needed.get(now - year, {}), needed.get(cutoff - year, {})
        shift = _SEASON * (then[group] - last[group]) if group in then and group in last else 0.0
        return needed[cutoff][group] + shift

    learnt = {cutoff for cutoff in needed if cutoff in set(learning.cutoffs)}
    levels = []
    for group in range(len(ends) + 1):
        closed = sorted(cutoff for cutoff in needed if group in needed[cutoff])
        mean = float(np.mean([moved(cutoff, group) for cutoff in closed if cutoff in learnt]))
        levels.append(_NEWEST * moved(closed[-1], group) + (1 - _NEWEST) * mean)
    return tuple(levels[group] for group in groups)


def _needed(model: NextPurchase, window: Waits, groups: npt.NDArray[np.intp]) -> dict[int, float]:
    """Return the level that a window would have needed, by group of bins, for those that it was followed through."""
    then = model.with_buying(window.frame)
    hazard = then.binned(window.frame) * _bin_exposure(then, window.frame)
    found = periods(window, model.edges)
    size = int(groups[-1]) + 1
    happened = np.bincount(groups[found.bins], found.returned, size)
    expected = np.bincount(groups[found.bins], hazard[found.rows, found.bins], size)
    # Whoever has not come back was followed to the same day; if all have, to the end.
    silent = window.days[~window.observed]
    followed = silent.min() if len(silent) else model.horizon_days
    closed = [max(e for e, g in zip(model.edges[1:], groups, strict=True) if g == group) for group in range(size)]
    return {
        group: float(np.log((happened[group] + _PRIOR_RETURNS) / (expected[group] + _PRIOR_RETURNS)))
        for group in range(size)
        if closed[group] <= followed
    }
