"""DuckDB: what it needs at the least (a scan with a grouping, a sort), and the hand-written SQL, whole and in shards."""

import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from benchmarks.speed_measured import needs
from benchmarks.speed_sql import features_sql, narrow_sql

THREADS = 2


def _connected() -> Any:
    import duckdb

    settings = {"threads": THREADS, "preserve_insertion_order": False}
    return duckdb.connect(config=settings)


@needs("duckdb", "pyarrow")
def scan(log: Path, cutoffs: Sequence[int]) -> Iterator[Any]:
    """Yield count, sum and newest of each customer before each cutoff: the floor of any grouping."""
    with _connected() as session:
        for cutoff in cutoffs:
            aggregates = "count(*), sum(amount), max(ts)"
            before = f"make_timestamp({cutoff})"
            yield session.sql(
                f"SELECT customer_id, {aggregates} FROM '{log}' WHERE ts < {before} GROUP BY customer_id"
            ).to_arrow_table()


@needs("duckdb", "pyarrow")
def sort(log: Path) -> Any:
    """Return the whole log sorted by customer and time."""
    with _connected() as session:
        return session.sql(f"SELECT * FROM '{log}' ORDER BY customer_id, ts").to_arrow_table()


@needs("duckdb", "pyarrow")
def best_sql(log: Path, cutoffs: Sequence[int]) -> Iterator[Any]:
    """Yield the features at each cutoff; for several the events are made narrow and sorted once."""
    with _connected() as session:
        yield from _features(session, f"'{log}'", cutoffs)


@needs("duckdb", "pyarrow")
def sharded_sql(log: Path, cutoffs: Sequence[int], shards: int = 16) -> Iterator[Any]:
    """Yield the features of each shard of customers at each cutoff: the log is split once, so memory holds one shard."""
    with tempfile.TemporaryDirectory() as folder, _connected() as session:
        session.execute("SET memory_limit = '1GB'; SET partitioned_write_flush_threshold = 65536")
        split = (
            f"SELECT customer_id, ts, event_type, amount, category, hash(customer_id) % {shards} AS shard FROM '{log}'"
        )
        session.execute(f"COPY ({split}) TO '{folder}' (FORMAT parquet, PARTITION_BY (shard), OVERWRITE_OR_IGNORE)")
        for part in sorted(Path(folder).iterdir()):
            yield from _features(session, f"'{part}/*.parquet'", cutoffs)


def _features(session: Any, source: str, cutoffs: Sequence[int]) -> Iterator[Any]:
    purchases, others = (f"(FROM ({narrow_sql(source)}) WHERE k {sign} 'purchase')" for sign in ("=", "<>"))
    if len(cutoffs) > 1:
        for name, query in (("purchases", purchases), ("others", others)):
            session.execute(
                f"CREATE OR REPLACE TEMP TABLE {name} AS FROM {query} WHERE t < {max(cutoffs)} ORDER BY c, t"
            )
        purchases, others = "purchases", "others"
    for cutoff in cutoffs:
        yield session.sql(features_sql(purchases, others, cutoff)).to_arrow_table()
