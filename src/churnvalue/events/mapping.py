"""One source, mapped: its columns as events, with the reason why a row cannot be used.

Ibis expressions only, so that every engine computes the same. Times become integer microseconds here and stay so.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import ibis
import ibis.expr.types as ir

from churnvalue.clock import WallClock, micros
from churnvalue.config import EventSource, FromColumn
from churnvalue.errors import SourceError, near_match
from churnvalue.events.expressions import arithmetic

EARLIEST = micros("1900-01-01")
LATEST = micros("2100-01-01")
LARGEST_AMOUNT = 1e12
TEXTS = ("order_id", "category", "channel", "campaign", "zone")
NUMBERS = ("amount", "quantity")
COLUMNS = ("customer_id", "event_time", "known_at", "kind", *NUMBERS, *TEXTS)
_OFFSET = r"([zZ]|[+-]\d\d:?\d\d)$"


class Dialect(Protocol):
    """The three functions that engines spell differently."""

    def to_micros(self, time: ir.TimestampValue) -> ir.IntegerValue:
        """Microseconds since 1970 of a timestamp."""

    def parse_time(self, text: ir.StringValue, time_format: str) -> ir.TimestampValue:
        """Timestamp of a text, null where it does not follow the format."""

    def scalar(self, value: ir.Value) -> Any:
        """Compute one value now."""


@dataclass(frozen=True)
class Source:
    """A table with what the configuration says of it; ``name`` is how the user knows it."""

    table: ir.Table
    name: str
    settings: EventSource
    zone_column: str | None = None


def map_source(source: Source, dialect: Dialect, wall_clocks: Callable[[str, int, int], list[WallClock]]) -> ir.Table:
    """Return the events of a source: ``COLUMNS`` and ``reason``, null where the row can be used.

    ``event_time`` and ``known_at`` are UTC microseconds, ``amount`` and ``quantity`` doubles, all else text.

    Raises:
        SourceError: If a column is missing (names a near match) or of a type that cannot play its part.
    """
    table, settings = source.table, source.settings
    columns = settings.columns
    by_name = {name: table[name] for name in table.columns}

    def column(name: str, key: str) -> ir.Value:
        if name not in by_name:
            raise SourceError(
                f"{source.name} must have the column '{name}' for {key}, but has no such column."
                f"{near_match(name, by_name)}"
            )
        return by_name[name]

    times = _Times(source, dialect, wall_clocks)
    event_time = times.read(column(columns.event_time, "event_time"), "event_time")
    known_at = event_time
    if columns.known_at is not None:
        known_at = times.read(column(columns.known_at, "known_at"), "known_at").fill_null(event_time)
        known_at = ibis.greatest(known_at, event_time)
    kind = settings.kind
    texts = {
        key: _text(column(name, key)) if (name := getattr(columns, key, None)) else ibis.null("string")
        for key in TEXTS[:-1]
    }
    numbers = {
        key: _number(arithmetic(text, by_name), source, dialect, key)
        if (text := getattr(columns, key))
        else ibis.null("float64")
        for key in NUMBERS
    }
    mapped = table.select(
        customer_id=_identifier(column(columns.customer_id, "customer_id"), source, dialect),
        event_time=event_time,
        known_at=known_at,
        kind=_text(column(kind.column, "kind")) if isinstance(kind, FromColumn) else ibis.literal(kind, "string"),
        **numbers,
        **texts,
        zone=_text(column(source.zone_column, "timing.timezone")) if source.zone_column else ibis.null("string"),
    )
    return mapped.mutate(reason=_reason(mapped))


def _reason(mapped: ir.Table) -> ir.StringValue:
    """Why a row cannot be used; null where it can."""
    amount, quantity = mapped.amount, mapped.quantity
    return ibis.cases(
        (mapped.customer_id.isnull() | (mapped.customer_id.strip() == ""), "no customer id"),
        (mapped.event_time.isnull(), "no readable time"),
        ((mapped.event_time < EARLIEST) | (mapped.event_time >= LATEST), "time outside 1900 to 2099"),
        (mapped.kind.isnull() | (mapped.kind.strip() == ""), "no kind of event"),
        (amount.isnan() | amount.isinf(), "amount is not a finite number"),
        (amount.abs() > LARGEST_AMOUNT, "amount beyond a trillion"),
        (quantity.isnan() | (quantity.abs() > LARGEST_AMOUNT), "quantity is not a number below a trillion"),
        else_=ibis.null("string"),
    )


def _text(value: ir.Value) -> ir.StringValue:
    return value.cast("string")


def _identifier(value: ir.Value, source: Source, dialect: Dialect) -> ir.StringValue:
    """Return the text of an id. Whole numbers stored as floats lose their '.0'; what a float cannot hold is refused."""
    kind = value.type()
    if kind.is_string() or kind.is_integer() or kind.is_uuid() or kind.is_decimal():
        return value.cast("string")
    if kind.is_floating():
        inexact = ~value.isnan() & ((value != value.floor()) | (value.abs() >= 2.0**53))
        if not dialect.scalar(inexact.sum().fill_null(0)):
            return ibis.cases((value.isnan(), ibis.null("string")), else_=value.cast("int64").cast("string"))
    raise SourceError(
        f"customer_id of {source.name} must be text or whole numbers, but '{source.settings.columns.customer_id}' is {kind}"
        f"{' with parts of ones or beyond 2^53' if kind.is_floating() else ''}. Store it as text."
    )


def _number(value: Any, source: Source, dialect: Dialect, key: str) -> ir.FloatingValue:
    """Doubles of a number column or of text that reads as numbers; other text is an error that shows the first."""
    if isinstance(value, float):
        return ibis.literal(value, "float64")
    if value.type().is_numeric() and not value.type().is_boolean():
        return value.cast("float64")
    if value.type().is_string():
        number = value.strip().nullif("").try_cast("float64")
        unread = value.nullif("").notnull() & number.isnull() & (value.strip() != "")
        first = dialect.scalar(ibis.cases((unread, value)).min())
        if first is None:
            return number
        raise SourceError(
            f"{key} of {source.name} must be numbers such as 1.50, but '{first}' came. Rewrite the numbers with a decimal point."
        )
    raise SourceError(f"{key} of {source.name} must be numbers, but {value.type()} came. Map a column of numbers.")


@dataclass(frozen=True)
class _Times:
    """Reads the times of one source as UTC microseconds."""

    source: Source
    dialect: Dialect
    wall_clocks: Callable[[str, int, int], list[WallClock]]

    def read(self, value: ir.Value, key: str) -> ir.IntegerValue:
        """UTC microseconds; null where the time cannot be read or lies outside what is served."""
        settings = self.source.settings
        kind = value.type()
        if kind.is_string():
            if settings.time_format:
                return self._utc(self.dialect.parse_time(value, settings.time_format), key)
            aware = value.strip().re_search(_OFFSET)
            share = self.dialect.scalar(aware.mean())
            if share is not None and 0.0 < share < 1.0:
                raise SourceError(
                    f"{key} of {self.source.name} must be all with or all without a UTC offset, but both came."
                    " Write them in one way."
                )
            return self._utc(value.try_cast("timestamp('UTC')" if share else "timestamp"), key)
        if kind.is_date():
            value = value.cast("timestamp")
        elif not kind.is_timestamp():
            raise SourceError(
                f"{key} of {self.source.name} must be times, but the column is {kind}. Map a column of times or dates,"
                " or of text with time_format."
            )
        return self._utc(value, key)

    def _utc(self, value: ir.TimestampValue, key: str) -> ir.IntegerValue:
        aware = value.type().timezone is not None
        zone = "UTC" if aware else self.source.settings.timezone
        if zone is None:
            raise SourceError(
                f"{key} of {self.source.name} has no UTC offset, so its clock must be declared."
                ' Add timezone = "UTC", or the zone it was written in, to this [[events]].'
            )
        # Infinite and absurd times must not reach the conversion, which would fail on them.
        low, high = (ibis.timestamp(f"{year}-01-01", timezone="UTC" if aware else None) for year in (1800, 2200))
        value = ibis.cases(((value > low) & (value < high), value), else_=ibis.null(value.type()))
        wall = self.dialect.to_micros(value)
        if zone == "UTC":
            return wall
        # Only offsets that the data can meet become part of the expression.
        first, last = (self.dialect.scalar(bound) for bound in (wall.min(), wall.max()))
        if first is None:
            return wall
        stretches = self.wall_clocks(zone, int(first), int(last))
        cases = [(wall < s.until, ibis.least(wall - s.offset, ibis.literal(s.latest))) for s in stretches[:-1]]
        tail = wall - stretches[-1].offset
        return ibis.cases(*cases, else_=tail) if cases else tail
