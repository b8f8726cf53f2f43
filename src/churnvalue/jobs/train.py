"""``train``: from the log to registered models, with everything that is needed to trust or refuse them."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from churnvalue import clock
from churnvalue.config import Config
from churnvalue.engines import read_log
from churnvalue.errors import HistoryError
from churnvalue.frames import TrainingFrame
from churnvalue.jobs.champions import open_registry
from churnvalue.jobs.learning import learn
from churnvalue.jobs.material import definitions, gather
from churnvalue.jobs.promotion import objections
from churnvalue.jobs.registration import log_run, register
from churnvalue.jobs.summary import summarise
from churnvalue.models.serving import read_features
from churnvalue.progress import Stages
from churnvalue.storage import staged
from churnvalue.tracking.packages import MODEL_FILES
from churnvalue.tracking.registry import CHALLENGER, CHAMPION

_FEWEST = 10  # customers of each outcome, below which nothing can be learnt


@dataclass(frozen=True)
class Training:
    """What a training brought: versions by model, whether they became champions and why, and the contents of train.json."""

    versions: Mapping[str, int]
    promoted: bool
    summary: Mapping[str, Any]


def train(config: Config, as_of: str | None = None, out: Path | None = None, stages: Stages | None = None) -> Training:
    """Train, judge and register churn, orders, spend, value and return; promote them together if the gate holds.

    Args:
        config: What to read and how to learn.
        as_of: Nothing that happened or was known from this time on is read; everything if None.
        out: Folder of train.json; that of the configuration if None.
        stages: Times and shows the work.

    Raises:
        HistoryError: If the log is too short or too one-sided.
    """
    stages = stages or Stages()
    with stages.stage("reading the log"):
        log = read_log(config, None if as_of is None else clock.micros(as_of))
    loaded = definitions(config, log)
    with stages.stage("opening the model registry"):
        tracker = open_registry(config)
        tracker.close_stale_runs()
        champions = {name: version for name in loaded if (version := tracker.version(name, CHAMPION))}
        rivals = [read_features(tracker.download(name, version) / MODEL_FILES) for name, version in champions.items()]
    with stages.stage("computing features"):
        material = gather(log, loaded, config, [feature for features in rivals for feature in features])
    frame = material.frame
    _require_both(frame)
    learned = learn(material, loaded, stages)
    with stages.stage("registering the models"), tracker.run("train", {"project": config.project}) as run:
        reasons, remarks = objections(tracker, champions, learned, loaded, frame, config)
        passed = not reasons
        summary = summarise(config, log, frame, learned, loaded)
        summary["gate"] = {"passed": passed, "reasons": reasons, "remarks": remarks}
        log_run(run, config, frame, learned, loaded, summary)
        versions = register(run, learned, loaded, config, summary)
        for name, version in versions.items():
            tracker.set_alias(name, CHALLENGER, version)
        promoted = passed or not champions
        if promoted:
            for name, version in versions.items():
                # Value and return are compared with no champion; they follow the models that they build on.
                tracker.promote(name, version, expected=champions.get(name, 0) if name in loaded else None)
    summary["promoted"] = promoted
    for name, version in versions.items():
        summary["models"].setdefault(name, {})
        summary["models"][name] |= {"version": version, "aliases": ["champion" if promoted else "challenger"]}
    with staged(out or config.folder, "train", as_of=summary["as_of"], project=config.project) as stage:
        stage.json("train.json", summary)
    summary["timings"] = {title: round(seconds, 3) for title, seconds in stages.seconds.items()}
    return Training(versions, promoted, summary)


def _require_both(frame: TrainingFrame) -> None:
    left = int(frame.targets["churned"].sum())
    stayed = len(frame.targets) - left
    if min(left, stayed) < _FEWEST:
        raise HistoryError(
            f"Learning needs at least {_FEWEST} customers who left and {_FEWEST} who stayed, but the log has {left:,} and"
            f" {stayed:,} over {len(frame.cutoffs)} cutoffs. Change outcome.horizon_days, or bring more customers."
        )
