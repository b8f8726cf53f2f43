"""Every measure of every customer, at one cutoff, in one pass of the compiled kernel over the sorted events."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from churnvalue.clock import DAY, END, Span
from churnvalue.events.log import EventLog
from churnvalue.parallel import at_edges, threads_for
from churnvalue.sweep.kernel import mark_rows, place_of, walk
from churnvalue.views import VALUE_COLUMNS, Measure, Statistic, Stream

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
_BLOCK = 4096  # customers: what is known of them stays in the cache while it is used
_OF_VALUES = frozenset(range(Statistic.KNOWN, Statistic.OLDEST + 1)) | {Statistic.REPEAT_TOTAL}
_OF_DAYS = frozenset(range(Statistic.DAYS, Statistic.GAP_NEWEST + 1)) | {Statistic.REPEAT_TOTAL, Statistic.GAP_RECENT}


@dataclass(frozen=True)
class Program:
    """Measures, compiled to tables of numbers that the kernel walks."""

    measures: tuple[Measure, ...]
    windows: Ints  # reach in microseconds, rising
    first: Ints  # measures of window w: first[w]:first[w + 1] of `order`
    order: Ints
    statistic: Ints
    stream: Ints
    place: Ints  # of the running value that is the measure, where it is one
    streams: (
        Ints  # (streams, 10): kind, channel, hours, weekdays, needs values, needs categories, block, not all of a kind
    )
    of_kind: Ints  # streams that an event of kind k may belong to: first_of_kind[k]:first_of_kind[k + 1] of `of_kind`
    first_of_kind: Ints


def compile_measures(measures: list[Measure], log: EventLog) -> Program:
    """Return the program that computes ``measures`` on ``log``; kinds that the log lacks match no event."""
    reach = [END if m.days is None else m.days * DAY for m in measures]
    windows = np.unique(np.array(reach, dtype=np.int64))
    window = np.searchsorted(windows, reach)
    order = np.argsort(window, kind="stable")
    # Blocks are counted as events come by, so each length of block has running values of its own.
    streams = list(dict.fromkeys((m.stream, m.block_days) for m in measures))
    categorical = {m.stream for m in measures if m.statistic in (Statistic.DISTINCT, Statistic.TOP_SHARE)}
    daily = {m.stream for m in measures if m.statistic in _OF_DAYS}
    valued = {(m.stream, VALUE_COLUMNS.index(m.column)) for m in measures if m.statistic in _OF_VALUES}

    def row(stream: Stream, block_days: int) -> tuple[int, ...]:
        kind = -1 if stream.kind is None else log.kind.code(stream.kind)
        channel = -1 if stream.channel is None else log.channel.code(stream.channel)
        columns = sum(1 << v for v in range(len(VALUE_COLUMNS)) if (stream, v) in valued and not block_days)
        needs = (columns, stream in categorical and not block_days, block_days * DAY)
        return (kind, channel, *stream.hours, *stream.weekdays, *needs, stream != Stream(stream.kind), stream in daily)

    table = np.array([row(*stream) for stream in streams], dtype=np.int64).reshape(len(streams), 11)
    kinds = len(log.kind.names)
    belongs = [np.flatnonzero((table[:, 0] == kind) | (table[:, 0] < 0)) for kind in range(kinds)]
    return Program(
        measures=tuple(measures),
        windows=windows,
        first=np.searchsorted(window[order], np.arange(len(windows) + 1)).astype(np.int64),
        order=order.astype(np.int64),
        statistic=np.array([m.statistic for m in measures], dtype=np.int64),
        stream=np.array([streams.index((m.stream, m.block_days)) for m in measures], dtype=np.int64),
        place=np.array([place_of(m.statistic, VALUE_COLUMNS.index(m.column)) for m in measures], dtype=np.int64),
        streams=table,
        of_kind=np.concatenate([np.zeros(0, dtype=np.int64), *belongs]),
        first_of_kind=np.cumsum([0, *map(len, belongs)]),
    )


def sweep(log: EventLog, program: Program, span: Span, known_before: int) -> dict[Measure, Floats]:
    """Return each measure over the events of ``span`` that were known before ``known_before``.

    Windows reach back from the end of the span. Values of shape (customers,), in the order of ``log.customers``.
    """
    customers = np.arange(len(log.customers))
    out, arguments = np.empty((len(program.measures), len(customers))), _arguments(log, program, span, known_before)
    at_edges(lambda first, end: walk(customers[first:end], *arguments, out[:, first:end]), _edges(log, customers))
    return dict(zip(program.measures, out, strict=True))


def sweep_in_blocks(
    log: EventLog,
    program: Program,
    span: Span,
    known_before: int,
    customers: Ints,
    use: Callable[[int, int, Mapping[Measure, Floats]], object],
) -> None:
    """Call ``use(first, end, measured)`` with what ``sweep`` gives of ``customers[first:end]``, until all were used.

    ``customers`` are places in ``log.customers``. Memory does not grow with the measures: their values are overwritten once they
    were used. Several calls run at once.
    """
    arguments = _arguments(log, program, span, known_before)

    def work(first: int, end: int) -> None:
        held = np.empty((len(program.measures), min(_BLOCK, end - first)))
        for start in range(first, end, _BLOCK):
            stop = min(start + _BLOCK, end)
            out = held[:, : stop - start]
            walk(customers[start:stop], *arguments, out)
            use(start, stop, dict(zip(program.measures, out, strict=True)))

    at_edges(work, _edges(log, customers))


def _arguments(log: EventLog, program: Program, span: Span, known_before: int) -> tuple[Any, ...]:
    return (
        log.start, log.event_time, log.known_at, log.wall_clock, log.kind.codes, np.ascontiguousarray(log.channel.codes),
        *(_as_held(values) for values in (log.amount, log.quantity, log.lines)),
        log.category_start, log.categories.codes, len(log.categories.names),
        span.start, span.end, known_before,
        program.windows, program.first, program.order, program.statistic, program.stream, program.place,
        program.streams, program.of_kind, program.first_of_kind,
    )  # fmt: skip


def _edges(log: EventLog, customers: Ints) -> list[int]:
    """Return where to split customers so that each thread walks about as many events.

    Customers are independent, so the result cannot depend on how many threads there are.
    """
    events = np.concatenate(([0], np.cumsum(np.diff(log.start)[customers])))
    edges = np.searchsorted(events, np.linspace(0, events[-1], threads_for(int(events[-1])) + 1)).tolist()
    return [*edges[:-1], len(customers)]


def _as_held(values: Floats) -> Floats:
    """Return a column as it lies in memory: one number where the log holds that for every event."""
    return values[:1].copy() if values.strides == (0,) else values


def rows_of(log: EventLog, kind: str, span: Span, known_before: int) -> Ints:
    """Return the numbers of the events of ``kind`` in ``span`` that were known before ``known_before``, in rising order."""
    marked = np.zeros(len(log), dtype=np.bool_)
    mark_rows(
        log.event_time, log.known_at, log.kind.codes, log.kind.code(kind), span.start, span.end, known_before, marked
    )
    return np.flatnonzero(marked)


def customer_of(log: EventLog, rows: Ints) -> Ints:
    """Return whose each event is: the place of the customer in ``log.customers``."""
    return np.searchsorted(log.start, rows, side="right") - 1
