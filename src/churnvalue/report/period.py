"""What the customers of the newest closed window spent in it, by the training report."""

from dataclasses import dataclass

from churnvalue.report.numbers import mapping, number


@dataclass(frozen=True)
class Period:
    """What the customers of the newest closed window spent in it, beside what today's are expected to spend.

    Attributes:
        begin: Day it begins; ``end`` is the day after it.
        customers: Who they were.
        spend: What they spent; ``change`` is what today's are expected to spend against it, -0.1 for a tenth less.
    """

    begin: str
    end: str
    customers: float
    spend: float
    change: float


def last_period(told: object, expected: float, days: object) -> Period | None:
    """Return the newest closed window of the training report; None where that is not as long as the horizon of ``days``."""
    found = mapping(told)
    spend, customers = number(found.get("spend")), number(found.get("customers"))
    if spend is None or customers is None or not spend > 0 or found.get("days") != days:
        return None
    return Period(str(found.get("from") or ""), str(found.get("to") or ""), customers, spend, expected / spend - 1.0)
