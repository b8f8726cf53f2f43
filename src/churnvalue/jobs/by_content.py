"""What columns may play a part where their names tell nothing: guessed by what they hold."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from churnvalue.engines.duck import DuckEngine

_MOST = 2_000  # values that are looked at
_RETURNS = 1.2  # days on which a customer is seen, on average, at least; an order is seen on one


def time_column(columns: Sequence[str], values: Mapping[str, Sequence[str]], reads: Mapping[str, bool]) -> str | None:
    """Return the first column that holds times: values of some length, all of which can be read as one."""
    return next((name for name in columns if reads[name] and values[name] and min(map(len, values[name])) >= 8), None)


def amount_column(columns: Sequence[str], values: Mapping[str, Sequence[str]]) -> str | None:
    """Return the only column that holds numbers with parts of ones; None if there are none or several."""
    found = [name for name in columns if _all_numbers(values[name]) and any("." in value for value in values[name])]
    return found[0] if len(found) == 1 else None


def customer_column(source: str, columns: Sequence[str], time: str, folder: Path) -> str | None:
    """Return the column with most values among those that come back on other days: orders do not, and categories are few."""
    counts = {name: DuckEngine(folder).seen(source, name, time) for name in columns}
    back = {name: values for name, (values, days) in counts.items() if values > 1 and days >= _RETURNS * values}
    return max(back, key=lambda name: back[name]) if back else None


def looked_at(source: str, columns: Sequence[str], folder: Path) -> dict[str, list[str]]:
    """Return some distinct values of each column as text."""
    return {name: DuckEngine(folder).values(source, name, _MOST) for name in columns}


def _all_numbers(values: Sequence[str]) -> bool:
    try:
        return bool([float(value) for value in values])
    except ValueError:
        return False
