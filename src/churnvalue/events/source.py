"""A source as the engine hands it over, and the few things that engines spell differently."""

from dataclasses import dataclass
from typing import Any, Protocol

import ibis
import ibis.expr.types as ir

from churnvalue.config import EventSource
from churnvalue.errors import SourceError, near_match


class Dialect(Protocol):
    """The three functions that engines spell differently; text without an offset is read in UTC by all of them."""

    def to_micros(self, time: ir.TimestampValue) -> ir.IntegerValue:
        """Microseconds since 1970 of a timestamp."""

    def parse_time(self, text: ir.StringValue, time_format: str) -> ir.TimestampValue:
        """Timestamp of a text, null where it does not follow the format; with a zone if the format has ``%z``."""

    def scalar(self, value: ir.Value) -> Any:
        """Compute one value now."""


@dataclass(frozen=True)
class Source:
    """A table with what the configuration says of it; ``name`` is how the user knows it."""

    table: ir.Table
    name: str
    settings: EventSource
    zone_column: str | None = None

    def column(self, name: str, part: str) -> ir.Value:
        """Return the column that plays a part; blank text is null.

        Raises:
            SourceError: If there is no such column; names a near match.
        """
        if name not in self.table.columns:
            raise SourceError(
                f"{self.name} must have the column '{name}' for {part}, but has no such column."
                f"{near_match(name, self.table.columns)}"
            )
        value = self.table[name]
        if not value.type().is_string():
            return value
        # Only text that sorts before "!" can be blank, and comparing is much cheaper than trimming.
        return ibis.cases(((value < "!") & (value.strip() == ""), ibis.null("string")), else_=value)
