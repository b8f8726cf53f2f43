"""Whether what earlier commands wrote belongs together: the same project, the same cutoff, customers whom the log knows."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from churnvalue import clock
from churnvalue.clock import DAY
from churnvalue.errors import OutputError
from churnvalue.events.log import EventLog
from churnvalue.events.selection import places
from churnvalue.language import _


def require_project(facts: Mapping[str, Any], project: str, folder: Path) -> None:
    """Refuse what was made for another project; what does not say for which is let through.

    Raises:
        OutputError: Names both projects.
    """
    if facts.get("project", project) != project:
        raise OutputError(
            f"{folder} must be of project '{project}', but is of '{facts['project']}'. Give a folder of this project, or the"
            " configuration that the folder was made with."
        )


def require_known_before(measurement: Mapping[str, Any], cutoff: int, folder: Path) -> None:
    """Refuse a measurement that looked at what happened after a plan's cutoff.

    Raises:
        OutputError: Says how to measure anew.
    """
    as_of = str(measurement["as_of"])
    if clock.micros(as_of.replace(" UTC", "Z")) > cutoff:
        raise OutputError(
            f"A plan may learn from what was known before its cutoff, {clock.text(cutoff)}, but {folder} was measured as of"
            f" {as_of}. Measure it anew with --as-of {clock.text(cutoff)}, or score the customers at a later date."
        )


def require_same_scores(scores: pd.DataFrame, plan: pd.DataFrame, folder: Path) -> None:
    """Refuse a plan that was made from scores of another cutoff.

    Raises:
        OutputError: Names both cutoffs.
    """
    theirs, ours = (sorted(clock.micros(one) for one in table["cutoff"].unique()) for table in (plan, scores))
    if theirs != ours and theirs and ours:
        raise OutputError(
            f"{folder} must be the plan of these scores, whose cutoff is {clock.text(ours[0])}, but the cutoff of the plan is"
            f" {clock.text(theirs[0])}. Give the plan that was made from them."
        )


def strangers(ids: pd.Series, log: EventLog) -> int:
    """Return how many customers the log does not know."""
    return int((places(log, ids) < 0).sum())


def doubts(scores: pd.DataFrame, log: EventLog, cutoff: int) -> tuple[str, ...]:
    """Return notes on scores that were not made from the log as it is, and on what follows."""
    notes = []
    if cutoff - log.observed_until >= DAY:
        notes.append(
            _(
                "The scores are as of {cutoff}, but the log ends at {observed_until}: what customers did or asked "
                "for in the {days:,} days between is not known to this plan.",
                cutoff=clock.text(cutoff),
                observed_until=clock.text(log.observed_until),
                days=(cutoff - log.observed_until) // DAY,
            )
        )
    if unknown := strangers(scores["customer_id"], log):
        notes.append(
            _(
                "{unknown:,} of {scores:,} scored customers are not in the log: they are planned by their scores "
                "alone, nobody of them is left alone by [retention] exclude, and their hours are those of everyone.",
                unknown=unknown,
                scores=len(scores),
            )
        )
    return tuple(notes)
