"""Who is described as of when: the population of a cutoff, and the cutoffs that a history allows."""

import numpy as np
import numpy.typing as npt

from churnvalue import clock
from churnvalue.config import Outcome, Population, Training
from churnvalue.errors import HistoryError
from churnvalue.events.log import EventLog
from churnvalue.sweep import compile_measures, sweep
from churnvalue.views import History, Measure

_SHORTEST_HISTORY = 30  # days before the first cutoff, or three quarters of the horizon if that is more
_SHORTEST_LOG = 60  # days
_CLOSEST = 7  # days between cutoffs


def belongs(who: Population) -> Measure:
    """Return what is above 0 for those who belong to the population of a cutoff."""
    return History().of(who.kind).last(who.active_days).count()


def population(log: EventLog, cutoff: int, who: Population) -> npt.NDArray[np.bool_]:
    """Return whether each customer belongs to the population at ``cutoff``, by what was known before it."""
    recent = belongs(who)
    measured = sweep(log, compile_measures([recent], log), clock.before(cutoff), cutoff)
    return measured[recent] > 0


def require_closed(log: EventLog, cutoff: int, horizon_days: int) -> None:
    """Refuse a cutoff whose outcome has not been observed to its end.

    Raises:
        HistoryError: Says until when the log would have to be observed, and the latest cutoff it allows.
    """
    end = clock.after(cutoff, horizon_days).end
    if end > log.observed_until:
        latest = clock.text((log.observed_until - horizon_days * clock.DAY) // clock.DAY * clock.DAY)
        raise HistoryError(
            f"Outcomes until {clock.text(end)} are needed, but the log is observed until"
            f" {clock.text(log.observed_until)}. Use a cutoff at or before {latest}."
        )


def learnt_days(log: EventLog, training: Training, outcome: Outcome) -> int:
    """Return the horizon that can be learnt from: the outcome's, or a third of the history where that is shorter.

    A third to describe customers by, one to learn from, one to be judged on. Cutoffs given as dates are taken at their word.

    Raises:
        HistoryError: If the log is shorter than the horizon.
    """
    held = (log.observed_until - log.first) // clock.DAY
    if not isinstance(training.cutoffs, int):
        return outcome.horizon_days
    if held < max(outcome.horizon_days, _SHORTEST_LOG):
        raise HistoryError(
            f"Training needs at least {max(outcome.horizon_days, _SHORTEST_LOG)} days of history, as long as the horizon,"
            f" but the log holds {held}. Shorten outcome.horizon_days or bring more history."
        )
    return min(outcome.horizon_days, held // 3)


def training_cutoffs(log: EventLog, training: Training, outcome: Outcome) -> list[int]:
    """Return the cutoffs to learn from, in rising order, all with closed outcomes.

    Dates are taken as given. A number is spread evenly from the newest midnight with a closed outcome back to where enough
    history remains, at most one horizon and at least a week apart: as many as fit.

    Raises:
        HistoryError: If not even one cutoff fits; says how many days are needed.
    """
    if not isinstance(training.cutoffs, int):
        cutoffs = sorted({clock.micros(date) for date in training.cutoffs})
        for cutoff in cutoffs:
            require_closed(log, cutoff, outcome.horizon_days)
            if cutoff <= log.first:
                raise HistoryError(
                    f"A cutoff must come after the first event, {clock.text(log.first)}, but {clock.text(cutoff)} came."
                )
        return cutoffs
    day = clock.DAY
    newest = (log.observed_until - outcome.horizon_days * day) // day
    first_month = min(max(_SHORTEST_HISTORY, outcome.horizon_days * 3 // 4), outcome.horizon_days)
    earliest = -(-log.first // day) + first_month
    if newest < earliest:
        held = (log.observed_until - log.first) // day
        needed = earliest + outcome.horizon_days - log.first // day
        raise HistoryError(
            f"Training needs {needed} days of history (time to describe customers by, then a horizon of"
            f" {outcome.horizon_days} days), but the log holds {held}. Shorten outcome.horizon_days or bring more history."
        )
    step = (newest - earliest) // max(training.cutoffs - 1, 1)
    step = max(_CLOSEST, min(step, outcome.horizon_days))
    return [c * day for c in range(newest, earliest - 1, -step)][: training.cutoffs][::-1]
