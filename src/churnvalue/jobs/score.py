"""``score``: the champions over the population, with reasons."""

from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from churnvalue import clock
from churnvalue.config import Config
from churnvalue.decisions.tiers import TierRules, percentile, tiers
from churnvalue.engines import open_log
from churnvalue.errors import OutputError
from churnvalue.evaluation.drift import require_no_refusal
from churnvalue.evaluation.equity import equity
from churnvalue.events.stream import LogStream
from churnvalue.explain import DRIVER
from churnvalue.jobs.champions import Champions, load_champions
from churnvalue.jobs.drift import Watch
from churnvalue.jobs.outputs import FEATURES, SCORES
from churnvalue.jobs.scoring import MOST_EXPLAINED, Reasons, Said, say
from churnvalue.language import _, named, spoken
from churnvalue.parallel import one_thread_of_algebra
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


@spoken
@one_thread_of_algebra
def score(  # noqa: PLR0913 – it takes what the command takes
    config: Config,
    as_of: str | None = None,
    out: Path | None = None,
    stages: Stages | None = None,
    *,
    with_features: bool = False,
    previous: Path | None = None,
    reasons: Reasons = "auto",
    force: bool = False,
) -> pd.DataFrame:
    """Score everyone in the population as of a cutoff; one row a customer, by customer_id.

    Customers are described and foretold a range at a time, so that memory holds their scores but never all of their events.

    Args:
        config: What to read and whom to describe.
        as_of: The cutoff: nothing that happened or was known from this time on is read. The end of the log if None.
        out: Folder of scores.parquet and its manifest; nothing is written if None.
        stages: Times and shows the work.
        with_features: Write features.parquet too: what the models were given, by which their numbers can be checked. All of
            it is held in memory.
        previous: Folder of earlier scores, whose tiers customers keep until they are clearly in another. If None, the
            scores in ``out`` if their cutoff is earlier; if it is the same, the tiers that those were made with, so that
            scoring again writes the same bytes.
        reasons: Whose drivers are found. Finding them takes many times as long as the scores; with "auto" everybody's, but
            nobody's in a log of more than 100,000 customers: there ``plan`` and ``explain`` find those that are asked for.
        force: Go on where the customers are too unlike those that the models learnt from.

    Returns:
        The columns of scores.parquet; money is NaN where the log holds no amounts.

    Raises:
        RegistryError: If there is no champion.
        HistoryError: If the population is empty.
        DriftError: If the customers are too unlike those that the models learnt from; nothing is written.
        OutputError: If the scores in ``previous`` are missing, damaged or not earlier.
    """
    stages = stages or Stages()
    with stages.stage("loading the champions"):
        champions = load_champions(config)
    with ExitStack() as opened:
        with stages.stage("reading the log"):
            stream = opened.enter_context(open_log(config, None if as_of is None else clock.micros(as_of)))
        cutoff = stream.facts.observed_until if as_of is None else clock.micros(as_of)
        with stages.stage("reading the earlier tiers"):
            earlier = _given(Path(previous), cutoff) if previous is not None else _in(out, cutoff)
        explain = reasons == "all" or (reasons == "auto" and len(stream.facts.customers) <= MOST_EXPLAINED)
        with stages.stage("describing and foretelling, with reasons" if explain else "describing and foretelling"):
            watch = None
            if champions.reference:
                watch = Watch(champions.reference, stream.facts.customers, config.training.seed)
            wanted = with_features and out is not None
            said = say(stream, champions, config, cutoff, watch, reasons=explain, features=wanted)
        with stages.stage("looking for drift"):
            drift = watch.verdict(stream.account, champions.features, cutoff, config) if watch else None
            if drift:
                require_no_refusal(drift, force)
    table = _table(said, TierRules(below_zero=config.retention.below_zero), champions, earlier, cutoff)
    if out is not None:
        known = {"cutoff": clock.text(cutoff), "drift": drift} | earlier.facts
        facts = _facts(config, stream, champions, said) | known
        with stages.stage("writing the scores"), staged(Path(out), "score", **facts) as stage:
            stage.parquet(SCORES, table)
            if said.features is not None:
                stage.parquet(FEATURES, pa.Table.from_pandas(said.features.reset_index(), preserve_index=False))
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


def _table(said: Said, rules: TierRules, champions: Champions, earlier: _Earlier, cutoff: int) -> pa.Table:
    """Return the columns of scores.parquet."""
    scores = said.predicted
    known = pd.Series(dtype=object) if earlier.tiers is None else earlier.tiers
    versions = ", ".join(f"{name} {version}" for name, version in champions.versions.items())
    rows = len(scores)
    columns: dict[str, Any] = {
        "customer_id": pa.array(scores["customer_id"], pa.string()),
        "cutoff": pa.repeat(pa.scalar(cutoff, pa.timestamp("us", tz="UTC")), rows),
        "tier": pa.array(tiers(scores, rules, earlier.tiers), pa.string()),
        "previous_tier": pa.array(scores["customer_id"].map(known).astype(object), pa.string(), from_pandas=True),
        "percentile": percentile(scores),
        "band": pa.array(champions.churn.band(scores["p_churn"].to_numpy()), pa.string()),
        "drivers": said.drivers,
        "spend_drivers": said.spend_drivers,
        "model_versions": pa.repeat(pa.scalar(versions), rows),
    }
    for name in _FRACTIONS:
        columns[name] = pa.array(
            scores[name] if name in scores else np.full(rows, np.nan), pa.float64(), from_pandas=True
        )
    return pa.table([columns[name] for name in SCHEMA.names], schema=SCHEMA)


def _facts(config: Config, stream: LogStream, champions: Champions, said: Said) -> dict[str, Any]:
    """Return what later steps and readers need to know of these scores."""
    account, worth = stream.account, equity(said.predicted)
    return {
        "project": config.project,
        "customers": len(said.predicted),
        "outside_population": len(stream.facts.customers) - len(said.predicted),
        "population": _(
            "with a {kind} in the {days} days before",
            kind=named(config.population.kind),
            days=config.population.active_days,
        ),
        "horizon_days": config.outcome.horizon_days,
        "value_horizon_days": champions.value.terms.value_days,
        "margin": champions.value.terms.margin,
        "discount_rate": champions.value.terms.discount_rate,
        "model_versions": champions.versions,
        "has_amounts": champions.spend is not None,
        "equity": worth.facts() if worth else None,
        "has_categories": bool(stream.facts.names["category"]),
        "day_granularity": said.days_only,
        "rows_read": account.read,
        "rows_kept": account.kept,
        "duplicates": account.duplicates,
        "later": account.later,
        "quarantine": [{"reason": reason, "rows": rows} for reason, rows in account.quarantined.items()],
    }
