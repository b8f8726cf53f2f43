"""A plan beside policies that need no model, all valued from the plan's own log."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from churnvalue.contacts import NO_ACTION
from churnvalue.evaluation.estimate import Estimate, unknown
from churnvalue.evaluation.group_value import Happened
from churnvalue.evaluation.naive_policies import Candidates, naive_policies
from churnvalue.evaluation.policy_value import METHODS, Logged, Method, Support, advantage, support, value
from churnvalue.language import _

_UNCOVERED = 3.0  # standard errors
_FEWEST = 20.0  # with fewer, intervals hold the truth too seldom

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class PolicyValue:
    """Mean of an outcome a customer under a policy, and how much more the plan has; by method."""

    policy: str
    outcome: str
    value: Mapping[Method, Estimate]
    plan_more: Mapping[Method, Estimate]
    support: Support


def policy_table(plan: pd.DataFrame, happened: Happened) -> tuple[PolicyValue, ...]:
    """Return what the plan and each simple policy is worth to a customer who could get an action.

    ``kept`` is staying times what is at stake, less what actions cost; ``profit`` what the window brought, less the same.
    Outcomes that are not known of everyone are left out.
    """
    able = (plan["eligible"].to_numpy(bool)) | (plan["planned_action"] != NO_ACTION).to_numpy()
    rows = plan[able]
    if len(rows) < 2:
        return ()
    cost = rows[rows["action"] != NO_ACTION].groupby("action")["cost"].mean()
    candidates = Candidates(
        planned=rows["planned_action"].to_numpy(dtype=object),
        cost={str(action): float(one) for action, one in cost.items()},
        rankings={name: ranking[able] for name, ranking in happened.rankings.items()},
    )
    outcomes = {
        "kept": happened.stayed * plan["stake"].to_numpy(np.float64) - happened.spent,
        "profit": happened.earned - happened.spent,
    }
    found = []
    for outcome, values in outcomes.items():
        if not np.isfinite(values[able]).all():
            continue
        logged = Logged(
            customer_id=rows["customer_id"].to_numpy(dtype=object),
            action=rows["action"].to_numpy(dtype=object),
            propensity=rows["propensity"].to_numpy(np.float64),
            outcome=values[able],
            covariates=happened.covariates[able],
        )
        policies = naive_policies(candidates, logged.actions, NO_ACTION)
        for name, policy in policies.items():
            found.append(_row(logged, (name, policy), policies["plan"], outcome))
    return tuple(found)


def _row(logged: Logged, named: tuple[str, Floats], plan: Floats, outcome: str) -> PolicyValue:
    """Value one policy; where the log does not cover what it would do, say so instead."""
    name, policy = named
    backing = support(logged, policy)
    note = _uncovered(backing, len(policy))
    if note:
        nothing = dict.fromkeys(METHODS, unknown(note))
        return PolicyValue(name, outcome, nothing, nothing, backing)
    values = {method: value(logged, policy, method) for method in METHODS}
    more = {method: advantage(logged, plan, policy, method) for method in METHODS}
    return PolicyValue(name, outcome, values, more, backing)


def _uncovered(backing: Support, customers: int) -> str:
    """Say where a policy would have done what could not happen: its weights then sum to less than the customers."""
    if backing.effective < _FEWEST:
        return _(
            "too few got what this policy would have done: they tell as much as {effective:.0f} customers",
            effective=backing.effective,
        )
    error = backing.covered * np.sqrt(max(1.0 / backing.effective - 1.0 / customers, 0.0))
    if abs(backing.covered - 1.0) <= _UNCOVERED * error + 1e-9:
        return ""
    return _(
        "the log covers {covered:.0%} of what this policy would have done; nobody else could have got that",
        covered=backing.covered,
    )
