"""Numbers and dates as people read them: separators, sensible rounding, a dash where there is none.

This module knows no words; those stand in the template. What large units and dates are called is the locale's.
"""

import math
import re
from collections.abc import Callable, Iterable, Mapping
from datetime import date
from numbers import Real
from typing import Any

import pandas as pd

from churnvalue import language

DASH = "–"
MINUS = "−"
# Five digits and more, or four with decimals; not within a name or a date.
_LONG = re.compile(r"(?<![\w.,:-])(-?)(\d{5,}|\d{4,}\.\d+|\d{1,3}(?:,\d{3})+\.\d+)(?![\w:-]|[.,]\d)", re.ASCII)
_MINUS = re.compile(r"(?<![\w.-])-(?=\d)", re.ASCII)


def number(value: object) -> float | None:
    """Return ``value`` as a finite float; None for a missing, infinite or non-numeric one."""
    if isinstance(value, bool) or not isinstance(value, Real):
        return None
    found = float(value)
    return found if math.isfinite(found) else None


def mapping(value: object) -> Mapping[str, Any]:
    """Return ``value`` where it is a mapping, else an empty one."""
    return value if isinstance(value, Mapping) else {}


def rows(value: object) -> list[Mapping[str, Any]]:
    """Return the mappings in a list; nothing where ``value`` is no list."""
    return [row for row in value if isinstance(row, Mapping)] if isinstance(value, list | tuple) else []


def points(table: object, x: str, y: str) -> list[tuple[float, float]]:
    """Return the pairs of ``x`` and ``y`` in a list of mappings where both are numbers."""
    pairs = ((number(row.get(x)), number(row.get(y))) for row in rows(table))
    return [(left, right) for left, right in pairs if left is not None and right is not None]


def count(value: object) -> str:
    """Return a whole number with thousands separators.

    >>> count(1234567.4)
    '1,234,567'
    """
    found = number(value)
    return DASH if found is None else _signed(found, f"{abs(found):,.0f}")


def percent(value: object, digits: int = 1) -> str:
    """Return a share as per cent; a share that is nearly, yet not quite, none or all says so.

    >>> percent(0.30000001), percent(0.0001), percent(0.9999), percent(1.0)
    ('30.0%', '<0.1%', '>99.9%', '100%')
    """
    found = number(value)
    if found is None:
        return DASH
    least = 10.0**-digits
    if found in (0.0, 1.0):
        return f"{found:.0%}"
    if 0 < found * 100 < least:
        return f"<{least:.{digits}f}%"
    if 100 - least < found * 100 < 100:
        return f">{100 - least:.{digits}f}%"
    return _signed(found, f"{abs(found) * 100:,.{digits}f}%")


def money(value: object, currency: str = "") -> str:
    """Return an amount: to the hundredth below 100, whole above, in millions from ten million.

    >>> money(-1234.56, "£"), money(3.5, "£"), money(-12_345.6)
    ('−£1,235', '£3.50', '−12,346')
    """
    found = number(value)
    if found is None:
        return DASH
    size = abs(found)
    text = f"{size:,.2f}" if round(size, 2) < 100 else f"{size:,.0f}"
    text = short(size) if size >= 9_999_999.5 else text
    sign = f"{currency}\N{NO-BREAK SPACE}" if currency[-1:].isalnum() else currency
    return _signed(found, sign + text)


def score(value: object) -> str:
    """Return a metric: three decimals below 100, whole above."""
    found = number(value)
    if found is None:
        return DASH
    return _signed(found, f"{abs(found):.3f}" if abs(found) < 99.9995 else f"{abs(found):,.0f}")


def ratio(value: object) -> str:
    """Return how many times as large, to the hundredth.

    >>> ratio(-0.629)
    '−0.63'
    """
    found = number(value)
    return DASH if found is None else _signed(found, f"{abs(found):,.2f}")


def short(value: object) -> str:
    """Return a number in three significant figures with the locale's large unit, as it stands at an axis.

    >>> short(1500).split(), short(0.2512)
    (['1.5', 'k'], '0.251')
    """
    found = number(value)
    if found is None:
        return DASH
    size, suffix = language.magnitude(abs(found)) or (abs(found), "")
    whole = f"{size:,.0f}" if size >= 999.5 else f"{size:.3g}"
    return _signed(found, whole + suffix)


def day(value: object) -> str:
    """Return the date of a time, a date or ISO text, ISO in English; other text as it is."""
    return _time(value, language.day)


def minute(value: object) -> str:
    """Return the date and the time to the minute, on the clock that ``value`` carries."""
    return _time(value, language.minute)


def listed(names: Iterable[object]) -> str:
    """Return the distinct names, sorted, with commas between them; missing ones left out."""
    return ", ".join(sorted({str(name) for name in names if isinstance(name, str) and name}))


def grouped(text: object) -> str:
    """Return a sentence with its long numbers rounded and separated.

    >>> grouped("It earns -14834.99 of 20000 from 2011-12-09 on, -0.25 each.")
    'It earns −14,835 of 20,000 from 2011-12-09 on, −0.25 each.'
    """
    rounded = _LONG.sub(lambda found: f"{found[1]}{float(found[2].replace(',', '')):,.0f}", str(text))
    return _MINUS.sub(MINUS, rounded)


def points_of(share: object) -> str:
    """Return a change of a share in percentage points, with its sign.

    >>> points_of(-0.0192), points_of(0.05)
    ('−1.9', '+5.0')
    """
    found = number(share)
    if found is None:
        return DASH
    text = _signed(found, f"{abs(found) * 100:,.1f}")
    return f"+{text}" if found > 0 else text


def change(share: object) -> str:
    """Return a relative change in per cent, with its sign.

    >>> change(-0.051), change(0.2)
    ('−5.1%', '+20.0%')
    """
    found = number(share)
    return DASH if found is None else f"{points_of(found)}%"


def _signed(found: float, text: str) -> str:
    """Put the minus before ``text``, unless it rounds to nothing."""
    return MINUS + text if found < 0 and any(digit in "123456789" for digit in text) else text


def _time(value: object, said: Callable[[pd.Timestamp], str]) -> str:
    if not isinstance(value, str | date):
        return DASH
    try:
        found = pd.Timestamp(value)
    except (ValueError, TypeError, OverflowError):
        return str(value)
    return DASH if pd.isna(found) else said(found)
