"""The validated log: events as columns of numbers, sorted by customer and time, and the account of every row."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from churnvalue.clock import DAY, Micros, text
from churnvalue.events.account import Account
from churnvalue.language import _

Floats = npt.NDArray[np.float64]
Codes = npt.NDArray[np.int16] | npt.NDArray[np.int32]
MISSING = -1
_AT_ONCE = 1_000_000  # events


@dataclass(frozen=True)
class Coded:
    """A text column as codes into ``names``; ``MISSING`` where there is none."""

    codes: Codes
    names: tuple[str, ...]

    def code(self, name: str) -> int:
        """Return the code of ``name``; one that no event has where the log does not hold it."""
        return self.names.index(name) if name in self.names else len(self.names)


@dataclass(frozen=True)
class EventLog:
    """Events sorted by customer, then time; the events of customer ``i`` are ``start[i]:start[i + 1]``.

    Times are UTC microseconds, ``wall_clock`` is the event's local time (in a source of days, the day as it is written),
    ``amount`` and ``quantity`` hold NaN where there is none. ``categories`` of event ``j`` are
    ``category_start[j]:category_start[j + 1]``; ``zones`` are those of each customer, the newest stated. Read it through
    ``views``.

    What a log does not hold takes no memory: ``known_at`` and ``wall_clock`` may be the same array as ``event_time``,
    ``quantity`` and ``lines`` one number seen as many.
    """

    customers: pa.StringArray
    start: npt.NDArray[np.int64]
    event_time: Micros
    known_at: Micros
    wall_clock: Micros
    kind: Coded
    channel: Coded
    amount: Floats
    quantity: Floats
    lines: Floats
    category_start: npt.NDArray[np.int32] | npt.NDArray[np.int64]
    categories: Coded
    zones: Coded
    observed_until: int
    account: Account

    def __len__(self) -> int:
        return len(self.event_time)

    @property
    def days_only(self) -> bool:
        """Whether every time is a midnight: the log knows the day, not the hour."""
        parts = range(0, len(self), _AT_ONCE)  # the first one that knows an hour ends it
        return all(bool((self.wall_clock[first : first + _AT_ONCE] % DAY == 0).all()) for first in parts)

    def pays(self, kind: str) -> bool:
        """Whether any event of ``kind`` carries money; amounts that are all 0 say nothing of it."""
        amounts = self.amount[self.kind.codes == self.kind.code(kind)]
        return bool((np.isfinite(amounts) & (amounts != 0)).any())

    @property
    def kinds(self) -> dict[str, int]:
        """Number of events of each kind that there is, most frequent first."""
        counts = np.bincount(self.kind.codes, minlength=len(self.kind.names))
        return {self.kind.names[i]: int(counts[i]) for i in np.argsort(-counts, kind="stable") if counts[i]}

    @property
    def first(self) -> int:
        """Time of the earliest event."""
        return int(self.event_time.min())


def describe(log: EventLog) -> str:
    """Return one line on what the log holds."""
    return _(
        "{events:,} events of {customers:,} customers, {first} to {observed_until}, {refused:,} of {read:,} "
        "rows quarantined",
        events=len(log),
        customers=len(log.customers),
        first=text(log.first),
        observed_until=text(log.observed_until),
        refused=log.account.refused,
        read=log.account.read,
    )
