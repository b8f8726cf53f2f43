"""Treated against held out in one group of a plan's customers, and what the plan promised of them."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from churnvalue.evaluation.estimate import Estimate, unknown
from churnvalue.evaluation.experiment_size import customers_needed
from churnvalue.evaluation.holdout import HELD_OUT, TREATED, difference
from churnvalue.language import N_, _

NO_HOLDOUT = N_("no customer of these was held out, so what would have happened anyway is not known")

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Happened:
    """What happened to each customer of a plan, in its order; all shapes (n,) but for ``covariates``, (n, k).

    Attributes:
        stayed: 1 with an event of the outcome's kind in the window, else 0.
        earned: Margin less cost to serve in the window, before what actions cost; all NaN in a log without amounts.
        spent: What actions cost.
        covariates: Finite, known before the plan, most telling first.
        rankings: By name, who would come first in a simple plan: the largest.
        p_churn: As scored before the plan; None where the scores are not at hand.
    """

    stayed: Floats
    earned: Floats
    spent: Floats
    covariates: Floats
    rankings: Mapping[str, Floats]
    p_churn: Floats | None


@dataclass(frozen=True)
class GroupValue:
    """Treated against held out in one group of customers; money and shares are of one customer.

    Attributes:
        by: What the group is a group by: all, tier, action or evidence.
        name: Which group.
        treated: Customers given what the plan chose.
        held_out: Customers held out.
        stay: Change of the share that stays.
        kept: Change of staying times what is at stake: the value kept, before cost.
        profit: Change of margin less cost to serve less cost of actions, within the window alone.
        profit_total: The same of all the treated.
        promised_stay: What the plan expected of ``stay``; None where it does not say.
        promised_kept: What it expected of ``kept``.
        promised_profit: What it expected to earn over the value horizon, after cost.
        stay_ratio: ``stay`` over its promise.
        kept_ratio: ``kept`` over its promise: the optimism ratio, like with like.
        needed: Customers like these with which the promised ``stay`` would show; None where nothing is promised.
    """

    by: str
    name: str
    treated: int
    held_out: int
    stay: Estimate
    kept: Estimate
    profit: Estimate
    profit_total: Estimate
    promised_stay: float | None
    promised_kept: float | None
    promised_profit: float | None
    stay_ratio: Estimate
    kept_ratio: Estimate
    needed: int | None


@dataclass(frozen=True, eq=False)
class Contrast:
    """Who of a plan is compared, 1 treated, 0 held out, -1 neither, with which weight; ``rows`` can be looked at at all."""

    rows: npt.NDArray[np.bool_]
    group: npt.NDArray[np.int64]
    weight: Floats


def group_value(plan: pd.DataFrame, happened: Happened, contrast: Contrast, by: str, name: str) -> GroupValue:
    """Return what was measured and promised of the customers that ``contrast`` looks at."""
    rows = contrast.rows
    group, weight = contrast.group[rows], contrast.weight[rows]
    treated, held_out = (int((group == one).sum()) for one in (TREATED, HELD_OUT))
    none = np.full(len(plan), np.nan)
    stake, change = (plan[c].to_numpy(np.float64) if c in plan.columns else none for c in ("stake", "p_stay_change"))

    def measured(outcome: Floats, missing: str) -> Estimate:
        if not held_out:
            return unknown(_(NO_HOLDOUT))
        if not np.isfinite(outcome[rows]).all():
            return unknown(missing)
        return difference(outcome[rows], group, happened.covariates[rows], weight)

    stay = measured(happened.stayed, "")
    kept = measured(happened.stayed * stake, _("the plan does not say what is at stake"))
    profit = measured(happened.earned - happened.spent, _("the log holds no amounts"))
    promised_stay, promised_kept = _mean(change[rows]), _mean((change * stake)[rows])
    expected = plan["expected_profit"].to_numpy(np.float64)[rows & (contrast.group == TREATED)]
    needed = customers_needed(promised_stay, stay.se, int(rows.sum())) if promised_stay and stay.se else None
    return GroupValue(
        by, name, treated, held_out, stay, kept, profit, profit.times(treated), promised_stay, promised_kept,
        _mean(expected), _ratio(stay, promised_stay), _ratio(kept, promised_kept), needed,
    )  # fmt: skip


def _mean(values: Floats) -> float | None:
    return float(values.mean()) if len(values) and np.isfinite(values).all() else None


def _ratio(measured: Estimate, promised: float | None) -> Estimate:
    if not measured.known:
        return measured
    return measured.times(1.0 / promised) if promised else unknown(_("the plan promises nothing here"))
