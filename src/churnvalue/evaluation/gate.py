"""The gate: a candidate must beat its baselines, and not be worse than the champion beyond noise.

Differences are of the same customers, with a paired bootstrap interval of 95 %; a standard error is that interval's width over
3.92. On a small base it is often wider than any difference between sound models, so that a strict comparison would be a throw
of the dice. The rule, for every baseline:

- ahead beyond noise: beaten;
- behind by a standard error or more: not beaten;
- between: the customers are too few to tell, and the candidate passes, which is said. A candidate that is truly as good as a
  baseline so passes it five times in six instead of three in six, one that is truly a standard error behind every second time.
"""

from dataclasses import dataclass
from math import isfinite

import numpy as np
import numpy.typing as npt

from churnvalue.evaluation.metrics import auc, normalised_gini, paired_bootstrap, spearman
from churnvalue.language import _
from churnvalue.models.definition import Gate

Floats = npt.NDArray[np.float64]
METRICS = {"auc": auc, "spearman": spearman, "normalised_gini": normalised_gini}
_ERRORS_WIDE = 3.92  # standard errors from the 2.5 to the 97.5 % point of a normal distribution


@dataclass(frozen=True)
class Contest:
    """What happened, and what candidate and rival foretold of it, customer by customer. Shapes (customers,)."""

    actual: Floats
    candidate: Floats
    rival: Floats


@dataclass(frozen=True)
class Verdict:
    """Why a candidate is refused, nothing if it is not; and what too few customers left open."""

    reasons: tuple[str, ...] = ()
    remarks: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Difference:
    """Metric of candidate and rival; ``ahead`` is how much better the candidate is, between ``low`` and ``high``."""

    own: float
    rival: float
    ahead: float
    low: float
    high: float

    @property
    def error(self) -> float:
        return (self.high - self.low) / _ERRORS_WIDE

    @property
    def text(self) -> str:
        return _("({ahead:+.4f}, {low:+.4f} to {high:+.4f})", ahead=self.ahead, low=self.low, high=self.high)


def against_baseline(model: str, gate: Gate, name: str, contest: Contest, seed: int) -> Verdict:
    """Return whether the candidate beats the baseline ``name``, by the rule of this module.

    A baseline on which the metric is undefined beats nobody; a candidate on which it is beats none either.
    """
    found = _difference(gate, contest, seed)
    if not isfinite(found.rival) or found.low > 0:
        return Verdict()
    places = {
        "model": model, "metric": gate.metric, "own": found.own, "rival": found.rival, "name": name,
        "customers": len(contest.actual), "difference": found.text,
    }  # fmt: skip
    if isfinite(found.own) and found.ahead > -found.error:
        told = _(
            "{model}: {metric} {own:.4f} and {name}'s {rival:.4f} cannot be told apart on {customers:,} customers {difference}",
            **places,
        )
        return Verdict(remarks=(told,))
    refused = _("{model}: {metric} {own:.4f} does not beat {name} with {rival:.4f} {difference}", **places)
    return Verdict(reasons=(refused,))


def against_champion(model: str, gate: Gate, contest: Contest, seed: int) -> Verdict:
    """Return whether the candidate is worse than the champion beyond noise."""
    found = _difference(gate, contest, seed)
    if found.high < 0:
        reason = _(
            "{model}: {metric} differs from the champion's by {ahead:+.4f} ({low:+.4f} to {high:+.4f})",
            model=model,
            metric=gate.metric,
            ahead=found.ahead,
            low=found.low,
            high=found.high,
        )
        return Verdict(reasons=(reason,))
    if found.ahead < 0:
        told = _(
            "{model}: {metric} {own:.4f} is not worse than the champion's {rival:.4f} beyond noise {difference}",
            model=model,
            metric=gate.metric,
            own=found.own,
            rival=found.rival,
            difference=found.text,
        )
        return Verdict(remarks=(told,))
    return Verdict()


def _difference(gate: Gate, contest: Contest, seed: int) -> _Difference:
    metric = METRICS[gate.metric]
    own, rival = metric(contest.actual, contest.candidate), metric(contest.actual, contest.rival)
    ahead, low, high = paired_bootstrap(metric, contest.actual, contest.candidate, contest.rival, seed=seed)
    return _Difference(own, rival, ahead, low, high) if gate.higher else _Difference(own, rival, -ahead, -high, -low)
