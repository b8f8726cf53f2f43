"""How each tier did: the portfolios of a year ago followed to today, and today's by what they brought and cost."""

from dataclasses import dataclass

import pandas as pd

from churnvalue.report.numbers import number

# Two-sided 95 % of a normal distribution.
REACH = 1.96
# With fewer customers, the spread between them tells nothing of how sure a share is.
FEWEST = 30
TODAY, YEAR_AGO = "today", "a year ago"


@dataclass(frozen=True)
class Share:
    """A share with its 95% interval, and how far it is from that of all customers; None where it is not known."""

    value: float | None
    low: float | None
    high: float | None
    beyond_base: float | None

    @property
    def apart(self) -> bool:
        """Whether the interval leaves out the share of all customers."""
        if self.value is None or self.low is None or self.high is None or self.beyond_base is None:
            return False
        return not self.low <= self.value - self.beyond_base <= self.high


@dataclass(frozen=True)
class Portfolio:
    """One tier, or all: money of the last 365 days and, with ``before``, of the 365 before them; None: not known."""

    tier: str
    customers: int
    revenue: float | None
    revenue_before: float | None
    cost: float | None
    contribution: float | None
    contribution_before: float | None
    a_customer: float | None
    kept: Share
    left: Share


def portfolio_rows(table: pd.DataFrame | None, formed: str) -> list[Portfolio]:
    """Return the portfolios formed ``TODAY`` or a ``YEAR_AGO`` that hold anybody, in the order of the table."""
    if table is None or "formed" not in table:
        return []
    rows = table[(table["formed"] == formed) & (table["customers"] > 0)].to_dict("records")
    return [_portfolio({str(key): value for key, value in row.items()}) for row in rows]


def _portfolio(row: dict[str, object]) -> Portfolio:
    def known(name: str) -> float | None:
        return number(row.get(name))

    customers = int(known("customers") or 0)
    error = {name: known(f"{name}_error") if customers >= FEWEST else None for name in ("kept", "left")}
    return Portfolio(
        tier=str(row.get("tier")),
        customers=customers,
        revenue=known("revenue"),
        revenue_before=known("revenue_before"),
        cost=known("cost"),
        contribution=known("contribution"),
        contribution_before=known("contribution_before"),
        a_customer=known("revenue_a_customer"),
        kept=_share(known("kept"), error["kept"], known("kept_beyond_base"), None),
        left=_share(known("left"), error["left"], known("left_beyond_base"), 1.0),
    )


def _share(value: float | None, error: float | None, beyond: float | None, most: float | None) -> Share:
    """Return the share; an error of 0 tells nothing, for then all did the same."""
    if value is None or not error:
        return Share(value, None, None, beyond)
    high = value + REACH * error
    return Share(value, max(value - REACH * error, 0.0), high if most is None else min(high, most), beyond)
