"""``score``: the champions over the population, with reasons."""

from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from churnvalue import clock
from churnvalue.config import Config
from churnvalue.decisions.tiers import TierRules, attainable, percentile, tiers
from churnvalue.engines import read_log
from churnvalue.errors import OutputError
from churnvalue.evaluation.equity import Equity, equity
from churnvalue.events.log import EventLog
from churnvalue.explain import DRIVER, drivers
from churnvalue.frames import feature_frame
from churnvalue.jobs.champions import Champions, load_champions
from churnvalue.jobs.outputs import FEATURES, SCORES
from churnvalue.models.next_category import top_category
from churnvalue.progress import Stages
from churnvalue.storage import read_manifest, read_parquet, staged
from churnvalue.timing import next_purchase_serving

_MONEY = ("spend", "spend_p10", "spend_p50", "spend_p90")
_FRACTIONS = (
    "p_churn", "orders", *_MONEY, "clv", "clv_p10", "clv_p90", "p_below_zero", "cost_to_serve", "attainable",
    *next_purchase_serving.OUTPUTS,
)  # fmt: skip
SCHEMA = pa.schema(
    [
        ("customer_id", pa.string()),
        ("cutoff", pa.timestamp("us", tz="UTC")),
        *[(name, pa.float64()) for name in _FRACTIONS],
        ("tier", pa.string()),
        ("previous_tier", pa.string()),
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
    previous: Path | None = None,
) -> pd.DataFrame:
    """Score everyone in the population as of a cutoff; one row a customer, by customer_id.

    Args:
        config: What to read and whom to describe.
        as_of: The cutoff: nothing that happened or was known from this time on is read. The end of the log if None.
        out: Folder of scores.parquet and its manifest; nothing is written if None.
        stages: Times and shows the work.
        with_features: Write features.parquet too: what the models were given, by which their numbers can be checked.
        previous: Folder of earlier scores, whose tiers customers keep until they are clearly in another. If None, the
            scores in ``out`` if their cutoff is earlier; if it is the same, the tiers that those were made with, so that
            scoring again writes the same bytes.

    Returns:
        The columns of scores.parquet; money is NaN where the log holds no amounts.

    Raises:
        RegistryError: If there is no champion.
        HistoryError: If the population is empty.
        OutputError: If the scores in ``previous`` are missing, damaged or not earlier.
    """
    stages = stages or Stages()
    with stages.stage("loading the champions"):
        champions = load_champions(config)
    with stages.stage("reading the log"):
        log = read_log(config, None if as_of is None else clock.micros(as_of))
    cutoff = log.observed_until if as_of is None else clock.micros(as_of)
    with stages.stage("reading the earlier tiers"):
        earlier = _given(Path(previous), cutoff) if previous is not None else _in(out, cutoff)
    with stages.stage("computing features"):
        frame = feature_frame(log, champions.features, cutoff, config.population)
    with stages.stage("predicting"):
        predicted = _with_attainable(champions.predict(frame), frame, log, champions)
    with stages.stage("finding the reasons"):
        rules = TierRules(below_zero=config.retention.below_zero)
        table = _table(frame, _with_tiers(frame, predicted, rules, earlier), champions)
    if out is not None:
        with (
            stages.stage("writing the scores"),
            staged(
                Path(out), "score", **_facts(config, log, champions, frame, equity(predicted)), **earlier.facts
            ) as stage,
        ):
            stage.parquet(SCORES, table)
            if with_features:
                plain = frame.reset_index()
                stage.parquet(FEATURES, pa.Table.from_pandas(plain, preserve_index=False))
    scores: pd.DataFrame = table.to_pandas()
    return scores


@dataclass(frozen=True)
class _Earlier:
    """Tiers by customer_id of earlier scores, and as of when those were; None where there are none."""

    tiers: pd.Series | None = None
    cutoff: str | None = None

    @property
    def facts(self) -> dict[str, Any]:
        return {"previous_cutoff": self.cutoff}


def _given(folder: Path, cutoff: int) -> _Earlier:
    """Return the tiers of the scores in a folder that the user named."""
    table = read_parquet(folder, SCORES)
    as_of = _cutoff(table)
    if as_of is None or as_of >= cutoff:
        came = "they hold no customer" if as_of is None else f"those in {folder} are as of {clock.text(as_of)}"
        raise OutputError(
            f"Earlier scores must be of a cutoff before {clock.text(cutoff)}, but {came}."
            " Give the folder of an earlier run of churnvalue score."
        )
    return _Earlier(_by_customer(table, "tier"), clock.text(as_of))


def _in(out: Path | None, cutoff: int) -> _Earlier:
    """Return the tiers of the scores that ``out`` holds, or, if they are of the same cutoff, those they were made with.

    Scores that are missing, damaged or later, which this run will replace, have no say.
    """
    with suppress(OutputError):
        if out is not None:
            table, facts = read_parquet(Path(out), SCORES), read_manifest(Path(out))["facts"].get("score", {})
            as_of = _cutoff(table)
            if as_of is not None and as_of < cutoff:
                return _Earlier(_by_customer(table, "tier"), clock.text(as_of))
            if as_of == cutoff and facts.get("previous_cutoff") is not None:
                return _Earlier(_by_customer(table, "previous_tier"), facts["previous_cutoff"])
    return _Earlier()


def _cutoff(table: pa.Table) -> int | None:
    """Return the cutoff of scores; None if they hold no customer."""
    return clock.micros(table["cutoff"][0].as_py()) if table.num_rows else None


def _by_customer(table: pa.Table, column: str) -> pd.Series:
    frame: pd.DataFrame = table.select(["customer_id", column]).to_pandas()
    return frame.set_index("customer_id")[column]


def _with_attainable(predicted: pd.DataFrame, frame: pd.DataFrame, log: EventLog, champions: Champions) -> pd.DataFrame:
    """Return predictions with the value that is attainable: what the best of each customer's peers reach."""
    ids, cutoff = frame.index.get_level_values("customer_id"), frame.index[0][1]
    kind = champions.value.buying.kind
    rows = pd.Index(log.customers.to_pandas()).get_indexer(ids)
    category = top_category(log, kind, clock.micros(cutoff.to_pydatetime()))[rows]
    tenure = frame[f"days_since_first_{kind}"].to_numpy(dtype=np.float64)
    return predicted.assign(attainable=attainable(predicted, category, tenure))


def _with_tiers(frame: pd.DataFrame, predicted: pd.DataFrame, rules: TierRules, earlier: _Earlier) -> pd.DataFrame:
    """Return scores by customer: predictions with tier, the earlier tier and percentile."""
    index = frame.index.to_frame(index=False)
    scores = pd.concat([index, predicted.reset_index(drop=True)], axis=1)
    known = pd.Series(dtype=object) if earlier.tiers is None else earlier.tiers
    return scores.assign(
        tier=tiers(scores, rules, earlier.tiers),
        previous_tier=scores["customer_id"].map(known).astype(object),
        percentile=percentile(scores),
    )


def _table(frame: pd.DataFrame, scores: pd.DataFrame, champions: Champions) -> pa.Table:
    """Return the columns of scores.parquet."""
    scores = scores.copy()
    for column in _MONEY:
        if column not in scores:
            scores[column] = np.nan
    scores["band"] = champions.churn.band(scores["p_churn"].to_numpy())
    none = pa.nulls(len(scores), pa.list_(DRIVER))
    spend = champions.spend
    versions = ", ".join(f"{name} {version}" for name, version in champions.versions.items())
    plain = pa.Table.from_pandas(
        scores, pa.schema([SCHEMA.field(name) for name in scores.columns]), preserve_index=False
    )
    columns: dict[str, Any] = {name: plain[name] for name in plain.column_names}
    columns["drivers"] = drivers(champions.churn.churn, frame, champions.features)
    columns["spend_drivers"] = drivers(spend.spend, frame, champions.features) if spend else none
    columns["model_versions"] = pa.array([versions] * len(scores), pa.string())
    return pa.table([columns[name] for name in SCHEMA.names], schema=SCHEMA)


def _facts(
    config: Config, log: EventLog, champions: Champions, frame: pd.DataFrame, worth: Equity | None
) -> dict[str, Any]:
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
        "equity": worth.facts() if worth else None,
        "has_categories": bool(log.categories.names),
        "day_granularity": log.days_only,
        "rows_read": account.read,
        "rows_kept": account.kept,
        "duplicates": account.duplicates,
        "later": account.later,
        "quarantine": [{"reason": reason, "rows": rows} for reason, rows in account.quarantined.items()],
    }
