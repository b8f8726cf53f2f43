"""What a policy would have earned, from a log in which another one acted with known chances.

Inverse propensity scores (Horvitz and Thompson 1952), the same self-normalised (Hájek), and doubly robust scores
(Dudík, Langford and Li 2011). Errors by influence functions, summed by customer.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np
import numpy.typing as npt

from churnvalue.errors import HistoryError
from churnvalue.evaluation.estimate import Estimate, effective_size, from_influence, unknown
from churnvalue.language import _

Floats = npt.NDArray[np.float64]
Method = Literal["ips", "snips", "dr"]
METHODS: tuple[Method, ...] = ("ips", "snips", "dr")
FOLDS = 5
_ROWS_A_COVARIATE = 20


@dataclass(frozen=True, eq=False)
class Logged:
    """What was done, with which chance, and what came of it; the value of a policy is the mean over these rows.

    Attributes:
        customer_id: Shape (n,).
        action: Shape (n,).
        propensity: Shape (n,): probability of that action, above 0 and at most 1.
        outcome: Shape (n,): finite.
        covariates: Shape (n, k): known before the action, most telling first.
    """

    customer_id: npt.NDArray[np.object_]
    action: npt.NDArray[np.object_]
    propensity: Floats
    outcome: Floats
    covariates: Floats

    def __post_init__(self) -> None:
        if not ((self.propensity > 0) & (self.propensity <= 1)).all():
            bad = self.propensity[~((self.propensity > 0) & (self.propensity <= 1))][0]
            raise HistoryError(
                f"Each propensity must be above 0 and at most 1, but {bad:g} came. Log the chance with which each"
                " action was chosen."
            )
        if not np.isfinite(self.outcome).all():
            raise HistoryError("Each outcome must be a finite number, but others came. Leave such rows out.")

    @cached_property
    def actions(self) -> tuple[str, ...]:
        """The actions that were taken, in order of their names."""
        return tuple(str(one) for one in np.unique(self.action.astype(str)))

    @cached_property
    def taken(self) -> npt.NDArray[np.int64]:
        """Shape (n,): number of the action taken."""
        return np.asarray(np.unique(self.action.astype(str), return_inverse=True)[1], dtype=np.int64)

    @cached_property
    def customer(self) -> npt.NDArray[np.int64]:
        """Shape (n,): number of the customer, by id."""
        return np.asarray(np.unique(self.customer_id.astype(str), return_inverse=True)[1], dtype=np.int64)

    @cached_property
    def predicted(self) -> Floats:
        """Shape (n, A): outcome to expect of each action, from other customers' rows alone.

        A ridge regression on as many covariates as the action's rows bear, one for each 20; without any, their mean.
        Weighted by inverse propensity, and with an intercept, so that nothing is lost where it is wrong.
        """
        found = np.zeros((len(self.outcome), len(self.actions)))
        fold = self.customer % FOLDS
        for number in range(len(self.actions)):
            for part in range(FOLDS):
                learnt = (self.taken == number) & (fold != part)
                rows = fold == part
                if learnt.any():
                    found[rows, number] = self._predict(learnt, rows)
        return found

    def _predict(self, learnt: npt.NDArray[np.bool_], rows: npt.NDArray[np.bool_]) -> Floats:
        known, weight = self.covariates[learnt], 1.0 / self.propensity[learnt]
        outcome = self.outcome[learnt]
        known = known[:, : len(known) // _ROWS_A_COVARIATE]
        level = np.average(outcome, weights=weight)
        if not known.shape[1]:
            return np.full(int(rows.sum()), level)
        centre = np.average(known, axis=0, weights=weight)
        spread = np.where(np.ptp(known, axis=0) > 0, known.std(axis=0), np.inf)
        scaled = (known - centre) / spread
        gram = scaled.T @ (scaled * weight[:, None]) + np.eye(known.shape[1]) * weight.mean()
        slopes = np.linalg.solve(gram, scaled.T @ (weight * (outcome - level)))
        # Beyond what was seen of an action a line says nothing.
        reached = np.clip((self.covariates[rows][:, : known.shape[1]] - centre) / spread, scaled.min(0), scaled.max(0))
        return np.asarray(level + reached @ slopes)


@dataclass(frozen=True)
class Support:
    """How well the log tells of a policy.

    ``covered`` is the sum of weights over the customers, 1 on average where everything the policy does could have
    happened in the log; ``largest`` is the largest weight.
    """

    effective: float
    covered: float
    largest: float


def deterministic(logged: Logged, choice: npt.NDArray[np.object_]) -> Floats:
    """Return the policy that gives each row the action ``choice``; shape (n, A). Actions never taken have no column."""
    return np.asarray(np.array(logged.actions, dtype=object)[None, :] == choice[:, None], dtype=np.float64)


def support(logged: Logged, policy: Floats) -> Support:
    """Return how well the log tells of ``policy``, the probability of each action for each row; shape (n, A)."""
    weight = _weight(logged, policy)
    return Support(effective_size(weight), float(weight.mean()), float(weight.max(initial=0.0)))


def value(logged: Logged, policy: Floats, method: Method) -> Estimate:
    """Return the mean outcome under ``policy``, the probability of each action for each row; shape (n, A)."""
    if note := _untold(logged, policy):
        return unknown(note)
    weight = _weight(logged, policy)
    level, influence = _influence(logged, policy, method)
    return from_influence(level, influence, logged.customer, effective_size(weight))


def advantage(logged: Logged, policy: Floats, rival: Floats, method: Method) -> Estimate:
    """Return the mean outcome under ``policy`` less that under ``rival``, paired: on the same rows."""
    if note := _untold(logged, policy) or _untold(logged, rival):
        return unknown(note)
    if np.array_equal(policy, rival):
        return unknown(_("both policies do the same"))
    (ours, own), (theirs, others) = (_influence(logged, one, method) for one in (policy, rival))
    effective = min(effective_size(_weight(logged, one)) for one in (policy, rival))
    return from_influence(ours - theirs, own - others, logged.customer, effective)


def _weight(logged: Logged, policy: Floats) -> Floats:
    return np.asarray(policy[np.arange(len(policy)), logged.taken] / logged.propensity)


def _untold(logged: Logged, policy: Floats) -> str:
    """Return why the log cannot tell of a policy; empty if it can."""
    if not len(policy) or (policy.sum(axis=1) < 1.0 - 1e-9).any() or not _weight(logged, policy).any():
        return _("nobody in the log got what this policy would have done")
    return ""


def _influence(logged: Logged, policy: Floats, method: Method) -> tuple[float, Floats]:
    """Return the estimate and each row's influence on it."""
    weight, outcome = _weight(logged, policy), logged.outcome
    if method == "snips":
        share = weight.mean()
        level = float((weight * outcome).mean() / share)
        return level, weight * (outcome - level) / share
    if method == "ips":
        scores = weight * outcome
    else:
        rows = np.arange(len(outcome))
        scores = (policy * logged.predicted).sum(axis=1)
        scores = scores + weight * (outcome - logged.predicted[rows, logged.taken])
    level = float(scores.mean())
    return level, scores - level
