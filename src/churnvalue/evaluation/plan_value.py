"""What a plan earned beyond what would have happened without it, against what it promised and against simpler plans."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from churnvalue.contacts import NO_ACTION, SampleRatio, sample_ratio
from churnvalue.decisions.assignment import HOLDOUT
from churnvalue.errors import OutputError
from churnvalue.evaluation.estimate import Estimate, unknown
from churnvalue.evaluation.group_value import Contrast, GroupValue, Happened, group_value
from churnvalue.evaluation.holdout import HELD_OUT, NEITHER, TREATED, difference
from churnvalue.evaluation.policy_table import PolicyValue, policy_table
from churnvalue.language import N_, _

NEEDED = ("customer_id", "tier", "action", "group", "propensity", "eligible", "cost", "evidence", "expected_profit")
ADDED = ("planned_action", "p_stay_change", "stake")
CHOSEN, EXPLORED = N_("chosen by the plan"), N_("only explored")

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class PlanValue:
    """All that a plan's outcomes tell; the first group is the one that speaks for the plan."""

    groups: tuple[GroupValue, ...]
    policies: tuple[PolicyValue, ...]
    sample_ratio: SampleRatio | None
    fallback: Estimate | None
    notes: tuple[str, ...]

    @property
    def whole(self) -> GroupValue:
        """The group of all for whom the plan chose an action."""
        return self.groups[0]


def plan_value(plan: pd.DataFrame, happened: Happened, holdout: float) -> PlanValue:
    """Return what a plan earned, in all and by group, and what other policies would have.

    Those given what the plan chose stand against those held out of the same choice, each weighted by the inverse of the
    chance of what they got; customers for whom nothing was chosen had nothing to gain and are left out. Customers who
    explored another action count for the policies alone.

    Args:
        plan: The columns of plan.parquet. Without ``ADDED`` (an old plan) all eligible customers stand against all
            those held out, and nothing promised is known.
        happened: In the order of the rows of ``plan``.
        holdout: Share that was to be held out.

    Raises:
        OutputError: If a column is missing, or a propensity is not above 0 and at most 1.
    """
    require_plan(plan)
    old = [name for name in ADDED if name not in plan.columns]
    notes = []
    if old:
        notes.append(
            _(
                "The plan has no column {old}: whom it chose among those held out is not known, so all eligible "
                "customers are compared as they were run, and promises cannot be checked. Make the next plan anew.",
                old=", ".join(old),
            )
        )
    contrasts = {CHOSEN: _as_run(plan, plan["eligible"].to_numpy(bool))} if old else _contrasts(plan)
    chosen = contrasts[CHOSEN]
    groups = [group_value(plan, happened, chosen, "all", CHOSEN)]
    by = {"tier": "tier", "evidence": "evidence"} | ({} if old else {"action": "planned_action"})
    for name, column in by.items():
        values = plan[column].astype(str).to_numpy()
        for one in sorted(set(values[chosen.rows])):
            part = Contrast(chosen.rows & (values == one), chosen.group, chosen.weight)
            groups.append(group_value(plan, happened, part, name, one))
    if EXPLORED in contrasts and contrasts[EXPLORED].rows.any():
        # The plan promises nothing of what it draws at random.
        silent = plan.assign(p_stay_change=np.nan, expected_profit=np.nan)
        groups.append(group_value(silent, happened, contrasts[EXPLORED], "all", EXPLORED))
    held_out = int((plan["group"] == HOLDOUT).sum())
    ratio = None
    if 0 < holdout < 1:
        ratio = sample_ratio(
            {"held out": held_out, "others": len(plan) - held_out}, {"held out": holdout, "others": 1 - holdout}
        )
        if not ratio.fits:
            notes.append(
                _(
                    "{held_out:,} of {plan:,} customers are held out where {holdout:.1%} should be: something else than "
                    "the draw decided it, so no difference can be trusted.",
                    held_out=held_out,
                    plan=len(plan),
                    holdout=holdout,
                )
            )
    fallback = None
    if not (chosen.group[chosen.rows] == HELD_OUT).any():
        fallback = _against_the_scores(plan, happened)
        notes.append(
            _(
                "No customer of these was held out, so what would have happened anyway is not known. Set [retention] holdout "
                "above 0 for the next plan."
            )
        )
    policies = () if old else policy_table(plan, happened)
    return PlanValue(tuple(groups), policies, ratio, fallback, tuple(notes))


def require_plan(plan: pd.DataFrame) -> None:
    """Refuse a plan that lacks a column, or states a propensity that is none.

    Raises:
        OutputError: Names the column, or the propensity.
    """
    missing = [name for name in NEEDED if name not in plan.columns]
    if missing:
        raise OutputError(
            f"A plan must have the columns {', '.join(missing)}, but they are missing. Make the plan anew."
        )
    bad = ~plan["propensity"].between(0.0, 1.0, "right")
    if bad.any():
        raise OutputError(
            f"Propensities of a plan must be above 0 and at most 1, but {plan.loc[bad, 'propensity'].iloc[0]:g} came"
            f" ({int(bad.sum()):,} such rows). Make the plan anew."
        )


def _contrasts(plan: pd.DataFrame) -> dict[str, Contrast]:
    planned, action = (plan[name].astype(str).to_numpy() for name in ("planned_action", "action"))
    chosen = planned != NO_ACTION
    group = np.select([action == planned, action == NO_ACTION], [TREATED, HELD_OUT], default=NEITHER)
    weight = 1.0 / plan["propensity"].to_numpy(np.float64)
    explored = _as_run(plan, plan["eligible"].to_numpy(bool) & ~chosen)
    return {CHOSEN: Contrast(chosen, group.astype(np.int64), weight), EXPLORED: explored}


def _as_run(plan: pd.DataFrame, rows: Bools) -> Contrast:
    """All who were not held out against those who were, whatever they got; everyone had the same chance."""
    group = np.where(plan["group"].to_numpy() == HOLDOUT, HELD_OUT, TREATED).astype(np.int64)
    return Contrast(rows, group, np.ones(len(plan)))


def _against_the_scores(plan: pd.DataFrame, happened: Happened) -> Estimate:
    """Staying beyond what the scores foretold, of those treated less that of the others: no experiment, and not sure."""
    if happened.p_churn is None or not np.isfinite(happened.p_churn).all():
        return unknown(
            _("without a hold-out only the scores could tell what would have happened, and they are not at hand")
        )
    group = np.where(plan["action"].to_numpy() == NO_ACTION, HELD_OUT, TREATED).astype(np.int64)
    return difference(happened.stayed - (1.0 - happened.p_churn), group)
