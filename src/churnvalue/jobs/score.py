"""``score``: the champions over the population, with reasons."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from churnvalue import clock
from churnvalue.config import Config
from churnvalue.decisions.tiers import percentile, tiers
from churnvalue.engines import read_log
from churnvalue.events.log import EventLog
from churnvalue.explain import DRIVER, drivers
from churnvalue.frames import feature_frame
from churnvalue.jobs.champions import Champions, load_champions
from churnvalue.progress import Stages
from churnvalue.storage import staged

SCORES, FEATURES = "scores.parquet", "features.parquet"
_MONEY = ("spend", "spend_p10", "spend_p50", "spend_p90")
_FRACTIONS = (
    "p_churn", "orders", *_MONEY, "clv", "clv_p10", "clv_p90", "p_return_7d", "p_return_14d", "p_return_30d",
)  # fmt: skip
SCHEMA = pa.schema(
    [
        ("customer_id", pa.string()),
        ("cutoff", pa.timestamp("us", tz="UTC")),
        *[(name, pa.float64()) for name in _FRACTIONS],
        ("tier", pa.string()),
        ("percentile", pa.float64()),
        ("band", pa.string()),
        ("drivers", pa.list_(DRIVER)),
        ("spend_drivers", pa.list_(DRIVER)),
        ("model_versions", pa.string()),
    ]
)


def score(
    config: Config,
    as_of: str | None = None,
    out: Path | None = None,
    stages: Stages | None = None,
    *,
    with_features: bool = False,
) -> pd.DataFrame:
    """Score everyone in the population as of a cutoff; one row a customer, by customer_id.

    Args:
        config: What to read and whom to describe.
        as_of: The cutoff: nothing that happened or was known from this time on is read. The end of the log if None.
        out: Folder of scores.parquet and its manifest; nothing is written if None.
        stages: Times and shows the work.
        with_features: Write features.parquet too: what the models were given, by which their numbers can be checked.

    Returns:
        The columns of scores.parquet; money is NaN where the log holds no amounts.

    Raises:
        RegistryError: If there is no champion.
        HistoryError: If the population is empty.
    """
    stages = stages or Stages()
    with stages.stage("loading the champions"):
        champions = load_champions(config)
    with stages.stage("reading the log"):
        log = read_log(config, None if as_of is None else clock.micros(as_of))
    cutoff = log.observed_until if as_of is None else clock.micros(as_of)
    with stages.stage("computing features"):
        frame = feature_frame(log, champions.features, cutoff, config.population)
    with stages.stage("predicting"):
        predicted = champions.predict(frame)
    with stages.stage("finding the reasons"):
        table = _table(frame, predicted, champions)
    if out is not None:
        with (
            stages.stage("writing the scores"),
            staged(Path(out), "score", **_facts(config, log, champions, frame)) as stage,
        ):
            stage.parquet(SCORES, table)
            if with_features:
                plain = frame.reset_index()
                stage.parquet(FEATURES, pa.Table.from_pandas(plain, preserve_index=False))
    scores: pd.DataFrame = table.to_pandas()
    return scores


def _table(frame: pd.DataFrame, predicted: pd.DataFrame, champions: Champions) -> pa.Table:
    index = frame.index.to_frame(index=False)
    scores = pd.concat([index, predicted.reset_index(drop=True)], axis=1)
    for column in _MONEY:
        if column not in scores:
            scores[column] = np.nan
    scores["tier"], scores["percentile"] = tiers(scores), percentile(scores)
    scores["band"] = champions.churn.band(scores["p_churn"].to_numpy())
    none = pa.nulls(len(scores), pa.list_(DRIVER))
    spend = champions.spend
    versions = ", ".join(f"{name} {version}" for name, version in champions.versions.items())
    columns: dict[str, Any] = {
        name: pa.array(scores[name], SCHEMA.field(name).type, from_pandas=True) for name in scores.columns
    }
    columns["drivers"] = drivers(champions.churn.churn, frame, champions.features)
    columns["spend_drivers"] = drivers(spend.spend, frame, champions.features) if spend else none
    columns["model_versions"] = pa.array([versions] * len(scores), pa.string())
    return pa.table([columns[name] for name in SCHEMA.names], schema=SCHEMA)


def _facts(config: Config, log: EventLog, champions: Champions, frame: pd.DataFrame) -> dict[str, Any]:
    """Return what later steps and readers need to know of these scores."""
    account = log.account
    return {
        "project": config.project,
        "cutoff": clock.text(clock.micros(frame.index[0][1].to_pydatetime())),
        "customers": len(frame),
        "outside_population": len(log.customers) - len(frame),
        "population": f"with a {config.population.kind} in the {config.population.active_days} days before",
        "horizon_days": config.outcome.horizon_days,
        "value_horizon_days": champions.value.terms.value_days,
        "margin": champions.value.terms.margin,
        "discount_rate": champions.value.terms.discount_rate,
        "model_versions": champions.versions,
        "has_amounts": champions.spend is not None,
        "day_granularity": log.days_only,
        "rows_read": account.read,
        "rows_kept": account.kept,
        "duplicates": account.duplicates,
        "later": account.later,
        "quarantine": [{"reason": reason, "rows": rows} for reason, rows in account.quarantined.items()],
    }
