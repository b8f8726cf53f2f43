"""``demo``: the whole way on a real log, with the commands that a user has."""

from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import pyarrow as pa

from churnvalue.config import Config, read_config
from churnvalue.datasets import cdnow_toml, load_cdnow, load_online_retail, online_retail_toml, simulated_toml
from churnvalue.errors import ConfigError, near_match
from churnvalue.jobs.plan import Plan, plan
from churnvalue.jobs.report import explain_customer, write_report
from churnvalue.jobs.score import score
from churnvalue.jobs.train import Training, train
from churnvalue.progress import Stages
from churnvalue.simulate import simulate_log
from churnvalue.storage import staged, write_text

LOGS = ("cdnow", "online-retail", "simulated")
_SIMULATED_CUSTOMERS = 5_000


@dataclass(frozen=True)
class Demo:
    """What the demo made, and where."""

    config: Config
    training: Training
    scores: pd.DataFrame
    plan: Plan
    report: Path
    example: str


def demo(
    log: str = "cdnow",
    data: Path | None = None,
    out: Path = Path("demo"),
    trials: int | None = None,
    stages: Stages | None = None,
) -> Demo:
    """Read a log, train, score, plan and report into ``out``.

    Args:
        log: ``cdnow`` (read from the installed lifetimes wheel), ``online-retail`` (needs ``data``) or ``simulated``.
        data: Folder or file of the log, where it is the user's.
        out: Folder of everything that is made.
        trials: Fewer trials of tuning than the configuration's, for a quick look.
        stages: Times and shows the work.

    Raises:
        ConfigError: If there is no such log, or its data are missing.
    """
    stages = stages or Stages()
    out = Path(out)
    with stages.stage("preparing the log"):
        text = _prepare(log, data, out)
        write_text(out / "churnvalue.toml", text)
    config = read_config(out / "churnvalue.toml")
    if trials is not None:
        config = config.model_copy(update={"training": config.training.model_copy(update={"trials": trials})})
    training = train(config, stages=stages)
    scores = score(config, out=out, stages=stages, with_features=True)
    planned = plan(config, out, out, stages)
    with stages.stage("writing the report"):
        page = write_report(config, out, out)
    example = _example(scores, planned.plan)
    return Demo(config, training, scores, planned, page, explain_customer(example, out))


def _prepare(log: str, data: Path | None, out: Path) -> str:
    """Write the log as Parquet into ``out`` and return its configuration."""
    if log == "cdnow":
        events, text = load_cdnow(), cdnow_toml("events.parquet")
    elif log == "online-retail":
        if data is None:
            raise ConfigError(
                "The demo on Online Retail II needs its data, but no folder came. Download it from the UCI repository (id 502)"
                " and say where it lies: churnvalue demo --log online-retail --data DIR"
            )
        events, text = load_online_retail(data), online_retail_toml("events.parquet")
    elif log == "simulated":
        events, text = simulate_log(customers=_SIMULATED_CUSTOMERS).events, simulated_toml("events.parquet")
    else:
        raise ConfigError(f"Unknown log '{log}'.{near_match(log, LOGS)}")
    with staged(out, "demo", log=log) as stage:
        stage.parquet("events.parquet", pa.Table.from_pandas(events, preserve_index=False))
    return text


def _example(scores: pd.DataFrame, planned: pd.DataFrame) -> str:
    """Return the planned customer with most to win, else the most valuable."""
    acted = planned[planned["action"] != "none"]
    if len(acted):
        return str(
            acted.sort_values(["expected_profit", "customer_id"], ascending=[False, True])["customer_id"].iloc[0]
        )
    return str(scores.sort_values(["percentile", "customer_id"], ascending=[False, True])["customer_id"].iloc[0])
