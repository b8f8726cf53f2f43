"""Which hour each message gets when hours are full: a price on each hour and channel, then a repair.

Lagrangian relaxation (Fisher 1981): at given prices every customer's best plan is found alone, and the sum of what they
gain and of price times capacity bounds every plan from above. Prices that make demand meet capacity are sought on a sample
first. This module knows nothing of times, zones or rules: candidates, hours and capacities are numbers.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from churnvalue.decisions.sending.kernels import NONE, improve, regrets, release, respond, total_worth

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

_SAMPLE = 6_000
_SAMPLE_ROUNDS, _ROUNDS = 300, 60
_CLOSE = 2e-3  # of its capacity: demand this near needs no other round
_GROW, _SHRINK = 1.2, 0.5
_SWEEPS = 4


class SendProblem(NamedTuple):
    """Messages (rows, in the order of their customers) and the hours in which each may go out (candidates).

    Attributes:
        net: Worth of each candidate beyond cost and the fatigue of earlier sends; minus infinity where it may not be;
            shape (rows, J).
        calendar: Which calendar a row follows; shape (rows,).
        resource: Which capacity a candidate of a calendar uses; shape (calendars, J).
        bucket: Which hour, counted from the start, it lies in; shape (calendars, J).
        at: The candidate in each hour, -1 for none; shape (calendars, hours).
        first: Where each customer's rows start; shape (customers + 1,).
        zone: Zone of each customer; shape (customers,).
        reach: The last hour that is far enough before each hour, -1 for none; shape (zones, hours).
        channel: Channel of each row; shape (rows,).
        recent: Sends of the week before each candidate; shape (rows, J).
        recent_channel: Those on the row's channel; shape (rows, J).
        max_per_week: Cap of sends a week over all channels.
        channel_cap: Cap of each channel; shape (channels,).
        fatigue: Probability of unsubscribing after one more send, by the number of recent sends; the last holds beyond.
        at_risk: What is lost when a customer unsubscribes; shape (customers,).
        capacity: Shape (resources,); infinity for no limit.
    """

    net: npt.NDArray[np.float32]
    calendar: Ints
    resource: Ints
    bucket: Ints
    at: Ints
    first: Ints
    zone: Ints
    reach: Ints
    channel: Ints
    recent: npt.NDArray[np.int16]
    recent_channel: npt.NDArray[np.int16]
    max_per_week: int
    channel_cap: Ints
    fatigue: Floats
    at_risk: Floats
    capacity: Floats


@dataclass(frozen=True, eq=False)
class SendAssignment:
    """The hour each row gets.

    Attributes:
        choice: Number of the candidate, -1 for none; shape (rows,).
        wished: What it would be at the prices if no hour were ever full; shape (rows,).
        prices: Of each resource; 0 where it is never full.
        value: Net value of the plan.
        bound: No plan is worth more.
    """

    choice: Ints
    wished: Ints
    prices: Floats
    value: float
    bound: float

    @property
    def gap(self) -> float:
        """Share of the bound that the plan falls short of it at most."""
        return (self.bound - self.value) / self.bound if self.bound > 0 else 0.0


@dataclass(frozen=True)
class _Steps:
    """How a search steps: the first step in money, the most rounds, and how near each demand must come to capacity."""

    first: float
    rounds: int
    near: Floats


def assign_slots(problem: SendProblem) -> SendAssignment:
    """Return the plan that is worth most, to within ``gap``; no capacity, cap or gap is ever broken.

    Deterministic, and exact where no capacity binds.
    """
    customers = np.arange(len(problem.first) - 1, dtype=np.int64)
    choice, load = np.full(len(problem.net), NONE, np.int64), np.zeros(len(problem.capacity))
    prices = np.zeros(len(problem.capacity))
    bound = respond(problem, customers, prices, choice, load)
    if (load > problem.capacity).any():
        prices = _search(problem, bound / len(customers))
        bound = respond(problem, customers, prices, choice, load) + _paid(prices, problem.capacity)
    wished = choice.copy()
    _repair(problem, choice, prices, load)
    value = float(total_worth(problem, choice))
    return SendAssignment(choice, wished, prices, value, max(float(bound), value))


def _paid(prices: Floats, capacity: Floats) -> float:
    """Price times capacity, over all that has a price."""
    return float(prices[prices > 0] @ capacity[prices > 0])


def _search(problem: SendProblem, scale: float) -> Floats:
    """Prices at which demand about meets capacity: sought on every n-th customer, then on all."""
    customers = np.arange(len(problem.first) - 1, dtype=np.int64)
    every = -(-len(customers) // _SAMPLE)
    prices = np.zeros(len(problem.capacity))
    if every > 1:
        sample = customers[::every]
        # No nearer than the sample's own error, the square root of what it counts.
        near = 0.3 * np.sqrt(problem.capacity / every)
        prices = _descend(problem, sample, prices, _Steps(0.1 * scale, _SAMPLE_ROUNDS, near))
        return _descend(problem, customers, prices, _Steps(0.01 * scale, _ROUNDS, _CLOSE * problem.capacity))
    return _descend(problem, customers, prices, _Steps(0.1 * scale, _SAMPLE_ROUNDS, _CLOSE * problem.capacity))


def _descend(problem: SendProblem, customers: Ints, prices: Floats, steps: _Steps) -> Floats:
    """Prices with the lowest bound found when each follows its own excess demand.

    Steps grow while that keeps its sign and are halved when it turns (Riedmiller and Braun 1993).
    """
    capacity = problem.capacity * (len(customers) / (len(problem.first) - 1))
    choice, load = np.full(len(problem.net), NONE, np.int64), np.zeros(len(capacity))
    step, last = np.full(len(capacity), steps.first), np.zeros(len(capacity))
    lowest, best = np.inf, prices
    for _ in range(steps.rounds):
        bound = respond(problem, customers, prices, choice, load) + _paid(prices, capacity)
        if bound < lowest:
            lowest, best = bound, prices
        excess = load - capacity
        turn = np.sign(excess) * ((excess > 0) | (prices > 0))
        if not (np.abs(excess) > steps.near)[turn != 0].any():
            break
        step = np.where(turn * last > 0, step * _GROW, np.where(turn * last < 0, step * _SHRINK, step))
        prices, last = np.maximum(prices + turn * step, 0.0), turn
    return best


def _repair(problem: SendProblem, choice: Ints, prices: Floats, load: Floats) -> None:
    """Empty hours too full of those who lose least, then let everyone move to a better hour with room."""
    owner = np.repeat(np.arange(len(problem.first) - 1, dtype=np.int64), np.diff(problem.first))
    room = problem.capacity - load
    if (room < 0).any():
        regret = np.empty(len(choice))
        regrets(problem, owner, choice, prices, room, regret)
        order = np.argsort(regret, kind="stable")
        release(problem, order[np.isfinite(regret[order])], choice, room)
        left = np.flatnonzero(choice == NONE)
        improve(problem, owner, left[np.argsort(-regret[left], kind="stable")], choice, prices, room)
    everyone = np.arange(len(choice), dtype=np.int64)
    for _ in range(_SWEEPS if (prices > 0).any() else 0):
        if not improve(problem, owner, everyone, choice, np.zeros(len(prices)), room):
            break
