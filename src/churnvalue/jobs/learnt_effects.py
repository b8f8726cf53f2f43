"""What each action changes, from the experiments among the contacts, else as assumed; and what actions really were."""

from typing import Any

import numpy as np
import pandas as pd

from churnvalue import clock
from churnvalue.config import Action, Config, masked
from churnvalue.contacts import NO_ACTION, Contacts, Experiment, account_words, experiments, read_contacts, summary
from churnvalue.decisions.candidates import assumed_effects
from churnvalue.effects.action_effects import ActionEffects, combine
from churnvalue.effects.model import EffectModel
from churnvalue.effects.support import ENOUGH_CUSTOMERS
from churnvalue.errors import ExperimentError, HistoryError
from churnvalue.events.log import EventLog
from churnvalue.features import Feature, expand
from churnvalue.frames import TrainingFrame, feature_frame, training_frame
from churnvalue.language import _

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


def learnt_effects(
    config: Config, log: EventLog, scores: pd.DataFrame, cutoff: int
) -> tuple[ActionEffects, tuple[str, ...]]:
    """Return each action's effects from the largest experiment that says enough of it, else as assumed; and notes.

    Args:
        config: Actions, contacts.
        log: As it was known before the cutoff.
        scores: By customer_id.
        cutoff: Of the scores, microseconds UTC; contacts from then on are not read.
    """
    contacts = read_contacts(config, log, cutoff)
    drawn = experiments(contacts)
    actions, observed = _as_observed(config.retention.actions, contacts)
    found = assumed_effects(scores["p_churn"].to_numpy(dtype=np.float64), actions)
    closed, waiting = _readable(drawn, config, min(cutoff, log.observed_until))
    notes = [*account_words(contacts, drawn), *observed, *waiting]
    if config.contacts.source and not contacts.account.read:
        notes.append(
            _("{source} of [contacts] holds no row: all effects are assumed.", source=masked(config.contacts.source))
        )
    still = {action.id: action for action in actions}
    for one in sorted(closed, key=lambda one: (-len(one.frame), one.name)):
        taken = sorted({action.id for action in actions} & set(one.counts) - set(still))
        if taken:
            notes.append(
                _("Experiment {name} is not used for {taken}: a larger one was.", name=one.name, taken=", ".join(taken))
            )
        wanted = tuple(action for name, action in still.items() if name in one.counts)
        if not wanted:
            continue
        try:
            learnt, said = _learnt(config, log, one, wanted, scores)
        except (HistoryError, ExperimentError) as error:
            notes.append(_("Experiment {name} cannot be read: {error}", name=one.name, error=error))
            continue
        notes.extend(said)
        if learnt is not None:
            still = {name: action for name, action in still.items() if name not in learnt.actions}
            found = combine(learnt, found).select(tuple(action.id for action in actions))
    return found, tuple(notes)


def _as_observed(actions: tuple[Action, ...], contacts: Contacts) -> tuple[tuple[Action, ...], list[str]]:
    """Return the actions with the share that was seen to redeem, where it is known of enough offers; and notes."""
    names = [action.id for action in actions]
    seen = summary(contacts).reindex(names)[["contacts", "mean_cost", "noted", "redemption"]].to_numpy(np.float64)
    found, notes = [], []
    for action, (count, cost, noted, redemption) in zip(actions, seen, strict=True):
        used, parts = noted >= ENOUGH_CUSTOMERS, []
        found.append(action.model_copy(update={"redemption": float(redemption)}) if used else action)
        if not np.isnan(cost):
            planned = action.contact_cost + found[-1].redemption * action.incentive
            parts.append(
                _(
                    "{count:,.0f} contacts cost {cost:.2f} on average, {planned:.2f} is planned",
                    count=count,
                    cost=cost,
                    planned=planned,
                )
            )
        if noted > 0:
            told = {"seen": redemption, "offers": noted, "configured": action.redemption, "needed": ENOUGH_CUSTOMERS}
            parts.append(
                _(
                    "{seen:.0%} of {offers:,.0f} offers were redeemed, used instead of the configured {configured:.0%}",
                    **told,
                )
                if used
                else _(
                    "{seen:.0%} of {offers:,.0f} offers were redeemed, too few ({needed} needed) to replace the configured "
                    "{configured:.0%}",
                    **told,
                )
            )
        if parts:
            notes.append(f"{action.id}: {'; '.join(parts)}.")
    return tuple(found), notes


def _readable(drawn: tuple[Experiment, ...], config: Config, known_until: int) -> tuple[list[Experiment], list[str]]:
    """Return the experiments that can be learnt from, and a note on each other."""
    actions = {action.id for action in config.retention.actions}
    closed, notes = [], []
    for one in drawn:
        last = clock.micros(one.frame["event_time"].max().to_pydatetime())
        until = last + config.outcome.horizon_days * clock.DAY
        if one.unfit:
            notes.append(
                _(
                    "Experiment {name} teaches nothing: {why}.",
                    name=one.name,
                    why=one.unfit.removesuffix("."),
                )
            )
        elif NO_ACTION not in one.counts or not set(one.counts) & actions:
            notes.append(
                _(
                    "Experiment {name} compares none of the configured actions with '{control}'.",
                    name=one.name,
                    control=config.contacts.control,
                )
            )
        elif until > known_until:
            notes.append(
                _(
                    "Experiment {name} can be read from {until} on: its outcomes are still open.",
                    name=one.name,
                    until=clock.text(until),
                )
            )
        else:
            closed.append(one)
    return closed, notes


def _learnt(
    config: Config, log: EventLog, experiment: Experiment, actions: tuple[Action, ...], scores: pd.DataFrame
) -> tuple[ActionEffects | None, tuple[str, ...]]:
    """Return the effects, on the scored customers, of the actions that an experiment supports."""
    features = _features(config, log)
    described, inside = _described(config, log, experiment, features)
    outside = len(experiment.frame) - len(inside)
    model = EffectModel(
        actions=tuple(action.id for action in actions),
        control=NO_ACTION,
        save_rates={action.id: action.save_rate for action in actions},
        redemption={action.id: action.redemption for action in actions},
    )
    redeemed = inside["redeemed"].astype("Float64")
    enough = redeemed.groupby(inside["action"]).transform("count") >= ENOUGH_CUSTOMERS
    model.fit(
        described.features.set_axis(inside["customer_id"].to_numpy(), axis=0),
        inside["action"].to_numpy(),
        1.0 - described.targets["churned"].to_numpy(),
        inside["propensity"].to_numpy(),
        _worth(described.features, config),
        redeemed.where(enough).to_numpy(dtype=np.float64, na_value=np.nan),
    )
    told = {"name": experiment.name, "customers": len(inside), "first": experiment.frame["event_time"].min()}
    if outside:
        said: tuple[str, ...] = (
            _(
                "Experiment {name}: {customers:,} customers from {first:%Y-%m-%d}, {outside:,} of its customers outside "
                "[population] left out.",
                **told,
                outside=outside,
            ),
        )
    else:
        said = (_("Experiment {name}: {customers:,} customers from {first:%Y-%m-%d}.", **told),)
    if not model.supported_:
        return None, (*said, *model.notes_)
    now = feature_frame(log, features, clock.micros(scores["cutoff"].iloc[0].to_pydatetime()), config.population)
    now = now.droplevel("cutoff").reindex(scores["customer_id"])
    return model.predict(now, scores["p_churn"].to_numpy(dtype=np.float64)).select(model.supported_), said


def _described(
    config: Config, log: EventLog, experiment: Experiment, features: tuple[Feature, ...]
) -> tuple[TrainingFrame, pd.DataFrame]:
    """Return features and outcomes of those of the population who took part, and their rows of the experiment.

    Described and followed from the midnight before the contact, so that nothing after it describes anybody. One day at a
    time: contacts of a year would else hold the whole population 365 times.
    """
    features_of, targets_of, rows_of = [], [], []
    for day, contacted in experiment.frame.groupby(experiment.frame["event_time"].dt.floor("D"), sort=True):
        frame = training_frame(log, features, [clock.micros(day.to_pydatetime())], config.population, config.outcome)
        found = frame.features.index.get_level_values("customer_id").get_indexer(pd.Index(contacted["customer_id"]))
        features_of.append(frame.features.iloc[found[found >= 0]])
        targets_of.append(frame.targets.iloc[found[found >= 0]])
        rows_of.append(contacted[found >= 0])
    return TrainingFrame(pd.concat(features_of), pd.concat(targets_of)), pd.concat(rows_of)


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
