"""A source as the engine hands it over, and the few things that engines spell differently."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import ibis
import ibis.expr.types as ir

from churnvalue.config import EventSource, FromColumn
from churnvalue.config.section import Section
from churnvalue.errors import SourceError, near_match
from churnvalue.events.expressions import names_in

_VALUE = re.compile(r"\s*[-+]?(\d+([.,]\d*)*|\d{1,4}[-/.]\d{1,2}[-/.]\d{1,4}\b.*)\s*$")  # a number, a date, a time
_SEPARATORS = {";": "';'", "|": "'|'", "\t": "tabs", ",": "','"}


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
                f"{instead(name, self.table.columns)}"
            )
        value = self.table[name]
        if not value.type().is_string():
            return value
        # Only text that sorts before "!" can be blank, and comparing is much cheaper than trimming.
        return ibis.cases(((value < "!") & (value.strip() == ""), ibis.null("string")), else_=value)


def instead(name: str, columns: Sequence[str]) -> str:
    """Return what a source may lack instead of the column ``name``: its header, its separator, or one letter.

    Of a file without a header the names are the values of its first row, which are not shown.

    >>> instead("amount", ["00017", "2011-06-01T12:00", "1.5"])
    ' The source seems to have no header: its first row reads like data. Write the names of the columns above it.'
    """
    if any(_VALUE.match(column) for column in columns):
        return " The source seems to have no header: its first row reads like data. Write the names of the columns above it."
    signs = _SEPARATORS if len(columns) == 1 else _SEPARATORS.keys() - {","}
    found = next((sign for sign in sorted(signs) if any(sign in column for column in columns)), None)
    if found is None:
        return near_match(name, columns)
    return (
        f" It was not split at {_SEPARATORS[found]}, for not every row has as many of them as the header. Give each row as many,"
        " and quote values that hold one."
    )


def mentioned(columns: Section, *others: str | FromColumn | None) -> frozenset[str]:
    """Return every name that a section which maps columns mentions, and ``others``: a source need not bring more."""
    texts = [str(text) for text in columns.model_dump().values() if text]
    texts += [one.column if isinstance(one, FromColumn) else one for one in others if one]
    return frozenset().union(*map(names_in, texts))
