"""What a training says of itself: the contents of train.json."""

from collections.abc import Mapping
from hashlib import blake2b
from typing import Any

import numpy as np
import pandas as pd

from churnvalue import clock
from churnvalue.config import Config
from churnvalue.evaluation.measurement import OURS, Evaluation, grade, table
from churnvalue.events.log import EventLog, describe
from churnvalue.explain import importance
from churnvalue.frames import TrainingFrame
from churnvalue.jobs.learning import Learned
from churnvalue.jobs.material import needed_features
from churnvalue.language import _, named
from churnvalue.models.blend import Blend
from churnvalue.models.definition import Loaded

_STEADY = 500  # customers at a cutoff, as churn products ask for at least
_EXPLAINED = 2_000  # customers, by whom it is seen what the models look at
_RISKS = (0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.98)  # from which it is told who left


def summarise(
    config: Config, log: EventLog, frame: TrainingFrame, learned: Learned, loaded: Mapping[str, Loaded]
) -> dict[str, Any]:
    """Return the contents of train.json; it holds no time of day, so the same inputs give the same bytes."""
    account = log.account
    evaluation = learned.evaluation
    newest = frame.at([frame.cutoffs[-1]])
    explained = explained_rows(newest.features)
    left_out = sorted({kind for definition in loaded.values() for kind in definition.left_out})
    notes = list(learned.notes)
    if left_out:
        notes.append(
            _(
                "features of {kinds} are left out, for the log holds no such events",
                kinds=", ".join(named(kind) for kind in left_out),
            )
        )
    if not log.pays(config.outcome.kind):
        notes.append(
            _("no {kind} carries an amount: spend and value are not foretold", kind=named(config.outcome.kind))
        )
    if len(newest.features) < _STEADY:
        notes.append(
            _(
                "{features:,} customers are few: below {steady}, verdict and grade are largely chance",
                features=len(newest.features),
                steady=_STEADY,
            )
        )
    if log.days_only:
        notes.append(_("the log knows days, not hours"))
    models: dict[str, Any] = table(evaluation.metrics()) if evaluation else {}
    models |= table({"return": learned.returns.metrics}) if learned.returns.metrics else {}
    models.setdefault("return", {})["note"] = learned.returns.note
    for name, model in learned.models.items():
        link = getattr(model, name, None)
        if isinstance(link, Blend):
            found = importance(link, explained, needed_features(config, loaded))
            models.setdefault(name, {})["importance"] = [vars(i) for i in found]
            models[name]["features"] = list(link.features)
            models[name]["parameters"] = dict(learned.tuned[name].parameters)
            models[name]["rounds"] = learned.tuned[name].rounds
            models[name]["weights"] = {"trees": link.trees_weight, "buying": link.buying_weight, "level": link.level}
    summary = {
        "project": config.project,
        "as_of": clock.text(log.observed_until),
        "observed_until": clock.text(log.observed_until),
        "cutoffs": [f"{cutoff:%Y-%m-%d}" for cutoff in frame.cutoffs],
        "customers": len(newest.features),
        "rows": len(frame.features),
        "horizon_days": config.outcome.horizon_days,
        "learnt_days": learned.learnt_days,
        "equity": learned.equity.facts() if learned.equity else None,
        "digest": frame_digest(frame),
        "log": {
            "text": describe(log),
            "rows_kept": account.kept,
            "duplicates": account.duplicates,
            "later": account.later,
            "quarantined": [{"reason": reason, "rows": rows} for reason, rows in account.quarantined.items()],
            "kinds": log.kinds,
            "first": clock.text(log.first),
            "last": clock.text(log.observed_until),
            "notes": notes,
        },
        "models": models,
        "last_period": _last_period(newest, learned.learnt_days),
    }
    if evaluation:
        graded = grade(evaluation.metrics())
        summary |= {
            "grade": graded.letter,
            "grade_text": graded.words,
            "test_cutoff": f"{evaluation.cutoff:%Y-%m-%d}",
            "calibration": evaluation.calibration(),
            "lift": evaluation.lift(),
            "spend_deciles": evaluation.deciles(),
            "thresholds": _thresholds(evaluation),
        }
    return summary


def _thresholds(evaluation: Evaluation) -> list[dict[str, float]]:
    """Return how many customers had at least each risk at the cutoff of the verdict, and how many of them left."""
    risk = evaluation.predictions[OURS].p_churn
    if risk is None:
        return []
    left = evaluation.targets["churned"].to_numpy(dtype=bool)
    reached = [(at, risk >= at) for at in _RISKS]
    return [{"p_churn": at, "customers": int(r.sum()), "leavers": int((r & left).sum())} for at, r in reached]


def _last_period(newest: TrainingFrame, days: int) -> dict[str, Any]:
    """Return what the customers of the newest closed window did in its ``days``; no spend in a log without amounts."""
    begin, targets = newest.cutoffs[-1], newest.targets
    return {
        "from": f"{begin:%Y-%m-%d}",
        "to": f"{begin + pd.Timedelta(days=days):%Y-%m-%d}",
        "days": days,
        "customers": len(targets),
        **{name: float(targets[name].sum()) for name in ("churned", "orders", "spend") if name in targets},
    }


def explained_rows(rows: pd.DataFrame) -> pd.DataFrame:
    """Return every n-th customer: enough to see what the models look at."""
    return rows.iloc[:: max(1, len(rows) // _EXPLAINED)]


def frame_digest(frame: TrainingFrame) -> str:
    """Return a digest of every cell of the training frame, its columns and its customers."""
    digest = blake2b(digest_size=16)
    for part in (frame.features, frame.targets):
        digest.update("\n".join(part.columns).encode())
        digest.update(np.ascontiguousarray(part.to_numpy(dtype=np.float64)).tobytes())
    ids, cutoffs = (frame.features.index.get_level_values(level) for level in ("customer_id", "cutoff"))
    digest.update("\n".join(ids).encode())
    digest.update(np.ascontiguousarray(cutoffs.to_numpy(dtype="datetime64[us]")).tobytes())
    return digest.hexdigest()
