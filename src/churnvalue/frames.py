"""Feature and training frames, indexed ``(customer_id, cutoff)``: one code path for learning and for scoring."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from churnvalue import clock, targets
from churnvalue.config import Outcome, Population
from churnvalue.errors import HistoryError
from churnvalue.events.log import EventLog
from churnvalue.features import Feature, by_name
from churnvalue.snapshots import population, require_closed
from churnvalue.sweep import compile_measures, sweep
from churnvalue.views import Column, Future, evaluate, measures


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
    return _frame(log, _columns(features), clock.before(cutoff), cutoff, _members(log, cutoff, who))


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
    described, outcomes = [], []
    future = Future()
    columns = _columns(features)
    wanted = {name: getattr(targets, name)(future, outcome.kind) for name in targets.NAMES}
    for cutoff in cutoffs:
        require_closed(log, cutoff, outcome.horizon_days)
        members = _members(log, cutoff, who)
        described.append(_frame(log, columns, clock.before(cutoff), cutoff, members))
        horizon = clock.after(cutoff, outcome.horizon_days)
        outcomes.append(_frame(log, wanted, horizon, clock.END, members))
    result = TrainingFrame(pd.concat(described), pd.concat(outcomes))
    if not log.pays(outcome.kind):
        result = TrainingFrame(result.features, result.targets.drop(columns="spend"))
    return result


def _columns(features: Sequence[Feature]) -> dict[str, Column]:
    return {name: feature.column() for name, feature in by_name(features).items()}


def _members(log: EventLog, cutoff: int, who: Population) -> np.ndarray:
    members = np.flatnonzero(population(log, cutoff, who))
    if not len(members):
        raise HistoryError(
            f"The population must not be empty, but no customer has an event of kind '{who.kind}' in the {who.active_days} days"
            f" before {clock.text(cutoff)}; the log holds {_kinds(log)} from {clock.text(log.first)}."
            " Choose a later cutoff, or another [population]."
        )
    return members


def _frame(
    log: EventLog, columns: dict[str, Column], span: clock.Span, known_before: int, members: np.ndarray
) -> pd.DataFrame:
    program = compile_measures(measures(list(columns.values())), log)
    measured = {m: values[members] for m, values in sweep(log, program, span, known_before).items()}
    cutoff = pd.Timestamp(span.end if span.start == clock.BEGINNING else span.start, unit="us", tz="UTC")
    index = pd.MultiIndex.from_arrays(
        [log.customers.take(members).to_pandas(), pd.DatetimeIndex([cutoff] * len(members)).as_unit("us")],
        names=["customer_id", "cutoff"],
    )
    values = {name: np.broadcast_to(evaluate(column, measured), len(members)) for name, column in columns.items()}
    return pd.DataFrame(values, index=index)


def _kinds(log: EventLog) -> str:
    return ", ".join(f"{count:,} × {kind}" for kind, count in log.kinds.items())
