"""When customers were active of their own accord, by the hour of the local week, without what machines made."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from churnvalue import clock
from churnvalue.clock import DAY, Micros
from churnvalue.events.log import EventLog
from churnvalue.timing.habit import SlotHabit
from churnvalue.timing.machine_made import machine_made
from churnvalue.timing.week import SLOTS

_VISIT = "visit"  # beside the outcome's kind: unlike opening what we send, customers do it of their own accord
_EARLIER_DAYS = 90  # what came since then judges how habits are learnt

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Activity:
    """Events by which customers show their hours, one entry each.

    Attributes:
        customers: Number of customers of the log.
        customer: Number of the customer in the log.
        slot: Hour of the local week.
        known_from: From when on the event was known, in microseconds.
        left_out: Events that machines made, by reason.
    """

    customers: int
    customer: Ints
    slot: Ints
    known_from: Micros
    left_out: Mapping[str, int]

    def counts(self, until: int) -> Floats:
        """How often each customer was active in each hour, of what was known before ``until``. Shape (customers, 168)."""
        known = self.known_from < until
        cell = self.customer[known] * SLOTS + self.slot[known]
        return np.bincount(cell, minlength=self.customers * SLOTS).reshape(-1, SLOTS).astype(np.float64)

    def habit(self, until: int) -> tuple[SlotHabit, Floats]:
        """Return the habit as learned before ``until``, and the counts that it was learned from."""
        counts = self.counts(until)
        return SlotHabit().fit(counts, earlier=self.counts(until - _EARLIER_DAYS * DAY)), counts

    @property
    def notes(self) -> tuple[str, ...]:
        """What was left out, in words."""
        said = ", ".join(f"{events:,} for {reason}" for reason, events in sorted(self.left_out.items()) if events)
        return (f"Events left out of the hours of activity as made by machines: {said}.",) if said else ()


def read_activity(log: EventLog, outcome: str) -> Activity:
    """Return the events of the outcome's kind and visits."""
    customer = np.repeat(np.arange(len(log.customers)), np.diff(log.start))
    kept, left_out = [], dict[str, int]()
    for kind in dict.fromkeys((outcome, _VISIT)):
        places = np.flatnonzero(log.kind.codes == log.kind.code(kind))
        made = machine_made(customer[places], log.event_time[places])
        kept.append(places[~made.mask])
        left_out = {reason: left_out.get(reason, 0) + events for reason, events in made.events.items()}
    found = np.concatenate(kept)
    return Activity(
        customers=len(log.customers),
        customer=customer[found],
        slot=clock.hour_of_week(log.wall_clock[found]),
        known_from=np.maximum(log.event_time[found], log.known_at[found]),
        left_out=left_out,
    )


def habit_of(habit: SlotHabit, counts: Floats, rows: Ints) -> npt.NDArray[np.float32]:
    """Hours of the customers ``rows`` of the log, -1 for one it does not know. Shape (rows, 168), rows sum to 1."""
    own = np.where(rows[:, None] >= 0, counts[rows], 0.0)
    return habit.predict(own)
