"""Ids and numbers of a source, whatever type they are stored in."""

from collections.abc import Iterator, Mapping

import ibis
import ibis.expr.types as ir

from churnvalue.errors import SourceError
from churnvalue.events.expressions import arithmetic
from churnvalue.events.source import Dialect, Source

_LARGEST_WHOLE_FLOAT = 2.0**53  # beyond it doubles leave out whole numbers
_SHOWN = 12  # characters of a value that is not what it should be: the column may hold what no log of errors should


def identifier(value: ir.Value, source: Source, dialect: Dialect) -> ir.StringValue:
    """Return the text of an id. Whole numbers stored as floats or decimals lose their '.0'; NaN is none.

    Raises:
        SourceError: If the type cannot hold ids, or holds numbers that are not whole or not exact.
    """
    kind = value.type()
    if kind.is_string() or kind.is_integer() or kind.is_uuid():
        return value.cast("string")
    if kind.is_floating() or kind.is_decimal():
        if kind.is_floating():
            value = ibis.cases((value.isnan(), ibis.null("float64")), else_=value)
        exact = (value % 1 == 0) & ((value.abs() < _LARGEST_WHOLE_FLOAT) | ibis.literal(kind.is_decimal()))
        if dialect.scalar(exact.all().fill_null(True)):
            return value.cast("int64" if kind.is_floating() else "decimal(38, 0)").cast("string")
    raise SourceError(
        f"customer_id of {source.name} must be text or whole numbers, but '{source.settings.columns.customer_id}' is {kind}"
        f"{' with parts of ones or beyond 2^53' if kind.is_floating() or kind.is_decimal() else ''}. Store it as text."
    )


def number(text: str, part: str, source: Source, dialect: Dialect) -> ir.FloatingValue:
    """Return the doubles of a column of numbers, or of arithmetic over such columns.

    Raises:
        SourceError: If a column is missing or holds no numbers, or the arithmetic cannot be read.
    """
    value = arithmetic(text, _Numbers(part, source, dialect))
    return ibis.literal(value, "float64") if isinstance(value, float) else value


class _Numbers(Mapping[str, ir.FloatingValue]):
    """The columns of a source as doubles; each is looked at only when it is asked for."""

    def __init__(self, part: str, source: Source, dialect: Dialect) -> None:
        self._part = part
        self._source = source
        self._dialect = dialect

    def __contains__(self, name: object) -> bool:
        return name in self._source.table.columns

    def __iter__(self) -> Iterator[str]:
        return iter(self._source.table.columns)

    def __len__(self) -> int:
        return len(self._source.table.columns)

    def __getitem__(self, name: str) -> ir.FloatingValue:
        value = self._source.column(name, self._part)
        kind = value.type()
        if kind.is_numeric() and not kind.is_boolean():
            return value.cast("float64")
        if not kind.is_string():
            raise SourceError(
                f"{self._part} of {self._source.name} must be numbers, but {kind} came. Map a column of numbers."
            )
        read = value.strip().try_cast("float64")
        unread = self._dialect.scalar(value.min(where=value.notnull() & read.isnull()))
        if unread is None:
            return read
        raise SourceError(
            f"{self._part} of {self._source.name} must be numbers such as 1.50, but '{start_of(unread)}' came."
            " Rewrite the numbers with a decimal point."
        )


def start_of(value: str) -> str:
    """Return as much of a value that is not what it should be as an error may show."""
    return value if len(value) <= _SHOWN else f"{value[:_SHOWN]}…"
