"""What counts as an answer to a message, and which event answers which: the first after it, or the last before."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from churnvalue import clock
from churnvalue.clock import Micros
from churnvalue.events.log import EventLog
from churnvalue.jobs.ranges import ranges
from churnvalue.sweep import rows_of

ANSWER_DAYS = 7  # within which an event of the outcome's kind, or one of ANSWERED, answers a plan's message
ANSWERED = ("message_open", "message_click")

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]


def rows_of_kinds(log: EventLog, kinds: Sequence[str], cutoff: int, customers: Ints | None = None) -> Ints:
    """Events of some kinds, by customer and time; where ``customers`` are given, places in the log, of them alone."""
    asked = np.ones(len(log.customers), dtype=bool)
    if customers is not None:
        asked[:] = False
        asked[customers[customers >= 0]] = True
    found = [np.zeros(0, dtype=np.int64)]
    for first, part in ranges(log):
        among = asked[first : first + len(part.customers)]
        if not among.any():
            continue
        rows = [rows_of(part, kind, clock.before(cutoff), cutoff) for kind in dict.fromkeys(kinds)]
        if not among.all():
            theirs = np.repeat(among, np.diff(part.start))
            rows = [own[theirs[own]] for own in rows]
        found.append(np.sort(np.concatenate(rows)) + log.start[first])
    return np.concatenate(found)


def first_wait(asked_key: Ints, asked_at: Micros, key: Ints, at: Micros) -> Floats:
    """Microseconds from each moment asked for to the first ``at`` of the same key from then on; NaN if there is none."""
    following = last_before(asked_key, -asked_at, key, -at)
    found = following >= 0
    waited = np.full(len(asked_at), np.nan)
    waited[found] = at[following[found]] - asked_at[found]
    return waited


def last_before(asked_key: Ints, asked_at: Micros, key: Ints, at: Micros) -> Ints:
    """Return the place in ``at`` of the last moment of the same key at or before each asked for, -1 if there is none."""
    n = len(at)
    keys = np.concatenate([key, asked_key])
    order = np.lexsort((np.concatenate([at, asked_at]), keys))  # stable: of the same moment what is known comes first
    place = np.maximum.accumulate(np.where(order < n, np.arange(len(order)), 0))
    candidate = order[place]
    found = np.empty(len(keys), np.int64)
    found[order] = np.where((candidate < n) & (keys[candidate] == keys[order]), candidate, -1)
    return found[n:]
