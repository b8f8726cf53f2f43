"""Where customers stand in a log, without an index of everybody whom it knows."""

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from churnvalue.events.log import EventLog


def places(log: EventLog, customer_ids: pd.Series | pd.Index) -> npt.NDArray[np.int64]:
    """Return the place of each customer in ``log.customers``, -1 for one whom the log does not know.

    Only those asked for are hashed: an index of all customers of a large log takes gigabytes.
    """
    known = log.customers.cast(pa.large_string())
    asked = pc.cast(pa.array(customer_ids.astype("str")), pa.large_string())
    rows = np.flatnonzero(pc.is_in(known, value_set=asked).to_numpy(zero_copy_only=False))
    found = pc.index_in(asked, value_set=known.take(pa.array(rows)))
    return np.asarray(np.append(rows, -1)[np.asarray(pc.fill_null(found, -1))], dtype=np.int64)
