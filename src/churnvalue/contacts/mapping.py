"""Contacts as they come, mapped: a row for a row, with the reason why it cannot be used.

Ibis expressions only; ids and times are read as those of events are.
"""

import ibis
import ibis.expr.types as ir

from churnvalue.clock import DAY
from churnvalue.config import Config, EventColumns, EventSource, masked
from churnvalue.config import Contacts as Settings
from churnvalue.engines.session import Session
from churnvalue.errors import SourceError
from churnvalue.events.account import Account
from churnvalue.events.mapping import map_source
from churnvalue.events.source import Source, mentioned
from churnvalue.events.times import EARLIEST, LATEST, read_times
from churnvalue.events.values import identifier, number, start_of
from churnvalue.language import N_

COLUMNS = ("customer_id", "event_time", "action", "channel", "cost", "redeemed", "propensity", "experiment")
_NO_ACTION_READ = N_("no action")


def map_contacts(config: Config, session: Session, until: int) -> list[ir.Table]:
    """Return one table a source with ``COLUMNS``, ``known_at`` and the ``reason`` why a row cannot be used, null where it can.

    Times are UTC microseconds, numbers doubles, all else text.

    Raises:
        SourceError: If a column is missing (names a near match) or of a type that cannot play its part.
    """
    if not config.contacts.source:
        return _of_log(config, session, until)
    try:
        return _own(config.contacts, session)
    except SourceError as error:
        raise SourceError(f"[contacts]: {str(error).replace('this [[events]]', '[contacts]')}") from error


def usable(rows: ir.Table, until: int) -> ir.Table:
    """Return the rows that can be used and had happened and were known before ``until``."""
    return rows.filter(rows.reason.isnull() & _known(rows, until)).select(*COLUMNS)


def account(rows: ir.Table, session: Session, until: int) -> Account:
    """Return what became of the rows, repeated ones not yet told apart from kept ones."""
    counted = rows.group_by("reason").agg(rows=rows.count(), timely=_known(rows, until).sum())
    counts = session.arrow(counted).to_pylist()
    good = [count for count in counts if count["reason"] is None]
    return Account(
        read=sum(count["rows"] for count in counts),
        kept=sum(count["timely"] for count in good),
        later=sum(count["rows"] - count["timely"] for count in good),
        quarantined={str(count["reason"]): count["rows"] for count in counts if count["reason"] is not None},
    )


def _own(settings: Settings, session: Session) -> list[ir.Table]:
    """Return the contacts of their own source, with the reason why a row cannot be used."""
    columns, name = settings.columns, masked(str(settings.source))
    part = EventSource(
        source=name,
        timezone=settings.timezone,
        columns=EventColumns(customer_id=columns.customer_id, event_time=columns.event_time),
    )
    source = Source(session.open(str(settings.source), mentioned(columns)), name, part)
    times = read_times(source.column(columns.event_time, "event_time"), "event_time", source, session)
    if settings.timezone not in (None, "UTC") and session.scalar((times.written % DAY == 0).all()):
        utc = times.written  # a day is the same day on every clock
    else:
        utc = times.utc
    texts = {one: getattr(columns, one) for one in ("action", "channel", "experiment")}
    numbers = {one: getattr(columns, one) for one in ("cost", "redeemed", "propensity")}
    mapped = source.table.select(
        customer_id=identifier(source.column(columns.customer_id, "customer_id"), source, session),
        event_time=utc,
        known_at=utc,
        **{one: source.column(c, one).cast("string") if c else ibis.null("string") for one, c in texts.items()},
        **{one: _number(c, one, source, session) if c else ibis.null("float64") for one, c in numbers.items()},
    )
    outside = (mapped.event_time < EARLIEST) | (mapped.event_time >= LATEST)
    reason = ibis.cases(
        (mapped.customer_id.isnull(), N_("no customer id")),
        (mapped.event_time.isnull(), N_("no readable time")),
        (outside, N_("time outside 1900 to 2099")),
        (mapped.action.isnull(), _NO_ACTION_READ),
        else_=ibis.null("string"),
    )
    return [mapped.mutate(reason=reason).select(*COLUMNS, "known_at", "reason")]


def _number(name: str, part: str, source: Source, session: Session) -> ir.FloatingValue:
    value = source.column(name, part)
    if value.type().is_boolean():
        return value.cast("float64")
    return (
        _yes_or_no(value, source, session)
        if part == "redeemed" and value.type().is_string()
        else number(name, part, source, session)
    )


def _yes_or_no(value: ir.StringValue, source: Source, session: Session) -> ir.FloatingValue:
    """Return the text of a truth as 0 or 1: CSV knows no other."""
    written = value.strip().lower()
    read = ibis.cases((written == "true", 1.0), (written == "false", 0.0), else_=written.try_cast("float64"))
    unread = session.scalar(value.min(where=value.notnull() & read.isnull()))
    if unread is not None:
        raise SourceError(
            f"redeemed of {source.name} must be 0 or 1, or true or false, but '{start_of(unread)}' came. Rewrite the column."
        )
    return read


def _of_log(config: Config, session: Session, until: int) -> list[ir.Table]:
    """Return the log's events of the configured kind as contacts, with the reason why a row cannot be used."""
    opened = [session.open(one.source, mentioned(one.columns, one.kind)) for one in config.events]
    parts = []
    for settings, table in zip(config.events, opened, strict=True):
        source = Source(table, masked(settings.source), settings)
        mapped = map_source(source, session)
        if settings.timezone not in (None, "UTC"):
            timely = mapped.reason.isnull() & _known(mapped, until)
            if session.scalar((mapped.midnight | ~timely).all()):
                days = settings.model_copy(update={"timezone": "UTC"})
                mapped = map_source(Source(source.table, source.name, days), session)
        mapped = mapped.filter(mapped.kind == config.contacts.kind)
        unnamed = mapped.reason.isnull() & mapped.category.isnull()
        parts.append(
            mapped.select(
                customer_id=mapped.customer_id,
                event_time=mapped.event_time,
                action=mapped.category,
                channel=mapped.channel,
                cost=mapped.amount,
                redeemed=ibis.null("float64"),
                propensity=ibis.null("float64"),
                experiment=mapped.campaign,
                known_at=mapped.known_at,
                reason=ibis.cases((unnamed, _NO_ACTION_READ), else_=mapped.reason),
            )
        )
    return parts


def _known(rows: ir.Table, until: int) -> ir.BooleanValue:
    return (rows.event_time < until) & (rows.known_at < until)
