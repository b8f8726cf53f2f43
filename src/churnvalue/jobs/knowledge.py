"""What is known when a plan is made: what actions do, what past plans taught, whom to leave alone, what to offer next."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from churnvalue import clock
from churnvalue.config import Config, Retention
from churnvalue.decisions.candidates import Known
from churnvalue.effects.action_effects import ActionEffects
from churnvalue.errors import near_match
from churnvalue.evaluation.recalibration import Factors, recalibration
from churnvalue.events.log import EventLog
from churnvalue.jobs.belongs import require_known_before, require_project
from churnvalue.jobs.learnt_effects import learnt_effects
from churnvalue.jobs.outputs import MEASURE
from churnvalue.language import _, named, translated
from churnvalue.models.next_category import NextCategory
from churnvalue.storage import read_json
from churnvalue.sweep import compile_measures, sweep
from churnvalue.views import History, evaluate, measures


def read_measured(folders: Sequence[Path], project: str, cutoff: int) -> tuple[Factors, tuple[str, ...]]:
    """Return by how much to multiply the effects of each action, from the measure.json of past plans; and notes.

    A plan counts once however often it was measured: by its longest measurement. One that teaches nothing is passed over.

    Raises:
        OutputError: If a measurement is missing, damaged, of another project, or was made after ``cutoff``.
    """
    found: dict[tuple[str, str], dict[str, Any]] = {}
    notes = []
    for folder in folders:
        content = read_json(folder, MEASURE)
        require_project(content, project, folder)
        require_known_before(content, cutoff, folder)
        key = content["cutoff"], str(content.get("policy_version", ""))
        if content.get("no_lesson"):
            notes.append(
                _(
                    "{folder} teaches nothing of what actions do: {no_lesson}.",
                    folder=folder,
                    no_lesson=content["no_lesson"],
                )
            )
            continue
        if key in found:
            notes.append(
                _(
                    "{folder} measures the plan of {cutoff} once more: the plan counts once.",
                    folder=folder,
                    cutoff=key[0],
                )
            )
        found[key] = max(found.get(key, content), content, key=lambda one: str(one["as_of"]))
    return recalibration([found[key] for key in sorted(found)]), tuple(notes)


def applied(effects: ActionEffects | None, factors: Factors) -> dict[str, dict[str, float]]:
    """Return ``{action: {"factor", "se"}}``: what was measured of effects that rested on the same kind of evidence."""
    if effects is None:
        return {}
    rests = zip(effects.actions, effects.evidence.tolist(), strict=True)
    return {action: dict(factors[action][one]) for action, one in rests if one in factors.get(action, {})}


def known(config: Config, log: EventLog, scores: pd.DataFrame, cutoff: int, factors: Factors) -> Known:
    """Return what a plan of ``scores`` may know beside them: nothing that happened or was known from the cutoff on.

    Args:
        config: Actions, exclusions, contacts.
        log: As it was known before the cutoff.
        scores: By customer_id.
        cutoff: Of the scores, microseconds UTC.
        factors: What past measurements say of each action, from ``read_measured``.
    """
    effects, notes = learnt_effects(config, log, scores, cutoff)
    effects, corrected = _corrected(effects, factors)
    offer, said = _next_category(config, log, scores, cutoff)
    said = (*notes, *corrected, *_idle_exclusions(config, log), *said)
    return Known(effects, _excluded(config, log, cutoff), offer, said)


def _corrected(effects: ActionEffects, factors: Factors) -> tuple[ActionEffects, tuple[str, ...]]:
    """Multiply effects by what past plans were measured to have done."""
    used = applied(effects, factors)
    times = np.array([used.get(action, {}).get("factor", 1.0) for action in effects.actions])
    low, high = np.sort(np.stack([effects.stay_p10 * times, effects.stay_p90 * times]), axis=0)
    notes = [
        _(
            "{action}: past plans were measured, so its effects are multiplied by {factor:.2f} ± {se:.2f}.",
            action=action,
            factor=found["factor"],
            se=found["se"],
        )
        for action, found in used.items()
    ]
    notes += [
        _(
            "{action}: past plans were measured while its effects rested on an {before}; now they rest on an {now}, so they are "
            "not multiplied.",
            action=action,
            before=", ".join(map(translated, factors[action])),
            now=translated(one),
        )
        for action, one in zip(effects.actions, effects.evidence.tolist(), strict=True)
        if action in factors and action not in used
    ]
    return replace(effects, stay=effects.stay * times, stay_p10=low, stay_p90=high), tuple(notes)


def _excluded(config: Config, log: EventLog, cutoff: int) -> dict[str, str]:
    """Why customers are to be left alone, by customer_id."""
    reasons: dict[str, str] = {}
    for kind, days in sorted(config.retention.exclude.items()):
        if kind not in log.kinds:
            continue
        column = History().of(kind).last(days).count()
        measured = sweep(log, compile_measures(measures([column]), log), clock.before(cutoff), cutoff)
        reason = _("left alone: {kind} within the last {days} days", kind=named(kind), days=days)
        for customer in log.customers.filter(pa.array(evaluate(column, measured) > 0)).to_pylist():
            reasons.setdefault(customer, reason)
    return reasons


def _idle_exclusions(config: Config, log: EventLog) -> tuple[str, ...]:
    """Name the kinds to exclude that no event is of, but for those that are excluded by default."""
    asked = set(config.retention.exclude) - set(Retention().exclude)
    return tuple(
        _(
            "[retention] exclude leaves nobody alone for '{kind}': no event of that kind is in the log.{near}",
            kind=kind,
            near=near_match(kind, log.kinds),
        )
        for kind in sorted(asked - set(log.kinds))
    )


def _next_category(
    config: Config, log: EventLog, scores: pd.DataFrame, cutoff: int
) -> tuple[dict[str, str], tuple[str, ...]]:
    """Return what to offer each customer next, where the log knows categories."""
    if not log.categories.names:
        return {}, ()
    model = NextCategory(kind=config.outcome.kind, horizon_days=config.outcome.horizon_days).fit(log, cutoff)
    offered = model.predict(scores["customer_id"].tolist()).dropna(subset="next_category")
    return dict(zip(offered["customer_id"], offered["next_category"], strict=True)), (model.says_,)
