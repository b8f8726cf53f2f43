"""Some customers of a log: where they stand in it, and the log of them alone."""

from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from churnvalue.events.log import Coded, EventLog

Bools = npt.NDArray[np.bool_]


def places(log: EventLog, customer_ids: pd.Series | pd.Index) -> npt.NDArray[np.int64]:
    """Return the place of each customer in ``log.customers``, -1 for one whom the log does not know.

    Only those asked for are hashed: an index of all customers of a large log takes gigabytes.
    """
    known = log.customers.cast(pa.large_string())
    asked = pc.cast(pa.array(customer_ids.astype("str")), pa.large_string())
    rows = np.flatnonzero(pc.is_in(known, value_set=asked).to_numpy(zero_copy_only=False))
    found = pc.index_in(asked, value_set=known.take(pa.array(rows)))
    return np.asarray(np.append(rows, -1)[np.asarray(pc.fill_null(found, -1))], dtype=np.int64)


def of_customers(log: EventLog, kept: Bools) -> EventLog:
    """Return the log of the customers for whom ``kept``, in the order of ``log.customers``, is true.

    Codes mean the same as before, and the account is that of the whole log.
    """
    rows = np.repeat(kept, np.diff(log.start))
    mentions = np.repeat(rows, np.diff(log.category_start))
    event_time = log.event_time[rows]

    def column(name: str) -> npt.NDArray[Any]:
        values = getattr(log, name)
        if values is log.event_time:
            return event_time
        return np.broadcast_to(values[:1], len(event_time)) if values.strides == (0,) else values[rows]

    def coded(column: Coded, mask: Bools) -> Coded:
        return replace(column, codes=column.codes[mask])

    return replace(
        log,
        customers=log.customers.filter(pa.array(kept)),
        start=_starts(np.diff(log.start)[kept]),
        event_time=event_time,
        known_at=column("known_at"),
        wall_clock=column("wall_clock"),
        amount=column("amount"),
        quantity=column("quantity"),
        lines=column("lines"),
        kind=coded(log.kind, rows),
        channel=coded(log.channel, rows),
        category_start=_starts(np.diff(log.category_start)[rows]),
        categories=coded(log.categories, mentions),
        zones=coded(log.zones, kept),
    )


def _starts(lengths: npt.NDArray[Any]) -> npt.NDArray[np.int64]:
    return np.concatenate(([0], np.cumsum(lengths))).astype(np.int64)
