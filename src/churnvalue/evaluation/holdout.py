"""Treated against held out: the difference of an outcome, adjusted for what was known before.

Lin (2013), Agnostic notes on regression adjustments to experimental data: a regression in each group, read off at the
mean of all. Weights carry it over to chances that differ among customers.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.stats import norm

from churnvalue.errors import HistoryError
from churnvalue.evaluation.estimate import CONFIDENCE, Estimate, degrees_of_freedom, effective_size, t_interval, unknown
from churnvalue.language import _

Floats = npt.NDArray[np.float64]
TREATED, HELD_OUT, NEITHER = 1, 0, -1
_FEWEST = 2
_ROWS_A_COVARIATE = 20  # of the smaller group
_CASES_A_COVARIATE = 10  # with the rarer of two outcomes, in either group


@dataclass(frozen=True)
class _Group:
    """Weighted mean of a group, read off its regression at the mean of all; ``parts``: each customer's share in its error."""

    mean: float
    parts: Floats
    degrees: float
    slopes: Floats


def difference(
    outcome: Floats, group: npt.NDArray[np.int64], covariates: Floats | None = None, weight: Floats | None = None
) -> Estimate:
    """Return the mean outcome of the treated less that of the held out.

    HC2 standard errors, Satterthwaite's degrees of freedom. One covariate is used for each 20 customers of the
    smaller group (and 10 with the rarer outcome), the first ones first. Two outcomes without covariates: Agresti and
    Caffo's (2000) interval, which holds for groups of ten.

    Args:
        outcome: Shape (n,): finite.
        group: Shape (n,): 1 treated, 0 held out, -1 neither; these only count towards the mean of the covariates.
        covariates: Shape (n, k): known before the assignment, most telling first.
        weight: Shape (n,): inverse of the chance of the group that a customer is in; all equal if None.

    Raises:
        HistoryError: If an outcome is not finite or a weight not above 0.
    """
    weight = np.ones(len(outcome)) if weight is None else weight
    used = group != NEITHER
    if not (np.isfinite(outcome[used]).all() and (weight[used] > 0).all() and np.isfinite(weight[used]).all()):
        raise HistoryError(
            "Outcomes must be finite and weights above 0 for everyone compared, but others came. Leave such rows out."
        )
    sizes = [int((group == one).sum()) for one in (TREATED, HELD_OUT)]
    if min(sizes) < _FEWEST:
        return unknown(
            _(
                "{treated} were treated and {held_out} held out; at least 2 of each are needed",
                treated=sizes[0],
                held_out=sizes[1],
            )
        )
    two_outcomes = bool(np.isin(outcome[used], (0.0, 1.0)).all())
    chosen = _chosen(outcome, group, covariates, two_outcomes)
    alike = all(np.ptp(weight[group == one]) < 1e-12 for one in (TREATED, HELD_OUT))
    if two_outcomes and alike and not chosen.shape[1]:
        return _agresti_caffo(outcome, group)
    treated, held_out = (_fit(outcome, chosen, np.where(group == one, weight, 0.0)) for one in (TREATED, HELD_OUT))
    variances = [float((one.parts**2).sum()) for one in (treated, held_out)]
    welch = sum(v**2 / one.degrees for v, one in zip(variances, (treated, held_out), strict=True))
    # Customers are a sample: where slopes differ, another sample would have another mean difference.
    moved = chosen @ (treated.slopes - held_out.slopes) / len(chosen)
    return t_interval(
        value=treated.mean - held_out.mean,
        parts=treated.parts - held_out.parts + moved,
        degrees=sum(variances) ** 2 / welch if welch > 0 else 1.0,
        effective=2.0 / sum(1.0 / effective_size(weight[group == one]) for one in (TREATED, HELD_OUT)),
        note=_("adjusted for {count} covariates", count=chosen.shape[1]) if chosen.shape[1] else "",
    )


def _chosen(outcome: Floats, group: npt.NDArray[np.int64], covariates: Floats | None, two_outcomes: bool) -> Floats:
    """Return the covariates that the smaller group can bear, about their mean over all, in units of their spread."""
    if covariates is None or not covariates.shape[1]:
        return np.zeros((len(outcome), 0))
    bearable = []
    for one in (TREATED, HELD_OUT):
        own = outcome[group == one]
        bearable.append(len(own) // _ROWS_A_COVARIATE)
        if two_outcomes:
            bearable.append(int(min(own.sum(), len(own) - own.sum())) // _CASES_A_COVARIATE)
    varying = [k for k in range(covariates.shape[1]) if all(np.ptp(covariates[group == g, k]) > 0 for g in (0, 1))]
    kept = covariates[:, varying[: min(bearable)]]
    return np.asarray((kept - kept.mean(axis=0)) / np.maximum(kept.std(axis=0), 1e-300))


def _fit(outcome: Floats, centred: Floats, weight: Floats) -> _Group:
    rows = np.flatnonzero(weight > 0)
    own, w = np.column_stack([np.ones(len(rows)), centred[rows]]), weight[rows] / weight[rows].mean()
    y = outcome[rows]
    inverse = np.linalg.pinv(own.T @ (own * w[:, None]))
    coefficients = inverse @ (own.T @ (w * y))
    leverage = np.minimum(w * np.einsum("nk,kl,nl->n", own, inverse, own), 1.0 - 1e-9)
    parts = np.zeros(len(outcome))
    parts[rows] = (own @ inverse[:, 0]) * w * (y - own @ coefficients) / np.sqrt(1.0 - leverage)
    degrees = degrees_of_freedom(parts[rows], effective_size(w) - own.shape[1])
    return _Group(float(coefficients[0]), parts, degrees, coefficients[1:])


def _agresti_caffo(outcome: Floats, group: npt.NDArray[np.int64]) -> Estimate:
    """Return the difference of two proportions; the interval is that after one more success and failure in each group."""
    plain, centre, variance = 0.0, 0.0, 0.0
    for one, sign in ((TREATED, 1.0), (HELD_OUT, -1.0)):
        own = outcome[group == one]
        share = (own.sum() + 1.0) / (len(own) + 2.0)
        plain += sign * own.mean()
        centre += sign * share
        variance += share * (1.0 - share) / (len(own) + 2.0)
    se = float(np.sqrt(variance))
    reach = float(norm.ppf(0.5 + CONFIDENCE / 2)) * se
    sizes = [int((group == one).sum()) for one in (TREATED, HELD_OUT)]
    effective = 2.0 / (1.0 / sizes[0] + 1.0 / sizes[1])
    low, high = max(centre - reach, -1.0), min(centre + reach, 1.0)
    return Estimate(float(plain), se, float(min(low, plain)), float(max(high, plain)), effective)
