"""What is learnt from: rows with closed outcomes, everyone as they are now, and how levels move with the season."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pandas as pd

from churnvalue.config import Config, Outcome
from churnvalue.errors import HistoryError
from churnvalue.evaluation.baselines import baseline_features
from churnvalue.events.log import EventLog
from churnvalue.features import Feature
from churnvalue.frames import TrainingFrame, feature_frame, training_frame
from churnvalue.jobs.season import Seasons
from churnvalue.models.customer_value import Terms, cost_features
from churnvalue.models.definition import LEARNT, Loaded, read_definition
from churnvalue.snapshots import learnt_days, training_cutoffs
from churnvalue.timing import next_purchase


@dataclass(frozen=True)
class Material:
    """What is learnt from: rows with closed outcomes, everyone as they are now, and how levels moved with the season."""

    frame: TrainingFrame
    now: pd.DataFrame
    seasons: Seasons
    config: Config
    learnt_days: int

    @property
    def log(self) -> EventLog:
        """The log that all of this was read from."""
        return self.seasons.log

    @property
    def outcome(self) -> Outcome:
        """The outcome, over the horizon that could be learnt from."""
        return self.config.outcome.model_copy(update={"horizon_days": self.learnt_days})


def terms_of(config: Config) -> Terms:
    """Return what value means under a configuration."""
    value = config.value
    return Terms(config.outcome.horizon_days, value.horizon_days, value.margin, value.discount_rate, dict(value.cost))


def definitions(config: Config, log: EventLog) -> dict[str, Loaded]:
    """Return the definitions of what can be learnt from a log: spend only where the outcome's kind carries money.

    Raises:
        HistoryError: If the log lacks the outcome's kind.
    """
    kinds = set(log.kinds)
    if config.outcome.kind not in kinds:
        raise HistoryError(
            f"The outcome's kind '{config.outcome.kind}' must occur in the log, but it holds only"
            f" {', '.join(sorted(kinds))}. Set [outcome] kind and [population] kind to one of them."
        )
    return {
        name: read_definition(name, config, kinds)
        for name in LEARNT
        if log.pays(config.outcome.kind) or name != "spend"
    }


def needed_features(config: Config, loaded: Mapping[str, Loaded], learnt: int | None = None) -> tuple[Feature, ...]:
    """Return every feature that models, baselines, value and the wait until the next purchase read, each once."""
    outcome = config.outcome.model_copy(update={"horizon_days": learnt or config.outcome.horizon_days})
    own = [feature for definition in loaded.values() for feature in definition.features]
    beside = (
        *baseline_features(outcome),
        *cost_features(outcome.kind, config.value.cost),
        *next_purchase.inputs(outcome.kind),
    )
    return tuple(dict.fromkeys([*own, *beside]))


def gather(log: EventLog, loaded: Mapping[str, Loaded], config: Config, beside: Sequence[Feature] = ()) -> Material:
    """Return the material of a log: features and outcomes at the training cutoffs, and features at its end.

    Features ``beside`` are computed too: those of champions with which the models will be compared.

    Raises:
        HistoryError: If the log is shorter than the horizon, or a population is empty.
    """
    days = learnt_days(log, config.training, config.outcome)
    outcome = config.outcome.model_copy(update={"horizon_days": days})
    features = tuple(dict.fromkeys([*needed_features(config, loaded, days), *beside]))
    cutoffs = training_cutoffs(log, config.training, outcome)
    frame = training_frame(log, features, cutoffs, config.population, outcome)
    now = feature_frame(log, features, log.observed_until, config.population)
    return Material(frame, now, Seasons(log, config.population, outcome), config, days)
