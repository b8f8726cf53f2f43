"""When customers were active of their own accord, by the hour of the local week, without what machines made."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from churnvalue import clock
from churnvalue.clock import DAY
from churnvalue.events.log import EventLog
from churnvalue.jobs.answers import rows_of_kinds
from churnvalue.language import _, translated
from churnvalue.sweep import customer_of, rows_of
from churnvalue.timing.habit import SlotHabit
from churnvalue.timing.machine_made import machine_made
from churnvalue.timing.week import CHUNK, SLOTS

_VISIT = "visit"  # beside the outcome's kind: unlike opening what we send, customers do it of their own accord
_LEARNT_FROM = 50_000  # customers; more take memory and hardly change what is common to them
_FORETOLD_AT_ONCE = 4 * CHUNK  # customers
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

    def counts(self, until: int, customers: Ints) -> Floats:
        """How often some customers were active in each hour, of what was known before ``until``. Shape (customers, 168).

        ``customers`` are distinct places in the log; -1 is one whom it does not know.
        """
        rows = rows_of_kinds(self.log, self.kinds, until, customers)
        rows = rows[~self.made[rows]]
        order = np.argsort(customers)
        whose = order[np.searchsorted(customers, customer_of(self.log, rows), sorter=order)]
        cell = whose * SLOTS + clock.hour_of_week(self.log.wall_clock[rows])
        return np.bincount(cell, minlength=len(customers) * SLOTS).reshape(-1, SLOTS).astype(np.float64)

    def habit(self, until: int) -> SlotHabit:
        """Return the habit as learned before ``until``, of larger logs from 50,000 customers all over the ids."""
        everyone = len(self.log.customers)
        some = np.unique(np.linspace(0, everyone - 1, min(everyone, _LEARNT_FROM)).astype(np.int64))
        return SlotHabit().fit(self.counts(until, some), earlier=self.counts(until - _EARLIER_DAYS * DAY, some))

    def habits(self, habit: SlotHabit, until: int, customers: Ints) -> npt.NDArray[np.float32]:
        """Hours of some customers of the log, -1 for one it does not know. Shape (customers, 168), rows sum to 1."""
        asked, own = np.unique(customers, return_inverse=True)
        # Counts take twice the memory of what is foretold from them.
        hours = np.empty((len(asked), SLOTS), np.float32)
        for start in range(0, len(asked), _FORETOLD_AT_ONCE):
            part = slice(start, start + _FORETOLD_AT_ONCE)
            hours[part] = habit.predict(self.counts(until, asked[part]))
        return hours[own]

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
