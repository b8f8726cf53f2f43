"""Policies that need no model of effects, at the budget of a plan: what a plan must beat."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from churnvalue.language import N_, _

Floats = npt.NDArray[np.float64]
Objects = npt.NDArray[np.object_]


@dataclass(frozen=True, eq=False)
class Candidates:
    """Customers who could get an action, in the order of their ids.

    Attributes:
        planned: Action that the plan gives without hold-out and exploration, "none" for none.
        cost: Expected cost of one customer by action.
        rankings: By name, who would come first: the largest; NaN last.
    """

    planned: Objects
    cost: Mapping[str, float]
    rankings: Mapping[str, Floats]


def naive_policies(candidates: Candidates, actions: tuple[str, ...], none: str) -> dict[str, Floats]:
    """Return policies by name as the probability of each of ``actions`` for each customer; shape (n, A).

    Plan, none and every action for all; then at the plan's cost, with the action that it gives most: a random draw,
    and each ranking from the top.
    """
    planned = candidates.planned
    names, size = np.array(actions, dtype=object), len(planned)

    def given(choice: Objects) -> Floats:
        return np.asarray(names[None, :] == choice[:, None], dtype=np.float64)

    nobody = np.full(size, none, dtype=object)
    policies = {"plan": given(planned), "none": given(nobody)}
    policies |= {
        _("{action} for all", action=action): given(np.full(size, action, dtype=object))
        for action in actions
        if action != none
    }
    chosen, counts = np.unique(planned[planned != none].astype(str), return_counts=True)
    if not len(chosen):
        return policies
    most = str(chosen[counts.argmax()])
    spent = sum(candidates.cost.get(str(one), 0.0) * count for one, count in zip(chosen, counts, strict=True))
    each = candidates.cost.get(most, 0.0)
    reached = size if each <= 0 else min(size, int(spent / each + 1e-9))
    share = reached / size
    policies[N_("random")] = (1 - share) * given(nobody) + share * given(np.full(size, most, dtype=object))
    for name, score in candidates.rankings.items():
        first = np.argsort(np.where(np.isnan(score), np.inf, -score), kind="stable")[:reached]
        choice = nobody.copy()
        choice[first] = most
        policies[name] = given(choice)
    return policies
