"""``report``: one page of what was found and decided; ``explain``: one customer in words."""

from pathlib import Path
from typing import Any

import pyarrow.compute as pc

from churnvalue.config import Config
from churnvalue.errors import OutputError, near_match
from churnvalue.explain import sentences
from churnvalue.jobs.outputs import CURVE, PLAN, SCORES, SENDS
from churnvalue.report.page import ReportData, render
from churnvalue.storage import read_json, read_manifest, read_parquet, staged

REPORT, TRAINING = "report.html", "train.json"


def write_report(config: Config, scores: Path, plan: Path | None = None, out: Path | None = None) -> Path:
    """Write report.html and return where it lies: in ``out``, or beside the scores.

    Raises:
        OutputError: If scores or plan are missing or damaged.
    """
    facts: dict[str, Any] = dict(read_manifest(scores)["facts"].get("score", {}))
    planned = None
    if plan is not None:
        facts |= {key: value for key, value in read_manifest(plan)["facts"].get("plan", {}).items() if key == "budget"}
        planned = {name: read_parquet(plan, name).to_pandas() for name in (PLAN, SENDS, CURVE)}
    page = render(
        ReportData(
            project=config.project,
            scores=read_parquet(scores, SCORES).to_pandas(),
            plan=planned[PLAN] if planned else None,
            sends=planned[SENDS] if planned else None,
            curve=planned[CURVE] if planned else None,
            training=_training(config),
            facts=facts,
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


def _training(config: Config) -> dict[str, Any] | None:
    """Return what the latest training said of itself, if its folder still holds it."""
    try:
        found = read_json(config.folder, TRAINING)
    except OutputError:
        return None
    return found if isinstance(found, dict) and found.get("project") == config.project else None
