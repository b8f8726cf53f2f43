"""History and Future: expressions over what was known before a cutoff, and over what came after it.

These two are the only door to the log. An expression computes nothing when it is written: it names *measures*, which the
sweep computes together, and arithmetic over them. Neither holds the log, so no expression can reach an event it may not see.
"""

from churnvalue.views.columns import (
    VALUE_COLUMNS,
    Column,
    Formula,
    Measure,
    Number,
    Statistic,
    Stream,
    evaluate,
    measures,
)
from churnvalue.views.events import Events, Future, History

__all__ = [
    "VALUE_COLUMNS",
    "Column",
    "Events",
    "Formula",
    "Future",
    "History",
    "Measure",
    "Number",
    "Statistic",
    "Stream",
    "evaluate",
    "measures",
]
