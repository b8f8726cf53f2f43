"""The reasons of customers for whom ``score`` found none: those who are planned, and who is asked for."""

from collections.abc import Collection
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from churnvalue.config import Config
from churnvalue.contacts import NO_ACTION
from churnvalue.engines import read_log
from churnvalue.errors import OutputError, RegistryError, SourceError
from churnvalue.events.log import EventLog
from churnvalue.events.selection import of_customers
from churnvalue.frames import described
from churnvalue.jobs.champions import Champions, load_champions
from churnvalue.jobs.scoring import MOST_EXPLAINED, explained
from churnvalue.language import _


def reasons_of(
    log: EventLog, champions: Champions, config: Config, cutoff: int, customers: Collection[str]
) -> pa.Table:
    """Return ``customer_id, drivers, spend_drivers`` of those ``customers`` who are in the population, by customer_id."""
    kept = pc.is_in(log.customers, pa.array(sorted(customers), pa.string())).to_numpy(zero_copy_only=False)
    frame = described(of_customers(log, kept), champions.features, cutoff, config.population)
    why, spend = explained(frame, champions)
    ids = pa.array(frame.index.get_level_values("customer_id"), pa.string())
    return pa.table({"customer_id": ids, "drivers": why, "spend_drivers": spend})


def reasons_of_planned(
    log: EventLog, plan: pd.DataFrame, config: Config, cutoff: int, versions: dict[str, Any]
) -> tuple[pa.Table | None, tuple[str, ...]]:
    """Return the reasons of those for whom an action is planned, and notes.

    None where nothing is planned, or the champions are not those of the scores (``versions``) any more. Of more than 100,000
    planned customers those with the highest expected profit are explained.
    """
    planned = plan[plan["planned_action"] != NO_ACTION]
    if not len(planned):
        return None, ()
    champions, note = _of_versions(config, versions)
    if champions is None:
        return None, (note,)
    best = planned.sort_values(["expected_profit", "customer_id"], ascending=[False, True], kind="stable")
    chosen = best["customer_id"].head(MOST_EXPLAINED)
    said = _(
        "Reasons were found for {found:,} of {planned:,} planned customers; churnvalue explain finds others.",
        found=len(chosen),
        planned=len(planned),
    )
    return reasons_of(log, champions, config, cutoff, chosen.tolist()), (said,)


def reasons_of_one(customer: str, config: Config, cutoff: int, versions: dict[str, Any]) -> dict[str, Any]:
    """Return ``drivers`` and ``spend_drivers`` of one customer, from what was known of them before ``cutoff``.

    Raises:
        OutputError: If the models of the scores are not the champions any more, or the log cannot be read.
    """
    champions, note = _of_versions(config, versions)
    if champions is None:
        raise OutputError(note)
    try:
        log = read_log(config, cutoff, frozenset({customer}))
    except SourceError as error:
        raise OutputError(f"The customer's events must be readable to say why, but: {error}") from None
    found: dict[str, Any] = reasons_of(log, champions, config, cutoff, [customer]).to_pylist()[0]
    return found


def _of_versions(config: Config, versions: dict[str, Any]) -> tuple[Champions | None, str]:
    """Return the champions if they are the models of the scores; else None and why."""
    try:
        champions = load_champions(config)
    except RegistryError as error:
        return None, _("Reasons cannot be found: {error}", error=error)
    if champions.versions != versions:
        return None, _(
            "Reasons cannot be found: the champions are not the models of these scores any more. Score again."
        )
    return champions, ""
