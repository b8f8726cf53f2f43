"""``measure``: what a plan really earned, from what happened after it."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from churnvalue import clock
from churnvalue.clock import DAY
from churnvalue.config import Config
from churnvalue.contacts import account_words, experiments, read_contacts
from churnvalue.engines import read_log
from churnvalue.errors import HistoryError, OutputError
from churnvalue.evaluation.plan_value import PlanValue, plan_value, require_plan
from churnvalue.evaluation.sends_value import SendsValue, sends_value
from churnvalue.events.log import EventLog
from churnvalue.jobs.answers import ANSWER_DAYS
from churnvalue.jobs.belongs import require_project, strangers
from churnvalue.jobs.happened import CarriedOut, answered, carried_out, happened
from churnvalue.jobs.outputs import MEASURE, PLAN, SCORES, SENDS
from churnvalue.jobs.verdict import no_lesson, verdict
from churnvalue.language import _, spoken
from churnvalue.parallel import one_thread_of_algebra
from churnvalue.progress import Stages
from churnvalue.storage import read_manifest, read_parquet, staged


@dataclass(frozen=True)
class Measurement:
    """What a plan earned, and what the next one learns from it.

    Attributes:
        cutoff: When the plan was made.
        as_of: What was known before this time was read.
        horizon_days: Length of the outcome's window.
        observed_days: Days of it that the log holds; outcomes are of these days alone.
        carried_out: Who was really contacted.
        value: Measured and promised, by group, and other policies.
        sends: Whether the hours of sending helped; None without sends.
        actions: By action ``ratio`` (measured over promised change of staying), its ``se``, the ``factor`` with which the plan
            had multiplied its effects, and the ``evidence`` these rested on: what ``evaluation.recalibration`` reads.
        no_lesson: Why the next plan learns nothing from it; empty where it does.
        verdict: The same in a few sentences.
        notes: What limits it.
    """

    cutoff: str
    as_of: str
    horizon_days: int
    observed_days: float
    carried_out: CarriedOut
    value: PlanValue
    sends: SendsValue | None
    actions: dict[str, dict[str, float | str | None]]
    no_lesson: str
    verdict: str
    notes: tuple[str, ...]

    @property
    def teaches(self) -> bool:
        """Whether the next plan learns from it what its actions do."""
        return not self.no_lesson


@spoken
@one_thread_of_algebra
def measure(
    config: Config,
    plan: Path,
    as_of: str | None = None,
    out: Path | None = None,
    stages: Stages | None = None,
) -> Measurement:
    """Measure what a plan changed: those given its actions against those held out.

    Args:
        config: What to read, margin and costs; the outcome's window is the plan's own.
        plan: Folder that ``plan`` wrote; scores in the same folder sharpen the comparison.
        as_of: Nothing that happened or was known from this time on is read; the end of the log if None.
        out: Folder of measure.json; nothing is written if None.
        stages: Times and shows the work.

    Raises:
        OutputError: If the plan is missing, damaged, empty, of another project, or of customers whom the log does not know.
        HistoryError: If nothing of the window has been observed yet.
    """
    stages = stages or Stages()
    with stages.stage("reading the plan"):
        manifest = read_manifest(plan)
        facts = manifest["facts"].get("plan", {})
        require_project(facts, config.project, plan)
        planned = read_parquet(plan, PLAN).to_pandas().sort_values("customer_id", ignore_index=True)
        if not len(planned) or planned["customer_id"].duplicated().any():
            raise OutputError(f"{plan / PLAN} must hold each customer once, and at least one. Make the plan anew.")
        require_plan(planned)
        scores = read_parquet(plan, SCORES).to_pandas() if SCORES in manifest["files"] else None
        sends = read_parquet(plan, SENDS).to_pandas() if SENDS in manifest["files"] else None
    cutoff = clock.micros(planned["cutoff"].iloc[0].to_pydatetime())
    config, notes = _of_the_plan(config, facts)
    with stages.stage("reading what happened"):
        log = read_log(config, None if as_of is None else clock.micros(as_of))
        window = _window(log, cutoff, config.outcome.horizon_days)
        notes = (*notes, *_unknown(planned, log))
        contacts = read_contacts(config, log, None if as_of is None else clock.micros(as_of))
    with stages.stage("comparing"):
        carried = carried_out(planned, contacts, window)
        found = happened(planned, log, window, config, carried.spent, _p_churn(planned, scores, cutoff))
        value = plan_value(planned, found, float(facts.get("holdout", config.retention.holdout)))
        answers = _sends(sends, log, config)
    observed = (window.end - window.start) / DAY
    says = (value, carried.shares.done, observed, config.outcome.horizon_days)
    measurement = Measurement(
        cutoff=clock.text(cutoff),
        as_of=clock.text(log.observed_until),
        horizon_days=config.outcome.horizon_days,
        observed_days=observed,
        carried_out=carried.shares,
        value=value,
        sends=answers,
        actions=_actions(value, planned, facts.get("recalibration") or {}),
        no_lesson=no_lesson(*says),
        verdict=verdict(*says),
        notes=(*notes, *value.notes, *carried.notes, *account_words(contacts, experiments(contacts))),
    )
    if out is not None:
        with (
            stages.stage("writing"),
            staged(Path(out), "measure", cutoff=measurement.cutoff, as_of=measurement.as_of) as stage,
        ):
            of = {"project": config.project, "policy_version": facts.get("policy_version")}
            stage.json(MEASURE, vars(measurement) | of)
    return measurement


def _of_the_plan(config: Config, facts: dict[str, Any]) -> tuple[Config, tuple[str, ...]]:
    """Return the configuration with the horizon that the plan was made for, and a note where that is another."""
    days, asked = facts.get("horizon_days", config.outcome.horizon_days), config.outcome.horizon_days
    if days == asked:
        return config, ()
    note = _(
        "The plan was made for {days} days and is measured over them, though [outcome] horizon_days is {asked} now.",
        days=days,
        asked=asked,
    )
    return config.model_copy(update={"outcome": config.outcome.model_copy(update={"horizon_days": days})}), (note,)


def _unknown(planned: pd.DataFrame, log: EventLog) -> tuple[str, ...]:
    """Return a note on planned customers whom the log does not know.

    Raises:
        OutputError: If it knows none of them.
    """
    unknown = strangers(planned["customer_id"], log)
    if unknown == len(planned):
        raise OutputError(
            f"The customers of a plan must be those of the log, but none of {unknown:,} is in it. Give the configuration that"
            " the plan was made with."
        )
    if not unknown:
        return ()
    return (
        _(
            "{unknown:,} of {planned:,} planned customers are not in the log and count as having left.",
            unknown=unknown,
            planned=len(planned),
        ),
    )


def _window(log: EventLog, cutoff: int, horizon_days: int) -> clock.Span:
    """Return the part of the outcome's window that the log holds.

    Raises:
        HistoryError: If that is nothing.
    """
    whole = clock.after(cutoff, horizon_days)
    if log.observed_until <= cutoff:
        raise HistoryError(
            f"What happened after {clock.text(cutoff)} is needed, but the log is observed until"
            f" {clock.text(log.observed_until)}. In part the plan can be measured from {clock.text(cutoff + DAY)} on, in whole"
            f" from {clock.text(whole.end)}."
        )
    return clock.Span(cutoff, min(whole.end, log.observed_until))


def _p_churn(planned: pd.DataFrame, scores: pd.DataFrame | None, cutoff: int) -> np.ndarray | None:
    """Return each planned customer's probability of leaving as scored at the plan's cutoff; None if that is not at hand."""
    if scores is None or not len(scores) or clock.micros(scores["cutoff"].iloc[0].to_pydatetime()) != cutoff:
        return None
    known = planned["customer_id"].map(scores.set_index("customer_id")["p_churn"]).to_numpy(np.float64)
    return known if np.isfinite(known).all() else None


def _sends(sends: pd.DataFrame | None, log: EventLog, config: Config) -> SendsValue | None:
    """Return what the hours were worth, of the sends whose days to answer have passed."""
    if sends is None:
        return None
    last = pd.Timestamp(clock.moment(log.observed_until - ANSWER_DAYS * DAY))
    gone = sends[sends["send_at"].notna() & (sends["send_at"] <= last)].reset_index(drop=True)
    return sends_value(gone, answered(gone, log, config.outcome.kind)) if len(gone) else None


def _actions(
    value: PlanValue, planned: pd.DataFrame, factors: dict[str, Any]
) -> dict[str, dict[str, float | str | None]]:
    """Return what ``evaluation.recalibration`` reads; all customers of one planned action share its evidence."""
    return {
        group.name: {
            "ratio": group.stay_ratio.value,
            "se": group.stay_ratio.se,
            "factor": float(factors[group.name]["factor"]) if group.name in factors else 1.0,
            "evidence": str(planned.loc[planned["planned_action"] == group.name, "evidence"].iloc[0]),
        }
        for group in value.groups
        if group.by == "action"
    }
