"""PostgreSQL through ADBC: one consistent view of each database, whose tables come as Arrow in chunks.

The driver is an extra, ``churnvalue[postgres]``, and is imported when the first address is opened.
"""

import re
from collections.abc import Collection, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from importlib import import_module
from types import TracebackType
from typing import Any

import pyarrow as pa

from churnvalue.config.databases import masked
from churnvalue.errors import ChurnvalueError, SourceError, near_match

SCHEMES = ("postgresql://", "postgres://")
CHUNK_BYTES = 16 * 2**20
# A name may stand for two addresses, and libpq waits for each: within 15 s in all.
_SECONDS_TO_CONNECT = 7
# The user part of an address ends at the first '@' or '/', as libpq reads it, so that a password may hold a '#'.
_SOURCE = re.compile(r"([^:]+://(?:[^@/]*[@/][^#]*|[^@/#]*))#(.+)", re.DOTALL)
# Where another '@' or '/' is in the password, libpq would take a part of it for the host, and name it.
_ADDRESS = re.compile(r"postgres(?:ql)?://(?:[^@/]*@)?[^@?]*(\?.*|)", re.DOTALL)
_WORDS = re.compile(r"(?:ERROR|FATAL):\s+([^\n]*)")
_UNREACHED = re.compile(r"(?:connection to server|could not translate host name) [^\n]*")

_AS_IT_IS = {"bool", "int2", "int4", "int8", "float4", "float8", "text", "varchar"}
_AS_TEXT = {"bpchar", "name", "citext", "uuid", "json", "jsonb", "xml", "time", "inet"}
# Infinity and years beyond four digits, which not every reader knows, become the first and the last time that all know.
_TIMES = {
    "date": ("0001-01-01", "9999-12-31"),
    "timestamp": ("0001-01-01 00:00", "9999-12-31 23:59:59.999999"),
    "timestamptz": ("0001-01-01 00:00+00", "9999-12-31 23:59:59.999999+00"),
}
_EXACT_DIGITS = 15  # of whole numbers, in a double

_RELATIONS = """
SELECT n.nspname::text AS schema, c.relname::text AS name, pg_table_is_visible(c.oid) AS visible, c.oid::text AS oid
FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'v', 'm', 'p', 'f') AND n.nspname <> 'information_schema' AND n.nspname !~ '^pg_'
ORDER BY n.nspname, c.relname
"""
_COLUMNS = """
WITH RECURSIVE col AS (
  SELECT attnum, attname, atttypid AS type, atttypmod AS modifier
  FROM pg_catalog.pg_attribute WHERE attrelid = $1::text::oid AND attnum > 0 AND NOT attisdropped
  UNION ALL
  SELECT attnum, attname, t.typbasetype, greatest(t.typtypmod, modifier)
  FROM col JOIN pg_catalog.pg_type t ON t.oid = col.type WHERE t.typtype = 'd'
)
SELECT attname::text AS name, CASE t.typtype WHEN 'e' THEN 'enum' ELSE t.typname::text END AS type,
  pg_catalog.format_type(t.oid, modifier) AS spelt, modifier
FROM col JOIN pg_catalog.pg_type t ON t.oid = col.type WHERE t.typtype <> 'd' ORDER BY attnum
"""


class Snapshots:
    """Databases as they were when each was first asked, for one ``with``; what is written meanwhile changes nothing."""

    def __enter__(self) -> "Snapshots":
        self._open = ExitStack()
        self._cursors: dict[str, Any] = {}
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._open.close()

    def read_batches(
        self, source: str, columns: Collection[str] | None = None, chunk_bytes: int = CHUNK_BYTES
    ) -> pa.RecordBatchReader:
        """Return a table in chunks of about ``chunk_bytes``, to be read to its end, once, before the next is asked for.

        ``source`` is ``postgresql://user@host:5432/db#table`` or ``…#schema.table``, the name as the database spells it. Of
        ``columns`` those that exist are read, all if None. ``numeric`` comes as the nearest double, infinite beyond 1e308;
        ``numeric(p, 0)`` of more than 15 digits, ids as a rule, as text; times in microseconds, within the years 1 to 9999,
        where infinity comes as the nearer bound; enum, uuid, json and the like as text.

        Raises:
            SourceError: If the driver, the server or the table is missing (names a near match), the table may not be read, or
                a column has no counterpart.
        """
        uri, name = _parsed(source)
        with translated(uri, SourceError):
            cursor = self._cursor(uri)
            table = _relation(cursor, name, uri)
            wanted = [column for column in _columns(cursor, table) if columns is None or column.name in columns]
            selected = ", ".join(f"{_expression(column, table)} AS {quoted(column.name)}" for column in wanted)
            cursor.adbc_statement.set_options(**{"adbc.postgresql.batch_size_hint_bytes": str(chunk_bytes)})
            cursor.execute(f"SELECT {selected} FROM {quoted(table.schema)}.{quoted(table.name)}")
            return cursor.fetch_record_batch()

    def names(self, source: str) -> list[str]:
        """Return the names of the columns of a table, whatever they hold; errors as in ``read_batches``."""
        uri, name = _parsed(source)
        with translated(uri, SourceError):
            cursor = self._cursor(uri)
            return [column.name for column in _columns(cursor, _relation(cursor, name, uri))]

    def _cursor(self, uri: str) -> Any:
        if uri not in self._cursors:
            cursor = self._open.enter_context(self._open.enter_context(connected(uri, SourceError)).cursor())
            cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
            self._cursors[uri] = cursor
        return self._cursors[uri]


def _parsed(source: str) -> tuple[str, str]:
    """Return the address of a database and the name of the table in it."""
    found = _SOURCE.fullmatch(source)
    if not found:
        raise SourceError(
            f"A PostgreSQL source must name a table as in postgresql://user@host/db#orders, but {masked(source)} came."
        )
    return found[1], found[2]


@contextmanager
def connected(uri: str, failure: type[ChurnvalueError]) -> Iterator[Any]:
    """Give a connection to a database, in a transaction that is undone unless it is committed.

    Raises:
        failure: If the driver is missing or the server cannot be reached; the password is not named.
    """
    found = _ADDRESS.fullmatch(uri)
    if not found:
        raise failure(
            f"An address must be as libpq reads it, postgresql://user@host:5432/db, but {masked(uri)} came."
            " Write special characters of user and password as %XX: %40 for @, %2F for /."
        )
    with translated(uri, failure):
        # Text comes as the server sends it, and Arrow's is UTF-8. Of two values of a parameter libpq takes the last.
        patience = "" if "connect_timeout=" in found[1] else f"&connect_timeout={_SECONDS_TO_CONNECT}"
        connection = _driver(failure).connect(f"{uri}{'&' if found[1] else '?'}client_encoding=UTF8{patience}")
    with connection:
        yield connection


@contextmanager
def translated(uri: str, failure: type[ChurnvalueError]) -> Iterator[None]:
    """Turn what the driver raises into one line without the password.

    Raises:
        failure: Instead of any error of the driver.
    """
    errors = _driver(failure).Error
    try:
        yield
    except errors as error:
        raise failure(f"{masked(uri)} must be reachable and usable, but: {_reason(str(error))}") from None


def quoted(name: str) -> str:
    """Return a name as SQL quotes it, whatever it holds."""
    return '"' + name.replace('"', '""') + '"'


def _driver(failure: type[ChurnvalueError]) -> Any:
    try:
        return import_module("adbc_driver_postgresql.dbapi")
    except ImportError:
        raise failure(
            "PostgreSQL needs its driver, which is not installed. Install it: pip install 'churnvalue[postgres]'"
        ) from None


def _reason(message: str) -> str:
    """Return what went wrong, in the server's or libpq's words where they cannot hold a part of the password."""
    unreached = _UNREACHED.search(message)
    said = _WORDS.search(message)
    if said:
        return said[1].strip()
    if unreached:
        return unreached[0].strip()
    if "Failed to connect" in message:
        return "the address cannot be read. Write special characters as %XX, and parameters as libpq names them."
    return message.split("\n", 1)[0].strip()


@dataclass(frozen=True)
class _Table:
    schema: str
    name: str
    oid: str


@dataclass(frozen=True)
class _Column:
    """``spelt`` is the type as PostgreSQL writes it; ``modifier`` holds digits and scale of a ``numeric``."""

    name: str
    type: str
    spelt: str
    modifier: int


def _relation(cursor: Any, name: str, uri: str) -> _Table:
    """Return the table of that name; names are compared, never parsed, so that they may hold dots and quotes."""
    cursor.execute(_RELATIONS)
    rows = cursor.fetch_arrow_table().to_pylist()
    tables = [(_Table(row["schema"], row["name"], row["oid"]), row["visible"]) for row in rows]
    known = {f"{table.schema}.{table.name}": table for table, _ in tables}
    known |= {table.name: table for table, visible in tables if visible}
    if name not in known:
        raise SourceError(
            f"{masked(uri)} must have the table '{name}', but has no such table.{near_match(name, known)}"
        )
    return known[name]


def _columns(cursor: Any, table: _Table) -> list[_Column]:
    """Return the columns of a table in their order; domains as the types they are made of."""
    cursor.execute(_COLUMNS, (table.oid,))
    return [_Column(**row) for row in cursor.fetch_arrow_table().to_pylist()]


def _expression(column: _Column, table: _Table) -> str:
    """Return the SQL that hands a column over in a type that Arrow has."""
    name = quoted(column.name)
    if column.type in _AS_IT_IS:
        return name
    if column.type in _AS_TEXT or column.type == "enum":
        return f"{name}::text"
    if column.type in _TIMES:
        first, last = (f"{column.type} '{bound}'" for bound in _TIMES[column.type])
        return f"CASE WHEN {name} < {first} THEN {first} WHEN {name} > {last} THEN {last} ELSE {name} END"
    if column.type == "money":
        return f"{name}::numeric::float8"
    if column.type == "numeric":
        return _double(name, column.modifier)
    raise SourceError(
        f"{table.schema}.{table.name} must have columns of numbers, texts, times or truth values, but '{column.name}' is"
        f" {column.spelt}. Read a view that leaves it out or casts it."
    )


def _double(name: str, modifier: int) -> str:
    if modifier < 0:
        return (
            f"CASE WHEN {name} = 'NaN' THEN 'NaN' WHEN {name} > 1e308 THEN 'Infinity' WHEN {name} < -1e308 THEN '-Infinity'"
            f" WHEN abs({name}) < 1e-307 THEN 0 ELSE {name}::float8 END"
        )
    digits, scale = (modifier - 4) >> 16 & 0xFFFF, (modifier - 4) & 0x7FF
    return f"{name}::text" if scale == 0 and digits > _EXACT_DIGITS else f"{name}::float8"
