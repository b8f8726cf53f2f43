"""Learning as of a date exactly as ``churnvalue train --as-of`` does, scoring as ``score`` does, and what then happened."""

import time
from dataclasses import dataclass, replace
from pathlib import Path

import pandas as pd

from churnvalue import clock
from churnvalue.config import Config, read_config
from churnvalue.datasets import cdnow_toml, load_cdnow, load_online_retail, online_retail_toml, simulated_toml
from churnvalue.engines import read_log
from churnvalue.errors import HistoryError
from churnvalue.evaluation.baselines import Prediction, baseline_features, baselines
from churnvalue.evaluation.measurement import OURS
from churnvalue.events.log import EventLog
from churnvalue.frames import feature_frame, training_frame
from churnvalue.jobs.learner import TREES_ALONE
from churnvalue.jobs.learning import Learned, learn
from churnvalue.jobs.material import Material, definitions, gather, needed_features
from churnvalue.models.blend import Blend
from churnvalue.models.calibration import level
from churnvalue.progress import Stages
from churnvalue.simulate import simulate_log

_CDNOW = Path("cdnow") / "cdnow_master.parquet"


@dataclass(frozen=True)
class Origin:
    """What each method foretold as of a cutoff, what happened, and the quantiles of spend; rows are customers.

    ``actual``: churned, orders, spend by customer_id. ``interval``: spend_p10, spend_p90. ``seconds`` of learning and scoring.
    """

    cutoff: str
    horizon_days: int
    actual: pd.DataFrame
    predictions: dict[str, Prediction]
    interval: pd.DataFrame
    seconds: float
    notes: tuple[str, ...] = ()


def cdnow(data: Path, folder: Path) -> Config:
    """Return the configuration of CDNOW, copied into ``folder``: from ``data``, else from the installed wheel."""
    if (data / _CDNOW).is_file():
        raw = pd.read_parquet(data / _CDNOW).rename(columns={"date": "event_time"})
        log = raw.assign(customer_id=raw["customer_id"].astype(str).str.zfill(5))
    else:
        log = load_cdnow()
    return _project(log, cdnow_toml("events.parquet"), folder / "cdnow")


def online_retail(data: Path, folder: Path) -> Config:
    """Return the configuration of Online Retail II, copied into ``folder`` from ``data``."""
    return _project(load_online_retail(data), online_retail_toml("events.parquet"), folder / "retail")


def simulated(customers: int, days: int, seed: int, folder: Path) -> Config:
    """Return the configuration of a simulated log, written into ``folder``."""
    log = simulate_log(customers=customers, days=days, seed=seed).events
    return _project(log, simulated_toml("events.parquet"), folder / f"simulated-{seed}")


def _project(log: pd.DataFrame, toml: str, folder: Path) -> Config:
    folder.mkdir(parents=True)
    log.to_parquet(folder / "events.parquet", index=False)
    (folder / "churnvalue.toml").write_text(toml, encoding="utf-8")
    return read_config(folder / "churnvalue.toml")


def with_training(config: Config, horizon_days: int, trials: int | None = None) -> Config:
    """Return a configuration for a horizon, on one thread; ``trials`` None keeps the default."""
    changed = {"threads": 1} | ({} if trials is None else {"trials": trials})
    return config.model_copy(
        update={
            "outcome": config.outcome.model_copy(update={"horizon_days": horizon_days}),
            "training": config.training.model_copy(update=changed),
        }
    )


def foretell(config: Config, as_of: str) -> Origin:
    """Learn from what was known before ``as_of``, score everyone then, and look up what happened.

    Raises:
        HistoryError: If the outcomes have not closed.
    """
    start = time.perf_counter()
    cutoff = clock.micros(as_of)
    log = read_log(config, cutoff)
    loaded = definitions(config, log)
    material = gather(log, loaded, config)
    learned = learn(material, loaded, Stages())
    wanted = (
        *needed_features(config, loaded, material.learnt_days),
        *needed_features(config, loaded),
        *baseline_features(config.outcome),
    )
    frame = feature_frame(log, tuple(dict.fromkeys(wanted)), cutoff, config.population)
    said = pd.concat([model.predict(frame) for model in learned.models.values()], axis=1)
    seconds = time.perf_counter() - start
    predictions = {
        OURS: _prediction(said),
        TREES_ALONE: _trees_alone(learned, material, frame),
        **baselines(frame, config.outcome),
    }
    names = [name for name in ("spend_p10", "spend_p90") if name in said]
    interval = said[names].reset_index("cutoff", drop=True)
    return Origin(
        as_of,
        config.outcome.horizon_days,
        _happened(config, cutoff, frame),
        predictions,
        interval,
        seconds,
        learned.notes,
    )


def _happened(config: Config, cutoff: int, frame: pd.DataFrame) -> pd.DataFrame:
    full: EventLog = read_log(config)
    later = training_frame(full, baseline_features(config.outcome), [cutoff], config.population, config.outcome)
    if not later.targets.index.equals(frame.index):
        raise HistoryError(
            f"The customers as of {clock.text(cutoff)} must be the same in the log to then and in the whole log, but"
            f" {len(frame)} and {len(later.targets)} came. Look for orders whose lines lie on both sides."
        )
    return later.targets.reset_index("cutoff", drop=True)


def _trees_alone(learned: Learned, material: Material, frame: pd.DataFrame) -> Prediction:
    """The blend's own trees at the level of the newest closed window; a longer horizon as Pareto/NBD stretches it."""
    newest = material.frame.at([material.frame.cutoffs[-1]])
    said = {}
    for name, column in (("churn", "p_churn"), ("orders", "orders"), ("spend", "spend")):
        blend: Blend | None = getattr(learned.models.get(name), name, None)
        if blend is not None:
            target = newest.targets["churned" if name == "churn" else name].to_numpy(dtype=float)
            own = level(blend.trees.on_link(newest.features), target, blend.link)
            said[column] = replace(blend, trees_weight=1.0, buying_weight=0.0, level=own).predict(frame)
    return _prediction(pd.DataFrame(said))


def _prediction(said: pd.DataFrame) -> Prediction:
    risk = said["p_churn"].to_numpy(dtype=float)
    spend = said["spend"].to_numpy(dtype=float) if "spend" in said else None
    return Prediction(risk=risk, p_churn=risk, orders=said["orders"].to_numpy(dtype=float), spend=spend)
