"""A log in ranges of its customers: views, so that what is made of one range at a time takes little memory."""

from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise

import numpy as np

from churnvalue.events.log import Coded, EventLog

_AT_ONCE = 4_000_000  # events
_OF_EVENTS = ("event_time", "known_at", "wall_clock", "amount", "quantity", "lines")


def ranges(log: EventLog) -> Iterator[tuple[int, EventLog]]:
    """Give the log of each range of customers, of about four million events, with the place of the first customer."""
    edges = np.searchsorted(log.start, np.arange(0, len(log), _AT_ONCE), side="right") - 1
    edges[:1] = 0  # also those before the first event
    for first, end in pairwise(np.unique(np.append(edges, len(log.customers))).tolist()):
        yield first, _range(log, first, end)


def _range(log: EventLog, first: int, end: int) -> EventLog:
    """Return the log of the customers ``first`` to ``end``, nothing of it copied."""
    events = slice(log.start[first], log.start[end])

    def coded(column: Coded, part: slice) -> Coded:
        return replace(column, codes=column.codes[part])

    return replace(
        log,
        customers=log.customers[first:end],
        start=log.start[first : end + 1] - log.start[first],
        kind=coded(log.kind, events),
        channel=coded(log.channel, events),
        zones=coded(log.zones, slice(first, end)),
        category_start=log.category_start[events.start : events.stop + 1],
        **{name: getattr(log, name)[events] for name in _OF_EVENTS},
    )
