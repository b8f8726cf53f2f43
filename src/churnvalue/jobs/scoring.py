"""What is said of every customer, a range of customers at a time, so that memory does not grow with the log."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import pandas as pd
import pyarrow as pa

from churnvalue.config import Config, Population
from churnvalue.decisions.tiers import attainable
from churnvalue.events.log import EventLog
from churnvalue.events.stream import LogStream
from churnvalue.explain import DRIVER, drivers
from churnvalue.frames import described, feature_frame
from churnvalue.jobs.champions import Champions
from churnvalue.jobs.drift import Eye, Glimpse, Watch
from churnvalue.language import Language, speaking
from churnvalue.models.next_category import top_category

Reasons = Literal["auto", "all", "none"]
MOST_EXPLAINED = 100_000  # customers whose reasons are found unasked; of more, those who are planned are explained
_INPUTS = ("top_category", "tenure")  # of what peers reach


@dataclass(frozen=True)
class Said:
    """What the champions say of a population.

    Attributes:
        predicted: One row a customer, by customer_id, with that column, their outputs and ``attainable``.
        drivers: Reasons for leaving, and those for spend, in the order of the rows; null where they were not asked for.
        spend_drivers: As drivers; null also in a log without amounts.
        features: What the champions were given, if it was asked for.
        days_only: Whether the log knows days alone.
    """

    predicted: pd.DataFrame
    drivers: pa.ChunkedArray
    spend_drivers: pa.ChunkedArray
    features: pd.DataFrame | None
    days_only: bool


def say(  # noqa: PLR0913 – four of them say what is wanted
    stream: LogStream,
    champions: Champions,
    config: Config,
    cutoff: int,
    watch: Watch | None = None,
    *,
    reasons: bool,
    features: bool,
) -> Said:
    """Return what the champions say of the population at ``cutoff``; ``watch`` sees every range of customers.

    Raises:
        HistoryError: If the population is empty.
    """
    predicted: list[pd.DataFrame] = []
    whys, spends, frames, days_only = [], [], [], True
    eye = watch.eye if watch else None
    for told in stream.each(_Teller(champions, config.population, cutoff, eye, reasons, features, config.language)):
        days_only &= told.days_only
        predicted.append(told.predicted)
        whys.append(told.drivers)
        spends.append(told.spend_drivers)
        if watch and told.seen:
            watch.add(told.seen)
        if told.features is not None:
            frames.append(told.features)
    if not sum(map(len, predicted)):
        feature_frame(stream.whole(), champions.features, cutoff, config.population)  # says why nobody is there
    return Said(
        _with_attainable(_stacked(predicted)),
        pa.chunked_array(whys, pa.list_(DRIVER)),
        pa.chunked_array(spends, pa.list_(DRIVER)),
        pd.concat(frames) if features else None,
        days_only,
    )


@dataclass(frozen=True)
class _Told(Said):
    """What is said of a range of customers; ``predicted`` has what ``attainable`` is reckoned from in its place."""

    seen: Glimpse | None


@dataclass(frozen=True)
class _Teller:
    """What is asked of the log of every range of customers; it may travel to where the log is."""

    champions: Champions
    who: Population
    cutoff: int
    eye: Eye | None
    reasons: bool
    features: bool
    language: Language

    def __call__(self, log: EventLog) -> _Told:
        frame, said = foretold(log, self.champions, self.who, self.cutoff)
        with speaking(self.language):  # where the log is, perhaps nobody has said which
            why, spend = explained(frame, self.champions) if self.reasons else (unexplained(len(frame)),) * 2
        seen = self.eye.see(log, frame, said) if self.eye else None
        return _Told(said, why, spend, frame if self.features else None, log.days_only, seen)


def foretold(log: EventLog, champions: Champions, who: Population, cutoff: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the features of the population of a log, perhaps of a range of customers, and what is foretold of them.

    The second holds, in the order of the first, customer_id, the outputs of the champions and what ``attainable`` is
    reckoned from.
    """
    frame = described(log, champions.features, cutoff, who)
    ids = frame.index.get_level_values("customer_id")
    kind = champions.value.buying.kind
    rows = pd.Index(log.customers.to_pandas()).get_indexer(ids)
    category, tenure = top_category(log, kind, cutoff)[rows], frame[f"days_since_first_{kind}"].to_numpy()
    said = champions.predict(frame).reset_index(drop=True)
    return frame, said.assign(customer_id=ids, **dict(zip(_INPUTS, (category, tenure), strict=True)))


def explained(frame: pd.DataFrame, champions: Champions) -> tuple[pa.Array, pa.Array]:
    """Return the reasons for leaving and for spend of every row of a frame of features."""
    spend = champions.spend
    return (
        drivers(champions.churn.churn, frame, champions.features),
        drivers(spend.spend, frame, champions.features) if spend else unexplained(len(frame)),
    )


def unexplained(rows: int) -> pa.Array:
    """Return reasons that nobody asked for."""
    return pa.nulls(rows, pa.list_(DRIVER))


def _stacked(parts: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """Return the rows of all parts, taken from them column by column: only one is held twice."""
    if len(parts) == 1:
        return parts[0]
    columns = {}
    for name in [str(column) for column in parts[0]]:
        held: list[pd.Series] = [part.pop(name) for part in parts]
        columns[name] = pd.concat(held, ignore_index=True)
    return pd.DataFrame(columns)


def _with_attainable(predicted: pd.DataFrame) -> pd.DataFrame:
    """Return predictions with the value that is attainable: what the best of each customer's peers reach."""
    category, tenure = (predicted[name].to_numpy() for name in _INPUTS)
    return predicted.drop(columns=list(_INPUTS)).assign(attainable=attainable(predicted, category, tenure))
