"""Times of a source, whatever way they are written, as UTC microseconds."""

from dataclasses import dataclass

import ibis
import ibis.expr.types as ir

from churnvalue.clock import micros, wall_clocks
from churnvalue.errors import SourceError
from churnvalue.events.source import Dialect, Source

EARLIEST = micros("1900-01-01")
LATEST = micros("2100-01-01")
# Infinite and absurd times must not reach the conversion to microseconds, which fails on them.
_LOW, _HIGH = "1800-01-01", "2200-01-01"
_OFFSET = r":\d\d(\.\d+)?\s*[A-Za-z+-]"  # a clock time, then Z, +01:00, -05, UTC or the name of a zone


@dataclass(frozen=True)
class Times:
    """Microseconds since 1970; null where the time cannot be read, at 1800 or 2200 where it lies beyond them.

    ``written`` are those of the clock that the source was written by, ``utc`` those of UTC.
    """

    utc: ir.IntegerValue
    written: ir.IntegerValue


def read_times(value: ir.Value, part: str, source: Source, dialect: Dialect) -> Times:
    """Return the times of a column of timestamps, dates or text.

    What states its offset from UTC is taken at its word, all else is read by the source's declared clock.

    Raises:
        SourceError: If the column holds no times, holds them with and without an offset, or its clock is not declared.
    """
    kind = value.type()
    if kind.is_string():
        value = _parsed(value, part, source, dialect)
    elif kind.is_date():
        value = value.cast("timestamp")
    elif not kind.is_timestamp():
        raise SourceError(
            f"{part} of {source.name} must be times, but the column is {kind}. Map a column of times or dates,"
            " or of text with time_format."
        )
    stated = value.type().timezone
    low, high = (ibis.timestamp(bound, timezone=stated and "UTC") for bound in (_LOW, _HIGH))
    written = ibis.cases(
        (value <= low, ibis.literal(micros(_LOW))),
        (value >= high, ibis.literal(micros(_HIGH))),
        else_=dialect.to_micros(value),
    )
    zone = "UTC" if stated else source.settings.timezone
    if zone is None:
        raise SourceError(
            f"{part} of {source.name} has no UTC offset, so its clock must be declared."
            ' Add timezone = "UTC", or the zone it was written in, to this [[events]].'
        )
    return Times(_utc(written, zone, dialect), written)


def _parsed(text: ir.StringValue, part: str, source: Source, dialect: Dialect) -> ir.TimestampValue:
    """Return the timestamps of a text column, with a zone if the texts state their offset."""
    if source.settings.time_format:
        return dialect.parse_time(text, source.settings.time_format)
    # Trimmed before it is cast: a cast of the bare column would be made by the reader of CSV files, which fails on the first
    # text that is no time.
    text = text.strip().replace(" +", "+").replace(" -", "-")
    time = text.try_cast("timestamp('UTC')")
    share = dialect.scalar(text.re_search(_OFFSET).mean(where=time.notnull()))
    if share is not None and 0.0 < share < 1.0:
        raise SourceError(
            f"{part} of {source.name} must be all with or all without a UTC offset, but both came."
            " Write them in one way."
        )
    return time if share else time.cast("timestamp")


def _utc(written: ir.IntegerValue, zone: str, dialect: Dialect) -> ir.IntegerValue:
    if zone == "UTC":
        return written
    # Only offsets that usable times can meet become part of the expression.
    usable = (written >= EARLIEST) & (written < LATEST)
    first, last = (dialect.scalar(bound) for bound in (written.min(where=usable), written.max(where=usable)))
    if first is None:
        return written
    *changing, final = wall_clocks(zone, int(first), int(last))
    cases = [(written < s.until, ibis.least(written - s.offset, ibis.literal(s.latest))) for s in changing]
    return ibis.cases((~usable, written), *cases, else_=written - final.offset)
