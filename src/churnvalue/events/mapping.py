"""One source, mapped: its columns as events, with the reason why a row cannot be used.

Ibis expressions only, so that every engine computes the same. Times become integer microseconds here and stay so.
"""

import ibis
import ibis.expr.types as ir

from churnvalue.clock import DAY, END
from churnvalue.config import FromColumn
from churnvalue.events.source import Dialect, Source
from churnvalue.events.times import EARLIEST, LATEST, Times, read_times
from churnvalue.events.values import identifier, number
from churnvalue.language import N_

LARGEST_AMOUNT = 1e12
TEXTS = ("order_id", "category", "channel", "campaign")
MARKS = ("currency", "event_id")  # text of rows that no event keeps
NUMBERS = ("amount", "quantity")


def map_source(source: Source, dialect: Dialect) -> ir.Table:
    """Return the events of a source, a row for a row, with the ``reason`` why it cannot be used, null where it can.

    ``event_time`` and ``known_at`` are UTC microseconds, ``amount`` and ``quantity`` doubles, all else text; ``midnight`` is
    whether the time, as it is written, is one. ``currency`` and ``event_id`` are there if the source has them.

    Raises:
        SourceError: If a column is missing (names a near match) or of a type that cannot play its part.
    """
    columns, kind = source.settings.columns, source.settings.kind
    event_time = read_times(source.column(columns.event_time, "event_time"), "event_time", source, dialect)
    texts = {part: source.column(name, part) if (name := getattr(columns, part)) else None for part in TEXTS}
    numbers = {
        part: number(name, part, source, dialect) if (name := getattr(columns, part)) else None for part in NUMBERS
    }
    zone = source.zone_column if source.zone_column in source.table.columns else None
    mapped = source.table.select(
        customer_id=identifier(source.column(columns.customer_id, "customer_id"), source, dialect),
        event_time=event_time.utc,
        known_at=_known_at(event_time, source, dialect),
        midnight=event_time.written % DAY == 0,
        kind=_text(source.column(kind.column, "kind") if isinstance(kind, FromColumn) else ibis.literal(kind)),
        zone=_text(source.column(zone, "timing.timezone") if zone else None),
        **{part: _text(value) for part, value in texts.items()},
        **{part: ibis.null("float64") if value is None else value for part, value in numbers.items()},
        **{part: _text(source.column(name, part)) for part in MARKS if (name := getattr(columns, part))},
    )
    return mapped.mutate(reason=_reason(mapped))


def _known_at(event_time: Times, source: Source, dialect: Dialect) -> ir.IntegerValue:
    """When rows could be known: with the event where nothing is said, never where it lies beyond all time; null if unreadable."""
    name = source.settings.columns.known_at
    if name is None:
        return event_time.utc
    value = source.column(name, "known_at")
    known_at = read_times(value, "known_at", source, dialect).utc
    return ibis.cases(
        (value.isnull() | (known_at < event_time.utc), event_time.utc),
        (known_at >= LATEST, ibis.literal(END)),
        else_=known_at,
    )


def _text(value: ir.Value | None) -> ir.StringValue:
    return ibis.null("string") if value is None else value.cast("string")


def _reason(mapped: ir.Table) -> ir.StringValue:
    """Why a row cannot be used; null where it can."""
    amount, quantity = mapped.amount, mapped.quantity
    return ibis.cases(
        (mapped.customer_id.isnull(), N_("no customer id")),
        (mapped.event_time.isnull(), N_("no readable time")),
        ((mapped.event_time < EARLIEST) | (mapped.event_time >= LATEST), N_("time outside 1900 to 2099")),
        (mapped.known_at.isnull(), N_("no readable time of knowledge (known_at)")),
        (mapped.kind.isnull(), N_("no kind of event")),
        (amount.isnan() | amount.isinf(), N_("amount is not a finite number")),
        (amount.abs() > LARGEST_AMOUNT, N_("amount beyond a trillion")),
        (quantity.isnan() | (quantity.abs() > LARGEST_AMOUNT), N_("quantity is not a number below a trillion")),
        else_=ibis.null("string"),
    )
