"""``plan``: from scores to whom to keep, how, and when to write to them."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa

from churnvalue import clock
from churnvalue.config import Config, FromColumn
from churnvalue.decisions.retention import POLICY_VERSION, plan_retention
from churnvalue.decisions.sends import plan_sends
from churnvalue.decisions.slot_choice import SendRules
from churnvalue.engines import read_log
from churnvalue.errors import OutputError
from churnvalue.events.log import MISSING, EventLog
from churnvalue.jobs.score import SCORES
from churnvalue.progress import Stages
from churnvalue.storage import read_manifest, read_parquet, staged
from churnvalue.sweep import slot_counts
from churnvalue.timing.habit import SlotHabit

PLAN, SENDS, CURVE = "plan.parquet", "sends.parquet", "curve.parquet"
_ACTIVITY = ("visit",)  # beside the outcome's kind: what customers do of their own accord, unlike opening what we send


@dataclass(frozen=True)
class Plan:
    """What to do for whom, when to write, what the budget buys, and notes in words."""

    plan: pd.DataFrame
    sends: pd.DataFrame
    curve: pd.DataFrame
    notes: tuple[str, ...]


def plan(config: Config, scores: Path, out: Path | None = None, stages: Stages | None = None) -> Plan:
    """Plan actions under budget and capacity, and the hour at which each message goes out.

    Args:
        config: Budget, actions and rules of sending.
        scores: Folder that ``score`` wrote.
        out: Folder of plan.parquet, sends.parquet and curve.parquet; nothing is written if None.
        stages: Times and shows the work.

    Raises:
        OutputError: If the scores are missing or damaged.
    """
    stages = stages or Stages()
    with stages.stage("reading the scores"):
        scored = read_parquet(scores, SCORES).drop_columns(["drivers", "spend_drivers"]).to_pandas()
        facts = read_manifest(scores)["facts"].get("score", {})
    if not len(scored):
        raise OutputError(
            f"{scores / SCORES} must hold at least one customer, but holds none. Score a larger population."
        )
    cutoff = int(scored["cutoff"].dt.as_unit("us").astype("int64").iloc[0])
    with stages.stage("choosing actions"):
        retention = plan_retention(scored, config.retention, config.value, salt=config.project)
    with stages.stage("learning the hours of activity"):
        log = read_log(config, cutoff)
        habit, zones = _habit(log, config, cutoff, retention.plan["customer_id"])
    with stages.stage("choosing the moments"):
        rules = SendRules(
            as_of=cutoff,
            timing=config.timing,
            channels={action.id: action.channel for action in config.retention.actions},
            day_granularity=log.days_only,
            salt=config.project,
        )
        sends = plan_sends(retention.plan, habit, zones, rules)
    if out is not None:
        with (
            stages.stage("writing the plan"),
            staged(
                Path(out),
                "plan",
                project=config.project,
                cutoff=clock.text(cutoff),
                budget=config.retention.budget,
                policy_version=POLICY_VERSION,
                model_versions=facts.get("model_versions", {}),
                price=retention.price,
                notes=list(retention.notes),
            ) as stage,
        ):
            stage.parquet(PLAN, pa.Table.from_pandas(retention.plan, preserve_index=False))
            stage.parquet(SENDS, pa.Table.from_pandas(sends, preserve_index=False))
            stage.parquet(CURVE, pa.Table.from_pandas(retention.curve, preserve_index=False))
    return Plan(retention.plan, sends, retention.curve, retention.notes)


def _habit(log: EventLog, config: Config, cutoff: int, ids: pd.Series) -> tuple[np.ndarray, str | list[str]]:
    """Return each planned customer's distribution over the hours of the week, and their zones."""
    counts = np.zeros((len(log.customers), 168))
    for kind in (config.outcome.kind, *_ACTIVITY):
        counts += slot_counts(log, kind, clock.before(cutoff), cutoff)
    rows = pd.Index(log.customers.to_pandas()).get_indexer(ids)
    own = np.where(rows[:, None] >= 0, counts[rows], 0.0)
    habit = SlotHabit().fit(counts).predict(own)
    timezone = config.timing.timezone
    if not isinstance(timezone, FromColumn):
        return habit, timezone
    codes = np.where(rows >= 0, log.zones.codes[rows], MISSING)
    return habit, ["UTC" if code == MISSING else log.zones.names[code] for code in codes]
