"""DuckDB: the embedded engine. Reads files and DuckDB tables, folds and sorts them, hands over the log."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import ibis
import ibis.expr.datatypes as dt
import ibis.expr.types as ir
import pyarrow as pa

from churnvalue.clock import DAY, micros, text, wall_clocks
from churnvalue.config import Config, EventSource, FromColumn
from churnvalue.errors import SourceError, near_match
from churnvalue.events.folding import EVENT_COLUMNS, Folding, fold
from churnvalue.events.log import Account, EventLog, build_log
from churnvalue.events.mapping import Source, map_source

_DUCKDB = "duckdb:///"


@ibis.udf.scalar.builtin(  # type: ignore[untyped-decorator]
    name="epoch_us", signature=((dt.timestamp,), dt.int64)
)
def _epoch_us(time: Any) -> Any: ...


@ibis.udf.scalar.builtin(  # type: ignore[untyped-decorator]
    name="try_strptime", signature=((dt.string, dt.string), dt.timestamp)
)
def _try_strptime(text: Any, time_format: Any) -> Any: ...


class DuckEngine:
    """Reads the sources of a configuration with DuckDB, in this process, out of core where memory ends."""

    def __init__(self, folder: Path) -> None:
        """Sources with relative paths start at ``folder``."""
        self._folder = folder
        self._backend = ibis.duckdb.connect()
        self._backend.raw_sql("SET TimeZone='UTC'")

    def to_micros(self, time: ir.TimestampValue) -> ir.IntegerValue:
        """Microseconds since 1970 of a timestamp."""
        return _epoch_us(time)

    def parse_time(self, text: ir.StringValue, time_format: str) -> ir.TimestampValue:
        """Timestamp of a text, null where it does not follow the format."""
        return _try_strptime(text, time_format)

    def scalar(self, value: ir.Value) -> Any:
        """Compute one value now."""
        return self._backend.to_pyarrow(value).as_py()

    def columns(self, source: str) -> dict[str, str]:
        """Return name and type of each column of a source."""
        return {name: str(kind) for name, kind in self._open(source).schema().items()}

    def read(self, config: Config, as_of: int | None = None) -> EventLog:
        """Return the log of all sources of ``config``; with ``as_of`` only what had happened and was known before it.

        Raises:
            SourceError: If a source is missing, unreadable, lacks a column, or too many of its rows cannot be used.
        """
        try:
            tables, accounts = zip(*[self._events(settings, config, as_of) for settings in config.events], strict=True)
            events = ibis.union(*tables) if len(tables) > 1 else tables[0]
            # Every column takes part in the order, so that equal times cannot come in the order of the file.
            arrow = self._backend.to_pyarrow(events.order_by(list(EVENT_COLUMNS)))
        except (duckdb.Error, pa.ArrowException, UnicodeDecodeError) as error:
            raise SourceError(f"The sources must be readable, but: {_first_line(error)}") from error
        finally:
            self._backend.disconnect()
        account = sum(accounts, Account())
        if account.read and account.refused / account.read > config.checks.max_quarantined:
            worst = max(account.quarantined, key=lambda reason: account.quarantined[reason])
            raise SourceError(
                f"At most {config.checks.max_quarantined:.0%} of the rows may be unusable, but {account.refused:,} of"
                f" {account.read:,} are (most: {worst}). Check the column mapping, or raise checks.max_quarantined."
            )
        timezone = config.timing.timezone if isinstance(config.timing.timezone, str) else "UTC"
        observed = micros(config.observed_until) if config.observed_until else None
        if as_of is not None:
            observed = as_of if observed is None else min(observed, as_of)
        return build_log(arrow, account, timezone, observed)

    def _events(self, settings: EventSource, config: Config, as_of: int | None) -> tuple[ir.Table, Account]:
        zone = config.timing.timezone
        source = Source(
            self._open(settings.source),
            settings.source,
            settings,
            zone.column if isinstance(zone, FromColumn) else None,
        )
        mapped = map_source(source, self, wall_clocks)
        usable = mapped.reason.isnull()
        timely = ibis.literal(True) if as_of is None else (mapped.event_time < as_of) & (mapped.known_at < as_of)
        if config.observed_until:
            timely = timely & (mapped.event_time < micros(config.observed_until))
        later = usable & ~timely
        days_only = (mapped.event_time % DAY == 0) | ~usable
        reasons = self._backend.to_pyarrow(
            mapped.group_by("reason").agg(rows=mapped.count(), later=later.sum(), days_only=days_only.all())
        ).to_pylist()
        by_day = all(row["days_only"] for row in reasons) and source.settings.columns.order_id is None
        folding = Folding(
            by="order" if settings.columns.order_id else "day" if by_day else "none",
            # A day log may well hold two equal purchases of one day; to the minute, a repeated row is a repeated delivery.
            distinct=not by_day,
            negative_kind=settings.negative_kind,
        )
        events = fold(mapped.filter(timely | ~usable), folding)
        usable_rows = sum(row["rows"] - row["later"] for row in reasons if row["reason"] is None)
        kept = int(self.scalar(events.lines.sum()) or 0)
        account = Account(
            read=sum(row["rows"] for row in reasons),
            kept=kept,
            duplicates=usable_rows - kept,
            later=sum(row["later"] for row in reasons),
            quarantined={row["reason"]: row["rows"] for row in reasons if row["reason"] is not None},
        )
        return events, account

    def _open(self, source: str) -> ir.Table:
        """Return a source as a table: Parquet or CSV by file or glob, or ``duckdb:///file#table``."""
        try:
            if source.startswith(_DUCKDB):
                return self._open_database(source)
            return self._open_files(source)
        except (duckdb.Error, pa.ArrowException) as error:
            raise SourceError(f"{source} must be readable, but: {_first_line(error)}") from error

    def _open_files(self, source: str) -> ir.Table:
        paths = _matching(self._folder, source)
        empty = [path for path in paths if path.stat().st_size == 0]
        if empty:
            raise SourceError(f"{empty[0].name} must hold events, but is empty (0 bytes). Write it again.")
        readers: dict[str, Callable[[list[str]], ir.Table]] = {
            ".parquet": lambda files: self._backend.read_parquet(files, union_by_name=True),
            ".csv": lambda files: self._backend.read_csv(files, all_varchar=True, header=True, union_by_name=True),
        }
        readers |= {".pq": readers[".parquet"], ".tsv": readers[".csv"]}
        endings = {next((e for e in path.suffixes[::-1] if e not in (".gz", ".zst")), "") for path in paths}
        if len(endings) > 1 or not endings <= set(readers):
            raise SourceError(
                f"A source must be Parquet (.parquet) or CSV (.csv, .tsv, also .gz), but {source} is"
                f" {', '.join(sorted(endings)) or 'without an ending'}. Convert or rename it."
            )
        return readers[endings.pop()]([str(path) for path in paths])

    def _open_database(self, source: str) -> ir.Table:
        file, _, name = source.removeprefix(_DUCKDB).partition("#")
        if not name:
            raise SourceError(
                f"A DuckDB source must name a table as in duckdb:///shop.duckdb#orders, but {source} came."
            )
        path = _matching(self._folder, file)[0]
        catalog = f"source_{len(self._backend.list_catalogs())}"
        self._backend.attach(path, name=catalog, read_only=True)
        schema, _, table = name.rpartition(".")
        tables = self._backend.list_tables(database=(catalog, schema or "main"))
        if table not in tables:
            raise SourceError(
                f"{path.name} must have the table '{table}', but has no such table.{near_match(table, tables)}"
            )
        return self._backend.table(table, database=(catalog, schema or "main"))


def _matching(folder: Path, pattern: str) -> list[Path]:
    """Return the files that a path or glob names, sorted."""
    path = Path(pattern)
    base, relative = (
        (Path(path.anchor), str(path.relative_to(path.anchor))) if path.is_absolute() else (folder, pattern)
    )
    exact = base / relative
    paths = [exact] if exact.is_file() else sorted(p for p in base.glob(relative) if p.is_file())
    if not paths:
        siblings = [p.name for p in exact.parent.iterdir()] if exact.parent.is_dir() else []
        raise SourceError(f"A source must exist, but no file matches {pattern}.{near_match(exact.name, siblings)}")
    return paths


def _first_line(error: BaseException) -> str:
    return str(error).strip().split("\n", 1)[0]


def describe_until(log: EventLog) -> str:
    """Return the end of observation as text."""
    return text(log.observed_until)
