"""Events by customer, then time, then all else, whatever order they came in; repeated ones left out.

Customers are numbers, and how many events each has is known, so every event is put where it belongs as it comes: the log is held
once, never beside what it was read from. Only what came out of time within one customer is sorted; events of one customer at one
time are ordered by all their columns.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import numba
import numpy as np
import numpy.typing as npt

from churnvalue.errors import SourceError
from churnvalue.parallel import in_parts

Array = npt.NDArray[Any]
Columns = Mapping[str, Array]
Ints = npt.NDArray[np.int64]
_FEW = 40  # events that are sorted by insertion, which for so few is quicker than merging
_BYTES = {size: np.dtype(f"i{size}") for size in (1, 2, 4, 8)}  # what values are while they are moved


@dataclass(frozen=True)
class Ordered:
    """Columns in order; the events of customer ``i`` are ``start[i]`` to ``start[i + 1]``."""

    columns: dict[str, Array]
    start: Ints


class Places:
    """Room for the events of customers of whom it is known how many each has."""

    def __init__(self, events: Ints, first: int = 0) -> None:
        """Make room for ``events[i]`` events of customer ``first + i``."""
        self._first = first
        self._start = np.concatenate(([0], np.cumsum(events)))
        self._free = self._start[:-1].copy()
        self._columns: dict[str, Array] = {}

    def put(self, columns: Columns) -> None:
        """Put some events in their places.

        Args:
            columns: ``customer``, ``event_time`` and any others, always the same ones, all of the same length.

        Raises:
            SourceError: If a customer has more events than there is room for.
        """
        places = np.empty(len(columns["customer"]), dtype=np.int64)
        if not _take_places(columns["customer"], self._first, self._start, self._free, places):
            raise _changed()
        for name in columns.keys() - {"customer"}:
            if name not in self._columns:
                self._columns[name] = np.empty(self._start[-1], dtype=columns[name].dtype)
            _move(_as_bytes(columns[name]), places, _as_bytes(self._columns[name]))

    def ordered(self, repeated: frozenset[int], unordered: str | None = None) -> Ordered:
        """Return the events in order, without those that repeat one of the same source in every column.

        Args:
            repeated: Sources (column ``source``; 0 without one) in which a repeated row is a repeated delivery.
            unordered: A column that has no say in the order, nor in what is the same.

        Raises:
            SourceError: If a customer has fewer events than was said.
        """
        if not np.array_equal(self._free, self._start[1:]):
            raise _changed()
        self._sort_by_time()
        tied = np.zeros(self._start[-1], dtype=np.bool_)
        time = self._columns["event_time"]
        in_parts(partial(_mark_ties, self._start, time, tied), len(self._free), len(tied))
        places = np.flatnonzero(tied)
        if not len(places):
            return Ordered(self._columns, self._start)
        values = {name: column[places] for name, column in self._columns.items()}
        compared = [np.searchsorted(self._start, places, side="right"), values["event_time"]]
        compared += [values[name] for name in sorted(values.keys() - {"event_time", unordered})]
        # The places of one customer and time follow one another, so that sorting all of them sorts within each.
        sequence = np.lexsort(compared[::-1])
        for name, column in self._columns.items():
            column[places] = values[name][sequence]
        source = values.get("source", np.zeros(len(places), dtype=np.int64))[sequence]
        again = np.zeros(len(places), dtype=np.bool_)
        again[1:] = np.isin(source[1:], list(repeated))
        for value in compared:
            one = value[sequence]
            same = one[1:] == one[:-1]
            again[1:] &= same | (np.isnan(one[1:]) & np.isnan(one[:-1])) if one.dtype.kind == "f" else same
        if not again.any():
            return Ordered(self._columns, self._start)
        kept = np.ones(self._start[-1], dtype=np.bool_)
        kept[places[again]] = False
        before = np.concatenate(([0], np.cumsum(kept)))
        return Ordered({name: column[kept] for name, column in self._columns.items()}, before[self._start])

    def _sort_by_time(self) -> None:
        """Sort the events of each customer by time: a log that was written as things happened is left as it is."""
        late = np.zeros(len(self._free), dtype=np.bool_)
        time = self._columns["event_time"]
        in_parts(partial(_find_late, self._start, time, late), len(late), len(time))
        customers = np.flatnonzero(late)
        if not len(customers):
            return
        begin = np.concatenate(([0], np.cumsum(np.diff(self._start)[customers])))
        order = np.empty(begin[-1], dtype=np.int32)
        in_parts(partial(_argsort, customers, self._start, begin, time, order), len(customers), len(order))
        for column in map(_as_bytes, self._columns.values()):
            rearrange = partial(_rearrange, column, customers, self._start, begin, order)
            in_parts(rearrange, len(customers), len(order))


def list_keys(start: Array, codes: npt.NDArray[np.int32]) -> Ints:
    """Return a number for each list of codes, the same for the same list: what lists are ordered by."""
    return _list_keys(start, codes)  # type: ignore[no-any-return]


def _changed() -> SourceError:
    return SourceError(
        "The sources must not change while they are read, but the events of a customer are not as many as they were."
        " Read them again."
    )


def _as_bytes(values: Array) -> Array:
    """Return values as integers of their size, so that one compiled function moves all types of that size."""
    return values.view(_BYTES[values.itemsize])


@numba.njit(cache=True, nogil=True)
def _take_places(customer, first, start, free, places):  # type: ignore[no-untyped-def]
    """Take the next place of the customer of each row; return whether there was one for all."""
    for i in range(len(customer)):
        c = customer[i] - first
        if free[c] == start[c + 1]:
            return False
        places[i] = free[c]
        free[c] += 1
    return True


@numba.njit(cache=True, nogil=True)
def _move(values, places, held):  # type: ignore[no-untyped-def]
    for i in range(len(places)):
        held[places[i]] = values[i]


@numba.njit(cache=True, nogil=True)
def _find_late(start, time, late, first, end):  # type: ignore[no-untyped-def]
    """Mark the customers of whom an event came after a later one."""
    for c in range(first, end):
        for i in range(start[c] + 1, start[c + 1]):
            if time[i] < time[i - 1]:
                late[c] = True
                break


@numba.njit(cache=True, nogil=True)
def _argsort(customers, start, begin, time, order, first, end):  # type: ignore[no-untyped-def]  # noqa: PLR0913
    """Write the order of the events of each of ``customers`` by time, as places among their own, those of one time as they are."""
    for k in range(first, end):
        own = time[start[customers[k]] : start[customers[k] + 1]]
        if len(own) > _FEW:
            order[begin[k] : begin[k + 1]] = np.argsort(own, kind="mergesort")
            continue
        for i in range(len(own)):
            j = begin[k] + i
            while j > begin[k] and own[order[j - 1]] > own[i]:
                order[j] = order[j - 1]
                j -= 1
            order[j] = i


@numba.njit(cache=True, nogil=True)
def _rearrange(column, customers, start, begin, order, first, end):  # type: ignore[no-untyped-def]  # noqa: PLR0913
    """Put a column of each of ``customers`` in the order that ``_argsort`` wrote."""
    for k in range(first, end):
        a = start[customers[k]]
        own = column[a : start[customers[k] + 1]].copy()
        for i in range(len(own)):
            column[a + i] = own[order[begin[k] + i]]


@numba.njit(cache=True, nogil=True)
def _mark_ties(start, time, tied, first, end):  # type: ignore[no-untyped-def]
    """Mark the events that share customer and time with a neighbour."""
    for c in range(first, end):
        for i in range(start[c] + 1, start[c + 1]):
            if time[i] == time[i - 1]:
                tied[i] = True
                tied[i - 1] = True


@numba.njit(cache=True, nogil=True)
def _list_keys(start, codes):  # type: ignore[no-untyped-def]
    keys = np.empty(len(start) - 1, np.int64)
    for i in range(len(keys)):
        key = np.int64(start[i + 1] - start[i])
        for k in range(start[i], start[i + 1]):
            key = key * np.int64(1_000_003) + codes[k]
        keys[i] = key
    return keys
