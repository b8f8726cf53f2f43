"""From handed-over batches to a log: the rows put in order, and every column as the log holds it."""

from collections.abc import Iterable
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from churnvalue.clock import Micros, local
from churnvalue.errors import SourceError
from churnvalue.events.handover import Facts
from churnvalue.events.log import MISSING, Coded, EventLog, Floats
from churnvalue.events.ordering import Ordered, Places, list_keys

Array = npt.NDArray[Any]
Starts = npt.NDArray[np.int64]
_LISTED = "categories"  # a list of codes in each row; "category" is one code
_COLUMNS, _TWINS, _CODED = (
    ("amount", "quantity", "lines"),
    ("known_at", "wall_clock"),
    ("kind", "channel", "categories", "zones"),
)
_JOINED = ("event_time", *_COLUMNS, *_TWINS, *_CODED, "customers", "start", "category_start")
_MENTION = "mention"  # the place of a row's list of categories, among the lists as they came


class Mentions(NamedTuple):
    """Categories of row ``j``: ``codes[start[j]:start[j + 1]]``."""

    start: Array
    codes: npt.NDArray[np.int32]


def assemble(batches: Iterable[pa.RecordBatch], facts: Facts, first: int = 0, end: int | None = None) -> EventLog:
    """Return the log of the customers ``first`` to ``end`` of ``facts``, of whom ``batches`` hold all rows, in any order.

    Its account is that of ``facts``: of the whole log, repeated rows counted as kept.

    Raises:
        SourceError: If a customer has other events than ``facts`` say.
    """
    end = len(facts.customers) if end is None else end
    if facts.events is None:
        batches = list(batches)
        events = np.zeros(end - first, dtype=np.int64)
        for batch in batches:
            events += np.bincount(_numpy(batch["customer"]) - first, minlength=end - first)
    else:
        events = facts.events[first:end]
    places, lists = Places(events, first), _Lists()
    for batch in batches:
        places.put(_columns(batch, lists))
    placed = places.ordered(facts.repeated, _MENTION)
    return _log(placed, lists, facts, facts.customers.slice(first, end - first))


class _Lists:
    """The lists of categories of rows, as they came."""

    def __init__(self) -> None:
        self._lengths: list[Array] = []
        self._codes: list[Array] = []
        self._rows = 0

    def add(self, lists: pa.ListArray) -> tuple[Array, Array]:
        """Keep some lists; return the place of each, and a number that is the same for the same list."""
        lengths = pc.fill_null(pc.list_value_length(lists), 0).to_numpy(zero_copy_only=False).astype(np.int64)
        codes = lists.flatten().to_numpy(zero_copy_only=False).astype(np.int32, copy=False)
        self._lengths.append(lengths)
        self._codes.append(codes)
        places = np.arange(self._rows, self._rows + len(lists))
        self._rows += len(lists)
        return places, list_keys(np.concatenate(([0], np.cumsum(lengths))), codes)

    def of(self, places: Array) -> Mentions:
        """Return the lists of some places, one after the other."""
        lengths, codes = np.concatenate(self._lengths), np.concatenate(self._codes)
        begin = np.concatenate(([0], np.cumsum(lengths)))[:-1][places]
        own = lengths[places]
        start = np.concatenate(([0], np.cumsum(own)))
        return Mentions(start, codes[np.arange(start[-1]) + np.repeat(begin - start[:-1], own)])


def _columns(batch: pa.RecordBatch, lists: _Lists) -> dict[str, Array]:
    """Return the columns of a batch as numbers."""
    columns = {name: _numpy(batch[name]) for name in batch.schema.names if name != _LISTED}
    if _LISTED in batch.schema.names:
        columns[_MENTION], columns[_LISTED] = lists.add(batch[_LISTED])
    return columns


def concatenated(logs: Iterable[EventLog]) -> EventLog:
    """Return the log of all customers of several logs, which hold ranges of customers one after the other.

    They are taken apart as they come, so that no more than one column is held twice.
    """
    parts: dict[str, list[Any]] = {name: [] for name in _JOINED}
    last, twins = None, set(_TWINS)
    for last in logs:
        twins -= {name for name in twins if getattr(last, name) is not last.event_time}
        for name, held in parts.items():
            value = getattr(last, name)
            held.append(getattr(value, "codes", value))
    if last is None:
        raise SourceError("A log must hold at least one customer, but none came. Read a larger one.")
    if len(parts["start"]) == 1:
        return last
    for name in twins:
        del parts[name]
    event_time = _joined(parts.pop("event_time"))
    whole = {name: event_time if name in twins else _joined(parts.pop(name)) for name in (*_COLUMNS, *_TWINS)}
    coded = {name: Coded(_joined(parts.pop(name)), getattr(last, name).names) for name in _CODED}
    return replace(
        last,
        customers=pa.concat_arrays(parts.pop("customers")),
        start=_shifted(parts.pop("start")),
        category_start=_shifted(parts.pop("category_start")),
        event_time=event_time,
        known_at=whole["known_at"],
        wall_clock=whole["wall_clock"],
        amount=whole["amount"],
        quantity=whole["quantity"],
        lines=whole["lines"],
        kind=coded["kind"],
        channel=coded["channel"],
        categories=coded["categories"],
        zones=coded["zones"],
    )


def _joined(parts: list[Array]) -> Array:
    if all(part.strides == (0,) for part in parts):
        return np.broadcast_to(parts[0][:1], sum(map(len, parts)))
    return np.concatenate(parts)


def _shifted(starts: list[npt.NDArray[Any]]) -> npt.NDArray[Any]:
    """Return where the lists of several logs begin, once their rows follow one another."""
    before = np.cumsum([0, *(int(start[-1]) for start in starts)])
    narrow = before[-1] < np.iinfo(np.int32).max and starts[0].dtype == np.int32
    moved = [start[1:] + many for start, many in zip(starts, before[:-1], strict=True)]
    return np.concatenate([starts[0][:1], *moved]).astype(np.int32 if narrow else np.int64)


def _log(placed: Ordered, lists: _Lists, facts: Facts, customers: pa.StringArray) -> EventLog:
    columns, start = placed.columns, placed.start
    event_time = np.asarray(columns["event_time"], dtype=np.int64)
    rows = len(event_time)
    days_only = columns.get("days_only", np.array(facts.days_only))
    zones = _coded(columns, "zone", facts, rows)
    if "zone" in columns:
        zones = _in_force(zones, start)
    mentions = lists.of(columns[_MENTION]) if _MENTION in columns else _one_each(columns, rows)
    return EventLog(
        customers=customers,
        start=start,
        event_time=event_time,
        known_at=np.asarray(columns.get("known_at", event_time), dtype=np.int64),
        wall_clock=_wall_clock(event_time, days_only, zones, facts.timezone),
        kind=_coded(columns, "kind", facts, rows),
        channel=_coded(columns, "channel", facts, rows),
        amount=_floats(columns, "amount", rows, np.nan),
        quantity=_floats(columns, "quantity", rows, np.nan),
        lines=_floats(columns, "lines", rows, 1.0),
        category_start=mentions.start,
        categories=Coded(mentions.codes, facts.names.get("category", ())),
        zones=Coded(zones.codes[start[1:] - 1], zones.names),
        observed_until=facts.observed_until,
        account=facts.account,
    )


def _numpy(column: pa.Array) -> Array:
    """Return a column without copying where nothing is null; NaN where a number is."""
    if pa.types.is_decimal(column.type) or pa.types.is_null(column.type):
        column = column.cast(pa.float64())
    return np.asarray(column.to_numpy(zero_copy_only=False))


def _one_each(columns: dict[str, Array], rows: int) -> Mentions:
    """Return the categories of rows that have at most one each."""
    if "category" not in columns:
        return Mentions(np.zeros(rows + 1, dtype=np.int32), np.zeros(0, dtype=np.int32))
    return Mentions(np.arange(rows + 1, dtype=np.int32), columns["category"].astype(np.int32, copy=False))


def _floats(columns: dict[str, Array], name: str, rows: int, otherwise: float) -> Floats:
    if name not in columns:
        return np.broadcast_to(np.float64(otherwise), rows)
    return np.asarray(columns[name], dtype=np.float64)


def _coded(columns: dict[str, Array], name: str, facts: Facts, rows: int) -> Coded:
    codes = columns[name].astype(np.int16, copy=False) if name in columns else np.broadcast_to(np.int16(MISSING), rows)
    return Coded(codes, facts.names.get(name, ()))


def _in_force(zones: Coded, start: Starts) -> Coded:
    """Zone in force at each event: the one last stated by the customer, before the first statement that first one."""
    row = np.arange(len(zones.codes))
    first, end = (np.repeat(bound, np.diff(start)) for bound in (start[:-1], start[1:]))
    stated = zones.codes != MISSING
    latest = np.maximum.accumulate(np.where(stated, row, -1))
    next_one = np.minimum.accumulate(np.where(stated, row, len(row))[::-1])[::-1]
    source = np.where(latest >= first, latest, np.where(next_one < end, next_one, row))
    return Coded(zones.codes[source], zones.names)


def _wall_clock(event_time: Micros, days_only: Array, zones: Coded, timezone: str) -> Micros:
    if days_only.all():
        return event_time
    if not zones.names:
        wall_clock = event_time if timezone == "UTC" else local(event_time, timezone)
    else:
        wall_clock = np.empty_like(event_time)
        for code in np.unique(zones.codes):
            rows = zones.codes == code
            wall_clock[rows] = local(event_time[rows], timezone if code == MISSING else zones.names[code])
    return np.where(days_only, event_time, wall_clock) if days_only.any() else wall_clock
