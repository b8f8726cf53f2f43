"""Events counted by the hour of the local week: the table that habits are learnt from."""

import numpy as np
import pandas as pd

from churnvalue.clock import hour_of_week, local
from churnvalue.errors import HistoryError
from churnvalue.timing.week import SLOTS


def slot_counts(customer: pd.Series, time: pd.Series, timezone: str = "UTC") -> pd.DataFrame:
    """Events of each customer in each hour of the local week. Index: customers in rising order; columns 0 … 167.

    Hour 0 is Monday 00:00. Naive times are UTC.

    >>> times = pd.Series(pd.to_datetime(["2024-01-01 18:30Z", "2024-01-08 18:05Z", "2024-01-07 23:59Z"]))
    >>> counts = slot_counts(pd.Series(["ann", "ann", "bob"]), times)
    >>> int(counts.loc["ann", 18]), int(counts.loc["bob", 167])  # Monday 18:00, Sunday 23:00
    (2, 1)

    Raises:
        ConfigError: If there is no such time zone.
        HistoryError: If there are not as many customers as times, or one of them is missing.
    """
    missing = int(customer.isna().sum() + time.isna().sum())
    if len(customer) != len(time) or missing:
        raise HistoryError(
            f"Every event must have a customer and a time, but {len(customer)} customers and {len(time)} times came, "
            f"{missing} of them missing. Leave out such events first."
        )
    micros = pd.to_datetime(time, utc=True).to_numpy("datetime64[us]").astype(np.int64)
    codes, names = pd.factorize(customer, sort=True)
    cells = np.bincount(codes * SLOTS + hour_of_week(local(micros, timezone)), minlength=len(names) * SLOTS)
    index = pd.Index(names, name=customer.name or "customer_id")
    return pd.DataFrame(cells.reshape(-1, SLOTS), index=index)
