"""Rows of a source whose events have ids: each event once, as it was last known."""

import ibis
import ibis.expr.types as ir

from churnvalue.errors import SourceError
from churnvalue.events.source import Dialect, Source


def once(rows: ir.Table, source: Source, dialect: Dialect) -> ir.Table:
    """Return the usable rows of a source, mapped, without exact repetitions; rows without an id are events of their own.

    Of rows that share an id and differ, the one known last is kept if the source says ``repeated = "latest"``; of several known
    at that time the one that is greatest by all other columns, so that the order of rows cannot matter.

    Raises:
        SourceError: If rows of one id differ and the source does not say so.
    """
    rows = rows.distinct()
    if source.settings.repeated == "latest":
        return _latest(rows)
    if many := dialect.scalar(_contradicted(rows)):
        raise SourceError(
            f"An event_id of {source.name} must be that of one event, but {many:,} are those of rows that differ."
            ' Say repeated = "latest" in this [[events]] to keep what was known last, or map another column.'
        )
    return rows


def _contradicted(rows: ir.Table) -> ir.IntegerScalar:
    """How many ids are those of several of the distinct ``rows``."""
    several = rows.filter(rows.event_id.notnull()).group_by("event_id").agg(rows=ibis._.count())
    return several.filter(several.rows > 1).count()


def _latest(rows: ir.Table) -> ir.Table:
    others = sorted(set(rows.columns) - {"event_id", "known_at"})
    order = [ibis.desc(rows[name], nulls_first=False) for name in ("known_at", *others)]
    placed = rows.mutate(place=ibis.row_number().over(group_by=rows.event_id, order_by=order))
    return placed.filter((placed.place == 0) | placed.event_id.isnull()).drop("place")
