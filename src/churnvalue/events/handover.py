"""What an engine hands over: rows of numbers in any order, and what there is to know of all of them together.

Text comes as codes into sorted names, for narrow rows are what makes sorting fast. A batch holds the columns ``customer``
(place in ``Facts.customers``), ``event_time`` and ``kind``, and of the others only those that a source fills: ``known_at``,
``amount``, ``quantity``, ``lines``, ``channel``, ``campaign``, ``zone``, ``days_only``, ``source``, ``turned`` (a purchase below
zero that became a return, where others are written as such) and ``category`` (a code) or ``categories`` (a list of codes).
``MISSING`` is the code of no text.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from churnvalue.clock import text
from churnvalue.errors import SourceError
from churnvalue.events.account import Account

TEXTS = ("kind", "channel", "campaign", "zone", "category")
Batches = Callable[[], Iterator[pa.RecordBatch]]


@dataclass(frozen=True)
class Facts:
    """What there is to know of a whole log before its first event is looked at.

    Attributes:
        customers: Their ids, sorted.
        names: Of each column of text its names, sorted; a name may have no event.
        account: What became of the rows; repeated ones of ``repeated`` sources still count as kept.
        rows: Rows that are handed over, at most.
        timezone: Local clock of customers whose events state none.
        observed_until: The log holds every event before this time.
        days_only: Whether its times know the day, not the hour; None if that differs by event (column ``days_only``).
        repeated: Numbers of the sources (column ``source``; 0 without one) in which a repeated row is a repeated delivery.
        events: How many rows of each customer are handed over; None where that shows only when they come.
    """

    customers: pa.StringArray
    names: dict[str, tuple[str, ...]]
    account: Account
    rows: int
    timezone: str
    observed_until: int
    days_only: bool | None = False
    repeated: frozenset[int] = field(default_factory=frozenset)
    events: npt.NDArray[np.int64] | None = None


def require_events(account: Account, until: int) -> None:
    """Refuse a log without a usable event before ``until``.

    Raises:
        SourceError: Says what became of its rows.
    """
    if account.kept:
        return
    listed = ", ".join(f"{reason}: {rows:,}" for reason, rows in account.quarantined.items())
    reasons = f" ({listed})." if listed else ""
    if account.later:
        raise SourceError(
            f"The log must hold at least one usable event, but none of {account.read:,} rows is before"
            f" {text(until)}.{reasons} Choose a later date."
        )
    raise SourceError(
        f"The log must hold at least one usable event, but none of {account.read:,} rows is."
        f"{reasons} Check the column mapping with: churnvalue check"
    )
