"""featuretools on a hundredth of the customers, its time to be scaled; columns of the same sort and number, not the same.

It needs pandas below 3, so it is run by a Python of its own: ``measured(..., python=...)``; this module imports nothing of ours.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from benchmarks.speed_measured import needs

SLICE = 100  # one of so many customers
_WINDOWS = ("7 days", "30 days", "90 days", "365 days", None)


@needs("featuretools", "woodwork", "duckdb", "pandas<3")
def featuretools_slice(log: Path, cutoffs: Sequence[int]) -> Iterator[Any]:
    """Yield features of a hundredth of the customers: counts, sums … by kind in each window, one synthesis a window."""
    import duckdb
    import featuretools as ft
    import pandas as pd
    from woodwork.logical_types import Categorical

    rows = duckdb.sql(f"SELECT * FROM '{log}' WHERE hash(customer_id) % {SLICE} = 0").df()
    rows = rows.rename_axis("event").reset_index()
    entities = ft.EntitySet("shop")
    texts = dict.fromkeys(("event_type", "channel", "category"), Categorical)
    entities.add_dataframe(dataframe=rows, dataframe_name="events", index="event", time_index="ts", logical_types=texts)
    entities.normalize_dataframe("events", "customers", "customer_id", make_time_index=True)
    entities.add_interesting_values(dataframe_name="events", values={"event_type": sorted(rows["event_type"].unique())})
    for cutoff in cutoffs:
        at = pd.Timestamp(cutoff, unit="us")
        recent = (rows["ts"] < at) & (rows["ts"] >= at - pd.Timedelta(days=365))
        who = list(rows.loc[recent & (rows["event_type"] == "purchase"), "customer_id"].unique())
        for window in _WINDOWS:
            yield ft.dfs(entityset=entities, target_dataframe_name="customers", cutoff_time=at, instance_ids=who,
                         training_window=window, include_cutoff_time=False, trans_primitives=[], max_depth=1,
                         agg_primitives=["count", "sum", "mean", "max", "num_unique", "time_since_last"],
                         where_primitives=["count", "sum", "mean", "max"])[0]  # fmt: skip
