"""The drivers of single customers, as the scores hold them."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from churnvalue.report.numbers import rows


def driver_rows(drivers: object) -> list[Mapping[str, Any]]:
    """Return the drivers of one customer as mappings, whatever sequence Parquet gave them as."""
    return rows(drivers.tolist() if isinstance(drivers, np.ndarray) else drivers)


def told_by(scores: pd.DataFrame, customers: Sequence[str]) -> dict[str, list[Mapping[str, Any]]]:
    """Return the drivers of some customers by id; empty without the column."""
    if "drivers" not in scores:
        return {}
    own = scores.loc[scores["customer_id"].isin(customers), ["customer_id", "drivers"]]
    return {str(customer): driver_rows(drivers) for customer, drivers in own.itertuples(index=False)}
