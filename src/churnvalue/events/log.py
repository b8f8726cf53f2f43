"""The validated log: events as columns of numbers, sorted by customer and time, and the account of every row."""

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from churnvalue.clock import DAY, END, Micros, local, text
from churnvalue.errors import SourceError

Floats = npt.NDArray[np.float64]
Codes = npt.NDArray[np.int32]
MISSING = -1


@dataclass(frozen=True)
class Account:
    """What became of every row that was read; ``read = kept + duplicates + later + sum of quarantined``."""

    read: int = 0
    kept: int = 0
    duplicates: int = 0
    later: int = 0
    quarantined: dict[str, int] = field(default_factory=dict)

    def __add__(self, other: "Account") -> "Account":
        reasons = sorted({*self.quarantined, *other.quarantined})
        return Account(
            self.read + other.read,
            self.kept + other.kept,
            self.duplicates + other.duplicates,
            self.later + other.later,
            {reason: self.quarantined.get(reason, 0) + other.quarantined.get(reason, 0) for reason in reasons},
        )

    @property
    def refused(self) -> int:
        """Rows that could not be used."""
        return sum(self.quarantined.values())


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
    category_start: npt.NDArray[np.int64]
    categories: Coded
    zones: Coded
    observed_until: int
    account: Account

    def __len__(self) -> int:
        return len(self.event_time)

    @property
    def days_only(self) -> bool:
        """Whether every time is a midnight: the log knows the day, not the hour."""
        return bool((self.wall_clock % DAY == 0).all())

    def pays(self, kind: str) -> bool:
        """Whether any event of ``kind`` carries money; amounts that are all 0 say nothing of it."""
        amounts = self.amount[self.kind.codes == self.kind.code(kind)]
        return bool((np.isfinite(amounts) & (amounts != 0)).any())

    @property
    def kinds(self) -> dict[str, int]:
        """Number of events of each kind, most frequent first."""
        counts = np.bincount(self.kind.codes, minlength=len(self.kind.names))
        return {self.kind.names[i]: int(counts[i]) for i in np.argsort(-counts, kind="stable")}

    @property
    def first(self) -> int:
        """Time of the earliest event."""
        return int(self.event_time.min())


def build_log(events: pa.Table, account: Account, timezone: str, observed_until: int | None) -> EventLog:
    """Return the log of sorted events as an engine hands them over.

    Args:
        events: Columns of ``folding.EVENT_COLUMNS``, sorted by customer, then time, then all else.
        account: What became of the rows.
        timezone: Local clock of customers whose events state none.
        observed_until: The log holds every event before this time; from its last event if None.

    Raises:
        SourceError: If there is no event.
    """
    if not len(events):
        if account.later:
            raise SourceError(
                f"The log must hold at least one usable event, but none of {account.read:,} rows is before"
                f" {text(END if observed_until is None else observed_until)}.{_reasons(account)} Choose a later date."
            )
        raise SourceError(
            f"The log must hold at least one usable event, but none of {account.read:,} rows is."
            f"{_reasons(account)} Check the column mapping with: churnvalue check"
        )
    ids = events["customer_id"].combine_chunks().dictionary_encode()
    codes = ids.indices.to_numpy()
    start = np.concatenate(([0], np.flatnonzero(np.diff(codes)) + 1, [len(codes)])).astype(np.int64)
    event_time = _int64(events["event_time"])
    days_only = events["days_only"].to_numpy()
    zones = _in_force(_coded(events["zone"]), start)
    if observed_until is None:
        observed_until = int(event_time.max()) + (DAY if days_only.all() else 1)
    categories = events["categories"].combine_chunks()
    lengths = pc.fill_null(pc.list_value_length(categories), 0).to_numpy(zero_copy_only=False)
    return EventLog(
        customers=ids.dictionary.cast(pa.string()),
        start=start,
        event_time=event_time,
        known_at=_int64(events["known_at"]),
        wall_clock=np.where(days_only, event_time, _wall_clock(event_time, zones, timezone)),
        kind=_coded(events["kind"]),
        channel=_coded(events["channel"]),
        amount=_floats(events["amount"]),
        quantity=_floats(events["quantity"]),
        lines=_floats(events["lines"]),
        category_start=np.concatenate(([0], np.cumsum(lengths))).astype(np.int64),
        categories=_coded(pa.chunked_array([categories.flatten()])),
        zones=Coded(zones.codes[start[1:] - 1], zones.names),
        observed_until=observed_until,
        account=account,
    )


def _reasons(account: Account) -> str:
    listed = ", ".join(f"{reason}: {rows:,}" for reason, rows in account.quarantined.items())
    return f" ({listed})." if listed else ""


def _int64(column: pa.ChunkedArray) -> Micros:
    return np.ascontiguousarray(column.to_numpy(), dtype=np.int64)


def _floats(column: pa.ChunkedArray) -> Floats:
    return np.ascontiguousarray(column.cast(pa.float64()).to_numpy(), dtype=np.float64)


def _coded(column: pa.ChunkedArray) -> Coded:
    """Codes in the order of the names, so that they do not depend on the order of rows."""
    encoded = column.combine_chunks().cast(pa.string()).dictionary_encode()
    names = np.asarray(encoded.dictionary.to_pylist(), dtype=object)
    order = np.argsort(names.astype(str), kind="stable")
    rank = np.empty(len(names) + 1, dtype=np.int32)
    rank[order] = np.arange(len(names), dtype=np.int32)
    rank[-1] = MISSING
    indices = pc.fill_null(encoded.indices, len(names)).to_numpy(zero_copy_only=False)
    return Coded(rank[indices], tuple(names[order]))


def _in_force(zones: Coded, start: npt.NDArray[np.int64]) -> Coded:
    """Zone in force at each event: the one last stated by the customer, before the first statement that first one."""
    row = np.arange(len(zones.codes))
    first, end = (np.repeat(bound, np.diff(start)) for bound in (start[:-1], start[1:]))
    stated = zones.codes != MISSING
    latest = np.maximum.accumulate(np.where(stated, row, -1))
    next_one = np.minimum.accumulate(np.where(stated, row, len(row))[::-1])[::-1]
    source = np.where(latest >= first, latest, np.where(next_one < end, next_one, row))
    return Coded(zones.codes[source], zones.names)


def _wall_clock(event_time: Micros, zones: Coded, timezone: str) -> Micros:
    if not zones.names:
        return local(event_time, timezone)
    wall_clock = np.empty_like(event_time)
    for code in np.unique(zones.codes):
        rows = zones.codes == code
        wall_clock[rows] = local(event_time[rows], timezone if code == MISSING else zones.names[code])
    return wall_clock


def describe(log: EventLog) -> str:
    """Return one line on what the log holds."""
    return (
        f"{len(log):,} events of {len(log.customers):,} customers, {text(log.first)} to {text(log.observed_until)}, "
        f"{log.account.refused:,} of {log.account.read:,} rows quarantined"
    )
