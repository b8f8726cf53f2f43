"""Service levels and actions as one set of options, so that both draw on one budget.

An option is a pair of a level (or today's service) and an action (or none). Together they keep ``1 - (1 - s)(1 - a)`` of
those who would leave, s and a being what each keeps alone.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from churnvalue.decisions.allocation import NONE
from churnvalue.decisions.candidates import Candidates

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Options:
    """What each pair is worth and costs; O pairs of L levels and A actions.

    Attributes:
        profit: Shape (rows, O); minus infinity where the customer may not have it.
        cost: Shape (rows, O).
        uses: Which resources a pair uses: the A actions, then the L levels; shape (O, A + L).
        level: Level of each pair, -1 for today's service; shape (O,).
        action: Action of each pair, -1 for none; shape (O,).
    """

    profit: Floats
    cost: Floats
    uses: Floats
    level: Ints
    action: Ints

    def with_action(self, action: int | None = None) -> Bools:
        """Which pairs hold the action, or any."""
        return np.asarray(self.action != NONE if action is None else self.action == action)


def options(customers: Candidates, apart: Bools) -> Options:
    """Return the pairs of a service level and an action that anybody may have, but for today's service with none.

    A row for each customer, without actions for those ``apart``, (n,); below them these once more, with actions. One table of
    all, as it is large.
    """
    worth, service = customers.worth, customers.service
    n, levels, actions = len(worth.stake), service.profit.shape[1], len(worth.cost)
    pairs = [
        (level, action)
        for level in range(NONE, levels)
        for action in range(NONE, actions)
        if (level, action) != (NONE, NONE) and (_open(customers, level) & _eligible(customers, action)).any()
    ]
    told = np.flatnonzero(apart)
    profit, cost = np.zeros((n + len(told), len(pairs))), np.zeros((n + len(told), len(pairs)))
    uses = np.zeros((len(pairs), actions + levels))
    for option, (level, action) in enumerate(pairs):
        own, spent = np.zeros(n), np.zeros(n)
        if level != NONE:
            own += np.where(_open(customers, level), service.profit[:, level], -np.inf)
            spent += service.cost[:, level]
            uses[option, actions + level] = 1.0
        if action != NONE:
            own += np.where(_eligible(customers, action), _beside(customers, level, action), -np.inf)
            spent += worth.cost[action]
            uses[option, action] = 1.0
        profit[:n, option], cost[:n, option] = own, spent
        profit[n:, option], cost[n:, option] = own[told], spent[told]
        if action != NONE:
            profit[told, option] = -np.inf
    of_pair = np.array(pairs, dtype=np.int64).reshape(-1, 2)
    return Options(profit, cost, uses, of_pair[:, 0], of_pair[:, 1])


def profit_beside(customers: Candidates, level: Ints) -> Floats:
    """Profit of each action for customers who have the given levels of service; shape (n, A)."""
    saved = np.append(customers.service.save_rate, 0.0)[level]
    kept = customers.worth.worth_of_staying * customers.worth.stay
    return np.asarray(customers.worth.profit - saved[:, None] * kept)


def _beside(customers: Candidates, level: int, action: int) -> Floats:
    """Profit of an action beside one level of service for all."""
    worth = customers.worth
    saved = np.append(customers.service.save_rate, 0.0)[level]
    return np.asarray(worth.profit[:, action] - saved * (worth.worth_of_staying[:, action] * worth.stay[:, action]))


def _open(customers: Candidates, level: int) -> Bools:
    """Who may have a level that is worth anything: one that cannot be valued would tie with doing without it."""
    if level == NONE:
        return np.ones(len(customers.p_churn), dtype=bool)
    profit = customers.service.profit[:, level]
    return np.asarray(np.isfinite(profit) & ((profit != 0.0) | (customers.service.cost[:, level] > 0.0)))


def _eligible(customers: Candidates, action: int) -> Bools:
    return np.ones(len(customers.p_churn), dtype=bool) if action == NONE else customers.eligible[:, action]
