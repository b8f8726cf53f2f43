"""When customers were active of their own accord, by the hour of the local week, without what machines made."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from churnvalue import clock
from churnvalue.clock import DAY
from churnvalue.events.log import EventLog
from churnvalue.language import _, translated
from churnvalue.sweep import customer_of, rows_of
from churnvalue.timing.habit import SlotHabit
from churnvalue.timing.machine_made import machine_made
from churnvalue.timing.week import SLOTS

_VISIT = "visit"  # beside the outcome's kind: unlike opening what we send, customers do it of their own accord
_EARLIER_DAYS = 90  # what came since then judges how habits are learnt

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Activity:
    """Events by which customers show their hours.

    Attributes:
        log: The log.
        kinds: What counts.
        made: Whether a machine made each event; shape (events,).
        left_out: Events that machines made, by reason.
    """

    log: EventLog
    kinds: tuple[str, ...]
    made: npt.NDArray[np.bool_]
    left_out: Mapping[str, int]

    def counts(self, until: int) -> Floats:
        """How often each customer was active in each hour, of what was known before ``until``. Shape (customers, 168)."""
        rows = np.concatenate([rows_of(self.log, kind, clock.before(until), until) for kind in self.kinds])
        rows = rows[~self.made[rows]]
        cell = customer_of(self.log, rows) * SLOTS + clock.hour_of_week(self.log.wall_clock[rows])
        counts = np.bincount(cell, minlength=len(self.log.customers) * SLOTS)
        return counts.reshape(-1, SLOTS).astype(np.float64)

    def habit(self, until: int) -> tuple[SlotHabit, Floats]:
        """Return the habit as learned before ``until``, and the counts that it was learned from."""
        counts = self.counts(until)
        return SlotHabit().fit(counts, earlier=self.counts(until - _EARLIER_DAYS * DAY)), counts

    @property
    def notes(self) -> tuple[str, ...]:
        """What was left out, in words."""
        said = ", ".join(
            _("{events:,} for {reason}", events=events, reason=translated(reason))
            for reason, events in sorted(self.left_out.items())
            if events
        )
        return (_("Events left out of the hours of activity as made by machines: {said}.", said=said),) if said else ()


def read_activity(log: EventLog, outcome: str, cutoff: int) -> Activity:
    """Return the events of the outcome's kind and the visits of a log as it was known before the cutoff."""
    kinds = tuple(dict.fromkeys((outcome, _VISIT)))
    made = np.zeros(len(log), dtype=bool)
    left_out = dict[str, int]()
    for kind in kinds:
        rows = rows_of(log, kind, clock.before(cutoff), cutoff)
        found = machine_made(customer_of(log, rows), log.event_time[rows])
        made[rows] = found.mask
        left_out = {reason: left_out.get(reason, 0) + events for reason, events in found.events.items()}
    return Activity(log, kinds, made, left_out)


def habit_of(habit: SlotHabit, counts: Floats, rows: Ints) -> npt.NDArray[np.float32]:
    """Hours of the customers ``rows`` of the log, -1 for one it does not know. Shape (rows, 168), rows sum to 1."""
    own = np.where(rows[:, None] >= 0, counts[rows], 0.0)
    return habit.predict(own)
