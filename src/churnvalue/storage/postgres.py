"""Results in PostgreSQL: the tables of a command as of one cutoff, replaced in one transaction.

Each table keeps every cutoff of every project. What a command publishes as of a cutoff replaces what it published before as of
the same one: those rows are deleted, the new ones copied in and listed in ``runs``, and all of it appears with the commit.
Readers see the old rows or the new ones, never a mixture, and wait for nothing; views and grants stay. Exchanging whole tables
by renaming them would lose the other cutoffs, the views and the grants, and would wait for every reader. Killed at any
moment, the server undoes it: there is nothing to clean up.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from churnvalue import clock
from churnvalue.config.databases import Sink
from churnvalue.engines.files import escaped
from churnvalue.engines.postgres import connected, quoted, translated
from churnvalue.errors import OutputError
from churnvalue.storage.files import package_version
from churnvalue.storage.plain import json_text

RUNS = "runs"
_ROWS_A_CHUNK = 16_384
_KEYS = {"project": "text", "cutoff": "timestamp with time zone"}
_RUN = {
    **_KEYS,
    "command": "text",
    "table_name": "text",
    "rows": "bigint",
    "sha256": "text",
    "model_versions": "jsonb",
    "churnvalue": "text",
}
_COLUMNS = """
SELECT a.attname::text AS name, pg_catalog.format_type(a.atttypid, a.atttypmod) AS type
FROM pg_catalog.pg_attribute a JOIN pg_catalog.pg_class c ON c.oid = a.attrelid
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = $1 AND c.relname = $2 AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum
"""
# A chunk is read by DuckDB, which names types in its own way.
_READ_AS = {
    "text": "VARCHAR",
    "boolean": "BOOLEAN",
    "bigint": "BIGINT",
    "double precision": "DOUBLE",
    "date": "DATE",
    "timestamp without time zone": "TIMESTAMP",
    "timestamp with time zone": "TIMESTAMPTZ",
    "jsonb": "JSON",
}


@dataclass(frozen=True)
class Edition:
    """What is published: the results of a project's command as of a cutoff (microseconds), and by which models."""

    project: str
    command: str
    cutoff: int
    model_versions: Mapping[str, object]

    @property
    def key(self) -> tuple[str, str]:
        """Project and cutoff, as parameters of a statement."""
        return self.project, clock.moment(self.cutoff).isoformat()


@dataclass(frozen=True)
class Output:
    """A Parquet file, the digest of its bytes, and the table that it goes to."""

    table: str
    path: Path
    sha256: str


def publish_tables(sink: Sink, edition: Edition, outputs: Sequence[Output]) -> dict[str, int]:
    """Return the rows by table, once all of them are published together.

    A table has the columns of its file, ``project`` and ``cutoff``: times with a zone as ``timestamptz``, fractions as ``double
    precision``, whole numbers as ``bigint``, lists as ``jsonb``, in which numbers that are not finite are null. Columns that a
    table lacks are added. ``runs`` has one row a table, with ``published_at``.

    Raises:
        OutputError: If the database cannot be reached or written, another process publishes to the schema, or a table there is
            not one of these; what was published before stands.
    """
    uri = sink.uri.get_secret_value()
    with connected(uri, OutputError) as connection, translated(uri, OutputError), connection.cursor() as cursor:
        _lock(cursor, sink.schema_name)
        if not _rows(cursor, "SELECT 1 AS found FROM pg_catalog.pg_namespace WHERE nspname = $1", sink.schema_name):
            cursor.execute(f"CREATE SCHEMA {quoted(sink.schema_name)}")
        published = {output.table: _replace(cursor, sink.schema_name, edition, output) for output in outputs}
        _record(cursor, sink.schema_name, edition, [(output, published[output.table]) for output in outputs])
        connection.commit()
    return published


def _lock(cursor: Any, schema: str) -> None:
    """Let one process at a time publish to a schema; the lock ends with the transaction, also by a kill."""
    cursor.execute("SET LOCAL lock_timeout = '10s'")
    lock = "SELECT pg_try_advisory_xact_lock(hashtextextended($1::text, 0)) AS held"
    if not _rows(cursor, lock, f"churnvalue.{schema}")[0]["held"]:
        raise OutputError(
            f"Only one process at a time may publish to schema '{schema}', but another is at work there. Wait until it is done."
        )


def _replace(cursor: Any, schema: str, edition: Edition, output: Output) -> int:
    """Put the rows of a file in the place of those of the same project and cutoff; return how many they are."""
    fields = [field for field in pq.read_schema(output.path) if field.name not in _KEYS]
    kinds = _prepare(cursor, schema, output.table, {field.name: _kind(field, output.table) for field in fields})
    place = f"{quoted(schema)}.{quoted(output.table)}"
    cursor.execute(f"DELETE FROM {place} WHERE project = $1::text AND cutoff = $2::text::timestamptz", edition.key)
    filled = [field for field in fields if field.name in kinds]
    values = ", ".join(f"{_value(field, kinds[field.name])} AS {quoted(field.name)}" for field in filled)
    with duckdb.connect() as reader:
        reader.execute("SET TimeZone='UTC'")
        reader.execute("SET threads = 1")  # each holds a group of rows
        rows = reader.sql(
            f"SELECT ?::VARCHAR AS project, make_timestamp(?)::TIMESTAMPTZ AS cutoff, {values} FROM read_parquet(?)",
            params=[edition.project, edition.cutoff, escaped(output.path)],
        ).to_arrow_reader(_ROWS_A_CHUNK)
        batches = _with_json(rows, [name for name, kind in kinds.items() if kind == "jsonb"])
        copied: int = cursor.adbc_ingest(output.table, batches, mode="append", db_schema_name=schema)
    return copied


def _prepare(cursor: Any, schema: str, table: str, kinds: Mapping[str, str | None]) -> dict[str, str]:
    """Make a table, or the columns that it lacks; return the type of each column, without those that stay empty."""
    existing = _existing(cursor, schema, table)
    if existing and not _KEYS.items() <= existing.items():
        raise OutputError(
            f"Table '{table}' of schema '{schema}' must be one that churnvalue made, but has no project and cutoff."
            ' Choose another schema: [sink] schema = "…".'
        )
    settled = {name: kind or "text" for name, kind in kinds.items() if kind or name not in existing}
    wrong = [name for name, kind in settled.items() if existing.get(name, kind) != kind]
    if wrong:
        raise OutputError(
            f"Column '{wrong[0]}' of {schema}.{table} must be {settled[wrong[0]]}, but is {existing[wrong[0]]}."
            " Rename the table; a new one is made."
        )
    place = f"{quoted(schema)}.{quoted(table)}"
    added = [f"{quoted(name)} {kind}" for name, kind in settled.items() if name not in existing]
    if not existing:
        keys = [f"{name} {kind} NOT NULL" for name, kind in _KEYS.items()]
        cursor.execute(f"CREATE TABLE {place} ({', '.join(keys + added)})")
        cursor.execute(f"CREATE INDEX ON {place} (project, cutoff)")
    elif added:
        cursor.execute(f"ALTER TABLE {place} {', '.join(f'ADD COLUMN {column}' for column in added)}")
    return settled


def _record(cursor: Any, schema: str, edition: Edition, published: Sequence[tuple[Output, int]]) -> None:
    """List in ``runs`` what was published."""
    if not _existing(cursor, schema, RUNS):
        columns = ", ".join(f"{quoted(name)} {kind} NOT NULL" for name, kind in _RUN.items())
        cursor.execute(
            f"CREATE TABLE {quoted(schema)}.{RUNS} ({columns}, published_at timestamptz NOT NULL DEFAULT now(),"
            " PRIMARY KEY (project, cutoff, command, table_name))"
        )
    key = (*edition.key, edition.command)
    cursor.execute(
        f"DELETE FROM {quoted(schema)}.{RUNS}"
        " WHERE project = $1::text AND cutoff = $2::text::timestamptz AND command = $3::text",
        key,
    )
    values = ", ".join(f"${place}::text::{kind}" for place, kind in enumerate(_RUN.values(), start=1))
    for output, rows in published:
        about = (output.table, str(rows), output.sha256, json_text(edition.model_versions), package_version())
        cursor.execute(
            f"INSERT INTO {quoted(schema)}.{RUNS} ({', '.join(map(quoted, _RUN))}) VALUES ({values})", (*key, *about)
        )


def _kind(field: pa.Field, table: str) -> str | None:
    """Return PostgreSQL's type of a column; None if it holds nothing at all."""
    kind, is_a = field.type, pa.types
    if is_a.is_null(kind):
        return None
    if is_a.is_timestamp(kind):
        return "timestamp with time zone" if kind.tz else "timestamp without time zone"
    kinds = {
        "boolean": is_a.is_boolean(kind),
        "bigint": is_a.is_integer(kind),
        "double precision": is_a.is_floating(kind),
        "text": is_a.is_string(kind) or is_a.is_large_string(kind) or is_a.is_dictionary(kind),
        "date": is_a.is_date(kind),
        "jsonb": is_a.is_nested(kind),
    }
    found = next((name for name, fits in kinds.items() if fits), None)
    if found is None:
        raise OutputError(
            f"Columns must be numbers, texts, times or lists to be published, but '{field.name}' of {table} is {kind}."
        )
    return found


def _value(field: pa.Field, kind: str) -> str:
    """Return the expression by which DuckDB reads a column."""
    name = quoted(field.name)
    return f"to_json({_finite(name, field.type)})" if pa.types.is_nested(field.type) else f"{name}::{_READ_AS[kind]}"


def _finite(value: str, kind: pa.DataType, depth: int = 0) -> str:
    """Return an expression for a value, numbers that are not finite inside it null: JSON has none."""
    if pa.types.is_floating(kind):
        return f"CASE WHEN isfinite({value}) THEN {value} END"
    if pa.types.is_list(kind):
        return f"list_transform({value}, lambda v{depth}: {_finite(f'v{depth}', kind.value_type, depth + 1)})"
    if pa.types.is_struct(kind):
        parts = (f"{quoted(p.name)} := {_finite(f'{value}.{quoted(p.name)}', p.type, depth)}" for p in kind)
        return f"CASE WHEN {value} IS NOT NULL THEN struct_pack({', '.join(parts)}) END"
    return value


def _with_json(rows: pa.RecordBatchReader, names: Sequence[str]) -> pa.RecordBatchReader:
    """Return the same chunks, with texts in JSON marked as such, so that they are copied as ``jsonb``."""
    schema = pa.schema(
        [pa.field(field.name, pa.json_(pa.string()) if field.name in names else field.type) for field in rows.schema]
    )
    return pa.RecordBatchReader.from_batches(schema, (chunk.cast(schema) for chunk in rows))


def _existing(cursor: Any, schema: str, table: str) -> dict[str, str]:
    """Return the types of the columns of a table by name; none if there is no such table."""
    return {row["name"]: row["type"] for row in _rows(cursor, _COLUMNS, schema, table)}


def _rows(cursor: Any, query: str, *parameters: str) -> list[dict[str, Any]]:
    cursor.execute(query, parameters)
    found: list[dict[str, Any]] = cursor.fetch_arrow_table().to_pylist()
    return found
