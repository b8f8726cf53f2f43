"""Learning when customers come back, and whether the learnt curve may serve.

The members of the curve are chosen on windows that had closed before the newest one, and judged on that: served is only what
was not worse there than Pareto/NBD's curve, scaled to the same churn model, beyond noise.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np
import pandas as pd

from churnvalue import clock
from churnvalue.evaluation.measurement import OURS, Evaluation, Metrics
from churnvalue.evaluation.metrics import calibration_error
from churnvalue.features import Feature
from churnvalue.frames import feature_frame
from churnvalue.jobs.material import Material
from churnvalue.language import _
from churnvalue.models.blend import Blend
from churnvalue.models.buy_till_you_die import BuyTillYouDie
from churnvalue.models.definition import Loaded, ReturnDefinition, read_return_definition
from churnvalue.snapshots import population
from churnvalue.timing.hazard import bin_edges
from churnvalue.timing.next_purchase import BUYING, NextPurchase, inputs
from churnvalue.timing.next_purchase_learning import Members, fit_next_purchase
from churnvalue.timing.next_purchase_serving import RETURN_DAYS, ReturnModel, p_silent
from churnvalue.timing.waits import Waits, followed, level_cutoffs

_NOISE = 1.96  # standard errors
_SURE = 1e-9


@dataclass(frozen=True)
class Returns:
    """The model of coming back, and metrics by method on the newest closed window (none where nothing was judged)."""

    model: ReturnModel
    metrics: Mapping[str, Metrics]

    @property
    def note(self) -> str:
        """Which curve serves, and why."""
        return self.model.waiting.note

    @property
    def learnt(self) -> bool:
        """Whether a learnt curve serves, not the fallback."""
        return self.model.waiting.members != (BUYING,)


def learn_returns(material: Material, loaded: Mapping[str, Loaded], churn: Blend, judged: Evaluation | None) -> Returns:
    """Return the model of coming back that serves beside ``churn``.

    Args:
        material: What is learnt from.
        loaded: Definitions, of which one gives the features.
        churn: The churn model that will serve.
        judged: What was foretold of the newest closed window without its outcomes; None if there is no second one.
    """
    definition = read_return_definition(material.config)[0]
    kind = material.config.outcome.kind
    features = tuple(dict.fromkeys([*loaded[definition.same_features_as].features, *inputs(kind)]))
    learner = _Learner(material, features, definition)
    verdict = _Verdict(_("the history is too short to judge a learnt curve on a later window"))
    if judged is not None:
        verdict = learner.judge(judged)
    now = material.now.index[0][1]
    if verdict.members:
        waiting = replace(learner.curve(now, material.now, verdict.members), note=verdict.note)
    else:
        note = _("Pareto/NBD's curve, scaled to the churn model: {note}", note=verdict.note)
        waiting = NextPurchase.of_buying(learner.fallback(material.now), bin_edges(material.learnt_days), note)
    return Returns(ReturnModel(churn, waiting), verdict.metrics)


@dataclass(frozen=True)
class _Verdict:
    """Why a curve may serve or not, the members that may (none: it may not), and metrics by method."""

    note: str
    members: Members = ()
    metrics: Mapping[str, Metrics] = field(default_factory=dict)


@dataclass(frozen=True)
class _Learner:
    """The material with what coming back is learnt by; each window is drawn once."""

    material: Material
    features: tuple[Feature, ...]
    definition: ReturnDefinition
    drawn: dict[pd.Timestamp, Waits] = field(default_factory=dict)

    def judge(self, judged: Evaluation) -> _Verdict:
        """Compare the curve learnt before the newest closed window with the fallback on it, at the same churn."""
        rows = self.material.frame.at([judged.cutoff]).features
        curve = self.curve(judged.cutoff, rows)
        if curve.members == (BUYING,):
            return _Verdict(curve.note)
        days = [days for days in RETURN_DAYS if days < self.material.learnt_days]
        if not days:
            return _Verdict(_("{learnt_days} days ahead leave nothing to judge", learnt_days=self.material.learnt_days))
        happened = self._followed(rows)
        churn = judged.predictions[OURS].p_churn
        p_churn = pd.Series(churn, index=judged.targets.index).reindex(happened.frame.index).to_numpy(dtype=np.float64)
        alone = NextPurchase.of_buying(self.fallback(rows), curve.edges, "")
        metrics: dict[str, Metrics] = {OURS: {}, self.definition.fallback: {}}
        losses = {}
        for method, waiting in ((OURS, curve), (self.definition.fallback, alone)):
            silent = p_silent(waiting, happened.frame, p_churn, self.material.learnt_days)
            lost = []
            for ahead, chance in zip(days, 1.0 - silent.T, strict=False):
                back = (happened.observed & (happened.days < ahead)).astype(np.float64)
                lost.append(-np.log(np.clip(np.where(back > 0, chance, 1.0 - chance), _SURE, 1.0)))
                metrics[method][f"log_loss_{ahead}d"] = float(lost[-1].mean())
                metrics[method][f"calibration_error_{ahead}d"] = calibration_error(back, chance)
            losses[method] = np.mean(lost, axis=0)
        behind = losses[OURS] - losses[self.definition.fallback]
        mean, noise = float(behind.mean()), _NOISE * float(behind.std() / np.sqrt(len(behind)))
        said = _(
            "log-loss {mean:+.5f} ± {noise:.5f} against Pareto/NBD's at {cutoff:%Y-%m-%d}",
            mean=mean,
            noise=noise,
            cutoff=judged.cutoff,
        )
        if mean > noise:
            return _Verdict(
                _("the learnt curve was worse, {said}", said=said), metrics={OURS: metrics[self.definition.fallback]}
            )
        return _Verdict(f"{curve.note}; {said}", curve.members, metrics)

    def curve(self, now: pd.Timestamp, frame: pd.DataFrame, members: Members | None = None) -> NextPurchase:
        """Return the wait from ``now`` on of those in ``frame``, learnt from what was known then."""
        log, config, days = self.material.log, self.material.config, self.material.learnt_days
        closed = [c for c in self.material.frame.cutoffs if c + pd.Timedelta(days=days) <= now]
        beside = level_cutoffs(log, [_micros(cutoff) for cutoff in closed], _micros(now), days)
        others = [pd.Timestamp(clock.moment(c)) for c in beside if population(log, c, config.population).any()]
        known = Waits.joined([self._window(cutoff) for cutoff in (*closed, *others)]).as_known(now)
        return fit_next_purchase(
            known.at(closed), known.at(others), frame[self._columns], config.outcome.kind, config.training.seed, members
        )

    def fallback(self, frame: pd.DataFrame) -> BuyTillYouDie:
        """Return buy-till-you-die fitted to everyone in ``frame``."""
        return BuyTillYouDie.fit(frame, self.material.config.outcome.kind, self.definition.fallback)

    @property
    def _columns(self) -> list[str]:
        return [feature.name for feature in self.features]

    def _window(self, cutoff: pd.Timestamp) -> Waits:
        """Return customers drawn from the population of a cutoff, followed to the horizon or to the end of the log."""
        material = self.material
        if cutoff not in self.drawn:
            rows = material.frame.at([cutoff]).features
            if rows.empty:
                rows = feature_frame(material.log, self.features, _micros(cutoff), material.config.population)
            self.drawn[cutoff] = self._followed(rows).drawn(
                self.definition.most_customers, material.config.training.seed
            )
        return self.drawn[cutoff]

    def _followed(self, rows: pd.DataFrame) -> Waits:
        material, config = self.material, self.material.config
        return followed(material.log, rows[self._columns], config.population, config.outcome.kind, material.learnt_days)


def _micros(cutoff: pd.Timestamp) -> int:
    return clock.micros(cutoff.to_pydatetime())
