"""The sources of a configuration, mapped, checked and folded, and the facts of all their rows: Ibis alone, on any engine."""

from collections.abc import Collection
from dataclasses import dataclass, replace
from typing import Any, Protocol

import ibis
import ibis.expr.types as ir
import numpy as np
import numpy.typing as npt
import pyarrow as pa

from churnvalue.clock import DAY, END, micros
from churnvalue.config import Config, FromColumn, masked
from churnvalue.engines.limits import Limits, Whose
from churnvalue.engines.requirements import require_few, require_one_currency, require_usable
from churnvalue.errors import SourceError
from churnvalue.events.account import Account
from churnvalue.events.folding import Fold, Folding, fold, is_negative, single
from churnvalue.events.handover import TEXTS, Facts, require_events
from churnvalue.events.mapping import map_source
from churnvalue.events.repeats import once
from churnvalue.events.source import Dialect, Source, instead, mentioned

_ALWAYS = ("customer_id", "event_time", "kind")
_FILLED = ("known_at", "amount", "quantity", "channel", "campaign", "zone", "category")


class Opens(Dialect, Protocol):
    """A dialect whose engine also opens sources and computes tables."""

    def open(self, source: str, columns: Collection[str] | None = None) -> ir.Table:
        """Return a source as a table, with at least ``columns``."""

    def arrow(self, table: ir.Table) -> pa.Table:
        """Compute a table now."""


@dataclass(frozen=True)
class Prepared:
    """Tables that compute nothing yet, and what was found of their rows; see ``Facts`` for the names that are the same.

    ``ids`` holds a ``customer_id`` a usable row; ``events`` the columns of ``Facts`` with text in place of codes, all but
    those that no source fills; an event is a row unless ``folds``.
    """

    ids: ir.Table
    events: ir.Table
    names: dict[str, tuple[str, ...]]
    account: Account
    timezone: str
    observed_until: int
    days_only: bool | None
    repeated: frozenset[int]
    folds: bool

    def facts(self, customers: pa.StringArray, ids: npt.NDArray[np.int64] | None = None) -> Facts:
        """Return what there is to know of the whole log.

        Args:
            customers: The distinct ``ids``, sorted.
            ids: How many times ``ids`` holds each of them, if that is known.
        """
        return Facts(
            customers=customers,
            names=self.names,
            account=self.account,
            rows=self.account.kept,
            timezone=self.timezone,
            observed_until=self.observed_until,
            days_only=self.days_only,
            repeated=self.repeated,
            events=None if self.folds else ids,
        )


def prepare(config: Config, session: Opens, as_of: int | None = None, whose: Whose = 1.0) -> Prepared:
    """Return the events of all sources of ``config``; with ``as_of`` only what had happened and was known before it.

    Raises:
        SourceError: If a source is missing or lacks a column, no event can be used, or too many rows cannot.
    """
    stated = micros(config.observed_until) if config.observed_until else END
    known = END if as_of is None else as_of
    limits = Limits(min(stated, known), known, whose)
    parts = [_part(source, session, limits) for source in _sources(config, session)]
    account = sum((part.account for part in parts), Account())
    require_usable(account, config.checks.max_quarantined)
    require_events(account, limits.happened)
    require_one_currency(currency for part in parts for currency in part.currencies)
    names = {text: tuple(sorted(set().union(*[part.names[text] for part in parts]))) for text in TEXTS}
    require_few(names)
    days = {part.folding.days_only for part in parts}
    timezone = config.timing.timezone if isinstance(config.timing.timezone, str) else "UTC"
    # A log that ends before ``as_of`` says nothing of the time between: silence there is no customer's.
    goes_on = account.later > 0 or limits.happened == stated
    until = max(part.last for part in parts) + (DAY if days == {True} else 1)
    if goes_on and limits.happened < END:
        until = limits.happened
    return Prepared(
        ids=_union([part.ids for part in parts]),
        events=_events(parts),
        names=names,
        account=account,
        timezone=timezone,
        observed_until=min(until, limits.happened),
        days_only=days.pop() if len(days) == 1 else None,
        repeated=frozenset(number for number, part in enumerate(parts) if part.folding.by == "none" and not part.by_id),
        folds=_folds(parts),
    )


@dataclass(frozen=True)
class _Part:
    """One source: its usable rows within the limits, how they become events, and what was found of them."""

    rows: ir.Table
    ids: ir.Table
    folding: Folding
    filled: frozenset[str]
    account: Account
    last: int
    names: dict[str, set[str]]
    currencies: set[str]
    by_id: bool
    turned: bool


def _sources(config: Config, session: Opens) -> list[Source]:
    zone = config.timing.timezone
    column = zone.column if isinstance(zone, FromColumn) else None
    sources = [
        Source(session.open(one.source, mentioned(one.columns, one.kind, column)), masked(one.source), one, column)
        for one in config.events
    ]
    known = {name for source in sources for name in source.table.columns}
    if column is not None and column not in known:
        raise SourceError(
            f"A source must have the column '{column}' for timing.timezone, but none has.{instead(column, sorted(known))}"
        )
    return sources


def _part(source: Source, session: Opens, limits: Limits) -> _Part:
    settings = source.settings
    rows, ids, counts = _rows(source, session, limits)
    days_only = all(count["midnights"] for count in counts)
    if days_only and settings.timezone not in (None, "UTC"):
        # A day is the same day on every clock; turned to UTC, some midnights would become the day before.
        settings = settings.model_copy(update={"timezone": "UTC"})
        rows, ids, counts = _rows(replace(source, settings=settings), session, limits)
    by: Fold = "order" if settings.columns.order_id else "day" if days_only else "none"
    reasons = sorted({count["reason"] for count in counts} - {None})
    timely = _total(counts, "timely", None)
    filled = {name for name in _FILLED if getattr(settings.columns, name, None)}
    if source.zone_column in source.table.columns:
        filled.add("zone")
    used = [count for count in counts if count["timely"]]
    names = {text: _distinct(rows, text, session) if text in filled else set() for text in TEXTS}
    names["kind"] = {count["kind"] for count in used} | ({settings.negative_kind} if "amount" in filled else set())
    names["channel"] = {count["channel"] for count in used} - {None}
    below_zero = any(count["negative"] for count in counts)
    return _Part(
        rows=rows,
        ids=ids,
        folding=Folding(by, days_only, settings.negative_kind if below_zero else None),
        filled=frozenset(filled),
        account=Account(
            read=sum(count["rows"] for count in counts),
            kept=timely,
            later=_total(counts, "rows", None) - timely,
            quarantined={reason: _total(counts, "rows", reason) for reason in reasons},
        ),
        last=max((count["last"] for count in used), default=0),
        names=names,
        currencies={count["currency"] for count in used if count.get("currency")},
        by_id=settings.columns.event_id is not None,
        # Returns of two sorts may look alike: such a pair is no row that came twice.
        turned=below_zero and any(count["kind"] == settings.negative_kind for count in counts),
    )


def _rows(source: Source, session: Opens, limits: Limits) -> tuple[ir.Table, ir.Table, list[dict[str, Any]]]:
    """Return the usable rows within the limits, and their ids; and by ``reason``, ``kind`` and ``channel`` how many rows there are.

    ``timely`` are those within the limits, ``last`` is the latest of their times, ``midnights`` whether all of them are
    written as midnights: rows beyond the limits have no say in that. ``negative`` is whether any is a purchase below zero.
    """
    whole = map_source(source, session)
    mapped = limits.drawn(whole)
    timely = limits.timely(mapped)
    by = ("reason", "kind", "channel", *(["currency"] if "currency" in mapped.columns else []))
    counted = mapped.group_by(*by).agg(
        rows=mapped.count(),
        timely=mapped.count(where=timely),
        last=mapped.event_time.max(where=timely),
        midnights=(mapped.midnight | ~timely).all(),
        negative=is_negative(mapped).any(),
    )
    counts = session.arrow(counted).to_pylist()
    if "event_id" in mapped.columns:
        # Before customers are drawn: a later row may say that an event was another customer's.
        usable = limits.drawn(once(whole.filter(limits.timely(whole)), source, session))
        return usable.drop("reason", "midnight"), usable.select("customer_id"), counts
    if all(count["timely"] == count["rows"] for count in counts):
        usable = mapped
        # No id is blank, so that text can be taken as it is written.
        column = source.table[source.settings.columns.customer_id]
        ids = source.table.select(customer_id=column) if mapped is whole and column.type().is_string() else mapped
    else:
        # Where none is refused, later queries need to ask each row for its time alone.
        refused = any(count["reason"] for count in counts)
        usable = ids = mapped.filter(timely if refused else limits.in_time(mapped))
    return usable.drop("reason", "midnight"), ids.select("customer_id"), counts


def _total(counts: list[dict[str, Any]], what: str, reason: str | None) -> int:
    return sum(count[what] for count in counts if count["reason"] == reason)


def _distinct(rows: ir.Table, text: str, session: Opens) -> set[str]:
    if text in ("kind", "channel"):  # counted already
        return set()
    found = session.arrow(rows.select(text).distinct())[text].to_pylist()
    return set(found) - {None}


def _events(parts: list[_Part]) -> ir.Table:
    """Return the events of all sources with the columns that any of them fills."""
    filled = [name for name in _FILLED if any(name in part.filled for part in parts)]
    folds = _folds(parts)
    columns = [*_ALWAYS, *filled]
    if folds:
        columns = [*(name for name in columns if name != "category"), "lines"]
        columns += ["categories"] if "category" in filled else []
    turned = any(part.turned and part.folding.by == "none" for part in parts)
    mixed = len({part.folding.days_only for part in parts}) > 1
    tables = []
    for number, part in enumerate(parts):
        table = fold(part.rows, part.folding) if part.folding.by != "none" or folds else single(part.rows, part.folding)
        own = table.select(*columns, *(["turned"] if turned else []))
        own = own.mutate(source=ibis.literal(number, "int16")) if len(parts) > 1 else own
        tables.append(own.mutate(days_only=ibis.literal(part.folding.days_only)) if mixed else own)
    return _union(tables)


def _folds(parts: list[_Part]) -> bool:
    return any(part.folding.by != "none" for part in parts)


def _union(tables: list[ir.Table]) -> ir.Table:
    return ibis.union(*tables) if len(tables) > 1 else tables[0]
