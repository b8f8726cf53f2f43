"""How long customers of past cutoffs waited until they came back: what next-purchase models learn from and are judged by."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from churnvalue import clock
from churnvalue.config import Population
from churnvalue.errors import HistoryError
from churnvalue.events.log import EventLog
from churnvalue.features import Feature
from churnvalue.frames import feature_frame
from churnvalue.snapshots import population
from churnvalue.sweep import compile_measures, sweep
from churnvalue.views import Future

Floats = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]
LEVEL_DAYS = (7, 14, 30)  # levels of return are learnt for the days up to each of these, and for the rest
YEAR_DAYS = 364  # a year earlier on the same weekday


@dataclass(frozen=True)
class Waits:
    """Customers at cutoffs (rows of ``frame``, as ``feature_frame`` gives them) and the whole days that they waited.

    ``days`` is 0 for a return within 24 hours of the cutoff, so a return within h days is ``days < h``. Where ``observed`` is
    False nobody came back in the ``days`` that were followed. Rows are kept by cutoff and customer, however they came.
    """

    frame: pd.DataFrame
    days: Floats
    observed: Flags

    def __post_init__(self) -> None:
        index = self.frame.index
        cutoffs = pd.DatetimeIndex(index.get_level_values("cutoff")).asi8  # as objects they take seconds
        order = np.lexsort((index.get_level_values("customer_id"), cutoffs))
        if (np.diff(order) != 1).any():
            object.__setattr__(self, "frame", self.frame.iloc[order])
            object.__setattr__(self, "days", self.days[order])
            object.__setattr__(self, "observed", self.observed[order])

    @property
    def cutoffs(self) -> list[pd.Timestamp]:
        """The cutoffs, in rising order."""
        return sorted(self.frame.index.unique("cutoff"))

    def at(self, cutoffs: Sequence[pd.Timestamp]) -> "Waits":
        """Return the rows of some cutoffs."""
        rows = np.asarray(self.frame.index.get_level_values("cutoff").isin(list(cutoffs)))
        return Waits(self.frame[rows], self.days[rows], self.observed[rows])

    def as_known(self, now: pd.Timestamp) -> "Waits":
        """Return what was known of them at ``now``: cutoffs a day or more before it, followed no further."""
        cutoffs = pd.DatetimeIndex(self.frame.index.get_level_values("cutoff"))
        followed = ((now - cutoffs) // pd.Timedelta(days=1)).to_numpy(dtype=np.float64)
        rows = followed >= 1
        days, observed = np.minimum(self.days, followed), self.observed & (self.days < followed)
        return Waits(self.frame[rows], days[rows], observed[rows])

    def drawn(self, most: int, seed: int) -> "Waits":
        """Return at most ``most`` customers of each cutoff, drawn at random."""
        generator = np.random.default_rng(seed)
        codes, _ = pd.factorize(self.frame.index.get_level_values("cutoff"))
        order = np.lexsort((generator.random(len(codes)), codes))
        places = np.arange(len(codes)) - np.searchsorted(codes, codes)  # within the cutoff; rows stand by cutoff
        rows = np.sort(order[places < most])
        return Waits(self.frame.iloc[rows], self.days[rows], self.observed[rows])

    @staticmethod
    def joined(parts: Sequence["Waits"]) -> "Waits":
        """Return the rows of all ``parts``, whose cutoffs differ."""
        return Waits(
            pd.concat([part.frame for part in parts]),
            np.concatenate([part.days for part in parts]),
            np.concatenate([part.observed for part in parts]),
        )


def waits(
    log: EventLog, features: Sequence[Feature], cutoffs: Sequence[int], who: Population, kind: str, horizon_days: int
) -> Waits:
    """Return features and waits until the next event of ``kind``, followed for ``horizon_days`` or to the end of the log.

    Raises:
        HistoryError: If there is no cutoff, one lies less than a day before the end of the log, or a population is empty.
    """
    if not cutoffs:
        raise HistoryError("Waits need at least one cutoff, but none came. Give one, or bring more history.")
    frames = [feature_frame(log, features, cutoff, who) for cutoff in cutoffs]
    return followed(log, pd.concat(frames), who, kind, horizon_days)


def followed(log: EventLog, frame: pd.DataFrame, who: Population, kind: str, horizon_days: int) -> Waits:
    """Return the waits of everyone in a feature frame of whole populations; as ``waits``.

    Raises:
        HistoryError: If a cutoff lies less than a day before the end of the log.
    """
    days, observed = [], []
    for cutoff in frame.index.unique("cutoff"):
        start = clock.micros(cutoff.to_pydatetime())
        length = min(horizon_days, (log.observed_until - start) // clock.DAY)
        if length < 1:
            raise HistoryError(
                f"Waits must be followed for a day or more, but the cutoff is {clock.text(start)} and the log is observed"
                f" until {clock.text(log.observed_until)}. Use an earlier cutoff."
            )
        first = Future().of(kind).age_of_oldest()
        span = clock.after(start, length)
        left = sweep(log, compile_measures([first], log), span, clock.END)[first][population(log, start, who)]
        observed.append(~np.isnan(left))
        # A day that has begun is no whole day waited: the rest of the span is rounded up.
        days.append(np.where(np.isnan(left), length, length - np.ceil(left)))
    return Waits(frame, np.concatenate(days), np.concatenate(observed))


def level_cutoffs(log: EventLog, learning: Sequence[int], now: int, horizon_days: int) -> list[int]:
    """Return the cutoffs beside those of ``learning`` from which the level of today is learnt, in rising order.

    The newest at which returns within 7, 14, 30 and ``horizon_days`` have closed, and the same days a year before these,
    before those of learning and before ``now``, where at least ``horizon_days`` of history lie before them.
    """
    recent = [now - days * clock.DAY for days in {*LEVEL_DAYS, horizon_days} if days <= horizon_days]
    year_ago = [cutoff - YEAR_DAYS * clock.DAY for cutoff in (*learning, *recent, now)]
    described = log.first + horizon_days * clock.DAY
    return sorted({cutoff for cutoff in (*recent, *year_ago) if cutoff >= described} - set(learning))
