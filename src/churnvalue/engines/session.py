"""One DuckDB connection: what DuckDB spells in its own way, and the files and tables that it opens."""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import ExitStack
from itertools import count
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
from churnvalue.engines.codes import Codes, Digests
from churnvalue.engines.files import escaped, file_format, matching
from churnvalue.engines.schemas import require_alike, require_distinct
from churnvalue.errors import SourceError, near_match
from churnvalue.events.log import MISSING

_DUCKDB = "duckdb:///"
_ROWS_A_BATCH = 131_072  # about what DuckDB reads at once: larger ones wait for one another, and cost memory
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
        self._digests: dict[
            str, tuple[int, Digests]
        ] = {}  # of a column: the salt, and the digests in the order of their codes

    def __enter__(self) -> "Session":
        self._backend = ibis.duckdb.connect()
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
        rows = self._backend.compile(ids)
        found = self._digested(
            "customer_id",
            lambda digest: (
                f"SELECT customer_id, count(*) AS ids, {digest} AS digest FROM ({rows}) GROUP BY customer_id ORDER BY customer_id"
            ),
        )
        return found["customer_id"].chunk(0).cast(pa.string()), found["ids"].to_numpy()

    def coded(self, events: ir.Table, names: Mapping[str, Sequence[str]]) -> Iterator[pa.RecordBatch]:
        """Give the events of numbered customers as ``events.handover`` says: text as codes into ``names``."""
        texts = {name: "category" if name == "categories" else name for name in events.columns}
        for text in set(texts.values()) & set(names):
            self._number(text, names[text])
        codes = {
            name: Codes(self._digests[text][1], first=0 if text == "customer_id" else MISSING)
            for name, text in texts.items()
            if text in self._digests
        }
        columns = [self._digest_of(name, texts[name]) if name in codes else name for name in events.columns]
        query = f"SELECT {', '.join(columns)} FROM ({self._backend.compile(events)})"
        schema = ["customer" if name == "customer_id" else name for name in events.columns]
        for batch in self._computing().con.sql(query).to_arrow_reader(_ROWS_A_BATCH):
            own = [
                _coded(column, codes[name]) if name in codes else column
                for name, column in zip(events.columns, batch.columns, strict=True)
            ]
            yield pa.RecordBatch.from_arrays(own, schema)

    def _number(self, text: str, names: Sequence[str]) -> None:
        """Remember the digests of no text and of the names of a column."""
        con = self._computing().con
        con.register(
            "names", pa.table({"place": pa.array(range(len(names)), pa.int64()), "name": pa.array(names, pa.string())})
        )
        self._digested(
            text,
            lambda digest: (
                f"SELECT {digest} AS digest FROM (SELECT NULL::VARCHAR AS {text}, -1 AS place UNION ALL"
                f" SELECT name, place FROM names) ORDER BY place"
            ),
        )
        con.unregister("names")

    def _digested(self, column: str, query: Callable[[str], str]) -> pa.Table:
        """Return what a query finds with a digest that is another for each text of a column, and remember which."""
        for salt in count():
            found = self._computing().con.sql(query(_digest(column, salt))).to_arrow_table().combine_chunks()
            digests = found["digest"].to_numpy()
            in_order = np.sort(digests)
            if not (in_order[1:] == in_order[:-1]).any():
                self._digests[column] = (salt, digests)
                return found
        raise AssertionError  # there is always one more salt

    def _digest_of(self, column: str, text: str) -> str:
        salt, _ = self._digests[text]
        if column == "categories":
            return f"[{_digest('one', salt)} FOR one IN categories] AS categories"
        return f"{_digest(column, salt)} AS {column}"

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


def _digest(text: str, salt: int) -> str:
    # What follows the text changes its digest altogether; DuckDB's hash of two values would mix the digest of the text alone.
    return f"hash({text} || '{salt}')" if salt else f"hash({text})"


def _coded(digests: pa.Array, codes: Codes) -> pa.Array:
    if isinstance(digests, pa.ListArray):
        values = pa.array(codes.of(digests.values.to_numpy()))
        return pa.ListArray.from_arrays(digests.offsets, values, mask=digests.is_null())
    return pa.array(codes.of(digests.to_numpy()))


def first_line(error: BaseException) -> str:
    """Return the first line of an error's message; engines add pages of context to it."""
    return str(error).strip().split("\n", 1)[0]
