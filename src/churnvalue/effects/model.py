"""What actions change for each customer, from an experiment where it says enough, else as assumed."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Self

import numpy as np
import numpy.typing as npt
import pandas as pd

from churnvalue.effects import sentences
from churnvalue.effects.action_effects import EXPERIMENT, ActionEffects, assumed, combine
from churnvalue.effects.gate import Verdict, choose, gate
from churnvalue.effects.learners import DRLinear, EffectLearner, SSmall, TLinear
from churnvalue.effects.ranking import Estimate, mean_of
from churnvalue.effects.scores import FOLDS, cross_fitted, doubly_robust
from churnvalue.effects.shrinkage import Harm, assumed_average, believed, harm, pooled, slope
from churnvalue.effects.support import leaving_share, only, redeemed_shares, too_little
from churnvalue.effects.trial import CONTROL, OTHER, Trial, make_trial
from churnvalue.errors import DefinitionError
from churnvalue.language import N_, _

_P90 = 1.2816

Floats = npt.NDArray[np.float64]


class EffectModel:
    """Effect of each action on staying: the average, individual effects only where they are shown to rank better.

    The average of each action is pooled with its assumed save rate by precision. Learners are compared by cross-fitted Qini,
    their effects shrunk by the slope of the best linear predictor, and used if the gate lets them. Negative effects are kept
    only where the upper bound of that group's doubly robust scores is below 0. An action with fewer than 100 customers in
    its arm or in control, weighted by 1 / propensity, or with fewer than 10 who stay or leave, keeps its assumption.

    Attributes:
        supported_: Ids of the actions the experiment speaks of; K of them. All lists below follow this order.
        average_: Average effects and standard errors, pooled with the assumption.
        measured_: The same without the assumption.
        learner_: Name of the learner.
        slopes_: Slope of the best linear predictor of each action, as measured.
        harm_: What is known of customers with negative effects.
        verdict_: Of the gate.
        notes_: What the numbers rest on, in sentences.
    """

    supported_: tuple[str, ...]
    average_: tuple[Estimate, ...]
    measured_: tuple[Estimate, ...]
    learner_: str
    slopes_: tuple[Estimate, ...]
    harm_: tuple[Harm, ...]
    verdict_: Verdict
    notes_: tuple[str, ...]

    def __init__(
        self,
        *,
        actions: tuple[str, ...],
        control: str = "control",
        save_rates: Mapping[str, tuple[float, float]] | None = None,
        redemption: Mapping[str, float] | None = None,
        folds: int = FOLDS,
        seed: int = 0,
    ) -> None:
        self.actions = actions
        self.control = control
        self.save_rates = save_rates
        self.redemption = redemption
        self.folds = folds
        self.seed = seed

    def fit(
        self,
        X: pd.DataFrame,
        arm: npt.ArrayLike,
        stayed: npt.ArrayLike,
        propensity: npt.ArrayLike | None = None,
        value: npt.ArrayLike | None = None,
        redeemed: npt.ArrayLike | None = None,
    ) -> Self:
        """Return self, having learnt from an experiment; the order of its rows does not matter.

        Args:
            X: Numbers known before the action, NaN where unknown; the index names the customer.
            arm: Id of the action each row got, or the control's; other ids are not studied.
            stayed: 1 or 0; or visited, or another outcome with more power than money.
            propensity: Probability of the arm that was given; None takes the arms' shares.
            value: What staying is worth, by which average effects rank customers; None for no order.
            redeemed: Whether the incentive was taken, NaN where unknown.

        Raises:
            ExperimentError: If the parts do not fit together, a propensity is not above 0 and below 1, or arms do not match
                their propensities.
            DefinitionError: If an action has neither enough customers nor a save rate.
        """
        ids = np.asarray(arm, dtype=object)
        codes = np.full(len(ids), OTHER, dtype=np.int64)
        for code, action in enumerate((self.control, *self.actions)):
            codes[ids == action] = code
        compared = (codes == CONTROL).any() and (codes > CONTROL).any()
        whole = make_trial(X, codes, stayed, propensity, (self.control, *self.actions)) if compared else None
        trial = self._studied(whole, int((codes == OTHER).sum()))
        self.redemption_ = np.array([(self.redemption or {}).get(action, 0.0) for action in self.supported_])
        if trial is not None:
            self._learn(trial, None if value is None else np.asarray(value, dtype=np.float64)[trial.position])
            if redeemed is not None:
                shares = redeemed_shares(np.asarray(redeemed, dtype=np.float64)[trial.position], trial)
                self.redemption_ = np.where(np.isnan(shares), self.redemption_, shares)
        unknown = [one for one in self.actions if one not in self.supported_ and one not in (self.save_rates or {})]
        if unknown:
            raise DefinitionError(
                f"Each action needs an experiment or a save rate, but {unknown} have too few customers in the experiment and "
                "no save rate. Give them one."
            )
        return self

    def predict(self, X: pd.DataFrame, p_churn: npt.ArrayLike | None = None) -> ActionEffects:
        """Return the effects of all actions; with ``p_churn``, an effect stays within [p_churn - 1, p_churn].

        The quantiles cover the error of the average and, for individual effects, of the slope by which they are shrunk; not
        how customers differ beyond their features.

        Raises:
            DefinitionError: If an action rests on an assumption and ``p_churn`` is not given.
        """
        measured = self._measured(X)
        if p_churn is not None:
            leaving = np.asarray(p_churn, dtype=np.float64)[:, None]
            low, middle, high = (
                np.clip(one, leaving - 1.0, leaving) for one in (measured.stay_p10, measured.stay, measured.stay_p90)
            )
            measured = replace(measured, stay=middle, stay_p10=low, stay_p90=high)
        alone = [action for action in self.actions if action not in self.supported_]
        if not alone:
            return measured
        if p_churn is None:
            raise DefinitionError(
                f"Assumed effects need the probability of leaving, but p_churn is missing and only {list(self.supported_)} "
                "have an experiment. Give p_churn."
            )
        rates = {action: rate for action, rate in (self.save_rates or {}).items() if action in alone}
        return combine(measured, assumed(p_churn, rates, self.redemption)).select(self.actions)

    def _studied(self, trial: Trial | None, others: int) -> Trial | None:
        """Return the experiment of the actions of which it says enough, None if there is none; note the others."""
        notes, enough = [], []
        if others:
            notes.append(
                _(
                    "{others:,} rows got what is neither a known action nor '{control}': not compared.",
                    others=others,
                    control=self.control,
                )
            )
        for code, action in enumerate(self.actions, start=1):
            reason = _("no customers of it, or no control") if trial is None else too_little(trial, code)
            if reason:
                notes.append(
                    _(
                        "{action}: the experiment says too little ({reason}); its save rate is assumed.",
                        action=action,
                        reason=reason,
                    )
                )
            else:
                enough.append(code)
        self.notes_ = tuple(notes)
        self.supported_ = tuple(self.actions[code - 1] for code in enough)
        return only(trial, enough) if trial is not None and enough else None

    def _learn(self, trial: Trial, value: Floats | None) -> None:
        scores, fold, who = doubly_robust(trial, self.folds), trial.folds(self.folds), trial.customers
        columns = range(trial.count)
        self.measured_ = tuple(mean_of(scores[:, a], who) for a in columns)
        self._pool(trial)
        average = np.array([one.value for one in self.average_])
        learners: dict[str, EffectLearner] = {
            N_("T-learner, linear"): TLinear(),
            N_("DR-learner, linear"): DRLinear(),
            N_("S-learner, small trees"): SSmall(seed=self.seed),
        }  # fmt: skip
        found = {name: cross_fitted(learner, trial, self.folds) for name, learner in learners.items()}
        self.learner_ = choose(found, scores, trial)
        effects = found[self.learner_]
        self.slopes_ = tuple(slope(effects[:, a], scores[:, a], fold, who) for a in columns)
        self.believed_ = np.array([believed(one) for one in self.slopes_])
        shrunk = average + self.believed_ * (effects - effects.mean(axis=0))
        self.verdict_ = gate(shrunk, average, scores, value, trial)
        used = shrunk if self.verdict_.individual else np.broadcast_to(average, shrunk.shape)
        self.harm_ = tuple(harm(used[:, a], scores[:, a], who) for a in columns)
        self.model_ = learners[self.learner_].learn(trial)
        self.centre_ = self.model_.predict(trial.X).mean(axis=0)
        harms = (sentences.of_harm(action, one) for action, one in zip(self.supported_, self.harm_, strict=True))
        told = sentences.of_gate(self.learner_, self.verdict_, self.slopes_, value is not None)
        self.notes_ = (*self.notes_, told, *(one for one in harms if one))

    def _pool(self, trial: Trial) -> None:
        """Pool each measured average with what its save rate says."""
        leaving, averages, notes = leaving_share(trial), [], list(self.notes_)
        for action, measured in zip(self.supported_, self.measured_, strict=True):
            rate = (self.save_rates or {}).get(action)
            prior = None if rate is None else assumed_average(leaving, rate)
            both, weight = (measured, 0.0) if prior is None else pooled(measured, prior)
            averages.append(both)
            notes.append(sentences.of_average(action, measured, prior, both, weight))
        self.average_, self.notes_ = tuple(averages), tuple(notes)

    def _measured(self, X: pd.DataFrame) -> ActionEffects:
        """Return the effects of the supported actions."""
        stay = np.zeros((len(X), len(self.supported_)))
        error = np.zeros_like(stay)
        if self.supported_:
            stay += np.array([one.value for one in self.average_])
            error += np.array([one.se for one in self.average_])
        if self.supported_ and self.verdict_.individual:
            apart = self.model_.predict(X) - self.centre_
            stay += self.believed_ * apart
            error = np.hypot(error, apart * np.array([one.se for one in self.slopes_]))
        lifted = [self.harm_[a].lifted(stay[:, a]) for a in range(stay.shape[1])]
        stay = np.clip(np.column_stack([stay[:, :0], *lifted]), -1.0, 1.0)
        return ActionEffects(
            self.supported_,
            stay,
            np.clip(stay - _P90 * error, -1.0, 1.0),
            np.clip(stay + _P90 * error, -1.0, 1.0),
            self.redemption_,
            np.full(stay.shape[1], EXPERIMENT),
            self.notes_,
        )
