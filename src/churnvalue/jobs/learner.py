"""The steps of learning: tune, look at past windows, judge, fit. ``learning`` puts them in order."""

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from os import cpu_count

import numpy as np
import pandas as pd

from churnvalue.evaluation.baselines import Prediction, baselines
from churnvalue.evaluation.folds import ForwardFold
from churnvalue.evaluation.measurement import OURS, Evaluation
from churnvalue.frames import TrainingFrame
from churnvalue.jobs.material import Material, terms_of
from churnvalue.models.blend import Blend, reference_of
from churnvalue.models.boosted import Fold, Tuned, fit_trees, tune
from churnvalue.models.buy_till_you_die import BuyTillYouDie, summary
from churnvalue.models.calibration import foretold_level, level
from churnvalue.models.customer_value import ValueModel, mean_cost_an_order
from churnvalue.models.definition import Loaded, read_value_definition
from churnvalue.models.link_model import LinkModel
from churnvalue.models.outcome_models import ChurnModel, OrdersModel, SpendModel, fit_dispersion
from churnvalue.models.serving import Model
from churnvalue.models.stacking import Window, stack
from churnvalue.progress import Stages

TREES_ALONE = "lightgbm"

Windows = Mapping[str, Window]


@dataclass(frozen=True)
class Judged:
    """What the newest closed window taught: the verdict, its own window for the weights, the dispersion of spend."""

    evaluation: Evaluation
    windows: Windows
    dispersion: float


@dataclass(frozen=True)
class Assessed:
    """Parameters by model, past windows (oldest first) from which weights are learnt, and the verdict where there is one."""

    tuned: Mapping[str, Tuned]
    windows: tuple[Windows, ...]
    judged: Judged | None


@dataclass(frozen=True)
class Learner:
    """The material with the definitions of what is learnt from it: every step of learning, in no order."""

    material: Material
    loaded: Mapping[str, Loaded]
    past_buying: dict[pd.Timestamp, BuyTillYouDie] = field(default_factory=dict)  # each fitted once

    @property
    def horizon(self) -> pd.Timedelta:
        """The horizon learnt from."""
        return pd.Timedelta(days=self.material.learnt_days)

    def fold(self, name: str, train: TrainingFrame, test: TrainingFrame) -> Fold:
        """Rows and target of model ``name``."""
        columns, target = self._columns(name), self._target(name)
        return Fold(train.features[columns], train.targets[target], test.features[columns], test.targets[target])

    def tune(self, folds: Sequence[tuple[TrainingFrame, TrainingFrame]], stages: Stages) -> dict[str, Tuned]:
        """Return parameters for each model; models are tuned side by side, which changes no result."""
        training = self.material.config.training

        def one(name: str) -> Tuned:
            return tune(
                self.loaded[name].definition,
                [self.fold(name, train, test) for train, test in folds],
                trials=training.trials,
                seed=training.seed,
                threads=training.threads or 1,
                tick=tick,
            )

        with stages.stage("tuning", training.trials * len(self.loaded)) as tick, _workers() as pool:
            return dict(zip(self.loaded, pool.map(one, self.loaded), strict=True))

    def windows(self, tuned: Mapping[str, Tuned], fold: ForwardFold) -> Windows:
        """Return what trees and buy-till-you-die say of a fold's test cutoff, not having seen its outcomes."""
        train, test = self._at(fold.train), self._at([fold.test])
        buying = self._buying(test.features)
        fitted = self._fit_all({name: found.hasty() for name, found in tuned.items()}, train)
        return {name: self._window(name, trees, buying, test) for name, trees in fitted.items()}

    def judge(self, tuned: Mapping[str, Tuned], fold: ForwardFold, earlier: Sequence[Windows]) -> Judged:
        """Predict the newest closed window from what had closed before it."""
        train, test = self._at(fold.train), self._at([fold.test])
        buying = self._buying(test.features)
        blends: dict[str, Blend] = {}
        alone: dict[str, LinkModel] = {}
        for name, trees in self._fit_all(tuned, train).items():
            weights = self._weights(name, earlier)
            blends[name] = self._blend(name, trees, buying, weights, (fold.train, test.features))
            before = self._at([fold.train[-1]])
            own = level(trees.on_link(before.features), self._actual(name, before), trees.link)
            alone[name] = replace(trees, intercept=own)
        windows = {name: self._window(name, blend.trees, buying, test) for name, blend in blends.items()}
        methods = {
            OURS: _prediction(blends, test.features),
            TREES_ALONE: _prediction(alone, test.features),
            **baselines(test.features, self.material.outcome),
        }
        evaluation = Evaluation(fold.test, test.targets, methods)
        ours = methods[OURS]
        dispersion = 1.0
        if ours.spend is not None and ours.p_churn is not None:
            dispersion = fit_dispersion(test.targets["spend"].to_numpy(), ours.spend, ours.p_churn)
        return Judged(evaluation, windows, dispersion)

    def final(self, assessed: Assessed) -> dict[str, Model]:
        """Fit to every cutoff, buy-till-you-die to everyone as they are now, and set the level by closed windows."""
        tuned, windows, judged = assessed.tuned, assessed.windows, assessed.judged
        now, config = self.material.now, self.material.config
        buying = self._buying(now)
        fitted = {}
        for name, trees in self._fit_all(tuned, self.material.frame).items():
            blend = self._blend(name, trees, buying, self._weights(name, windows), (self.material.frame.cutoffs, now))
            fitted[name] = replace(blend, horizon_days=config.outcome.horizon_days)
        churn, spend = fitted["churn"], fitted.get("spend")
        kind, cost = config.outcome.kind, config.value.cost
        dispersion = judged.dispersion if judged else 1.0
        low, high = np.quantile(churn.predict(now), [1 / 3, 2 / 3])
        models: dict[str, Model] = {
            "churn": ChurnModel(churn, bands=(float(low), float(high))),
            "orders": OrdersModel(fitted["orders"], churn),
        }
        if spend is not None:
            models["spend"] = SpendModel(spend, churn, dispersion)
        models["value"] = ValueModel(
            churn=churn,
            spend=spend,
            buying=BuyTillYouDie.fit(now, kind, read_value_definition(config)[0].fading),
            terms=terms_of(config),
            dispersion=dispersion,
            cost_an_order=mean_cost_an_order(now, kind, cost),
        )
        return models

    def _blend(
        self,
        name: str,
        trees: LinkModel,
        buying: BuyTillYouDie,
        weights: tuple[float, float],
        dates: tuple[Sequence[pd.Timestamp], pd.DataFrame],
    ) -> Blend:
        """Blend at the level of closed windows, each moved as the season moved from it to now; ``dates``: those, and who is now."""
        closed, now = dates
        days = self.material.learnt_days
        newest = self._at([closed[-1]]).features
        draft = Blend(
            trees=trees,
            buying=buying,
            foretells=name,  # type: ignore[arg-type]
            learnt_days=days,
            horizon_days=days,
            trees_weight=weights[0],
            buying_weight=weights[1],
            level=0.0,
            reference=reference_of(summary(newest, buying.kind)),
        )
        season = [self.material.seasons.shift(draft.foretells, now.index[0][1], cutoff) for cutoff in closed]
        levels = np.array([self._levels(draft, cutoff) for cutoff in closed]) + np.array(season)[:, None]
        alone = replace(draft, trees_weight=0.0, buying_weight=1.0).predict(now)
        return replace(
            draft,
            level=foretold_level(
                needed=levels[:, 0],
                alone=levels[:, 1],
                neutral=level(draft.on_link(now), alone, draft.link),
                independent=1 + (closed[-1] - closed[0]) / self.horizon,
            ),
        )

    def _levels(self, draft: Blend, cutoff: pd.Timestamp) -> tuple[float, float]:
        """The levels that a blend, and buy-till-you-die alone, would have needed at a closed cutoff, as known then."""
        rows = self._at([cutoff])
        if cutoff not in self.past_buying:
            self.past_buying[cutoff] = self._buying(rows.features)
        then = replace(draft, buying=self.past_buying[cutoff])
        alone = then.buying.on_link(summary(rows.features, then.buying.kind), draft.foretells, draft.learnt_days)
        actual = self._actual(draft.foretells, rows)
        return level(then.on_link(rows.features), actual, draft.link), level(alone, actual, draft.link)

    def _window(self, name: str, trees: LinkModel, buying: BuyTillYouDie, test: TrainingFrame) -> Window:
        rfm = summary(test.features, buying.kind)
        said = buying.on_link(rfm, name, self.material.learnt_days)  # type: ignore[arg-type]
        return Window(trees.on_link(test.features), said, self._actual(name, test))

    def _weights(self, name: str, windows: Sequence[Windows]) -> tuple[float, float]:
        return stack([window[name] for window in windows], "logit" if name == "churn" else "log")

    def _fit_all(self, tuned: Mapping[str, Tuned], rows: TrainingFrame) -> dict[str, LinkModel]:
        """Fit every model to ``rows``, side by side."""
        with _workers() as pool:
            return dict(zip(self.loaded, pool.map(lambda name: self._fit(name, tuned, rows), self.loaded), strict=True))

    def _fit(self, name: str, tuned: Mapping[str, Tuned], rows: TrainingFrame) -> LinkModel:
        chosen = tuned[name]
        frame, target = rows.features[self._columns(name)], rows.targets[self._target(name)]
        return fit_trees(self.loaded[name].definition, chosen.parameters, chosen.rounds, frame, target)

    def _buying(self, frame: pd.DataFrame) -> BuyTillYouDie:
        return BuyTillYouDie.fit(frame, self.material.config.outcome.kind)

    def _at(self, cutoffs: Sequence[pd.Timestamp]) -> TrainingFrame:
        return self.material.frame.at(cutoffs)

    def _actual(self, name: str, rows: TrainingFrame) -> np.ndarray:
        return rows.targets[self._target(name)].to_numpy(dtype=np.float64)

    def _columns(self, name: str) -> list[str]:
        return [feature.name for feature in self.loaded[name].features]

    def _target(self, name: str) -> str:
        return self.loaded[name].definition.target


def _workers() -> ThreadPoolExecutor:
    """One worker a core: LightGBM leaves Python alone while it works, and one thread each suits it best on small data."""
    return ThreadPoolExecutor(cpu_count() or 1)


def _prediction(models: Mapping[str, Blend] | Mapping[str, LinkModel], frame: pd.DataFrame) -> Prediction:
    p_churn = models["churn"].predict(frame)
    orders = np.maximum(models["orders"].predict(frame), 1.0 - p_churn)
    spend = models["spend"].predict(frame) if "spend" in models else None
    return Prediction(risk=p_churn, p_churn=p_churn, orders=orders, spend=spend)
