"""``audience``: a list of customers for whoever writes or calls."""

from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from churnvalue.decisions.audience import audience as meets
from churnvalue.decisions.sending.export import csv_text, guarded
from churnvalue.jobs.belongs import require_project, require_same_scores
from churnvalue.jobs.outputs import PLAN, SCORES
from churnvalue.storage import read_manifest, read_parquet, write_text

_LISTS = ("drivers", "spend_drivers")


@dataclass(frozen=True, eq=False)
class Chosen:
    """The chosen customers, with every column of scores and plan, and how many were scored."""

    chosen: pd.DataFrame
    scored: int


def audience(condition: str, scores: Path, plan: Path | None = None, out: Path | None = None) -> Chosen:
    """Return the customers who meet a condition, by customer_id.

    Args:
        condition: Over the columns of scores and, where given, of the plan: see ``decisions.audience``.
        scores: Folder that ``score`` wrote.
        plan: Folder that ``plan`` wrote for these scores.
        out: CSV file of the chosen, in which no cell is a spreadsheet's formula; nothing is written if None.

    Raises:
        DefinitionError: If the condition cannot be read, or names an unknown column.
        OutputError: If scores or plan are missing or damaged, or the plan is of another project or cutoff.
    """
    table = read_parquet(scores, SCORES).drop_columns(list(_LISTS)).to_pandas()
    if plan is not None:
        planned = read_parquet(plan, PLAN).to_pandas()
        require_same_scores(table, planned, plan)
        facts = read_manifest(scores)["facts"].get("score", {})
        if "project" in facts:
            require_project(read_manifest(plan)["facts"].get("plan", {}), facts["project"], plan)
        beside = ["customer_id", *(name for name in planned.columns if name not in table.columns)]
        table = table.merge(planned[beside], on="customer_id", how="left", validate="one_to_one")
    chosen = table[meets(table, condition)].reset_index(drop=True)
    if out is not None:
        texts = chosen.select_dtypes(["str", "object"]).columns
        safe = chosen.assign(**{name: chosen[name].map(guarded, na_action="ignore") for name in texts})
        write_text(Path(out), csv_text(safe))
    return Chosen(chosen, len(table))
