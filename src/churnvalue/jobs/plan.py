"""``plan``: from scores to whom to keep, how, and when to write to them."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import pyarrow as pa

from churnvalue import clock
from churnvalue.config import Config
from churnvalue.contacts import NO_ACTION
from churnvalue.decisions.portfolio import portfolios
from churnvalue.decisions.retention import POLICY_VERSION, plan_retention
from churnvalue.decisions.sending.export import export_text
from churnvalue.effects.action_effects import ASSUMPTION
from churnvalue.engines import read_log
from churnvalue.errors import OutputError
from churnvalue.evaluation.experiment_size import size_experiment
from churnvalue.jobs.belongs import doubts, require_project
from churnvalue.jobs.knowledge import applied, known, read_measured
from churnvalue.jobs.moments import moments
from churnvalue.jobs.outputs import CURVE, EXPORT, PLAN, PORTFOLIOS, REASONS, SCORES, SENDS
from churnvalue.jobs.past_sends import read_past_sends
from churnvalue.jobs.reasons import reasons_of_planned
from churnvalue.language import _, spoken
from churnvalue.memory import give_back
from churnvalue.parallel import one_thread_of_algebra
from churnvalue.progress import Stages
from churnvalue.storage import read_manifest, read_parquet, staged

# Columns of the scores: the others would only take memory.
_PLANNED_BY = (
    *("customer_id", "cutoff", "tier", "p_churn", "clv", "cost_to_serve"),
    *("p_return_7d", "second_purchase_day"),
)


@dataclass(frozen=True)
class Plan:
    """What to do for whom, when to write, what the budget buys, how the tiers do, and notes in words."""

    plan: pd.DataFrame
    sends: pd.DataFrame
    curve: pd.DataFrame
    portfolios: pd.DataFrame
    notes: tuple[str, ...]


@spoken
@one_thread_of_algebra
def plan(
    config: Config,
    scores: Path,
    out: Path | None = None,
    stages: Stages | None = None,
    measured: Sequence[Path] = (),
) -> Plan:
    """Plan actions and service under budget and capacity, and the hour at which each message goes out.

    Args:
        config: Budget, actions, experiments and rules of sending.
        scores: Folder that ``score`` wrote.
        out: Folder of plan.parquet, sends.parquet, curve.parquet, portfolios.parquet and sends.csv, and of reasons.parquet
            where the scores hold no reasons; nothing is written if None.
        stages: Times and shows the work.
        measured: Folders that ``measure`` wrote for past plans: this one's effects are corrected by them, and its hours by who
            answered their sends.

    Raises:
        OutputError: If scores or measurements are missing, damaged or of another project, or measurements are newer than
            the scores.
    """
    stages = stages or Stages()
    with stages.stage("reading the scores"):
        table = read_parquet(scores, SCORES)
        unexplained = table["drivers"].null_count == len(table)
        scored = table.select([name for name in _PLANNED_BY if name in table.column_names]).to_pandas()
        scored = scored.sort_values("customer_id", kind="stable", ignore_index=True)
        del table
        give_back()
        facts = read_manifest(scores)["facts"].get("score", {})
        require_project(facts, config.project, scores)
        past, unread = read_past_sends(measured)
    if not len(scored):
        raise OutputError(
            f"{scores / SCORES} must hold at least one customer, but holds none. Score a larger population."
        )
    cutoff = clock.micros(scored["cutoff"].iloc[0].to_pydatetime())
    factors, taught = read_measured(measured, config.project, cutoff)
    with stages.stage("reading the log"):
        log = read_log(config, cutoff)
        give_back()
    with stages.stage("learning what actions do"):
        knowledge = known(config, log, scored, cutoff, factors)
        recalibration = applied(knowledge.effects, factors)
        give_back()
    with stages.stage("choosing actions"):
        retention = plan_retention(scored, config.retention, config.value, config.project, knowledge)
        del knowledge
        give_back()
    with stages.stage("choosing the moments"):
        planned, said = moments(log, config, retention.plan, scored, cutoff, past)
        sends = planned.sends
        give_back()
    with stages.stage("looking back at the tiers"):
        tiers = portfolios(log, scored, config.value, config.outcome.kind)
    reasons, why = None, tuple[str, ...]()
    if unexplained and out is not None:
        with stages.stage("finding the reasons of the planned"):
            reasons, why = reasons_of_planned(log, retention.plan, config, cutoff, facts.get("model_versions", {}))
    sizes = _sizes(retention.plan.assign(p_stay=1.0 - scored["p_churn"].to_numpy()))
    notes = (*doubts(scored, log, cutoff), *retention.notes, *sizes, *taught, *unread, *said, *why)
    if out is not None:
        with (
            stages.stage("writing the plan"),
            staged(
                Path(out),
                "plan",
                project=config.project,
                cutoff=clock.text(cutoff),
                horizon_days=config.outcome.horizon_days,
                budget=config.retention.budget,
                holdout=config.retention.holdout,
                explore=config.retention.explore,
                policy_version=POLICY_VERSION,
                model_versions=facts.get("model_versions", {}),
                recalibration=recalibration,
                price=retention.price,
                gap=retention.gap,
                notes=list(notes),
                portfolio_notes=list(tiers.notes),
            ) as stage,
        ):
            tables = {PLAN: retention.plan, SENDS: sends, CURVE: retention.curve, PORTFOLIOS: tiers.table}
            for name, table in tables.items():
                stage.parquet(name, pa.Table.from_pandas(table, preserve_index=False))
            if reasons is not None:
                stage.parquet(REASONS, reasons)
            stage.text(EXPORT, export_text(sends))
    return Plan(retention.plan, sends, retention.curve, tiers.table, notes)


def _sizes(plan: pd.DataFrame) -> tuple[str, ...]:
    """Say, of each action whose effect is assumed, how large an experiment would show it."""
    assumed = plan[(plan["planned_action"] != NO_ACTION) & (plan["evidence"] == ASSUMPTION)]
    notes = []
    for action, rows in assumed.groupby("planned_action", sort=True):
        change, stay = float(rows["p_stay_change"].mean()), float(rows["p_stay"].mean())
        if change > 0 and 0 < stay < 1:
            size = size_experiment(change, base_rate=stay)
            notes.append(
                _(
                    "{action}: an experiment with {treated:,} such customers and as many left alone would show the assumed "
                    "{change:+.1f} points of staying with a probability of 80 %.",
                    action=action,
                    treated=size.treated,
                    change=100 * change,
                )
            )
    return tuple(notes)
