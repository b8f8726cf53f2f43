"""DuckDB: the embedded engine. Maps, folds and sorts the sources of a configuration and hands over the log."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import duckdb
import ibis
import ibis.expr.types as ir
import pyarrow as pa
import pyarrow.compute as pc

from churnvalue.clock import END, micros
from churnvalue.config import Config, FromColumn
from churnvalue.engines.session import Session, first_line
from churnvalue.errors import SourceError, near_match
from churnvalue.events.folding import EVENT_COLUMNS, Fold, Folding, fold
from churnvalue.events.log import Account, EventLog, build_log
from churnvalue.events.mapping import map_source
from churnvalue.events.source import Source


class DuckEngine:
    """Reads the sources of a configuration with DuckDB, in this process, out of core where memory ends."""

    def __init__(self, folder: Path) -> None:
        """Sources with relative paths start at ``folder``."""
        self._folder = folder

    def columns(self, source: str) -> dict[str, str]:
        """Return name and type of each column of a source."""
        with Session(self._folder) as session:
            return {name: str(kind) for name, kind in session.open(source).schema().items()}

    def values(self, source: str, column: str, most: int) -> list[str]:
        """Return distinct values of a column as text, at most ``most`` of them, last first; blank ones left out."""
        with Session(self._folder) as session:
            texts = session.open(source)[column].cast("string").strip().nullif("").name("value")
            table = (
                texts.as_table().distinct().filter(lambda t: t.value.notnull()).order_by(ibis.desc("value")).limit(most)
            )
            return [str(value) for value in session.arrow(table)["value"].to_pylist()]

    def read(self, config: Config, as_of: int | None = None) -> EventLog:
        """Return the log of all sources of ``config``; with ``as_of`` only what had happened and was known before it.

        Raises:
            SourceError: If a source is missing, unreadable, lacks a column, or too many of its rows cannot be used.
        """
        stated = micros(config.observed_until) if config.observed_until else END
        known = END if as_of is None else as_of
        limits = _Limits(happened=min(stated, known), known=known)
        with Session(self._folder) as session:
            try:
                tables, accounts = zip(
                    *[_events(source, session, limits) for source in _sources(config, session)], strict=True
                )
                events = ibis.union(*tables) if len(tables) > 1 else tables[0]
                # Every column takes part in the order, so that equal times cannot come in the order of the file.
                arrow = session.arrow(events.order_by(list(EVENT_COLUMNS)))
            except (duckdb.Error, pa.ArrowException, UnicodeDecodeError) as error:
                raise SourceError(f"The sources must be readable, but: {first_line(error)}") from error
        account = sum(accounts, Account())
        kept = int(pc.sum(arrow["lines"]).as_py() or 0)
        account = replace(account, kept=kept, duplicates=account.kept - kept)
        _require_usable(account, config.checks.max_quarantined)
        timezone = config.timing.timezone if isinstance(config.timing.timezone, str) else "UTC"
        # A log that ends before ``as_of`` says nothing of the time between: silence there is no customer's.
        goes_on = account.later > 0 or limits.happened == stated
        log = build_log(arrow, account, timezone, limits.happened if goes_on and limits.happened < END else None)
        return replace(log, observed_until=min(log.observed_until, limits.happened))


@dataclass(frozen=True)
class _Limits:
    """What counts happened before the one time and was known before the other."""

    happened: int
    known: int


def _sources(config: Config, session: Session) -> list[Source]:
    zone = config.timing.timezone
    column = zone.column if isinstance(zone, FromColumn) else None
    sources = [Source(session.open(one.source), one.source, one, column) for one in config.events]
    known = {name for source in sources for name in source.table.columns}
    if column is not None and column not in known:
        raise SourceError(
            f"A source must have the column '{column}' for timing.timezone, but none has.{near_match(column, known)}"
        )
    return sources


def _events(source: Source, session: Session, limits: _Limits) -> tuple[ir.Table, Account]:
    """Return the events of a source and what became of its rows, repeated ones not yet told apart from kept ones."""
    settings = source.settings
    rows, counts = _rows(source, session, limits)
    days_only = all(count["midnights"] for count in counts)
    if days_only and settings.timezone not in (None, "UTC"):
        # A day is the same day on every clock; turned to UTC, some midnights would become the day before.
        settings = settings.model_copy(update={"timezone": "UTC"})
        rows, counts = _rows(replace(source, settings=settings), session, limits)
    by: Fold = "order" if settings.columns.order_id else "day" if days_only else "none"
    events = fold(rows, Folding(by, days_only, settings.negative_kind))
    account = Account(
        read=sum(count["rows"] for count in counts),
        kept=sum(count["timely"] for count in counts),
        later=sum(count["rows"] - count["timely"] for count in counts if count["reason"] is None),
        quarantined={count["reason"]: count["rows"] for count in counts if count["reason"] is not None},
    )
    return events, account


def _rows(source: Source, session: Session, limits: _Limits) -> tuple[ir.Table, list[dict[str, Any]]]:
    """Return the usable rows within the limits, and by ``reason`` how many rows there are and how many of them are such.

    ``midnights`` is whether all of them are written as midnights: rows beyond the limits have no say in that.
    """
    mapped = map_source(source, session)
    timely = mapped.reason.isnull() & (mapped.event_time < limits.happened) & (mapped.known_at < limits.known)
    counts = mapped.group_by("reason").agg(
        rows=mapped.count(), timely=timely.sum(), midnights=(mapped.midnight | ~timely).all()
    )
    return mapped.filter(timely).drop("reason", "midnight"), session.arrow(counts).to_pylist()


def _require_usable(account: Account, most: float) -> None:
    if account.read and account.refused / account.read > most:
        worst = max(account.quarantined, key=lambda reason: account.quarantined[reason])
        hint = ' Say how times are written: time_format = "%d/%m/%Y %H:%M".' if "readable time" in worst else ""
        raise SourceError(
            f"At most {most:.0%} of the rows may be unusable, but {account.refused:,} of"
            f" {account.read:,} are (most: {worst}).{hint} Check the column mapping, or raise checks.max_quarantined."
        )
