"""From handed-over batches to a log: the rows put in order, and every column as the log holds it."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from churnvalue.clock import Micros, local
from churnvalue.events.handover import Facts
from churnvalue.events.log import MISSING, Coded, EventLog, Floats
from churnvalue.events.ordering import list_keys, ordered, taken

Array = npt.NDArray[Any]
Starts = npt.NDArray[np.int64]
_CATEGORIES = ("category", "categories")
_ORDERED_BY = ("customer", "campaign", "source", "categories")  # what a log does not hold, or holds otherwise


class Mentions(NamedTuple):
    """Categories of row ``j``: ``codes[start[j]:start[j + 1]]``."""

    start: Array
    codes: npt.NDArray[np.int32]


def assemble(events: pa.Table, facts: Facts, first: int = 0, end: int | None = None) -> EventLog:
    """Return the log of the customers ``first`` to ``end`` of ``facts``, of whom ``events`` are all rows, in any order.

    Its account is that of ``facts``: of the whole log, repeated rows counted as kept.
    """
    end = len(facts.customers) if end is None else end
    columns = {name: _numpy(events[name]) for name in events.column_names if name not in _CATEGORIES}
    columns["customer"] = columns["customer"] - np.int32(first) if first else columns["customer"]
    mentions = _mentions(events)
    if len(mentions.codes):
        columns["categories"] = mentions.codes if "category" in events.column_names else list_keys(*mentions)
    order = ordered(columns, end - first, facts.repeated)
    kept = {name: taken(column, order.rows) for name, column in columns.items() if name not in _ORDERED_BY}
    mentions = _mentions_of(mentions, order.rows)
    return _log(kept, mentions, facts, facts.customers.slice(first, end - first), order.start)


def concatenated(logs: Sequence[EventLog]) -> EventLog:
    """Return the log of all customers of several logs, which hold ranges of customers one after the other."""
    if len(logs) == 1:
        return logs[0]
    whole = logs[0]
    event_time = np.concatenate([log.event_time for log in logs])

    def joined(name: str, twin: str | None = None) -> Array:
        parts = [getattr(log, name) for log in logs]
        if twin is not None and all(part is getattr(log, twin) for part, log in zip(parts, logs, strict=True)):
            return event_time
        if all(part.strides == (0,) for part in parts):
            return np.broadcast_to(parts[0][:1], len(event_time))
        return np.concatenate(parts)

    def codes(name: str) -> Coded:
        parts = [getattr(log, name).codes for log in logs]
        if all(part.strides == (0,) for part in parts):
            return Coded(np.broadcast_to(np.int16(MISSING), sum(map(len, parts))), getattr(whole, name).names)
        return Coded(np.concatenate(parts), getattr(whole, name).names)

    def starts(name: str) -> Array:
        parts = [getattr(log, name) for log in logs]
        before = np.cumsum([0, *(int(part[-1]) for part in parts)])
        wide = np.int32 if before[-1] < np.iinfo(np.int32).max and parts[0].dtype == np.int32 else np.int64
        moved = [part[1:].astype(wide) + wide(many) for part, many in zip(parts, before[:-1], strict=True)]
        return np.concatenate([parts[0][:1], *moved])

    return replace(
        whole,
        customers=pa.concat_arrays([log.customers for log in logs]),
        start=starts("start"),
        event_time=event_time,
        known_at=joined("known_at", "event_time"),
        wall_clock=joined("wall_clock", "event_time"),
        kind=codes("kind"),
        channel=codes("channel"),
        amount=joined("amount"),
        quantity=joined("quantity"),
        lines=joined("lines"),
        category_start=starts("category_start"),
        categories=codes("categories"),
        zones=codes("zones"),
    )


def _log(
    columns: dict[str, Array], mentions: Mentions, facts: Facts, customers: pa.StringArray, start: Starts
) -> EventLog:
    event_time = np.asarray(columns["event_time"], dtype=np.int64)
    rows = len(event_time)
    days_only = columns.get("days_only", np.array(facts.days_only))
    zones = _coded(columns, "zone", facts, rows)
    if "zone" in columns:
        zones = _in_force(zones, start)
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


def _numpy(column: pa.ChunkedArray) -> Array:
    """Return a column without copying where it is one piece; NaN where a number is null."""
    if pa.types.is_decimal(column.type) or pa.types.is_null(column.type):
        column = column.cast(pa.float64())
    whole = column.combine_chunks() if column.num_chunks != 1 else column.chunk(0)
    return np.asarray(whole.to_numpy(zero_copy_only=False))


def _mentions(events: pa.Table) -> Mentions:
    """Return the categories of rows, whether each has at most one or a list of them."""
    rows = len(events)
    if "category" in events.column_names:
        return Mentions(np.arange(rows + 1, dtype=np.int32), _numpy(events["category"]).astype(np.int32, copy=False))
    if "categories" not in events.column_names:
        return Mentions(np.zeros(rows + 1, dtype=np.int32), np.zeros(0, dtype=np.int32))
    lists = events["categories"].combine_chunks()
    lengths = pc.fill_null(pc.list_value_length(lists), 0).to_numpy(zero_copy_only=False)
    codes = lists.flatten().to_numpy(zero_copy_only=False).astype(np.int32, copy=False)
    return Mentions(np.concatenate(([0], np.cumsum(lengths))).astype(np.int64), codes)


def _mentions_of(mentions: Mentions, rows: Starts) -> Mentions:
    """Return the categories of some rows, in their order."""
    if not len(mentions.codes):
        return Mentions(np.zeros(len(rows) + 1, dtype=np.int32), mentions.codes)
    if mentions.start.dtype == np.int32:  # one each
        return Mentions(mentions.start[: len(rows) + 1], taken(mentions.codes, rows))
    lengths = np.diff(mentions.start)[rows]
    start = np.concatenate(([0], np.cumsum(lengths))).astype(np.int64)
    within = np.arange(start[-1]) - np.repeat(start[:-1], lengths)
    return Mentions(start, mentions.codes[np.repeat(mentions.start[:-1][rows], lengths) + within])


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
