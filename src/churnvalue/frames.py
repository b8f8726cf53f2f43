"""Feature and training frames, indexed ``(customer_id, cutoff)``: one code path for learning and for scoring."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from churnvalue import clock, targets
from churnvalue.config import Outcome, Population
from churnvalue.errors import HistoryError
from churnvalue.events.log import EventLog
from churnvalue.features import Feature, by_name
from churnvalue.parallel import in_parts
from churnvalue.snapshots import belongs, require_closed
from churnvalue.sweep import compile_measures, sweep
from churnvalue.views import Column, Future, Measure, evaluate, measures

Floats = npt.NDArray[np.float64]


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
    recent = belongs(who)
    columns = _columns(features)
    measured = _measured(log, [recent, *columns.values()], clock.before(cutoff), cutoff)
    return _frame(log, columns, measured, cutoff, np.flatnonzero(measured[recent] > 0))


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
        rows.append(feature_frame(log, features, cutoff, who))
        members = pd.Index(log.customers.to_pandas()).get_indexer(rows[-1].index.get_level_values("customer_id"))
        happened = _measured(log, list(wanted.values()), clock.after(cutoff, outcome.horizon_days), clock.END)
        outcomes.append(_frame(log, wanted, happened, cutoff, members))
    result = TrainingFrame(pd.concat(rows), pd.concat(outcomes))
    if not log.pays(outcome.kind):
        result = TrainingFrame(result.features, result.targets.drop(columns="spend"))
    return result


def _columns(features: Sequence[Feature]) -> dict[str, Column]:
    return {name: feature.column() for name, feature in by_name(features).items()}


def _measured(log: EventLog, columns: Sequence[Column], span: clock.Span, known_before: int) -> dict[Measure, Floats]:
    return sweep(log, compile_measures(measures(columns), log), span, known_before)


def _frame(
    log: EventLog, columns: dict[str, Column], measured: Mapping[Measure, Floats], cutoff: int, members: np.ndarray
) -> pd.DataFrame:
    """Return the columns of some customers, as rows of one array, which is how pandas keeps them: nothing is copied."""
    everyone = len(members) == len(log.customers)
    values, expressions = np.empty((len(columns), len(members))), list(columns.values())

    def fill(first: int, end: int) -> None:
        for row, column in zip(values[first:end], expressions[first:end], strict=True):
            value = evaluate(column, measured)
            row[:] = value if everyone or value.ndim == 0 else value[members]

    in_parts(fill, len(columns), values.size)
    time = pd.Timestamp(cutoff, unit="us", tz="UTC")
    index = pd.MultiIndex.from_arrays(
        [log.customers.take(members).to_pandas(), pd.DatetimeIndex([time] * len(members)).as_unit("us")],
        names=["customer_id", "cutoff"],
    )
    return pd.DataFrame(values.T, index=index, columns=list(columns), copy=False)


def _empty(log: EventLog, cutoff: int, who: Population) -> HistoryError:
    return HistoryError(
        f"The population must not be empty, but no customer has an event of kind '{who.kind}' in the {who.active_days} days"
        f" before {clock.text(cutoff)}; the log holds {_kinds(log)} from {clock.text(log.first)}."
        " Choose a later cutoff, or another [population]."
    )


def _kinds(log: EventLog) -> str:
    return ", ".join(f"{count:,} × {kind}" for kind, count in log.kinds.items())
