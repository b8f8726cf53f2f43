"""Lines of one order become one event; what is below zero becomes a return."""

from dataclasses import dataclass
from typing import Literal

import ibis
import ibis.expr.types as ir

from churnvalue.clock import DAY

Fold = Literal["order", "day", "none"]
PURCHASE = "purchase"
_MICRO = 1e6  # sums are taken over whole millionths: exact, so the order of rows cannot matter
_COLUMNS = (
    "customer_id",
    "event_time",
    "known_at",
    "kind",
    "amount",
    "quantity",
    "lines",
    "channel",
    "campaign",
    "zone",
    "categories",
)


@dataclass(frozen=True)
class Folding:
    """How the lines of a source become events; ``days_only`` says that its times know the day, not the hour.

    ``negative_kind`` is what a purchase below zero becomes, None where there is none.
    """

    by: Fold
    days_only: bool
    negative_kind: str | None


def fold(rows: ir.Table, folding: Folding) -> ir.Table:
    """Return the events of the usable rows of a mapped source, with the number of ``lines`` and a list of ``categories``.

    Lines that share customer, kind and order id (or, in logs that know only days, purchases that share customer and day)
    are one event: at the time of the first line, known when the last line was known, with summed amount and quantity, the
    number of lines and the sorted distinct categories.

    Lines that happened, or were known, on different UTC days are different events. So an order that grows is, at every
    midnight, the events that it was then, in the whole log as in one that ends there: nothing looks ahead by folding.
    """
    if folding.by == "order":
        # A log of days may well hold two equal purchases of one day; to the minute, a repeated row is a repeated delivery.
        # Rows that are not folded are compared once they are in order, which is cheaper.
        rows = rows.distinct()
    if folding.by == "none":
        events = _lists(rows)
    else:
        together = rows.order_id.notnull() if folding.by == "order" else rows.kind == PURCHASE
        events = ibis.union(_folded(rows.filter(together)), _lists(rows.filter(~together)))
    return single(events, folding)


def single(rows: ir.Table, folding: Folding) -> ir.Table:
    """Return the events of rows of which each is one: what is below zero becomes a return, and has ``turned``."""
    if folding.negative_kind is None:
        return rows.mutate(turned=ibis.literal(False))
    negative = is_negative(rows)
    return rows.mutate(kind=ibis.cases((negative, folding.negative_kind), else_=rows.kind), turned=negative)


def is_negative(rows: ir.Table) -> ir.BooleanValue:
    """Whether a row is a purchase below zero."""
    return ((rows.kind == PURCHASE) & (rows.amount < 0)).fill_null(False)


def _lists(rows: ir.Table) -> ir.Table:
    return rows.mutate(lines=ibis.literal(1, "int64"), categories=ibis.array([rows.category])).select(*_COLUMNS)


def _folded(rows: ir.Table) -> ir.Table:
    def total(column: ir.FloatingValue) -> ir.FloatingValue:
        return (column * _MICRO + 0.5).floor().cast("int64").sum().cast("float64") / _MICRO

    # Where lines are folded by the day there is no order id, and null is one group as any other.
    groups = rows.group_by(
        "customer_id", "kind", "order_id", day=rows.event_time // DAY, day_known=rows.known_at // DAY
    )
    folded = groups.agg(
        event_time=rows.event_time.min(),
        known_at=rows.known_at.max(),
        amount=total(rows.amount),
        quantity=total(rows.quantity),
        lines=rows.count(),
        channel=rows.channel.min(),
        campaign=rows.campaign.min(),
        zone=rows.zone.min(),
        categories=rows.category.collect(distinct=True, order_by=rows.category),
    )
    return folded.select(*_COLUMNS)
