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
        profit: Shape (n, O); minus infinity where the customer may not have it.
        cost: Shape (n, O).
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


def options(customers: Candidates) -> Options:
    """Return every pair of a service level and an action but today's service with none."""
    worth, service = customers.worth, customers.service
    n, levels, actions = len(worth.stake), service.profit.shape[1], len(worth.cost)
    pairs = [(level, action) for level in range(NONE, levels) for action in range(NONE, actions)][1:]
    profit, cost = np.zeros((n, len(pairs))), np.zeros((n, len(pairs)))
    uses = np.zeros((len(pairs), actions + levels))
    # Levels that cannot be valued are no options: they would tie with doing without them.
    valued = (service.profit != 0.0) | (service.cost > 0.0)
    for option, (level, action) in enumerate(pairs):
        if level != NONE:
            profit[:, option] += np.where(valued[:, level], service.profit[:, level], -np.inf)
            cost[:, option] += service.cost[:, level]
            uses[option, actions + level] = 1.0
        if action != NONE:
            profit[:, option] += np.where(customers.eligible[:, action], _beside(customers, level)[:, action], -np.inf)
            cost[:, option] += worth.cost[action]
            uses[option, action] = 1.0
    of_pair = np.array(pairs, dtype=np.int64).reshape(-1, 2)
    return Options(profit, cost, uses, of_pair[:, 0], of_pair[:, 1])


def profit_beside(customers: Candidates, level: Ints) -> Floats:
    """Profit of each action for customers who have the given levels of service; shape (n, A)."""
    saved = np.append(customers.service.save_rate, 0.0)[level]
    return np.asarray(customers.worth.profit - saved[:, None] * _saved(customers))


def _beside(customers: Candidates, level: int) -> Floats:
    return profit_beside(customers, np.full(len(customers.p_churn), level))


def _saved(customers: Candidates) -> Floats:
    """What each action earns by keeping customers."""
    return customers.worth.worth_of_staying * customers.worth.stay
