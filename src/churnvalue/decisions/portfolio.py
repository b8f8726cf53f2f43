"""Each tier as a portfolio that somebody holds: what it brought and cost, and how many of its customers are left.

Change is told of the portfolio as it stood a year ago, followed to today. Today's tiers a year back would only show
survivors: whoever left is in no tier today, whoever grew has moved up.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from churnvalue import clock
from churnvalue.config import Value
from churnvalue.decisions.tiers import BELOW_ZERO, ELITE, MOST_VALUABLE, STEADY, TIERS, TierRules, places_of
from churnvalue.errors import OutputError
from churnvalue.events.log import EventLog
from churnvalue.events.selection import places
from churnvalue.language import N_, _
from churnvalue.sweep import compile_measures, sweep
from churnvalue.views import Events, Stream

ALL = N_("all")
NOW, YEAR_AGO = "today", "a year ago"
_YEAR = 365
_MONEY = ("revenue", "margin", "cost")

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Portfolios:
    """How the tiers do.

    Attributes:
        table: One row for each ``formed`` and ``tier``, the five tiers and "all". ``formed`` "today": tiers of the scores,
            with the last 365 days; "a year ago": tiers as they stood then, with the 365 days before that
            (``revenue_before`` …) and what the same customers did in the last 365 days. NaN where nothing can be said.

            - ``customers``; ``clv``: their total value by the scores that the tiers are from;
            - ``revenue``, ``margin``, ``cost`` to serve and ``contribution`` (margin less cost), each with ``_before``;
            - ``revenue_a_customer``, with ``_before``;
            - ``left``: share without an order in the last 365 days, ``left_error`` its standard error;
            - ``p_churn``: mean expected share that leaves within the outcome's horizon;
            - ``kept``: ``revenue`` ÷ ``revenue_before``, ``kept_error`` its standard error;
            - ``left_beyond_base``, ``kept_beyond_base``: the tier's less that of all customers.
        notes: What the numbers rest on and what the log is too short to tell, in sentences.
    """

    table: pd.DataFrame
    notes: tuple[str, ...]


@dataclass(frozen=True)
class _Books:
    """What every customer of a log brought and cost in the year before a time; rows as ``log.customers``."""

    orders: Floats
    revenue: Floats
    cost: Floats


def portfolios(
    log: EventLog,
    scores: pd.DataFrame,
    value: Value,
    kind: str = "purchase",
    earlier: pd.DataFrame | None = None,
    rules: TierRules | None = None,
) -> Portfolios:
    """Return how each tier does, and how the portfolios of a year ago have done since.

    A year ago the tiers are those of ``earlier`` scores, at least 365 days older, if given. Otherwise who had an order in the
    365 days before is placed by margin less cost of those days, as they were known then: below zero, and the same
    shares of elite and most valuable; who was growable then cannot be told, so all others are steady.

    Args:
        log: Events; what happened or was known from the scores' cutoff on is not read.
        scores: ``customer_id``, ``cutoff``, ``tier``, ``clv``, ``p_churn``.
        value: Margin, and cost of an event by kind.
        kind: What an order is.
        earlier: Scores of an earlier cutoff, with the same columns.
        rules: Shares of the tiers.

    Raises:
        OutputError: If a column is missing, there is no customer, or ``earlier`` is less than 365 days older.
    """
    cutoff = _cutoff(scores)
    held = (cutoff - log.first) // clock.DAY
    books = _books(log, cutoff, value, kind)
    parts = [_summary(NOW, _members(log, scores), books, None, value)]
    notes = []
    if held < _YEAR:
        notes.append(
            _("The log holds {held} days before the scores, so a year's figures are those of {held} days.", held=held)
        )
    then = cutoff - _YEAR * clock.DAY if earlier is None else _cutoff(earlier)
    if then > cutoff - _YEAR * clock.DAY:
        raise OutputError(
            f"Earlier scores must be at least {_YEAR} days older than those of {clock.text(cutoff)}, but are as of"
            f" {clock.text(then)}. Leave them out, or give older ones."
        )
    if then - _YEAR * clock.DAY < log.first:
        notes.append(
            _(
                "How a tier has done since a year ago cannot be told: that takes {year} days before the scores, but "
                "the log holds {held}.",
                year=2 * _YEAR,
                held=held,
            )
        )
    else:
        before = _books(log, then, value, kind)
        members = _members(log, earlier) if earlier is not None else _placed(before, value, rules or TierRules())
        parts.append(_summary(YEAR_AGO, members, books, before, value))
        notes += _year_notes(earlier, then)
    if not log.pays(kind):
        notes.append(_("The log holds no amounts, so portfolios are told in customers alone."))
    elif not value.cost:
        notes.append(_("No cost of an event is configured in [value], so cost to serve is 0."))
    return Portfolios(pd.concat(parts, ignore_index=True), tuple(notes))


def _year_notes(earlier: pd.DataFrame | None, then: int) -> list[str]:
    if earlier is not None:
        return [_("The tiers of a year ago are those of the scores as of {then}.", then=clock.text(then))]
    return [
        _(
            "The tiers of a year ago are formed by margin less cost of the {year} days before {then}. Who stood "
            "at the top was partly lucky, and falls back towards the base whoever looks after them; tiers of "
            "scores kept from then are fairer.",
            year=_YEAR,
            then=clock.text(then),
        ),
        _("Who was growable a year ago cannot be told without scores from then; they are among the steady."),
    ]


def _books(log: EventLog, end: int, value: Value, kind: str) -> _Books:
    """Return the year before ``end`` as it was known at ``end``."""
    orders, revenue = Events(Stream(kind)).count(), Events(Stream(kind)).total()
    causes = {cause: Events(Stream(cause)).count() for cause in sorted(value.cost)}
    program = compile_measures(list(dict.fromkeys([orders, revenue, *causes.values()])), log)
    found = sweep(log, program, clock.Span(end - _YEAR * clock.DAY, end), end)
    cost = sum((value.cost[cause] * found[count] for cause, count in causes.items()), np.zeros(len(log.customers)))
    return _Books(found[orders], found[revenue] if log.pays(kind) else np.full(len(cost), np.nan), cost)


def _members(log: EventLog, scores: pd.DataFrame) -> pd.DataFrame:
    """Return ``tier, clv, p_churn`` of scored customers and their row in the log; who is not in it counts as silent."""
    row = places(log, scores["customer_id"])
    return scores[["tier", "clv", "p_churn"]].assign(row=row).reset_index(drop=True)


def _placed(before: _Books, value: Value, rules: TierRules) -> pd.DataFrame:
    """Return who ordered in a year, placed by what they brought in it; by orders where there are no amounts."""
    row = np.flatnonzero(before.orders > 0)
    brought = value.margin * before.revenue[row] - before.cost[row]
    worth = before.orders[row] if np.isnan(brought).all() else brought
    rank = np.empty(len(row), np.int64)
    rank[np.argsort(-worth, kind="stable")] = np.arange(1, len(row) + 1)
    count = len(row)
    tier = np.select(
        [worth < 0, rank <= max(1, np.ceil(rules.elite_share * count)), rank <= np.ceil(rules.valuable_share * count)],
        [BELOW_ZERO, ELITE, MOST_VALUABLE],
        default=STEADY,
    )
    return pd.DataFrame({"tier": tier, "clv": np.nan, "p_churn": np.nan, "row": row})


def _summary(formed: str, members: pd.DataFrame, books: _Books, before: _Books | None, value: Value) -> pd.DataFrame:
    """Return a row for each tier, and for all."""
    row = members["row"].to_numpy()
    now = _figures(books, row, value)
    then = _figures(before, row, value) if before else {name: np.full(len(row), np.nan) for name in now}
    tier = places_of(members["tier"])
    rows = []
    for name in (*TIERS, ALL):
        own = np.ones(len(row), dtype=bool) if name == ALL else tier == TIERS.index(name)
        count = int(own.sum())
        line: dict[str, object] = {"formed": formed, "tier": name, "customers": count}
        line["clv"] = _total(members["clv"].to_numpy(dtype=np.float64), own)
        for part in (*_MONEY, "contribution"):
            line[part], line[f"{part}_before"] = _total(now[part], own), _total(then[part], own)
        line["revenue_a_customer"] = _total(now["revenue"], own) / count if count else np.nan
        line["revenue_a_customer_before"] = _total(then["revenue"], own) / count if count else np.nan
        line["p_churn"] = _mean(members["p_churn"].to_numpy(dtype=np.float64)[own])
        line |= _judged(now, then, own) if before else dict.fromkeys(_JUDGED, np.nan)
        rows.append(line)
    table = pd.DataFrame(rows)
    for part in ("left", "kept"):
        table[f"{part}_beyond_base"] = table[part] - table[part].iloc[-1]
    return table


_JUDGED = ("left", "left_error", "kept", "kept_error")


def _judged(now: dict[str, Floats], then: dict[str, Floats], own: npt.NDArray[np.bool_]) -> dict[str, float]:
    """Share that left and share of revenue kept, with standard errors over customers (that of a ratio to first order)."""
    count = int(own.sum())
    if not count:
        return dict.fromkeys(_JUDGED, np.nan)
    left = float((now["orders"][own] == 0).mean())
    found = {
        "left": left,
        "left_error": float(np.sqrt(left * (1 - left) / count)),
        "kept": np.nan,
        "kept_error": np.nan,
    }
    before = _total(then["revenue"], own)
    if before > 0:
        kept = _total(now["revenue"], own) / before
        apart = now["revenue"][own] - kept * then["revenue"][own]
        found |= {"kept": kept, "kept_error": float(np.sqrt((apart**2).sum()) / before)}
    return found


def _figures(books: _Books, row: npt.NDArray[np.int64], value: Value) -> dict[str, Floats]:
    """Return each member's figures; 0 for those whom the log does not hold."""
    held = row >= 0
    orders, revenue, cost = (part[row] * held for part in (books.orders, books.revenue, books.cost))
    margin = value.margin * revenue
    return {"orders": orders, "revenue": revenue, "margin": margin, "cost": cost, "contribution": margin - cost}


def _total(values: Floats, own: npt.NDArray[np.bool_]) -> float:
    """Sum over a tier; NaN where nothing is known of anyone."""
    return float(np.nansum(values[own])) if (~np.isnan(values)).any() else np.nan


def _mean(values: Floats) -> float:
    return float(np.nanmean(values)) if (~np.isnan(values)).any() else np.nan


def _cutoff(scores: pd.DataFrame) -> int:
    missing = [name for name in ("customer_id", "cutoff", "tier", "clv", "p_churn") if name not in scores]
    if missing or not len(scores):
        came = f"the columns {missing} are missing" if missing else "there is none"
        raise OutputError(f"Portfolios need scored customers, but {came}. Score the customers anew.")
    return clock.micros(scores["cutoff"].iloc[0].to_pydatetime())
