"""Who is left alone, who is drawn at random, who gets the best: by a salted hash of the customer's id.

Nothing is drawn: the same id and salt always give the same number, whatever the other rows, the budget or the
model.
"""

from collections.abc import Iterable
from hashlib import blake2b

import numpy as np
import numpy.typing as npt

from churnvalue.language import N_

HOLDOUT = N_("holdout")
EXPLORE = N_("explore")
EXPLOIT = N_("exploit")
PROPENSITY_FLOOR = 0.001

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]
Ints = npt.NDArray[np.int64]


def hashes(customer_ids: Iterable[str], salt: str, purpose: str) -> npt.NDArray[np.uint64]:
    """64 evenly spread bits for each id; unrelated between any two salts or purposes."""
    key = blake2b(f"{len(purpose)} {purpose} {salt}".encode(), digest_size=32).digest()
    digests = b"".join(blake2b(str(one).encode(), digest_size=8, key=key).digest() for one in customer_ids)
    return np.frombuffer(digests, dtype="<u8").astype(np.uint64)


def uniform(customer_ids: Iterable[str], salt: str, purpose: str) -> Floats:
    """Return a number in [0, 1) for each id, evenly spread."""
    return np.asarray((hashes(customer_ids, salt, purpose) >> np.uint64(11)) * 2.0**-53, dtype=np.float64)


def assign(
    customer_ids: Iterable[str], salt: str, holdout: float, explore: float, occasion: str = ""
) -> npt.NDArray[np.str_]:
    """Return holdout, explore or exploit for each customer.

    ``holdout`` of all are held out, by id and salt alone: the same customers on every occasion, and a larger
    share keeps everyone who was held out before. ``explore`` of the others are drawn by a hash of their own,
    anew on each occasion.
    """
    ids = list(customer_ids)
    held_out = uniform(ids, salt, HOLDOUT) < holdout
    exploring = explore_order(ids, salt, occasion) < explore
    return np.select([held_out, exploring], [HOLDOUT, EXPLORE], default=EXPLOIT)


def explore_order(customer_ids: Iterable[str], salt: str, occasion: str) -> Floats:
    """Return a number in [0, 1) for each id; those with the lowest explore on this occasion."""
    return uniform(customer_ids, f"{salt} {occasion}", EXPLORE)


def draw(options: Bools, ids: list[str], salt: str) -> Ints:
    """Index of one option of each row, all equally likely by the hash of the id; -1 where there is none.

    ``options`` has the shape (n, A).
    """
    count = options.sum(axis=1)
    rank = np.floor(uniform(ids, salt, "option") * count)
    reached = np.column_stack([options.cumsum(axis=1) > rank[:, None], np.ones(len(ids), dtype=bool)])
    return np.where(count > 0, reached.argmax(axis=1), -1)


def explore_within(drawn: Ints, order: Floats, explore: float, limits: Floats) -> tuple[Ints, Floats]:
    """Return which drawn actions are carried out, -1 for none, and the probability of exploring by action.

    Every action is explored in ``order`` while it is below ``explore``, and for at most ``limits`` customers.
    Where the limit binds, the number at which it does is the probability. An action for which that, split
    evenly among all actions, is below .001 is not explored: a weight above 1,000 estimates nothing.

    Args:
        drawn: Shape (n,): action each customer would explore, -1 for none.
        order: Shape (n,): evenly spread in [0, 1).
        explore: Probability of exploring as configured.
        limits: Shape (A,): how many customers may explore each action.
    """
    done = np.full(len(drawn), -1, dtype=np.int64)
    rates = np.full(len(limits), explore)
    for action, limit in enumerate(limits):
        rows = np.flatnonzero((drawn == action) & (order < explore))
        if len(rows) > limit:
            rates[action] = np.sort(order[rows])[int(limit)]
        if rates[action] / len(limits) < PROPENSITY_FLOOR:
            rates[action] = 0.0
        done[rows[order[rows] < rates[action]]] = action
    return done, rates


def propensity(explored: Floats, best: Ints, holdout: float) -> Floats:
    """Probability of each action and, last, of none, over the hash of the id; shape (n, A + 1).

    ``p[a] = holdout · [a is none] + (1 - holdout) · (explored[a] + (1 - Σ explored) · [a is best])``: one
    hash holds out, the next explores, and who is left gets the best.

    Args:
        explored: Shape (n, A): probability that a customer who is not held out explores the action.
        best: Shape (n,): index of the action without hold-out and exploration; -1 for none.
        holdout: Share of customers held out.
    """
    chances = np.column_stack([explored, np.zeros(len(explored))])
    chances[np.arange(len(best)), best] += 1.0 - explored.sum(axis=1)
    chances *= 1.0 - holdout
    chances[:, -1] += holdout
    return chances
