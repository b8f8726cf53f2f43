"""The compiled kernel: every measure of every customer, at one cutoff, in one pass over the sorted events.

Each customer's visible events are walked from the newest back. Windows all end at the cutoff, so when the walk leaves a
window its measures are simply the running values: no buckets, no second pass.
"""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from os import cpu_count

import numba
import numpy as np
import numpy.typing as npt

from churnvalue.clock import DAY, END, Span, hour_of_week
from churnvalue.events.log import EventLog
from churnvalue.views import VALUE_COLUMNS, Measure, Statistic, Stream

Floats = npt.NDArray[np.float64]
_VALUES = len(VALUE_COLUMNS)
_ROWS_A_THREAD = 50_000

# Positions of the running values of one stream; the last two blocks hold one place for each value column.
_COUNT, _NEWEST_TIME, _OLDEST_TIME, _DAYS, _DAY, _GAPS, _GAP_SUM, _GAP_SQUARES, _GAP_MIN, _GAP_NEWEST = range(10)
_MENTIONS, _DISTINCT, _TOP = 10, 11, 12
_KNOWN = 13
_TOTAL, _LARGEST, _SMALLEST, _NEWEST, _OLDEST = (_KNOWN + _VALUES * i for i in range(1, 6))
_WIDTH = _OLDEST + _VALUES


@dataclass(frozen=True)
class Program:
    """Measures, compiled to tables of numbers that the kernel walks."""

    measures: tuple[Measure, ...]
    windows: npt.NDArray[np.int64]  # reach in microseconds, rising
    first: npt.NDArray[np.int64]  # measures of window w: first[w]:first[w + 1] of `order`
    order: npt.NDArray[np.int64]
    statistic: npt.NDArray[np.int64]
    stream: npt.NDArray[np.int64]
    column: npt.NDArray[np.int64]
    streams: npt.NDArray[np.int64]  # (streams, 8): kind, channel, hours, weekdays, needs values, needs categories


def compile_measures(measures: list[Measure], log: EventLog) -> Program:
    """Return the program that computes ``measures`` on ``log``; kinds that the log lacks match no event."""
    reach = [END if m.days is None else m.days * DAY for m in measures]
    windows = np.unique(np.array(reach, dtype=np.int64))
    window = np.searchsorted(windows, reach)
    order = np.argsort(window, kind="stable")
    streams = list(dict.fromkeys(m.stream for m in measures))
    categorical = {m.stream for m in measures if m.statistic in (Statistic.DISTINCT, Statistic.TOP_SHARE)}
    valued = {m.stream for m in measures if Statistic.KNOWN <= m.statistic <= Statistic.OLDEST}

    def row(stream: Stream) -> tuple[int, ...]:
        kind = -1 if stream.kind is None else log.kind.code(stream.kind)
        channel = -1 if stream.channel is None else log.channel.code(stream.channel)
        return (kind, channel, *stream.hours, *stream.weekdays, stream in valued, stream in categorical)

    return Program(
        measures=tuple(measures),
        windows=windows,
        first=np.searchsorted(window[order], np.arange(len(windows) + 1)).astype(np.int64),
        order=order.astype(np.int64),
        statistic=np.array([m.statistic for m in measures], dtype=np.int64),
        stream=np.array([streams.index(m.stream) for m in measures], dtype=np.int64),
        column=np.array([VALUE_COLUMNS.index(m.column) for m in measures], dtype=np.int64),
        streams=np.array([row(stream) for stream in streams], dtype=np.int64).reshape(len(streams), 8),
    )


def sweep(log: EventLog, program: Program, span: Span, known_before: int) -> dict[Measure, Floats]:
    """Return each measure over the events of ``span`` that were known before ``known_before``.

    Windows reach back from the end of the span. Values of shape (customers,), in the order of ``log.customers``.
    """
    customers = len(log.customers)
    out = np.empty((len(program.measures), customers))
    slot = hour_of_week(log.wall_clock).astype(np.int64)
    day = log.wall_clock // DAY
    values = np.vstack([log.amount, log.quantity, log.lines])
    arguments = (
        log.start, log.event_time, log.known_at, log.kind.codes, log.channel.codes, slot, day, values,
        log.category_start, log.categories.codes, len(log.categories.names),
        span.start, span.end, known_before,
        program.windows, program.first, program.order, program.statistic, program.stream, program.column, program.streams,
    )  # fmt: skip
    # Customers are independent, so threads split them and the result cannot depend on how many there are.
    threads = max(1, min(cpu_count() or 1, len(log) // _ROWS_A_THREAD))
    edges = np.searchsorted(log.start, np.linspace(0, len(log), threads + 1)).astype(np.int64)
    edges[-1] = customers
    if threads == 1:
        _walk(0, customers, *arguments, out)
    else:
        with ThreadPoolExecutor(threads) as pool:
            list(pool.map(lambda i: _walk(edges[i], edges[i + 1], *arguments, out), range(threads)))
    return {measure: out[i] for i, measure in enumerate(program.measures)}


@numba.njit(cache=True, inline="always")
def _visible(event_time, known_at, start, end, known_before):  # type: ignore[no-untyped-def]
    """The only comparison with the cutoff in this project."""
    return start <= event_time and event_time < end and known_at < known_before


@numba.njit(cache=True, nogil=True)
def _walk(  # type: ignore[no-untyped-def]  # noqa: PLR0913
    from_customer, to_customer, starts, event_time, known_at, kind, channel, slot, day, values,
    category_start, categories, n_categories, start, end, known_before,
    windows, first, order, statistic, stream, column, streams, out,
):  # fmt: skip
    n_streams = streams.shape[0]
    state = np.empty((n_streams, _WIDTH))
    any_categories = False
    for s in range(n_streams):
        if streams[s, 7]:
            any_categories = True
    mentions = np.zeros((n_streams if any_categories else 1, n_categories if any_categories else 1), np.int32)
    for c in range(from_customer, to_customer):
        _reset(state)
        i = starts[c + 1] - 1
        for w in range(windows.shape[0]):
            while i >= starts[c] and (windows[w] == END or end - event_time[i] <= windows[w]):
                if _visible(event_time[i], known_at[i], start, end, known_before):
                    for s in range(n_streams):
                        if _belongs(streams[s], kind[i], channel[i], slot[i]):
                            _update(state[s], streams[s], event_time[i], day[i], values, i)
                            if streams[s, 7]:
                                _count_categories(
                                    state[s],
                                    mentions[s],
                                    categories,
                                    category_start[i],
                                    category_start[i + 1],
                                )
                i -= 1
            for j in range(first[w], first[w + 1]):
                m = order[j]
                out[m, c] = _read(state[stream[m]], statistic[m], column[m], end)
        if any_categories:
            for k in range(category_start[starts[c]], category_start[starts[c + 1]]):
                if categories[k] >= 0:
                    mentions[:, categories[k]] = 0


@numba.njit(cache=True)
def _reset(state):  # type: ignore[no-untyped-def]
    state[:, :] = 0.0
    state[:, _LARGEST : _OLDEST + _VALUES] = np.nan
    state[:, _GAP_MIN] = np.nan
    state[:, _GAP_NEWEST] = np.nan


@numba.njit(cache=True, inline="always")
def _belongs(stream, kind, channel, slot):  # type: ignore[no-untyped-def]
    if stream[0] >= 0 and stream[0] != kind:
        return False
    if stream[1] >= 0 and stream[1] != channel:
        return False
    hour = slot % 24
    weekday = slot // 24
    return stream[2] <= hour and hour < stream[3] and stream[4] <= weekday and weekday < stream[5]


@numba.njit(cache=True)
def _update(state, stream, event_time, day, values, i):  # type: ignore[no-untyped-def]
    if state[_COUNT] == 0.0:
        state[_NEWEST_TIME] = event_time
        state[_DAYS] = 1.0
        state[_DAY] = day
    elif day < state[_DAY]:
        gap = state[_DAY] - day
        if state[_GAPS] == 0.0:
            state[_GAP_NEWEST] = gap
            state[_GAP_MIN] = gap
        state[_GAP_MIN] = min(state[_GAP_MIN], gap)
        state[_GAPS] += 1.0
        state[_GAP_SUM] += gap
        state[_GAP_SQUARES] += gap * gap
        state[_DAYS] += 1.0
        state[_DAY] = day
    state[_COUNT] += 1.0
    state[_OLDEST_TIME] = event_time
    if stream[6]:
        for v in range(_VALUES):
            x = values[v, i]
            if x == x:
                if state[_KNOWN + v] == 0.0:
                    state[_NEWEST + v] = x
                    state[_LARGEST + v] = x
                    state[_SMALLEST + v] = x
                state[_KNOWN + v] += 1.0
                state[_TOTAL + v] += x
                state[_LARGEST + v] = max(state[_LARGEST + v], x)
                state[_SMALLEST + v] = min(state[_SMALLEST + v], x)
                state[_OLDEST + v] = x


@numba.njit(cache=True)
def _count_categories(state, mentions, categories, begin, stop):  # type: ignore[no-untyped-def]
    for k in range(begin, stop):
        category = categories[k]
        if category >= 0:
            mentions[category] += 1
            state[_MENTIONS] += 1.0
            if mentions[category] == 1:
                state[_DISTINCT] += 1.0
            state[_TOP] = max(state[_TOP], float(mentions[category]))


@numba.njit(cache=True)
def _read(state, statistic, v, end):  # type: ignore[no-untyped-def]
    n = state[_COUNT]
    gaps = state[_GAPS]
    if statistic == 0:
        return n
    if statistic == 1:
        return state[_KNOWN + v]
    if statistic == 2:
        return state[_TOTAL + v]
    if statistic == 3:
        return state[_LARGEST + v]
    if statistic == 4:
        return state[_SMALLEST + v]
    if statistic == 5:
        return state[_NEWEST + v]
    if statistic == 6:
        return state[_OLDEST + v]
    if statistic == 7:
        return (end - state[_NEWEST_TIME]) / DAY if n > 0 else np.nan
    if statistic == 8:
        return (end - state[_OLDEST_TIME]) / DAY if n > 0 else np.nan
    if statistic == 9:
        return state[_DAYS]
    if statistic == 10:
        return state[_GAP_SUM] / gaps if gaps > 0 else np.nan
    if statistic == 11:
        if gaps < 2:
            return np.nan
        return np.sqrt(max(0.0, gaps * state[_GAP_SQUARES] - state[_GAP_SUM] ** 2) / (gaps * (gaps - 1)))
    if statistic == 12:
        return state[_GAP_MIN]
    if statistic == 13:
        return state[_GAP_NEWEST]
    if statistic == 14:
        return state[_DISTINCT]
    return state[_TOP] / state[_MENTIONS] if state[_MENTIONS] > 0 else np.nan


def slot_counts(log: EventLog, kind: str, span: Span, known_before: int) -> Floats:
    """Return how often each customer had an event of ``kind`` in each hour of the local week. Shape (customers, 168)."""
    counts = np.zeros((len(log.customers), 168))
    _count_slots(
        log.start, log.event_time, log.known_at, log.kind.codes, log.kind.code(kind),
        hour_of_week(log.wall_clock), span.start, span.end, known_before, counts,
    )  # fmt: skip
    return counts


@numba.njit(cache=True, nogil=True)
def _count_slots(starts, event_time, known_at, kinds, kind, slot, start, end, known_before, counts):  # type: ignore[no-untyped-def]  # noqa: PLR0913
    for c in range(counts.shape[0]):
        for i in range(starts[c], starts[c + 1]):
            if kinds[i] == kind and _visible(event_time[i], known_at[i], start, end, known_before):
                counts[c, slot[i]] += 1.0
