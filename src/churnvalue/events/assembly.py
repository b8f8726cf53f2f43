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
from churnvalue.events.ordering import list_keys, ordered, taken

Array = npt.NDArray[Any]
Starts = npt.NDArray[np.int64]
_CATEGORIES = ("category", "categories")
_COLUMNS, _TWINS, _CODED = (
    ("amount", "quantity", "lines"),
    ("known_at", "wall_clock"),
    ("kind", "channel", "categories", "zones"),
)
_JOINED = ("event_time", *_COLUMNS, *_TWINS, *_CODED, "customers", "start", "category_start")
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
