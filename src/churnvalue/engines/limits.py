"""Which rows are read: those that had happened and were known before a time, of all customers or of some."""

from dataclasses import dataclass

import ibis.expr.types as ir

# A share of the customers, drawn by a digest of their ids: the same ones on every engine and every day; or their ids.
Whose = float | frozenset[str]
_FIRST_DIGITS = 8  # of a digest, in hexadecimal: shares to one in four billion


@dataclass(frozen=True)
class Limits:
    """What counts happened before the one time and was known before the other, and is of the customers in question."""

    happened: int
    known: int
    whose: Whose

    def timely(self, mapped: ir.Table) -> ir.BooleanValue:
        """Whether a row of a mapped source can be used, had happened and was known."""
        return mapped.reason.isnull() & self.in_time(mapped)

    def in_time(self, mapped: ir.Table) -> ir.BooleanValue:
        """Whether a row had happened and was known."""
        return (mapped.event_time < self.happened) & (mapped.known_at < self.known)

    def drawn(self, rows: ir.Table) -> ir.Table:
        """Return the rows of the customers in question."""
        if not isinstance(self.whose, float):
            return rows.filter(rows.customer_id.isin(sorted(self.whose)))
        if self.whose < 1:
            share = f"{int(self.whose * 16**_FIRST_DIGITS):0{_FIRST_DIGITS}x}"
            return rows.filter(rows.customer_id.hexdigest("md5") < share)
        return rows
