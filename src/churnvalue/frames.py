"""Feature and training frames, indexed ``(customer_id, cutoff)``: one code path for learning and for scoring."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from churnvalue import clock, targets
from churnvalue.config import Outcome, Population
from churnvalue.errors import HistoryError
from churnvalue.events.log import EventLog
from churnvalue.features import Feature, by_name
from churnvalue.snapshots import population, require_closed
from churnvalue.sweep import compile_measures, sweep_in_blocks
from churnvalue.views import Column, Future, Measure, evaluate, measures

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


@dataclass(frozen=True)
class TrainingFrame:
    """Features and targets of the populations of several cutoffs, one below the other."""

    features: pd.DataFrame
    targets: pd.DataFrame

    @property
    def cutoffs(self) -> list[pd.Timestamp]:
        """The cutoffs, in rising order."""
        return sorted(self.features.index.unique("cutoff"))

    def at(self, cutoffs: Sequence[pd.Timestamp]) -> "TrainingFrame":
        """Return the rows of some cutoffs."""
        rows = self.features.index.get_level_values("cutoff").isin(list(cutoffs))
        return TrainingFrame(self.features[rows], self.targets[rows])


def feature_frame(log: EventLog, features: Sequence[Feature], cutoff: int, who: Population) -> pd.DataFrame:
    """Return the features of the population at ``cutoff``, from what was known before it.

    Float columns by feature name, NaN where a feature is undefined; customers in the order of their ids.

    Raises:
        HistoryError: If the population is empty.
    """
    frame = described(log, features, cutoff, who)
    if not len(frame):
        raise _empty(log, cutoff, who)
    return frame


def described(log: EventLog, features: Sequence[Feature], cutoff: int, who: Population) -> pd.DataFrame:
    """Return what ``feature_frame`` does; without rows where nobody of this log, perhaps a chunk, is in the population."""
    return _described(log, features, cutoff, np.flatnonzero(population(log, cutoff, who)))


def training_frame(
    log: EventLog, features: Sequence[Feature], cutoffs: Sequence[int], who: Population, outcome: Outcome
) -> TrainingFrame:
    """Return features and targets at each cutoff, exactly as ``feature_frame`` gives them.

    Outcomes are all that the log holds of the horizon, whenever it became known.

    Raises:
        HistoryError: If there is no cutoff, an outcome is still open, or a population is empty.
    """
    if not cutoffs:
        raise HistoryError("Training needs at least one cutoff, but none came. Give one, or bring more history.")
    rows, outcomes = [], []
    future = Future()
    wanted = {name: getattr(targets, name)(future, outcome.kind) for name in targets.NAMES}
    for cutoff in cutoffs:
        require_closed(log, cutoff, outcome.horizon_days)
        members = np.flatnonzero(population(log, cutoff, who))
        if not len(members):
            raise _empty(log, cutoff, who)
        rows.append(_described(log, features, cutoff, members))
        outcomes.append(_frame(log, wanted, clock.after(cutoff, outcome.horizon_days), clock.END, cutoff, members))
    result = TrainingFrame(pd.concat(rows), pd.concat(outcomes))
    if not log.pays(outcome.kind):
        result = TrainingFrame(result.features, result.targets.drop(columns="spend"))
    return result


def _described(log: EventLog, features: Sequence[Feature], cutoff: int, members: Ints) -> pd.DataFrame:
    columns = {name: feature.column() for name, feature in by_name(features).items()}
    return _frame(log, columns, clock.before(cutoff), cutoff, cutoff, members)


def _frame(
    log: EventLog, columns: dict[str, Column], span: clock.Span, known_before: int, cutoff: int, members: Ints
) -> pd.DataFrame:
    """Return the columns of some customers, as rows of one array, which is how pandas keeps them: nothing is copied."""
    values, expressions = np.empty((len(columns), len(members))), list(columns.values())

    def fill(first: int, end: int, measured: Mapping[Measure, Floats]) -> None:
        for row, column in zip(values, expressions, strict=True):
            row[first:end] = evaluate(column, measured)

    sweep_in_blocks(log, compile_measures(measures(expressions), log), span, known_before, members, fill)
    # Customers are sorted and differ: to find that out from the values would take longer than their features.
    ids, time = log.customers.take(members).to_pandas(), pd.DatetimeIndex([pd.Timestamp(cutoff, unit="us", tz="UTC")])
    codes: list[Any] = [np.arange(len(members)), np.zeros(len(members), dtype=np.int8)]
    levels: list[Any] = [ids, time]
    index = pd.MultiIndex(levels, codes, names=["customer_id", "cutoff"], verify_integrity=False)
    return pd.DataFrame(values.T, index=index, columns=list(columns), copy=False)


def _empty(log: EventLog, cutoff: int, who: Population) -> HistoryError:
    return HistoryError(
        f"The population must not be empty, but no customer has an event of kind '{who.kind}' in the {who.active_days} days"
        f" before {clock.text(cutoff)}; the log holds {_kinds(log)} from {clock.text(log.first)}."
        " Choose a later cutoff, or another [population]."
    )


def _kinds(log: EventLog) -> str:
    return ", ".join(f"{count:,} × {kind}" for kind, count in log.kinds.items())
