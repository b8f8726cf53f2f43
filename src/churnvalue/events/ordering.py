"""Events by customer, then time, then all else, whatever order they came in; repeated ones left out.

Customers are numbers, so they are placed by counting, and only what came out of time within one customer is sorted: a log
that was written as things happened costs one pass. Events of one customer at one time are ordered by all their columns.
"""

from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from os import cpu_count
from typing import Any

import numba
import numpy as np
import numpy.typing as npt

Columns = Mapping[str, npt.NDArray[Any]]
Ints = npt.NDArray[np.int64]
_WORTH_SHARING = 50_000  # customers or rows; fewer are done before a second thread has started


@dataclass(frozen=True)
class Order:
    """``rows`` of the events in their order; those of customer ``i`` are ``rows[start[i]:start[i + 1]]``."""

    rows: Ints
    start: Ints


def ordered(columns: Columns, customers: int, repeated: frozenset[int]) -> Order:
    """Return the order of events, without those that repeat one of the same source in every column.

    Args:
        columns: ``customer`` (0 to ``customers - 1``), ``event_time`` and any others, all of the same length.
        customers: How many there are.
        repeated: Sources (column ``source``; 0 without one) in which a repeated row is a repeated delivery.
    """
    start, rows = _by_customer(columns["customer"], customers)
    tied = np.zeros(len(rows), dtype=np.bool_)
    in_parts(lambda a, b: _by_time(start, rows, columns["event_time"], tied, a, b), customers)
    places = np.flatnonzero(tied)
    if not len(places):
        return Order(rows, start)
    among = rows[places]
    values = [columns["customer"][among], columns["event_time"][among]]
    values += [columns[name][among] for name in sorted(columns.keys() - {"customer", "event_time"})]
    # The places of one customer and time follow one another, so that sorting all of them sorts within each.
    sequence = np.lexsort(values[::-1])
    rows[places] = among[sequence]
    source = columns["source"][among] if "source" in columns else np.zeros(len(among), dtype=np.int64)
    again = np.zeros(len(places), dtype=np.bool_)
    again[1:] = np.isin(source[sequence][1:], list(repeated))
    for value in values:
        one = value[sequence]
        same = one[1:] == one[:-1]
        again[1:] &= same | (np.isnan(one[1:]) & np.isnan(one[:-1])) if one.dtype.kind == "f" else same
    if not again.any():
        return Order(rows, start)
    kept = np.ones(len(rows), dtype=np.bool_)
    kept[places[again]] = False
    before = np.concatenate(([0], np.cumsum(kept)))
    return Order(rows[kept], before[start])


def taken(column: npt.NDArray[Any], rows: Ints) -> npt.NDArray[Any]:
    """Return the values of some rows, in their order."""
    values = np.empty(len(rows), dtype=column.dtype)
    in_parts(lambda a, b: _take(column, rows, values, a, b), len(rows))
    return values


def in_parts(work: Callable[[int, int], None], many: int) -> None:
    """Do ``work(first, end)`` for every part of ``many`` things, as many at once as there are cores."""
    cores = cpu_count() or 1
    edges = [many * i // cores for i in range(cores + 1)]
    if cores == 1 or many < _WORTH_SHARING:
        work(0, many)
    else:
        with ThreadPoolExecutor(cores) as pool:
            list(pool.map(work, edges[:-1], edges[1:]))


def list_keys(start: npt.NDArray[Any], codes: npt.NDArray[np.int32]) -> Ints:
    """Return a number for each list of codes, the same for the same list: what lists are ordered by."""
    return _list_keys(start, codes)  # type: ignore[no-any-return]


@numba.njit(cache=True, nogil=True)
def _by_customer(customer, customers):  # type: ignore[no-untyped-def]
    start = np.zeros(customers + 1, np.int64)
    for i in range(len(customer)):
        start[customer[i] + 1] += 1
    for c in range(customers):
        start[c + 1] += start[c]
    free = start[:-1].copy()
    rows = np.empty(len(customer), np.int64)
    for i in range(len(customer)):
        rows[free[customer[i]]] = i
        free[customer[i]] += 1
    return start, rows


@numba.njit(cache=True, nogil=True)
def _by_time(start, rows, event_time, tied, first, end):  # type: ignore[no-untyped-def]
    """Sort the rows of each customer by time, in place; mark those that share it with a neighbour in ``tied``."""
    for c in range(first, end):
        a, b = start[c], start[c + 1]
        rising = True
        for i in range(a + 1, b):
            if event_time[rows[i]] < event_time[rows[i - 1]]:
                rising = False
                break
        if not rising:
            own = rows[a:b].copy()
            rows[a:b] = own[np.argsort(event_time[own], kind="mergesort")]
        for i in range(a + 1, b):
            if event_time[rows[i]] == event_time[rows[i - 1]]:
                tied[i] = True
                tied[i - 1] = True


@numba.njit(cache=True, nogil=True)
def _take(column, rows, values, first, end):  # type: ignore[no-untyped-def]
    for i in range(first, end):
        values[i] = column[rows[i]]


@numba.njit(cache=True, nogil=True)
def _list_keys(start, codes):  # type: ignore[no-untyped-def]
    keys = np.empty(len(start) - 1, np.int64)
    for i in range(len(keys)):
        key = np.int64(start[i + 1] - start[i])
        for k in range(start[i], start[i + 1]):
            key = key * np.int64(1_000_003) + codes[k]
        keys[i] = key
    return keys
