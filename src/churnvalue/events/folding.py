"""Lines of one order become one event; what is below zero becomes a return."""

from dataclasses import dataclass
from typing import Literal

import ibis
import ibis.expr.types as ir

Fold = Literal["order", "day", "none"]
PURCHASE = "purchase"
_MICRO = 1e6  # sums are taken over whole millionths: exact, so the order of rows cannot matter
EVENT_COLUMNS = (
    "customer_id",
    "event_time",
    "known_at",
    "kind",
    "amount",
    "quantity",
    "lines",
    "order_id",
    "channel",
    "campaign",
    "zone",
    "categories",
)


@dataclass(frozen=True)
class Folding:
    """How lines become events; ``distinct`` drops lines that repeat another in every column."""

    by: Fold
    distinct: bool
    negative_kind: str


def fold(mapped: ir.Table, folding: Folding) -> ir.Table:
    """Return events with ``EVENT_COLUMNS`` of the usable rows of a mapped source.

    Lines that share customer, kind and order id (or, in logs that know only days, purchases that share customer and day)
    are one event: at the time of the first line, known when the last line was known, with summed amount and quantity, the
    number of lines and the sorted distinct categories.
    """
    rows = mapped.filter(mapped.reason.isnull()).drop("reason")
    if folding.distinct:
        rows = rows.distinct()
    if folding.by == "none":
        events = _single(rows)
    else:
        together = rows.order_id.notnull() if folding.by == "order" else rows.kind == PURCHASE
        events = ibis.union(
            _folded(rows.filter(together), by_day=folding.by == "day"),
            _single(rows.filter(~together)),
        )
    negative = (events.kind == PURCHASE) & (events.amount < 0)
    return events.mutate(kind=ibis.cases((negative, folding.negative_kind), else_=events.kind))


def _single(rows: ir.Table) -> ir.Table:
    return rows.mutate(lines=ibis.literal(1, "int64"), categories=ibis.array([rows.category])).select(*EVENT_COLUMNS)


def _folded(rows: ir.Table, *, by_day: bool) -> ir.Table:
    key = {"day": rows.event_time} if by_day else {"order": rows.order_id}

    def total(column: ir.FloatingValue) -> ir.FloatingValue:
        return (column * _MICRO + 0.5).floor().cast("int64").sum().cast("float64") / _MICRO

    groups = rows.group_by(customer_id=rows.customer_id, kind=rows.kind, **key)
    folded = groups.agg(
        event_time=rows.event_time.min(),
        known_at=rows.known_at.max(),
        amount=total(rows.amount),
        quantity=total(rows.quantity),
        lines=rows.count(),
        order_id=rows.order_id.min(),
        channel=rows.channel.min(),
        campaign=rows.campaign.min(),
        zone=rows.zone.min(),
        categories=rows.category.collect(distinct=True, order_by=rows.category),
    )
    return folded.select(*EVENT_COLUMNS)
