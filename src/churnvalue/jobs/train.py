"""``train``: from the log to registered models, with everything that is needed to trust or refuse them."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from churnvalue import clock
from churnvalue.config import Config
from churnvalue.errors import HistoryError
from churnvalue.frames import TrainingFrame
from churnvalue.jobs.champions import open_registry
from churnvalue.jobs.learning import learn
from churnvalue.jobs.material import definitions, gather
from churnvalue.jobs.promotion import objections, rivals_of
from churnvalue.jobs.realised import grade_past_scores
from churnvalue.jobs.registration import SUMMARY, inputs_of, record_of, take_up
from churnvalue.jobs.sampling import read_to_learn
from churnvalue.jobs.summary import summarise
from churnvalue.language import N_, _, spoken
from churnvalue.parallel import one_thread_of_algebra
from churnvalue.progress import Stages
from churnvalue.storage import staged
from churnvalue.tracking.records import Entered, Record, enter, forget, keeping, kept_records

_FEWEST = 10  # customers of each outcome, below which nothing can be learnt


@dataclass(frozen=True)
class Training:
    """What a training brought: versions by model, whether they became champions and why, and the contents of train.json."""

    versions: Mapping[str, int]
    promoted: bool
    summary: Mapping[str, Any]


@spoken
@one_thread_of_algebra
def train(
    config: Config,
    as_of: str | None = None,
    out: Path | None = None,
    stages: Stages | None = None,
    *,
    force: bool = False,
) -> Training:
    """Train, judge and register churn, orders, spend, value and return; promote them together if the gate holds.

    Args:
        config: What to read and how to learn.
        as_of: Nothing that happened or was known from this time on is read; everything if None.
        out: Folder of train.json; that of the configuration if None.
        stages: Times and shows the work.
        force: Learn even from very few customers of an outcome, and say so in the notes.

    Raises:
        HistoryError: If the log is too short or too one-sided.
    """
    stages = stages or Stages()
    with stages.stage("reading the log"):
        log, sample = read_to_learn(config, None if as_of is None else clock.micros(as_of))
    loaded = definitions(config, log)
    with stages.stage("opening the model registry"):
        tracker = open_registry(config)
        tracker.close_stale_runs()
        kept = kept_records(config.folder)
        taken = take_up(tracker, kept)
        rivals = rivals_of(tracker, loaded)
        realised = grade_past_scores(config, log, tracker)
    with stages.stage("computing features"):
        material = gather(log, loaded, config, [feature for rival in rivals.values() for feature in rival.features])
    few = _require_both(material.frame, force)
    again = taken.get(inputs_of(material, loaded))
    if again is not None:  # an earlier training learnt just this, but could not register it
        training = _finish(*again, config, out)
    else:
        learned = learn(material, loaded, stages)
        with stages.stage("registering the models"):
            reasons, remarks = objections(rivals, learned, loaded, material.frame, config)
            summary = summarise(config, log, material.frame, learned, loaded)
            summary["realised"] = list(realised.rows)
            summary["log"]["notes"] += (*few, *([sample.says()] if sample else ()), *realised.notes)
            summary["log"]["sample"] = sample.facts() if sample else None
            if sample:
                summary["last_period"] = sample.scaled(summary["last_period"])
            summary["gate"] = {"passed": not reasons, "reasons": reasons, "remarks": remarks}
            record = record_of(material, loaded, learned, summary, rivals)
            with keeping(config.folder, record):
                training = _finish(record, enter(tracker, record), config, out)
    forget(kept)
    timings = {title: round(seconds, 3) for title, seconds in stages.seconds.items()}
    return replace(training, summary={**training.summary, "timings": timings})


def _finish(record: Record, entered: Entered, config: Config, out: Path | None) -> Training:
    """Write train.json of what has been registered."""
    summary = json.loads(record.texts[SUMMARY])
    summary["promoted"] = entered.promoted
    if entered.superseded:
        summary["gate"]["reasons"].append(entered.superseded.rstrip("."))
    for name, version in entered.versions.items():
        summary["models"].setdefault(name, {})
        summary["models"][name] |= {"version": version, "aliases": ["champion" if entered.promoted else "challenger"]}
    with staged(out or config.folder, "train", as_of=summary["as_of"], project=config.project) as stage:
        stage.json(SUMMARY, summary)
    return Training(entered.versions, entered.promoted, summary)


def _require_both(frame: TrainingFrame, force: bool) -> tuple[str, ...]:
    """Return what is to be said of few customers of an outcome: nothing where there are enough."""
    left = int(frame.targets["churned"].sum())
    stayed = len(frame.targets) - left
    if min(left, stayed) >= _FEWEST:
        return ()
    if force and min(left, stayed) > 0:
        told = N_("few customers to learn from, as was forced: {left:,} who left and {stayed:,} who stayed")
        return (_(told, left=left, stayed=stayed),)
    raise HistoryError(
        f"Learning needs at least {_FEWEST} customers who left and {_FEWEST} who stayed, but the log has {left:,} and"
        f" {stayed:,} over {len(frame.cutoffs)} cutoffs. Change outcome.horizon_days, or bring more customers."
    )
