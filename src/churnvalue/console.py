"""Where the command line shows things: stages with their progress, sentences and tables."""

from collections.abc import Iterator
from contextlib import contextmanager
from math import isfinite
from typing import TYPE_CHECKING, Any

import rich.console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TextColumn,
    TimeElapsedColumn,
)
from rich.table import Table

from churnvalue.errors import printable
from churnvalue.language import _, marked, term, translated
from churnvalue.progress import Stages, Tick

if TYPE_CHECKING:
    import pandas as pd

# Columns of the tables, which are shown as words, and words that stand in them.
_COLUMNS = marked(
    "level", "subject", "text", "cutoff", "customers", "left", "bought", "share left", "spend", "method", "against",
    "difference", "low", "high", "tier", "p churn", "clv", "share of value", "action", "cost", "expected profit",
    "model", "metric", "group", "treated", "held out", "staying, points", "promised", "value kept of 1 promised",
    "profit in the window", "instead of the plan", "the plan keeps more, a customer", "version", "aliases", "grade",
    "gate", "as of", "created", "why", "stored", "missing", "note", "churn", "orders", "value", "auc", "log loss",
    "calibration error", "normalised gini", "decile mape", "bias", "rows", "quarantined", "duplicates", "later",
    "columns", "events", "history", "kinds", "amounts", "hours", "returns", "service", "cutoffs", "outcomes", "ok",
)  # fmt: skip
_WORTH_A_LINE = 0.5  # seconds; shorter stages are not worth one


class Console:
    """Shows stages while they run, on standard error, and results on standard output."""

    def __init__(self) -> None:
        # What stands in a log is shown as it is: brackets in it are no styles, and :words: no pictures.
        self._out = rich.console.Console(soft_wrap=True, highlight=False, markup=False, emoji=False)
        self._err = rich.console.Console(stderr=True, highlight=False, markup=False, emoji=False)
        self.stages = Stages(self._show)

    def say(self, text: str) -> None:
        """Print a text as it is."""
        self._out.print(printable(text))

    def table(self, title: str, frame: "pd.DataFrame") -> None:
        """Print a data frame as a table: text left, numbers right."""
        table = Table(title=title, title_justify="left", title_style="bold")
        for name in frame.columns:
            numeric = frame[name].dtype.kind in "iuf"
            table.add_column(term(name), justify="right" if numeric else "left")
        for row in frame.itertuples(index=False):
            table.add_row(*[cell(value) for value in row])
        self._out.print(table, soft_wrap=False)

    def timings(self) -> None:
        """Print how long the stages took that took long."""
        long = {title: s for title, s in self.stages.seconds.items() if s >= _WORTH_A_LINE}
        total = sum(self.stages.seconds.values())
        parts = ", ".join(f"{translated(title)} {seconds:.1f}" for title, seconds in long.items())
        whole = (
            _("{total:.1f} s in all: {parts}", total=total, parts=parts)
            if parts
            else _("{total:.1f} s in all", total=total)
        )
        self._err.print(whole, style="dim")

    @contextmanager
    def _show(self, title: str, steps: int | None) -> Iterator[Tick]:
        if not self._err.is_terminal:  # a log file wants no moving picture
            yield lambda: None
            return
        columns = [SpinnerColumn(), TextColumn("{task.description}")]
        if steps:
            columns += [BarColumn(bar_width=30), MofNCompleteColumn()]
        with Progress(*columns, TimeElapsedColumn(), console=self._err, transient=True) as progress:
            task = progress.add_task(translated(title), total=steps)
            yield lambda: progress.advance(task)


def cell(value: Any) -> str:
    """Return a value as tables show it."""
    if isinstance(value, float):
        if not isfinite(value):
            return "–"
        return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.2f}" if abs(value) >= 10 else f"{value:.3f}"
    return f"{value:,}" if isinstance(value, int) else printable(translated(str(value)))
