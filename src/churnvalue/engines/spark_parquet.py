"""Parquet for Spark: times as the rest of the project means them."""

from typing import Any

import pyarrow as pa


def read_parquet(session: Any, *urls: str) -> tuple[Any, frozenset[str]]:
    """Return Parquet files, and which of their times have no zone.

    These are read as instants: Spark would take longer to cast than to read them.
    """
    from pyspark.sql.types import StructField, StructType, TimestampNTZType, TimestampType

    frame = session.read.option("mergeSchema", True).parquet(*urls)
    kinds = {field.name: field.dataType for field in frame.schema.fields}
    naive = frozenset(name for name, kind in kinds.items() if isinstance(kind, TimestampNTZType))
    if naive:
        read = kinds | dict.fromkeys(naive, TimestampType())
        schema = StructType([StructField(name, kind) for name, kind in read.items()])
        frame = session.read.schema(schema).parquet(*urls)
    return frame, naive


def of_nanoseconds(frame: Any, naive: frozenset[str], schema: pa.Schema) -> tuple[Any, frozenset[str]]:
    """Return a DataFrame with times in place of nanoseconds, rounded as by DuckDB, and which of all times have no zone."""
    from pyspark.sql import functions as F  # noqa: N812 – as Spark's own documents do

    for field in schema:
        if pa.types.is_timestamp(field.type) and field.type.unit == "ns":
            own = _quoted(field.name)
            frame = frame.withColumn(
                field.name, F.expr(f"timestamp_micros(({own} + if({own} < 0, -500, 500)) div 1000)")
            )
            naive = naive if field.type.tz else naive | {field.name}
    return frame, naive


def _quoted(name: str) -> str:
    return "`" + name.replace("`", "``") + "`"
