"""What DuckDB reads for Spark: text as times and numbers, within the executors, and how CSV files are written."""

from collections.abc import Callable
from pathlib import Path

import duckdb
import pyarrow as pa

from churnvalue.engines.session import first_line
from churnvalue.errors import SourceError


def by_duckdb(expression: str) -> Callable[[pa.Array], pa.Array]:
    """Return a function that computes SQL over a column of ``text``."""

    def computed(text: pa.Array) -> pa.Array:
        texts = pa.table({"text": text})
        with duckdb.connect(config={"threads": 1}) as con:
            con.execute("SET TimeZone='UTC'")
            con.register("texts", texts)
            return con.sql(f"SELECT {expression} AS value FROM texts").to_arrow_table()["value"].combine_chunks()

    # Spark asks what goes in and out of a function by its annotations.
    computed.__annotations__ = {"text": pa.Array, "return": pa.Array}
    return computed


def sniffed(path: Path) -> tuple[str, str, tuple[str, ...]]:
    """Return separator, quote and names of the columns of a CSV file."""
    with duckdb.connect() as con:
        query = "SELECT Delimiter, Quote, SkipRows, Columns FROM sniff_csv(?, all_varchar = true, header = true)"
        try:
            separator, quote, skipped, columns = con.execute(query, [str(path)]).fetchall()[0]
        except duckdb.Error as error:
            raise SourceError(f"{path.name} must be readable, but: {first_line(error)}") from error
    if skipped:
        raise SourceError(f"{path.name} must start with its header, but {skipped} other lines stand before it.")
    return separator, quote if quote != "(empty)" else "", tuple(column["name"] for column in columns)
