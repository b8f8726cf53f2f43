"""Learning from a training frame: tune on past folds, judge on the newest closed window, calibrate, fit to all.

The newest window chooses nothing: parameters come from earlier folds alone, so that its verdict can be believed.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import blake2b

import numpy as np
import pandas as pd

from churnvalue.config import Config
from churnvalue.evaluation.baselines import Prediction, baseline_features, baselines
from churnvalue.evaluation.folds import ForwardFold, forward_folds
from churnvalue.evaluation.measurement import OURS, Evaluation
from churnvalue.features import Feature
from churnvalue.frames import TrainingFrame
from churnvalue.models.boosted import Fold, Tuned, fit_trees, tune
from churnvalue.models.buy_till_you_die import BuyTillYouDie
from churnvalue.models.calibration import levelled
from churnvalue.models.customer_value import Terms, ValueModel, cost_features, mean_cost_an_order
from churnvalue.models.definition import Loaded, read_value_definition
from churnvalue.models.link_model import LinkModel
from churnvalue.models.outcome_models import ChurnModel, OrdersModel, SpendModel, fit_dispersion
from churnvalue.models.serving import Model
from churnvalue.progress import Stages

_TUNING_FOLDS = 2
_TUNING_ROWS = 30_000  # of each fold; more rows change the choice of parameters little
_TEST_SHARE = 4  # every fourth customer, where history is too short for a forward fold


@dataclass(frozen=True)
class Learned:
    """Models by name, how each was tuned, and the verdict of the newest closed window (None if history has no second one)."""

    models: Mapping[str, Model]
    tuned: Mapping[str, Tuned]
    evaluation: Evaluation | None
    notes: tuple[str, ...]


def terms_of(config: Config) -> Terms:
    """Return what value means under a configuration."""
    value = config.value
    return Terms(config.outcome.horizon_days, value.horizon_days, value.margin, value.discount_rate, dict(value.cost))


def needed_features(config: Config, loaded: Mapping[str, Loaded]) -> tuple[Feature, ...]:
    """Return every feature that models, baselines and value read, each once."""
    own = [feature for definition in loaded.values() for feature in definition.features]
    beside = (*baseline_features(config.outcome), *cost_features(config.outcome.kind, config.value.cost))
    return tuple(dict.fromkeys([*own, *beside]))


def learn(frame: TrainingFrame, loaded: Mapping[str, Loaded], config: Config, stages: Stages) -> Learned:
    """Return models learnt from ``frame``.

    Raises:
        HistoryError: If a target is the same for everyone.
    """
    newest = frame.cutoffs[-1]
    folds = forward_folds(frame.cutoffs, config.outcome.horizon_days)
    verdict = folds[-1] if folds and folds[-1].test == newest else None
    tuning = _tuning_folds(frame, folds, verdict, config)
    notes = [] if verdict else ["history is too short to judge the models on a later window; they are ungraded"]
    learner = _Learner(frame, loaded, config)
    tuned = {}
    for name in loaded:
        with stages.stage(f"tuning {name}", config.training.trials) as tick:
            tuned[name] = tune(
                loaded[name].definition,
                [learner.fold(name, train, test) for train, test in tuning],
                trials=config.training.trials,
                seed=config.training.seed,
                threads=config.training.threads,
                tick=tick,
            )
    judged: Judged | None = None
    if verdict is not None:
        with stages.stage("judging on the newest closed window"):
            judged = learner.judge(tuned, verdict)
    with stages.stage("fitting to all cutoffs"):
        models = learner.final(tuned, judged)
    return Learned(models, tuned, judged.evaluation if judged else None, tuple(notes))


@dataclass(frozen=True)
class Judged:
    """What the newest closed window taught: the verdict and the dispersion of spend."""

    evaluation: Evaluation
    dispersion: float


@dataclass(frozen=True)
class _Learner:
    """One training frame with the definitions of what is learnt from it."""

    frame: TrainingFrame
    loaded: Mapping[str, Loaded]
    config: Config

    def fold(self, name: str, train: TrainingFrame, test: TrainingFrame) -> Fold:
        """Rows and target of model ``name``."""
        columns, target = self._columns(name), self.loaded[name].definition.target
        return Fold(train.features[columns], train.targets[target], test.features[columns], test.targets[target])

    def fit(self, name: str, tuned: Mapping[str, Tuned], rows: TrainingFrame) -> LinkModel:
        """Fit model ``name`` to ``rows`` with the parameters found."""
        definition = self.loaded[name].definition
        chosen = tuned[name]
        return fit_trees(
            definition,
            chosen.parameters,
            chosen.rounds,
            rows.features[self._columns(name)],
            rows.targets[definition.target],
        )

    def judge(self, tuned: Mapping[str, Tuned], fold: ForwardFold) -> Judged:
        """Predict the newest closed window from what had closed before it."""
        train, test = self.frame.at(fold.train), self.frame.at([fold.test])
        fitted = {name: self.fit(name, tuned, train) for name in self.loaded}
        newest_closed = self.frame.at([fold.train[-1]])
        calibrated = {
            name: levelled(model, newest_closed.features, newest_closed.targets[self._target(name)])
            for name, model in fitted.items()
        }
        p_churn = calibrated["churn"].predict(test.features)
        spend = calibrated["spend"].predict(test.features) if "spend" in calibrated else None
        ours = Prediction(
            risk=p_churn,
            p_churn=p_churn,
            orders=OrdersModel(calibrated["orders"], calibrated["churn"]).predict(test.features)["orders"].to_numpy(),
            spend=spend,
        )
        rivals = baselines(test.features, self.config.outcome)
        evaluation = Evaluation(fold.test, test.targets, {OURS: ours, **rivals})
        dispersion = fit_dispersion(test.targets["spend"].to_numpy(), spend, p_churn) if spend is not None else 1.0
        return Judged(evaluation, dispersion)

    def final(self, tuned: Mapping[str, Tuned], judged: Judged | None) -> dict[str, Model]:
        """Fit to every cutoff and set the level on the newest one."""
        newest = self.frame.at([self.frame.cutoffs[-1]])
        fitted = {}
        for name in self.loaded:
            model = self.fit(name, tuned, self.frame)
            fitted[name] = levelled(model, newest.features, newest.targets[self._target(name)])
        churn, spend = fitted["churn"], fitted.get("spend")
        kind, cost = self.config.outcome.kind, self.config.value.cost
        dispersion = judged.dispersion if judged else 1.0
        low, high = np.quantile(churn.predict(newest.features), [1 / 3, 2 / 3])
        models: dict[str, Model] = {
            "churn": ChurnModel(churn, bands=(float(low), float(high))),
            "orders": OrdersModel(fitted["orders"], churn),
        }
        if spend is not None:
            models["spend"] = SpendModel(spend, churn, dispersion)
        models["value"] = ValueModel(
            churn=churn,
            spend=spend,
            buying=BuyTillYouDie.fit(newest.features, kind, read_value_definition(self.config)[0].fading),
            terms=terms_of(self.config),
            dispersion=dispersion,
            cost_an_order=mean_cost_an_order(newest.features, kind, cost),
        )
        return models

    def _columns(self, name: str) -> list[str]:
        return [feature.name for feature in self.loaded[name].features]

    def _target(self, name: str) -> str:
        return self.loaded[name].definition.target


def _tuning_folds(
    frame: TrainingFrame, folds: list[ForwardFold], verdict: ForwardFold | None, config: Config
) -> list[tuple[TrainingFrame, TrainingFrame]]:
    """Return pairs to tune on whose outcomes had all closed before the verdict's cutoff.

    Where history is too short for that, customers are split instead of time, at the cutoffs that the verdict learns from.
    """
    horizon = pd.Timedelta(days=config.outcome.horizon_days)
    past = [f for f in folds if verdict is None or f.test + horizon <= verdict.test][-_TUNING_FOLDS:]
    if past:
        pairs = [(frame.at(fold.train), frame.at([fold.test])) for fold in past]
    else:
        rows = frame.at(verdict.train) if verdict else frame
        bucket = _buckets(rows.features.index.get_level_values("customer_id"))
        test = bucket % _TEST_SHARE == 0
        pairs = [(_rows(rows, ~test), _rows(rows, test))]
    return [(_sample(train), _sample(test)) for train, test in pairs]


def _sample(frame: TrainingFrame) -> TrainingFrame:
    """Return at most ``_TUNING_ROWS`` rows, of customers chosen by the hash of their id: the order of rows plays no part."""
    if len(frame.features) <= _TUNING_ROWS:
        return frame
    bucket = _buckets(frame.features.index.get_level_values("customer_id"))
    return _rows(frame, bucket < 2**32 * (_TUNING_ROWS / len(frame.features)))


def _rows(frame: TrainingFrame, chosen: np.ndarray) -> TrainingFrame:
    return TrainingFrame(frame.features[chosen], frame.targets[chosen])


def _buckets(ids: pd.Index) -> np.ndarray:
    """Return a number from 0 to 2^32 for each customer id, the same in every run."""
    codes, unique = pd.factorize(ids)
    hashed = [int.from_bytes(blake2b(str(u).encode(), digest_size=4).digest(), "big") for u in unique]
    return np.array(hashed, dtype=np.int64)[codes]
