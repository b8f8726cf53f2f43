"""The compiled kernel: each customer's visible events are walked once, from the newest back.

Windows all end at the cutoff, so when the walk leaves a window its measures are simply the running values: no buckets, no
second pass. Times are microseconds, tables of numbers come from ``Program``.
"""

import numba
import numpy as np

from churnvalue.clock import DAY, END, HOUR
from churnvalue.views import VALUE_COLUMNS, Statistic

_VALUES = len(VALUE_COLUMNS)
CALCULATED = -1
_NOT_YET = -1  # the hour of the week of an event that no stream has asked for

# Positions of the running values of one stream; from _KNOWN on they hold one place for each value column.
_COUNT, _NEWEST_TIME, _OLDEST_TIME, _DAYS, _DAY, _BLOCKS, _BLOCK = range(7)
_GAPS, _GAP_SUM, _GAP_SQUARES, _GAP_MIN, _GAP_NEWEST, _GAP_WEIGHTED, _NEXT_WEIGHT = range(7, 14)
_MENTIONS, _DISTINCT, _TOP, _KNOWN = range(14, 18)
_TOTAL, _REPEAT_TOTAL, _LARGEST, _SMALLEST, _NEWEST, _OLDEST = (_KNOWN + _VALUES * i for i in range(1, 7))
_WIDTH = _OLDEST + _VALUES
_AGE_OF_NEWEST, _AGE_OF_OLDEST = int(Statistic.AGE_OF_NEWEST), int(Statistic.AGE_OF_OLDEST)
_GAP_MEAN, _GAP_SD, _GAP_RECENT = int(Statistic.GAP_MEAN), int(Statistic.GAP_SD), int(Statistic.GAP_RECENT)
_TOP_SHARE = int(Statistic.TOP_SHARE)
# Statistics that are a running value as it stands; of those in the second table there is one for each value column.
_AS_IT_STANDS = {
    Statistic.COUNT: _COUNT,
    Statistic.DAYS: _DAYS,
    Statistic.GAP_SMALLEST: _GAP_MIN,
    Statistic.GAP_NEWEST: _GAP_NEWEST,
    Statistic.DISTINCT: _DISTINCT,
}
_AS_IT_STANDS_BY_COLUMN = {
    Statistic.KNOWN: _KNOWN,
    Statistic.TOTAL: _TOTAL,
    Statistic.LARGEST: _LARGEST,
    Statistic.SMALLEST: _SMALLEST,
    Statistic.NEWEST: _NEWEST,
    Statistic.OLDEST: _OLDEST,
    Statistic.REPEAT_TOTAL: _REPEAT_TOTAL,
}


def place_of(statistic: Statistic, column: int) -> int:
    """Return which running value is the statistic; ``CALCULATED`` if it takes more than one."""
    if statistic in _AS_IT_STANDS_BY_COLUMN:
        return _AS_IT_STANDS_BY_COLUMN[statistic] + column
    return _AS_IT_STANDS.get(statistic, CALCULATED)


@numba.njit(cache=True, inline="always")
def _visible(event_time, known_at, start, end, known_before):  # type: ignore[no-untyped-def]
    """The only comparison with the cutoff in this project."""
    return start <= event_time and event_time < end and known_at < known_before


@numba.njit(cache=True, nogil=True)
def walk(  # type: ignore[no-untyped-def]  # noqa: PLR0913
    customers, starts, event_time, known_at, wall_clock, kind, channel, amount, quantity, lines,
    category_start, categories, n_categories, start, end, known_before,
    windows, first, order, statistic, stream, place, streams, of_kind, first_of_kind, out,
):  # fmt: skip
    """Fill ``out[measure, i]`` for customer ``customers[i]``.

    A column of one number stands for that number at every event.
    """
    n_streams = streams.shape[0]
    state = np.empty((n_streams, _WIDTH))
    values = np.empty(_VALUES)
    step_of_amount, step_of_quantity, step_of_lines = len(amount) > 1, len(quantity) > 1, len(lines) > 1
    any_categories = False
    for s in range(n_streams):
        if streams[s, 7]:
            any_categories = True
    mentions = np.zeros((n_streams if any_categories else 1, n_categories if any_categories else 1), np.int32)
    for s in range(n_streams):
        _reset(state, s)
    for n in range(len(customers)):
        c = customers[n]
        i = starts[c + 1] - 1
        for w in range(windows.shape[0]):
            while i >= starts[c] and (windows[w] == END or end - event_time[i] <= windows[w]):
                if _visible(event_time[i], known_at[i], start, end, known_before):
                    slot = _NOT_YET
                    day = np.int64(0)
                    for j in range(first_of_kind[kind[i]], first_of_kind[kind[i] + 1]):
                        s = of_kind[j]
                        if slot == _NOT_YET:
                            day = wall_clock[i] // DAY
                            slot = (wall_clock[i] - day * DAY) // HOUR + (day + 3) % 7 * 24
                            values[0] = amount[i * step_of_amount]
                            values[1] = quantity[i * step_of_quantity]
                            values[2] = lines[i * step_of_lines]
                        if not streams[s, 9] or _belongs(streams, s, channel[i], slot):
                            _update(state, streams, s, event_time[i], day, values)
                            if streams[s, 8]:
                                _count_blocks(state, s, (end - event_time[i] - 1) // streams[s, 8])
                            if streams[s, 7]:
                                _count_categories(
                                    state, mentions, s, categories, category_start[i], category_start[i + 1]
                                )
                i -= 1
            for j in range(first[w], first[w + 1]):
                m = order[j]
                if place[m] >= 0:
                    out[m, n] = state[stream[m], place[m]]
                else:
                    out[m, n] = _calculate(state, stream[m], statistic[m], end, streams[stream[m], 8])
        for s in range(n_streams):
            if state[s, _COUNT] > 0.0:
                _reset(state, s)
        if any_categories:
            for k in range(category_start[starts[c]], category_start[starts[c + 1]]):
                if categories[k] >= 0:
                    mentions[:, categories[k]] = 0


@numba.njit(cache=True)
def _reset(state, s):  # type: ignore[no-untyped-def]
    state[s, :] = 0.0
    state[s, _LARGEST : _OLDEST + _VALUES] = np.nan
    state[s, _GAP_MIN] = np.nan
    state[s, _GAP_NEWEST] = np.nan
    state[s, _NEXT_WEIGHT] = 1.0
    state[s, _BLOCK] = -1.0


@numba.njit(cache=True, inline="always")
def _belongs(streams, s, channel, slot):  # type: ignore[no-untyped-def]
    if streams[s, 1] >= 0 and streams[s, 1] != channel:
        return False
    hour = slot % 24
    weekday = slot // 24
    return streams[s, 2] <= hour and hour < streams[s, 3] and streams[s, 4] <= weekday and weekday < streams[s, 5]


@numba.njit(cache=True)
def _update(state, streams, s, event_time, day, values):  # type: ignore[no-untyped-def]
    if state[s, _COUNT] == 0.0:
        state[s, _NEWEST_TIME] = event_time
        state[s, _DAYS] = 1.0
        state[s, _DAY] = day
    elif streams[s, 10] and day < state[s, _DAY]:
        gap = state[s, _DAY] - day
        if state[s, _GAPS] == 0.0:
            state[s, _GAP_NEWEST] = gap
            state[s, _GAP_MIN] = gap
        state[s, _GAP_MIN] = min(state[s, _GAP_MIN], gap)
        state[s, _GAPS] += 1.0
        state[s, _GAP_SUM] += gap
        state[s, _GAP_SQUARES] += gap * gap
        state[s, _GAP_WEIGHTED] += gap * state[s, _NEXT_WEIGHT]
        state[s, _NEXT_WEIGHT] /= 2.0
        for v in range(_VALUES):
            state[s, _REPEAT_TOTAL + v] = state[s, _TOTAL + v]
        state[s, _DAYS] += 1.0
        state[s, _DAY] = day
    state[s, _COUNT] += 1.0
    state[s, _OLDEST_TIME] = event_time
    if streams[s, 6]:
        for v in range(_VALUES):
            x = values[v]
            if streams[s, 6] >> v & 1 and x == x:
                if state[s, _KNOWN + v] == 0.0:
                    state[s, _NEWEST + v] = x
                    state[s, _LARGEST + v] = x
                    state[s, _SMALLEST + v] = x
                state[s, _KNOWN + v] += 1.0
                state[s, _TOTAL + v] += x
                state[s, _LARGEST + v] = max(state[s, _LARGEST + v], x)
                state[s, _SMALLEST + v] = min(state[s, _SMALLEST + v], x)
                state[s, _OLDEST + v] = x


@numba.njit(cache=True)
def _count_blocks(state, s, block):  # type: ignore[no-untyped-def]
    if block != state[s, _BLOCK]:
        state[s, _BLOCK] = block
        state[s, _BLOCKS] += 1.0


@numba.njit(cache=True)
def _count_categories(state, mentions, s, categories, begin, stop):  # type: ignore[no-untyped-def]
    for k in range(begin, stop):
        category = categories[k]
        if category >= 0:
            mentions[s, category] += 1
            state[s, _MENTIONS] += 1.0
            if mentions[s, category] == 1:
                state[s, _DISTINCT] += 1.0
            state[s, _TOP] = max(state[s, _TOP], float(mentions[s, category]))


@numba.njit(cache=True)
def _calculate(state, s, statistic, end, block):  # type: ignore[no-untyped-def]
    n = state[s, _COUNT]
    gaps = state[s, _GAPS]
    if statistic == _AGE_OF_NEWEST:
        return (end - state[s, _NEWEST_TIME]) / DAY if n > 0 else np.nan
    if statistic == _AGE_OF_OLDEST:
        return (end - state[s, _OLDEST_TIME]) / DAY if n > 0 else np.nan
    if statistic == _GAP_MEAN:
        return state[s, _GAP_SUM] / gaps if gaps > 0 else np.nan
    if statistic == _GAP_SD:
        if gaps < 2:
            return np.nan
        return np.sqrt(max(0.0, gaps * state[s, _GAP_SQUARES] - state[s, _GAP_SUM] ** 2) / (gaps * (gaps - 1)))
    if statistic == _TOP_SHARE:
        return state[s, _TOP] / state[s, _MENTIONS] if state[s, _MENTIONS] > 0 else np.nan
    if statistic == _GAP_RECENT:
        # The weights 1, 1/2, 1/4 … of the gaps so far add up to 2 less twice the weight of the next.
        return state[s, _GAP_WEIGHTED] / (2.0 - 2.0 * state[s, _NEXT_WEIGHT]) if gaps > 0 else np.nan
    # What is left is the share of renewed blocks.
    whole = (end - np.int64(state[s, _OLDEST_TIME])) // block if n > 0 else 0
    # The block of the oldest event began before it, unless the event stands on its very start.
    return (state[s, _BLOCKS] - (1.0 if state[s, _BLOCK] == whole else 0.0)) / whole if whole > 0 else np.nan


@numba.njit(cache=True, nogil=True)
def mark_rows(event_time, known_at, kinds, kind, start, end, known_before, marked):  # type: ignore[no-untyped-def]  # noqa: PLR0913
    """Set ``marked`` of every event of ``kind``."""
    for i in range(len(marked)):
        marked[i] = kinds[i] == kind and _visible(event_time[i], known_at[i], start, end, known_before)
