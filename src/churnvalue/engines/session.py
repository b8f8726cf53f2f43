"""One DuckDB connection: what DuckDB spells in its own way, and the files and tables that it opens."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Any

import duckdb
import ibis
import ibis.expr.datatypes as dt
import ibis.expr.types as ir
import numpy as np
import numpy.typing as npt
import pyarrow as pa

from churnvalue.config.databases import masked
from churnvalue.engines import postgres
from churnvalue.engines.codes import Coder
from churnvalue.engines.files import escaped, file_format, matching
from churnvalue.engines.schemas import require_alike, require_distinct
from churnvalue.errors import SourceError, near_match

_DUCKDB = "duckdb:///"
_STOPPED = "Query interrupted"  # what DuckDB makes of Ctrl-C


@ibis.udf.scalar.builtin(  # type: ignore[untyped-decorator]
    name="epoch_us", signature=((dt.timestamp,), dt.int64)
)
def _epoch_us(time: Any) -> Any: ...


@ibis.udf.scalar.builtin(  # type: ignore[untyped-decorator]
    name="try_strptime", signature=((dt.string, dt.string), dt.timestamp)
)
def _naive_time(text: Any, time_format: Any) -> Any: ...


@ibis.udf.scalar.builtin(  # type: ignore[untyped-decorator]
    name="try_strptime", signature=((dt.string, dt.string), dt.Timestamp("UTC"))
)
def _aware_time(text: Any, time_format: Any) -> Any: ...


class Session:
    """A connection that lasts for one ``with``; sources with relative paths start at ``folder``.

    Sources are opened first. From the first computation on, the connection reads nothing but their files, writes nothing but
    what it spills to its temporary folder, and its settings are fixed: whatever a name or a cell holds, no query gets further.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._attached = 0
        self._open = ExitStack()
        self._snapshots: postgres.Snapshots | None = None
        self._files_opened: list[str] = []
        self._locked = False

    def __enter__(self) -> "Session":
        self._backend = ibis.duckdb.connect()
        self._coder = Coder(self._backend.con)
        self._backend.raw_sql("SET TimeZone='UTC'")
        self._backend.raw_sql("SET autoinstall_known_extensions=false")
        self._backend.raw_sql("SET autoload_known_extensions=false")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._open.close()
        self._backend.disconnect()
        if isinstance(error, RuntimeError) and str(error) == _STOPPED:
            raise KeyboardInterrupt from error

    def to_micros(self, time: ir.TimestampValue) -> ir.IntegerValue:
        """Microseconds since 1970 of a timestamp."""
        return _epoch_us(time)

    def parse_time(self, text: ir.StringValue, time_format: str) -> ir.TimestampValue:
        """Timestamp of a text, null where it does not follow the format; with a zone if the format has ``%z``."""
        return (_aware_time if "%z" in time_format else _naive_time)(text, time_format)

    def scalar(self, value: ir.Value) -> Any:
        """Compute one value now."""
        return self._computing().to_pyarrow(value).as_py()

    def arrow(self, table: ir.Table) -> pa.Table:
        """Compute a table now."""
        return self._computing().to_pyarrow(table)

    def number_customers(self, ids: ir.Table) -> tuple[pa.StringArray, npt.NDArray[np.int64]]:
        """Return the distinct ids of customers, sorted, and how often each came; remember their places for ``coded``."""
        return self._coder.number_customers(self._computing().compile(ids))

    def coded(self, events: ir.Table, names: Mapping[str, Sequence[str]]) -> Iterator[pa.RecordBatch]:
        """Give the events of numbered customers as ``events.handover`` says: text as codes into ``names``."""
        return self._coder.coded(self._computing().compile(events), events.columns, names)

    def _computing(self) -> Any:
        """Return the connection, locked: it reads the files that were opened, which cannot be changed any more."""
        if not self._locked:
            con = self._backend.con
            # Attached files and the temporary folder are allowed by DuckDB itself.
            con.execute("SET allowed_paths = ?", [self._files_opened])
            con.execute("SET enable_external_access = false")
            con.execute("SET preserve_insertion_order = false")  # all that is computed says itself what order it needs
            con.execute("SET lock_configuration = true")
            self._locked = True
        return self._backend

    def open(self, source: str, columns: Collection[str] | None = None) -> ir.Table:
        """Return a source as a table: Parquet or CSV by file or glob, ``duckdb:///file#table`` or ``postgresql://…#table``.

        Of a PostgreSQL table only ``columns`` are fetched, all if None.

        Raises:
            SourceError: If there is no such source or it cannot be read.
        """
        try:
            if source.startswith(postgres.SCHEMES):
                table = self._fetched(source, columns)
            else:
                table = self._table(source) if source.startswith(_DUCKDB) else self._files(source, columns or ())
        except (duckdb.Error, pa.ArrowException, OSError) as error:
            raise SourceError(f"{masked(source)} must be readable, but: {first_line(error)}") from error
        # Ibis knows no aware times of nanoseconds; microseconds are enough.
        finer = {name: "timestamp('UTC')" for name, kind in table.schema().items() if "TIMESTAMPTZ_NS" in str(kind)}
        return table.cast(finer) if finer else table

    def _fetched(self, source: str, columns: Collection[str] | None) -> ir.Table:
        """Fetch a table once: every query then sees the same rows, whoever writes to the database meanwhile."""
        self._snapshots = self._snapshots or self._open.enter_context(postgres.Snapshots())
        con, name = self._backend.con, f"fetched_{self._attached}"
        names = self._snapshots.names(source)
        require_distinct(names, columns or (), masked(source))
        con.register("fetching", self._snapshots.read_batches(source, columns))
        con.execute(f"CREATE TEMP TABLE {name} AS SELECT * FROM fetching")
        con.unregister("fetching")
        self._attached += 1
        fetched = self._backend.table(name)
        # The others are known by name alone, so that an error can name a near match.
        return fetched.mutate(**{other: ibis.null() for other in names if other not in fetched.columns})

    def _files(self, source: str, columns: Collection[str]) -> ir.Table:
        paths = matching(self._folder, source)
        names = [escaped(path) for path in paths]
        # DuckDB asks for the name as it was given, and once more for the file that it found.
        self._files_opened += [*names, *map(str, paths)]
        if file_format(paths, source) == "parquet":
            # The statistics of a file leave NaN out; unless it is told, DuckDB takes that to mean that there is none.
            table = self._backend.read_parquet(names, union_by_name=True, can_have_nan=True)
            require_alike(paths, columns)
            return table
        table = self._backend.read_csv(names, all_varchar=True, header=True, union_by_name=True)
        # DuckDB renames what repeats a name to name_1: only where there is such a column the headers are read once more.
        found = {name.casefold() for name in table.columns}
        if any(f"{name}_1".casefold() in found for name in columns):
            for path in paths:
                require_distinct(self._header(path), columns, path.name)
        return table

    def _header(self, path: Path) -> list[str]:
        """Return the names of the columns of a CSV file as they are written."""
        con, name = self._backend.con, escaped(path)
        sniff = "SELECT Delimiter, Quote, Escape, SkipRows FROM sniff_csv(?, all_varchar = true, header = true)"
        separator, *quoting, skipped = con.execute(sniff, [name]).fetchall()[0]
        quote, escape = ("" if sign == "(empty)" else sign for sign in quoting)
        rows = con.read_csv(
            name, sep=separator, quotechar=quote, escapechar=escape, skiprows=skipped, header=False, all_varchar=True
        )
        return [one for row in rows.limit(1).fetchall() for one in row if one is not None]

    def _table(self, source: str) -> ir.Table:
        file, _, name = source.removeprefix(_DUCKDB).partition("#")
        if not name:
            raise SourceError(
                f"A DuckDB source must name a table as in duckdb:///shop.duckdb#orders, but {source} came."
            )
        path = matching(self._folder, file)[0]
        catalog = f"source_{self._attached}"
        self._backend.attach(path, name=catalog, read_only=True)
        self._attached += 1
        schema, _, table = name.rpartition(".")
        schema = schema or "main"
        query = "SELECT table_name FROM information_schema.tables WHERE table_catalog = ? AND table_schema = ?"
        tables = [row[0] for row in self._backend.con.execute(query, [catalog, schema]).fetchall()]
        if table not in tables:
            raise SourceError(
                f"{path.name} must have the table '{table}', but has no such table.{near_match(table, tables)}"
            )
        return self._backend.table(table, database=(catalog, schema))


def first_line(error: BaseException) -> str:
    """Return the first line of an error's message; engines add pages of context to it."""
    return str(error).strip().split("\n", 1)[0]
