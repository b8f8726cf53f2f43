"""Boosted trees that correct a habit where the log shows it off; kept only where they win on customers they did not see.

They learn the ratio of what happened to what was foretold: events against hours drawn from the forecast itself, so that
the log-odds are the correction: Gutmann and Hyvärinen (2010), "Noise-contrastive estimation".
"""

from dataclasses import dataclass

import lightgbm as lgb
import numpy as np
from scipy import sparse

from churnvalue.timing.held_out import HeldOut
from churnvalue.timing.week import CHUNK, DAY_HOURS, SLOTS, WEEK_DAYS, Floats, Ints, by_day, by_hour, captured

_FEWEST = 1000  # customers held out; with fewer, two halves cannot tell a win from chance
_NOISE = 8  # drawn hours an event
_ROUNDS = 60
_CLEAR = 2.0  # standard errors by which it must win
_PARAMETERS = {
    "objective": "binary",
    "learning_rate": 0.05,
    "num_leaves": 15,
    "min_data_in_leaf": 100,
    "lambda_l2": 10.0,
    "feature_fraction": 0.7,
    "bagging_fraction": 0.8,
    "bagging_freq": 1,
    "max_bin": 63,
    "num_threads": 1,
    "deterministic": True,
    "force_col_wise": True,
    "verbose": -1,
}


@dataclass(frozen=True)
class HabitChallenger:
    """Correction of a forecast, added to its logarithm.

    ``gain`` is how many nats a customer it was better on customers it had not seen, ``error`` the standard error of that.
    """

    booster: lgb.Booster
    gain: float
    error: float

    def correct(self, counts: sparse.csr_array, foretold: Floats, segment: Ints) -> Floats:
        """Return the forecasts, corrected. Shape (customers, 168); rows sum to 1."""
        return _corrected(self.booster, counts, foretold, segment)


def challenge(held: HeldOut, foretold: Floats, seed: int) -> tuple[HabitChallenger | None, Floats]:
    """Return the challenger if it wins on the half of the customers it did not learn from, and what then is foretold.

    To win is to be better by two standard errors of the likelihood and to find no worse hours. ``foretold``, of shape
    (customers, 168), is what the habit said of the customers in ``held``; it comes back, for each customer corrected by
    trees that did not see it if they win.
    """
    if held.known.shape[0] < _FEWEST:
        return None, foretold
    half = np.arange(held.known.shape[0]) % 2 == 0
    corrected = np.empty_like(foretold)
    for learns in (half, ~half):
        judges = held.rows(~learns)
        booster = _learn(held.rows(learns), foretold[learns], seed)
        corrected[~learns] = _corrected(booster, judges.known, foretold[~learns], judges.segment)
    won = held.loss(foretold) - held.loss(corrected)
    gain, error = float(won.mean()), float(won.std(ddof=1) / np.sqrt(len(won)))
    later = held.later.toarray()
    if gain <= _CLEAR * error or captured(corrected, later).mean() < captured(foretold, later).mean():
        return None, foretold
    return HabitChallenger(_learn(held, foretold, seed), gain, error), corrected


def _learn(held: HeldOut, foretold: Floats, seed: int) -> lgb.Booster:
    random = np.random.default_rng(seed)
    rows, cells = held.later.nonzero()
    customers = np.arange(len(foretold))
    reached = foretold.cumsum(axis=1)
    drawn = np.array(
        [(reached > reached[:, -1:] * random.random((len(foretold), 1))).argmax(axis=1) for _ in range(_NOISE)]
    )
    who = np.concatenate([rows, np.tile(customers, _NOISE)])
    where = np.concatenate([cells, drawn.ravel()])
    happened = np.arange(len(who)) < len(rows)
    weight = np.concatenate([held.later.data, np.full(drawn.size, 1.0 / _NOISE)])
    columns = _columns(held.known.toarray(), foretold, held.segment, who, where)
    data = lgb.Dataset(columns, happened.astype(np.float64), weight=weight, params={"verbose": -1, "max_bin": 63})
    return lgb.train({**_PARAMETERS, "seed": seed}, data, _ROUNDS)


def _corrected(booster: lgb.Booster, counts: sparse.csr_array, foretold: Floats, segment: Ints) -> Floats:
    corrected = np.empty_like(foretold)
    step = CHUNK // 8
    for start in range(0, len(foretold), step):
        part = foretold[start : start + step]
        size = len(part)
        who, where = np.repeat(np.arange(size), SLOTS), np.tile(np.arange(SLOTS), size)
        columns = _columns(counts[start : start + step].toarray(), part, segment[start : start + step], who, where)
        change = np.asarray(booster.predict(columns, raw_score=True)).reshape(size, SLOTS)
        moved = part * np.exp(change - change.max(axis=1, keepdims=True))
        corrected[start : start + step] = moved / moved.sum(axis=1, keepdims=True)
    return corrected


def _columns(counts: Floats, foretold: Floats, segment: Ints, who: Ints, where: Ints) -> Floats:
    """What the trees see of customer ``who`` and hour ``where``; shape (len(who), columns)."""
    events = counts.sum(axis=1, keepdims=True)
    hours, days = by_hour(counts) / events, by_day(counts) / events
    hour, day = where % DAY_HOURS, where // DAY_HOURS
    around = np.exp(2j * np.pi * np.arange(DAY_HOURS) / DAY_HOURS)
    mean_hour = hours @ around
    ahead = np.angle(around[hour] * np.conj(mean_hour[who])) * DAY_HOURS / (2 * np.pi)
    return np.column_stack(
        [
            np.log(foretold[who, where]),
            hour,
            day,
            segment[who],
            events[who, 0],
            np.abs(mean_hour)[who],
            ahead,
            hours[who, hour],
            hours[who, (hour - 1) % DAY_HOURS] + hours[who, (hour + 1) % DAY_HOURS],
            days[who, day],
            days[who, (day - 1) % WEEK_DAYS] + days[who, (day + 1) % WEEK_DAYS],
            counts[who, where],
        ]
    )
