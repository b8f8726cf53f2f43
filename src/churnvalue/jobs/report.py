"""``report``: one page of what was found and decided; ``explain``: one customer in words."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from churnvalue.config import Config
from churnvalue.errors import OutputError, near_match
from churnvalue.explain import sentences
from churnvalue.jobs.outputs import CURVE, MEASURE, PLAN, PORTFOLIOS, SCORES, SENDS
from churnvalue.report.page import ReportData, render
from churnvalue.storage import read_json, read_manifest, read_parquet, staged

REPORT, TRAINING = "report.html", "train.json"


def write_report(config: Config, scores: Path, plan: Path | None = None, out: Path | None = None) -> Path:
    """Write report.html and return where it lies: in ``out``, or beside the scores.

    Raises:
        OutputError: If scores or plan are missing or damaged.
    """
    facts: dict[str, Any] = dict(read_manifest(scores)["facts"].get("score", {}))
    page = render(
        ReportData(
            project=config.project,
            scores=_scored(scores),
            training=_training(config),
            **_planned(plan, facts) if plan is not None else {"facts": facts},
        )
    )
    folder = Path(out or scores)
    with staged(folder, "report", project=config.project) as stage:
        stage.text(REPORT, page)
    return folder / REPORT


def explain_customer(customer: str, scores: Path) -> str:
    """Return what the scores say of one customer, in sentences.

    Raises:
        OutputError: If the customer is not among the scored, or the scores are missing or damaged.
    """
    table = read_parquet(scores, SCORES)
    row = table.filter(pc.equal(table["customer_id"], customer))
    if not len(row):
        raise OutputError(
            f"The customer must be one of the {len(table):,} scored, but '{customer}' is not."
            f"{near_match(customer, table['customer_id'].to_pylist()[:100_000]).split(' Known')[0]}"
            " Check the id, or whether they belong to [population]."
        )
    found = row.to_pandas().iloc[0]
    return sentences(found, has_amounts=bool(found["clv"] == found["clv"]))


def _scored(folder: Path) -> pd.DataFrame:
    """Return the scores; drivers stay as Arrow holds them, for of a million customers few are shown."""
    table = read_parquet(folder, SCORES)
    lists = [name for name in table.column_names if pa.types.is_nested(table.schema.field(name).type)]
    frame: pd.DataFrame = table.drop_columns(lists).to_pandas()
    if "drivers" in lists:
        frame["drivers"] = pd.Series(table["drivers"], dtype=pd.ArrowDtype(table["drivers"].type), index=frame.index)
    return frame


def _planned(folder: Path, facts: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the plan's folder holds, by the names of ReportData; files that an older plan lacks are left out."""
    manifest = read_manifest(folder)
    said = manifest["facts"].get("plan", {})
    tables = {"plan": PLAN, "sends": SENDS, "curve": CURVE, "portfolios": PORTFOLIOS}
    needed = {PLAN, SENDS, CURVE}
    found: dict[str, Any] = {
        name: read_parquet(folder, file).to_pandas()
        for name, file in tables.items()
        if file in needed or file in manifest["files"]
    }
    if MEASURE in manifest["files"]:
        found["measured"] = read_json(folder, MEASURE)
    planned = {key: said[key] for key in ("budget", "gap", "notes", "portfolio_notes") if key in said}
    return found | {"facts": {**facts, **planned, "plan_cutoff": said.get("cutoff")}}


def _training(config: Config) -> dict[str, Any] | None:
    """Return what the latest training said of itself, if its folder still holds it."""
    try:
        found = read_json(config.folder, TRAINING)
    except OutputError:
        return None
    return found if isinstance(found, dict) and found.get("project") == config.project else None
