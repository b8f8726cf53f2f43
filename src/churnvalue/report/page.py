"""The page: one HTML text with its style, pictures and search inside; it asks nothing of any network."""

import base64
import hashlib
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from jinja2 import ChainableUndefined, Environment, FileSystemLoader

from churnvalue import language
from churnvalue.evaluation.equity import tops
from churnvalue.report import charts, numbers, svg, year_on_year
from churnvalue.report.axes import Axis
from churnvalue.report.customers import customer_rows, listed_customers
from churnvalue.report.drift import drift, realised
from churnvalue.report.evidence import reasons, scoreboards
from churnvalue.report.measured import measured
from churnvalue.report.period import last_period
from churnvalue.report.plan_notes import sorted_notes
from churnvalue.report.plans import (
    NEWER,
    NEXT_MONEY,
    at_stake,
    next_money,
    of_customers,
    plan_summary,
    profit_curve,
    service_levels,
)
from churnvalue.report.reasons import LIKELY, flatten, leaving_groups, strengths, themes_by_tier
from churnvalue.report.risk_map import risk_map
from churnvalue.report.send_week import calendar
from churnvalue.report.summary import (
    TOP_SHARES,
    ReportData,
    base,
    by_customer,
    concentration,
    moves,
    ordered_scores,
    thresholds,
    tier_names,
    tiers,
)
from churnvalue.report.thresholds import reached, terms
from churnvalue.report.told import told_by

__all__ = ["ReportData", "render"]

TEMPLATE, TEMPLATES = "page.html.j2", "templates"


def render(data: ReportData) -> str:
    """Return the report as one self-contained HTML page; the same data give the same text.

    Everything that comes from outside is escaped. What is absent is left out.
    """
    scores = ordered_scores(data.scores)
    plan, sends = _filled(data.plan), _filled(data.sends)
    plan = None if plan is None else by_customer(plan)
    found = _of_base(data, scores) | _of_reasons(data, scores, plan, sends) | _of_training(data)
    found |= _of_plan(data, scores, plan, sends)
    page = _environment().get_template(TEMPLATE).render(found)
    return page.lstrip().encode("utf-8", "replace").decode("utf-8")


def _of_base(data: ReportData, scores: pd.DataFrame) -> dict[str, Any]:
    """Return who the customers are and what they are worth, by the names that the templates use."""
    facts, training = numbers.mapping(data.facts), numbers.mapping(data.training)
    log, found = numbers.mapping(training.get("log")), base(scores)
    has_amounts = _has_amounts(data, scores)
    return {
        "project": data.project,
        "language": language.language(),
        "facts": facts,
        "training": training,
        "log": log,
        "currency": str(facts.get("currency") or ""),
        "has_amounts": has_amounts,
        "cutoff": facts.get("cutoff", scores["cutoff"].max() if "cutoff" in scores else None),
        "base": found,
        "before": last_period(training.get("last_period"), found.spend.value, facts.get("horizon_days")),
        "tops": tops(scores["clv"].to_numpy(dtype=np.float64), TOP_SHARES) if has_amounts else [],
        "concentration": concentration(scores) if has_amounts else [],
        "map": risk_map(scores) if has_amounts else [],
        "tier_names": tier_names(scores),
        "moves": moves(scores),
        "then": year_on_year.portfolio_rows(data.portfolios, year_on_year.YEAR_AGO),
        "now": year_on_year.portfolio_rows(data.portfolios, year_on_year.TODAY),
        "thresholds": thresholds(scores),
        "drift": drift(facts.get("drift")),
        "quarantine": numbers.rows(facts.get("quarantine") or log.get("quarantined")),
        "rows_kept": facts.get("rows_kept", log.get("rows_kept")),
        "model_versions": numbers.listed(scores["model_versions"].unique()) if "model_versions" in scores else "",
    }


def _of_reasons(
    data: ReportData, scores: pd.DataFrame, plan: pd.DataFrame | None, sends: pd.DataFrame | None
) -> dict[str, Any]:
    """Return why customers leave, over all and one by one."""
    drivers = flatten(scores["drivers"] if "drivers" in scores else pd.Series(dtype=object))
    p_churn, clv = (scores[name].to_numpy(dtype=np.float64) for name in ("p_churn", "clv"))
    names = tier_names(scores)
    themes = themes_by_tier(drivers, scores["tier"], names)
    groups = leaving_groups(drivers, p_churn, clv)
    typical = [str(scores["customer_id"].iloc[one.typical]) for one in groups if one.typical is not None]
    listed = listed_customers(scores, plan, _has_amounts(data, scores))
    wanted = sorted({*listed["customer_id"], *typical})
    told = data.told(wanted) if data.told else told_by(scores, wanted)
    return {
        "reasons": reasons(numbers.mapping(data.training), strengths(drivers)),
        "reasons_known": drivers.known,
        "likely": int((p_churn >= LIKELY).sum()),
        "likely_from": LIKELY,
        "themes": themes,
        "tier_most": [max(one.by_tier[index] or 0.0 for one in themes) for index in range(len(names))]
        if themes
        else [],
        "groups": groups,
        "typical": [[str(one.get("text")) for one in told.get(name, ()) if one["effect"] > 0][:3] for name in typical],
        "customers": customer_rows(listed, plan, sends, told),
    }


def _of_training(data: ReportData) -> dict[str, Any]:
    """Return how far the numbers can be trusted."""
    training = numbers.mapping(data.training)
    return {"scoreboards": scoreboards(training), "realised": realised(training.get("realised"))}


def _of_plan(
    data: ReportData, scores: pd.DataFrame, plan: pd.DataFrame | None, sends: pd.DataFrame | None
) -> dict[str, Any]:
    """Return what is to be done, and what earlier plans have done."""
    facts, training = numbers.mapping(data.facts), numbers.mapping(data.training)
    p_churn = scores["p_churn"].to_numpy(dtype=np.float64)
    summary = plan_summary(plan) if plan is not None else None
    curve = profit_curve(data.curve) if data.curve is not None else []
    stake = of_customers(scores, plan, "stake") if plan is not None else None
    risk = of_customers(plan, scores, "p_churn") if plan is not None else None
    offer = terms(plan, risk) if plan is not None and risk is not None else None
    return {
        "plan": summary,
        "tiers": tiers(scores, service_levels(plan) if plan is not None else {}),
        "at_stake": at_stake(p_churn, stake),
        "older": plan is not None and (data.portfolios is None or not set(NEWER) <= set(plan.columns)),
        "notes": sorted_notes(facts.get("notes"), [row.action for row in summary.actions] if summary else []),
        "curve": curve,
        "next_money": next_money(curve, facts.get("budget")),
        "offer": offer,
        "reached": reached(training.get("thresholds"), p_churn, stake, offer),
        "measured": measured(data.measured),
        "calendar": calendar(sends, numbers.mapping(facts.get("capacities"))) if sends is not None else None,
    }


def _has_amounts(data: ReportData, scores: pd.DataFrame) -> bool:
    given = numbers.mapping(data.facts).get("has_amounts")
    return bool(scores["clv"].notna().any()) if given is None else bool(given)


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
        extensions=["jinja2.ext.i18n"],
    )
    environment.policies["ext.i18n.trimmed"] = True
    environment.install_gettext_callables(  # type: ignore[attr-defined]
        language.translated, language.ngettext, newstyle=True, pgettext=language.in_context
    )
    environment.filters |= {
        "count": numbers.count,
        "percent": numbers.percent,
        "money": numbers.money,
        "score": numbers.score,
        "short": numbers.short,
        "day": numbers.day,
        "minute": numbers.minute,
        "term": language.term,
        "translated": lambda text: language.translated(str(text)),
        "grouped": numbers.grouped,
        "points": numbers.points_of,
        "change": numbers.change,
        "ratio": numbers.ratio,
        "sha256": _sha256,
    }
    environment.globals |= {
        "N_": language.N_,
        "Axis": Axis,
        "Series": charts.Series,
        "plot": charts.plot,
        "bubbles": charts.bubbles,
        "heat": charts.heat,
        "intervals": charts.intervals,
        "bar": svg.bar,
        "next_piece": NEXT_MONEY,
        "points": numbers.points,
        "records": numbers.rows,
        "zip": zip,
        "tier_colours": charts.TIER_COLOURS,
    }
    return environment


def _sha256(text: str) -> str:
    """Return the hash of an inline script or style as a content security policy wants it."""
    return base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
