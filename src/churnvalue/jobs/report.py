"""``report``: one page of what was found and decided; ``explain``: one customer in words."""

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from churnvalue import clock
from churnvalue.config import Config
from churnvalue.errors import OutputError, near_match
from churnvalue.explain import sentences
from churnvalue.jobs.outputs import CURVE, MEASURE, PLAN, PORTFOLIOS, REASONS, SCORES, SENDS
from churnvalue.jobs.reasons import reasons_of_one
from churnvalue.language import language, speaking, spoken
from churnvalue.report.page import ReportData, render
from churnvalue.storage import read_json, read_manifest, read_parquet, staged, verify

REPORT, TRAINING = "report.html", "train.json"

# What the page reads of each table: of a million customers every column more is felt.
_SCORED = (
    *("customer_id", "cutoff", "p_churn", "orders", "spend", "spend_p10", "spend_p90", "clv", "clv_p10", "clv_p90"),
    *("p_below_zero", "cost_to_serve", "attainable", "p_return_30d", "tier", "previous_tier", "band", "model_versions"),
)
_DRIVERS = ["drivers.list.element.feature", "drivers.list.element.effect"]
_TEXT = "drivers.list.element.text"
_PLANNED = (
    *(
        "customer_id",
        "reason",
        "expected_profit",
        "profit_p10",
        "profit_p90",
        "cost",
        "stake",
        "p_profit",
        "p_stay_change",
    ),
    *("service_profit", "service_cost"),
)
_NAMES = ["tier", "service_level", "action", "planned_action", "group", "evidence", "policy_version", "next_category"]


@spoken
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
            told=partial(_told, _paths_of_reasons(scores, plan)),
            **_planned(config, plan, facts) if plan is not None else {"facts": facts},
        )
    )
    folder = Path(out or scores)
    with staged(folder, "report", project=config.project) as stage:
        stage.text(REPORT, page)
    return folder / REPORT


def explain_customer(customer: str, scores: Path, config: Config | None = None) -> str:
    """Return what the scores say of one customer, in sentences.

    Where the scores hold no reasons they are found now, from the log and the champions of ``config``, if it is given.

    Raises:
        OutputError: If the customer is not among the scored, or the scores are missing or damaged.
    """
    verify(scores, [SCORES])
    table = pq.read_table(scores / SCORES, filters=[("customer_id", "=", customer)])
    if not len(table):
        everyone = pq.read_table(scores / SCORES, columns=["customer_id"])["customer_id"]
        raise OutputError(
            f"The customer must be one of the {len(everyone):,} scored, but '{customer}' is not."
            f"{near_match(customer, everyone.slice(0, 100_000).to_pylist()).split(' Known')[0]}"
            " Check the id, or whether they belong to [population]."
        )
    found = table.to_pandas().iloc[0]
    with speaking(config.language if config else language()):
        if found["drivers"] is None and config is not None:
            versions = read_manifest(scores)["facts"].get("score", {}).get("model_versions", {})
            cutoff = clock.micros(found["cutoff"].to_pydatetime())
            found = found.copy()
            for name, reasons in reasons_of_one(customer, config, cutoff, versions).items():
                found[name] = reasons
        return sentences(found, has_amounts=bool(found["clv"] == found["clv"]))


def _scored(folder: Path) -> pd.DataFrame:
    """Return what the page needs of the scores; of the drivers feature and effect, for the words of few are shown."""
    verify(folder, [SCORES])
    with _opened(folder / SCORES, ["band", "model_versions", *_DRIVERS[:1]]) as file:
        frame: pd.DataFrame = _read(file, _SCORED).to_pandas(split_blocks=True)
        if set(_DRIVERS) <= _leaves(file):
            # Group by group, for Arrow does not read lists of repeated texts beyond one.
            groups = [file.read_row_group(group, columns=_DRIVERS)["drivers"] for group in range(file.num_row_groups)]
            lists = pa.chunked_array([chunk for group in groups for chunk in group.chunks])
            frame["drivers"] = pd.Series(lists, dtype=pd.ArrowDtype(lists.type), index=frame.index)
    return frame


def _paths_of_reasons(scores: Path, plan: Path | None) -> list[Path]:
    """Return the files that hold reasons: those of the planned come last, for they say what the scores leave out."""
    found = [scores / SCORES]
    if plan is not None and REASONS in read_manifest(plan)["files"]:
        verify(plan, [REASONS])
        found.append(plan / REASONS)
    return found


def _told(paths: Sequence[Path], customers: Sequence[str]) -> dict[str, list[Mapping[str, Any]]]:
    """Return the drivers of some customers by id; one group of rows is held at a time."""
    wanted = pa.array(customers, pa.string())
    found: dict[str, list[Mapping[str, Any]]] = {}
    for path in paths:
        with pq.ParquetFile(path) as file:
            for group in range(file.num_row_groups):
                ids = file.read_row_group(group, columns=["customer_id"])["customer_id"]
                own = pc.indices_nonzero(pc.is_in(ids, wanted))
                names = [name for name in (*_DRIVERS, _TEXT) if name in _leaves(file)]
                if len(own) and names:
                    rows = file.read_row_group(group, columns=names)["drivers"].take(own).to_pylist()
                    found |= {name: row or [] for name, row in zip(ids.take(own).to_pylist(), rows, strict=True)}
    return found


def _planned(config: Config, folder: Path, facts: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the plan's folder holds, by the names of ReportData; files that an older plan lacks are left out."""
    manifest = read_manifest(folder)
    said = manifest["facts"].get("plan", {})
    tables = {"sends": SENDS, "curve": CURVE, "portfolios": PORTFOLIOS}
    needed = {SENDS, CURVE}
    verify(folder, [PLAN])
    with _opened(folder / PLAN, _NAMES) as file:
        found: dict[str, Any] = {"plan": _read(file, (*_PLANNED, *_NAMES)).to_pandas(split_blocks=True)}
    found |= {
        name: read_parquet(folder, file).to_pandas()
        for name, file in tables.items()
        if file in needed or file in manifest["files"]
    }
    if MEASURE in manifest["files"]:
        found["measured"] = read_json(folder, MEASURE)
    planned = {key: said[key] for key in ("budget", "gap", "notes", "portfolio_notes") if key in said}
    channels = found["sends"]["channel"].dropna().unique() if "channel" in found["sends"] else []
    planned["capacities"] = {name: config.timing.channel(name).capacity_per_hour for name in channels}
    return found | {"facts": {**facts, **planned, "plan_cutoff": said.get("cutoff")}}


def _opened(path: Path, repeated: Sequence[str]) -> pq.ParquetFile:
    """Return an open Parquet file that holds each text of its columns ``repeated`` once."""
    with pq.ParquetFile(path) as file:
        known = _leaves(file)
    return pq.ParquetFile(path, read_dictionary=[name for name in repeated if name in known])


def _read(file: pq.ParquetFile, wanted: Sequence[str]) -> pa.Table:
    """Return those of the ``wanted`` columns that the file has."""
    return file.read(columns=[name for name in wanted if name in _leaves(file)])


def _leaves(file: pq.ParquetFile) -> set[str]:
    return {file.schema.column(index).path for index in range(len(file.schema))}


def _training(config: Config) -> dict[str, Any] | None:
    """Return what the latest training said of itself, if its folder still holds it."""
    try:
        found = read_json(config.folder, TRAINING)
    except OutputError:
        return None
    return found if isinstance(found, dict) and found.get("project") == config.project else None
