"""The page: one HTML text with its style, pictures and search inside; it asks nothing of any network."""

import base64
import hashlib
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from jinja2 import ChainableUndefined, Environment, FileSystemLoader

from churnvalue.evaluation.equity import tops
from churnvalue.report import charts, numbers, year_on_year
from churnvalue.report.axes import Axis
from churnvalue.report.customers import customer_rows
from churnvalue.report.evidence import reasons, scoreboards
from churnvalue.report.measured import measured
from churnvalue.report.plan_notes import sorted_notes
from churnvalue.report.plans import NEWER, NEXT_MONEY, at_stake, next_money, plan_summary, profit_curve, service_levels
from churnvalue.report.risk_map import risk_map
from churnvalue.report.send_week import calendar
from churnvalue.report.summary import (
    ReportData,
    base,
    concentration,
    moves,
    ordered_scores,
    thresholds,
    tier_names,
    tiers,
)

__all__ = ["ReportData", "render"]

TEMPLATE, TEMPLATES = "page.html.j2", "templates"


def render(data: ReportData) -> str:
    """Return the report as one self-contained HTML page; the same data give the same text.

    Everything that comes from outside is escaped. What is absent is left out.
    """
    page = _environment().get_template(TEMPLATE).render(_numbers(data))
    return page.lstrip().encode("utf-8", "replace").decode("utf-8")


def _numbers(data: ReportData) -> dict[str, Any]:
    """Return every number of the page, by the names that the template uses."""
    scores = ordered_scores(data.scores)
    training, facts = numbers.mapping(data.training), numbers.mapping(data.facts)
    log = numbers.mapping(training.get("log"))
    given = facts.get("has_amounts")
    has_amounts = bool(scores["clv"].notna().any()) if given is None else bool(given)
    plan, sends = _filled(data.plan), _filled(data.sends)
    summary = plan_summary(plan) if plan is not None else None
    curve = profit_curve(data.curve) if data.curve is not None else []
    return {
        "project": data.project,
        "facts": facts,
        "training": training,
        "log": log,
        "currency": str(facts.get("currency") or ""),
        "has_amounts": has_amounts,
        "cutoff": facts.get("cutoff", scores["cutoff"].max() if "cutoff" in scores else None),
        "base": base(scores),
        "tops": tops(scores["clv"].to_numpy(dtype=np.float64)) if has_amounts else [],
        "concentration": concentration(scores) if has_amounts else [],
        "map": risk_map(scores) if has_amounts else [],
        "tier_names": tier_names(scores),
        "tiers": tiers(scores, service_levels(plan) if plan is not None else {}),
        "moves": moves(scores),
        "then": year_on_year.portfolio_rows(data.portfolios, year_on_year.YEAR_AGO),
        "now": year_on_year.portfolio_rows(data.portfolios, year_on_year.TODAY),
        "thresholds": thresholds(scores),
        "reasons": reasons(training, scores),
        "scoreboards": scoreboards(training),
        "plan": summary,
        "at_stake": at_stake(scores, plan) if plan is not None else None,
        "older": plan is not None and (data.portfolios is None or not set(NEWER) <= set(plan.columns)),
        "notes": sorted_notes(facts.get("notes"), [row.action for row in summary.actions] if summary else []),
        "curve": curve,
        "next_money": next_money(curve, facts.get("budget")),
        "measured": measured(data.measured),
        "calendar": calendar(sends) if sends is not None else None,
        "customers": customer_rows(scores, plan, sends, has_amounts),
        "quarantine": numbers.rows(facts.get("quarantine") or log.get("quarantined")),
        "rows_kept": facts.get("rows_kept", log.get("rows_kept")),
        "model_versions": numbers.listed(scores["model_versions"].unique()) if "model_versions" in scores else "",
    }


def _filled(table: pd.DataFrame | None) -> pd.DataFrame | None:
    """Return the table where it has rows."""
    return table if table is not None and len(table) else None


@cache
def _environment() -> Environment:
    """Return the template's surroundings, compiled once: they hold nothing of any report."""
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent / TEMPLATES),
        autoescape=True,
        undefined=ChainableUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "count": numbers.count,
        "percent": numbers.percent,
        "money": numbers.money,
        "score": numbers.score,
        "short": numbers.short,
        "day": numbers.day,
        "minute": numbers.minute,
        "words": numbers.words,
        "grouped": numbers.grouped,
        "points": numbers.points_of,
        "ratio": numbers.ratio,
        "sha256": _sha256,
    }
    environment.globals |= {
        "Axis": Axis,
        "Series": charts.Series,
        "plot": charts.plot,
        "bubbles": charts.bubbles,
        "heat": charts.heat,
        "intervals": charts.intervals,
        "next_piece": NEXT_MONEY,
        "points": numbers.points,
        "records": numbers.rows,
        "zip": zip,
        "tier_colours": charts.TIER_COLOURS,
    }
    return environment


def _sha256(text: str) -> str:
    """Return the hash of an inline script as a content security policy wants it."""
    return base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
