"""What is known when a plan is made: effects from experiments, who is to be left alone, what to offer next."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from churnvalue import clock
from churnvalue.config import Config
from churnvalue.contacts import NO_ACTION, Experiment, experiments, read_contacts
from churnvalue.decisions.candidates import Known, assumed_effects
from churnvalue.effects.action_effects import ActionEffects, combine
from churnvalue.effects.model import EffectModel
from churnvalue.errors import ExperimentError, HistoryError
from churnvalue.evaluation.recalibration import recalibration
from churnvalue.events.log import EventLog
from churnvalue.features import Feature, expand
from churnvalue.frames import feature_frame, training_frame
from churnvalue.jobs.outputs import MEASURE
from churnvalue.models.next_category import NextCategory
from churnvalue.storage import read_json
from churnvalue.sweep import compile_measures, sweep
from churnvalue.views import History, evaluate, measures

# Few and plain: an experiment is small beside a log, and what is asked is who differs, not who leaves.
_DESCRIBED_BY: tuple[dict[str, Any], ...] = (
    {"use": ["days_since_last", "days_since_first"], "kind": "@outcome"},
    {"use": "event_count", "kind": "@outcome", "days": [90, 365]},
    {"use": "amount_total", "kind": "@outcome", "days": 365},
    {"use": "amount_mean", "kind": "@outcome", "days": "all"},
    {"use": "gap_mean", "kind": "@outcome"},
    {"use": "event_count", "kind": ["visit", "ticket"], "days": 90},
    {"use": ["open_rate", "click_rate"], "days": 365},
    {"use": "return_share", "days": 365},
)


def read_measured(folders: Sequence[Path]) -> dict[str, dict[str, float]]:
    """Return by how much to multiply the effects of each action, from the measure.json of past plans."""
    return recalibration([read_json(folder, MEASURE) for folder in folders])


def known(
    config: Config, log: EventLog, scores: pd.DataFrame, cutoff: int, factors: Mapping[str, Mapping[str, float]]
) -> Known:
    """Return what a plan of ``scores`` may know beside them: nothing that happened or was known from the cutoff on.

    Args:
        config: Actions, exclusions, contacts.
        log: As it was known before the cutoff.
        scores: By customer_id.
        cutoff: Of the scores, microseconds UTC.
        factors: What past measurements say of each action, from ``read_measured``.
    """
    effects, notes = _effects(config, log, scores, cutoff)
    effects, corrected = _corrected(effects, factors)
    offer, said = _next_category(config, log, scores, cutoff)
    return Known(effects, _excluded(config, log, cutoff), offer, (*notes, *corrected, *said))


def _effects(config: Config, log: EventLog, scores: pd.DataFrame, cutoff: int) -> tuple[ActionEffects, tuple[str, ...]]:
    """Return each action's effects from the largest experiment that says enough of it, else as assumed."""
    actions = {action.id: action for action in config.retention.actions}
    p_churn = scores["p_churn"].to_numpy(dtype=np.float64)
    found = assumed_effects(p_churn, config.retention.actions)
    contacts = read_contacts(config, log, cutoff)
    closed, notes = [], []
    if contacts.account.quarantined:
        said = ", ".join(f"{reason}: {rows:,}" for reason, rows in sorted(contacts.account.quarantined.items()))
        notes.append(f"{contacts.account.refused:,} of {contacts.account.read:,} contacts cannot be used ({said}).")
    for one in experiments(contacts):
        until = clock.micros(one.frame["event_time"].max().to_pydatetime()) + config.outcome.horizon_days * clock.DAY
        if NO_ACTION not in one.counts or not set(one.counts) & set(actions):
            notes.append(
                f"Experiment {one.name} compares none of the configured actions with '{config.contacts.control}'."
            )
        elif until > min(cutoff, log.observed_until):
            notes.append(f"Experiment {one.name} can be read from {clock.text(until)} on: its outcomes are still open.")
        else:
            closed.append(one)
    open_actions = list(actions)
    for one in sorted(closed, key=lambda one: (-len(one.frame), one.name)):
        wanted = tuple(action for action in open_actions if action in one.counts)
        if not wanted:
            continue
        try:
            learnt, said = _learnt(config, log, one, wanted, scores)
        except (HistoryError, ExperimentError) as error:
            notes.append(f"Experiment {one.name} cannot be read: {error}")
            continue
        notes.extend(said)
        if learnt is not None:
            open_actions = [action for action in open_actions if action not in learnt.actions]
            found = combine(learnt, found).select(tuple(actions))
    return found, tuple(notes)


def _learnt(
    config: Config, log: EventLog, experiment: Experiment, actions: tuple[str, ...], scores: pd.DataFrame
) -> tuple[ActionEffects | None, tuple[str, ...]]:
    """Return the effects, on the scored customers, of the actions that an experiment supports."""
    features = _features(config, log)
    # Described and followed from the midnight before the contact, so that nothing after it describes anybody.
    day = experiment.frame["event_time"].dt.floor("D")
    cutoffs = [clock.micros(one.to_pydatetime()) for one in sorted(day.unique())]
    described = training_frame(log, features, cutoffs, config.population, config.outcome)
    places = pd.MultiIndex.from_arrays([experiment.frame["customer_id"], day.dt.as_unit("us")])
    rows = described.features.index.get_indexer(places)
    inside = experiment.frame[rows >= 0]
    rows = rows[rows >= 0]
    outside = len(experiment.frame) - len(inside)
    chosen = {action.id: action for action in config.retention.actions if action.id in actions}
    model = EffectModel(
        actions=actions,
        control=NO_ACTION,
        save_rates={name: action.save_rate for name, action in chosen.items()},
        redemption={name: action.redemption for name, action in chosen.items()},
    )
    model.fit(
        described.features.iloc[rows].set_axis(inside["customer_id"].to_numpy(), axis=0),
        inside["action"].to_numpy(),
        1.0 - described.targets["churned"].to_numpy()[rows],
        inside["propensity"].to_numpy(),
        _worth(described.features.iloc[rows], config),
    )
    left = f", {outside:,} of its customers outside [population] left out" if outside else ""
    said = (f"Experiment {experiment.name}: {len(inside):,} customers from {day.min():%Y-%m-%d}{left}.",)
    if not model.supported_:
        return None, (*said, *model.notes_)
    now = feature_frame(log, features, clock.micros(scores["cutoff"].iloc[0].to_pydatetime()), config.population)
    now = now.droplevel("cutoff").reindex(scores["customer_id"])
    return model.predict(now, scores["p_churn"].to_numpy(dtype=np.float64)).select(model.supported_), said


def _features(config: Config, log: EventLog) -> tuple[Feature, ...]:
    def named(entry: dict[str, Any]) -> dict[str, Any]:
        return {key: config.outcome.kind if value == "@outcome" else value for key, value in entry.items()}

    wanted = expand(named(entry) for entry in _DESCRIBED_BY)
    return tuple(feature for feature in wanted if feature.kinds <= set(log.kinds))


def _worth(described: pd.DataFrame, config: Config) -> np.ndarray:
    """What each customer brought in a year, by which staying is worth more or less: margin, or orders without amounts."""
    spent = described[f"amount_total_{config.outcome.kind}_365d"]
    return np.asarray(
        spent if spent.notna().any() else described[f"event_count_{config.outcome.kind}_365d"], np.float64
    )


def _corrected(
    effects: ActionEffects, factors: Mapping[str, Mapping[str, float]]
) -> tuple[ActionEffects, tuple[str, ...]]:
    """Multiply effects by what past plans were measured to have done."""
    times = np.array([factors.get(action, {}).get("factor", 1.0) for action in effects.actions])
    low, high = (
        np.sort(np.stack([part * times for part in (effects.stay_p10, effects.stay_p90)]), axis=0)[i] for i in (0, 1)
    )
    notes = [
        f"{action}: past plans were measured, so its effects are multiplied by {found['factor']:.2f} ± {found['se']:.2f}."
        for action, found in factors.items()
        if action in effects.actions
    ]
    return replace(effects, stay=effects.stay * times, stay_p10=low, stay_p90=high), tuple(notes)


def _excluded(config: Config, log: EventLog, cutoff: int) -> dict[str, str]:
    """Why customers are to be left alone, by customer_id."""
    reasons: dict[str, str] = {}
    ids = log.customers.to_pylist()
    for kind, days in sorted(config.retention.exclude.items()):
        if kind not in log.kinds:
            continue
        column = History().of(kind).last(days).count()
        measured = sweep(log, compile_measures(measures([column]), log), clock.before(cutoff), cutoff)
        for row in np.flatnonzero(evaluate(column, measured) > 0):
            reasons.setdefault(ids[row], f"left alone: {kind} within the last {days} days")
    return reasons


def _next_category(
    config: Config, log: EventLog, scores: pd.DataFrame, cutoff: int
) -> tuple[dict[str, str], tuple[str, ...]]:
    """Return what to offer each customer next, where the log knows categories."""
    if not log.categories.names:
        return {}, ()
    model = NextCategory(kind=config.outcome.kind, horizon_days=config.outcome.horizon_days).fit(log, cutoff)
    offered = model.predict(scores["customer_id"].tolist()).dropna(subset="next_category")
    return dict(zip(offered["customer_id"], offered["next_category"], strict=True)), (model.says_,)
