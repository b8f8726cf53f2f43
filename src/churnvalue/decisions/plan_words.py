"""How a plan came out for each customer, and why they get what they get, in one sentence."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from churnvalue.config import Retention
from churnvalue.decisions.allocation import NONE
from churnvalue.decisions.assignment import EXPLORE, HOLDOUT
from churnvalue.decisions.candidates import Candidates
from churnvalue.decisions.service import TODAY
from churnvalue.language import N_, _, translated

_AT_ONCE = 1 << 16  # customers
AT_STAKE = N_("{risk:.0f} % likely to leave, {stake:.2f} at stake")
SERVED = N_("{level} instead of today's service is expected to earn {profit:.2f}")
# Why an action that would pay, or might, is not taken; and the same without the numbers of one customer.
NOT_TAKEN = {
    N_("{action} at {cost:.2f} would cost more than it is expected to save"): N_(
        "{action} would cost more than it is expected to save"
    ),
    N_("{action} at {cost:.2f} is expected to earn {profit:.2f}, but its capacity is 0"): N_(
        "{action} would pay, but its capacity is 0"
    ),
    N_("{action} at {cost:.2f} is expected to earn {profit:.2f}, but it is not open to the tier"): N_(
        "{action} would pay, but it is not open to the tier"
    ),
    N_("{action} at {cost:.2f} is expected to earn {profit:.2f}, but the budget is 0"): N_(
        "{action} would pay, but the budget is 0"
    ),
    N_("{action} at {cost:.2f} is expected to earn {profit:.2f}, but the budget was spent on better cases"): N_(
        "{action} would pay, but the budget was spent on better cases"
    ),
    N_("{action} at {cost:.2f} is expected to earn {profit:.2f}, but its capacity went to better cases"): N_(
        "{action} would pay, but its capacity went to better cases"
    ),
}
_EXPLORED = N_(
    "{action} at {cost:.2f} was drawn at random to learn what it does; it is expected to earn {profit:.2f} beyond its cost"
)
_EARNS = N_("{action} at {cost:.2f} is expected to earn {profit:.2f} beyond its cost")
_COSTS, _NO_CAPACITY, _NOT_OPEN, _NO_BUDGET, _SPENT, _TAKEN = NOT_TAKEN
_HELD_OUT = N_("held out to measure the plan")
_NO_ACTIONS = N_("no action is configured")
_UNKNOWN = N_("what this customer is worth is not known, so no action can be shown to pay")
_BELOW_ZERO = N_("likely to cost more than they bring, so keeping them is not paid for")
_EXCLUDED = ""  # said by what excludes them
_OFFERS = (_EXPLORED, _EARNS, *NOT_TAKEN)
_WHYS = (_HELD_OUT, _NO_ACTIONS, _UNKNOWN, _BELOW_ZERO, _EXCLUDED, *_OFFERS)

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Outcome:
    """How a plan came out, by customer; an action of -1 is none, a level of -1 today's service.

    ``profit`` of each action beside the customer's level of service, (n, A); ``planned``: what they would get without
    hold-out and exploration; ``full``: whose capacity is used up, (A,).
    """

    group: npt.NDArray[np.str_]
    choice: Ints
    planned: Ints
    level: Ints
    profit: Floats
    price: float
    capacity_price: Floats
    full: Bools


def reasons(
    customers: Candidates, outcome: Outcome, retention: Retention, offered: Sequence[str | None]
) -> pa.ChunkedArray:
    """Why each customer gets what they get, in one sentence with its numbers, and what is ``offered`` to them next.

    Made for a range of customers at a time: as objects, the sentences of millions would take gigabytes.
    """
    told = _told(customers, outcome, retention)
    parts = [pa.array([], pa.large_string())]
    for start in range(0, len(told.why), _AT_ONCE):
        rows = slice(start, start + _AT_ONCE)
        said = zip(
            _whys(customers, told, retention, rows),
            _service_words(customers, outcome, retention, rows),
            outcome.choice[rows].tolist(),
            offered[rows],
            strict=True,
        )
        parts.append(
            pa.array(
                [
                    why + served
                    if action == NONE or offer is None
                    else _("{reason}; to offer next: {category}", reason=why + served, category=offer)
                    for why, served, action, offer in said
                ],
                pa.large_string(),
            )
        )
    return pa.chunked_array(parts)


@dataclass(frozen=True, eq=False)
class _Told:
    """What is to be said of each customer, one of ``_WHYS``; the action that it names, and its profit; each of shape (n,)."""

    why: Ints
    action: Ints
    profit: Floats


def _told(customers: Candidates, outcome: Outcome, retention: Retention) -> _Told:
    choice, held_out = outcome.choice, outcome.group == HOLDOUT
    if not retention.actions:
        why = np.where(held_out, _WHYS.index(_HELD_OUT), _WHYS.index(_NO_ACTIONS))
        return _Told(why, choice, np.zeros(len(choice)))
    known = np.asarray(~np.isnan(outcome.profit).any(axis=1))
    profit = np.where(known[:, None], outcome.profit, -np.inf)
    still_open = np.where(outcome.full, -np.inf, np.where(customers.eligible, profit, -np.inf))
    for_money = np.asarray((still_open > 0).any(axis=1) & (outcome.price > 0))
    # Of someone who gets nothing the action that came closest is named.
    closest = np.where(for_money, still_open.argmax(axis=1), profit.argmax(axis=1))
    named = np.where(choice == NONE, closest, choice)
    its_profit = profit[np.arange(len(named)), named]
    cases = {
        _HELD_OUT: held_out,
        _EXPLORED: outcome.group == EXPLORE,
        _EARNS: choice != NONE,
        _EXCLUDED: np.array([bool(reason) for reason in customers.excluded], dtype=bool),
        _UNKNOWN: ~known,
        _BELOW_ZERO: customers.below_zero,
        _COSTS: its_profit <= 0,
        _NO_CAPACITY: (customers.capacity < 1)[named],
        _NOT_OPEN: ~customers.eligible.any(axis=1),
        _NO_BUDGET: np.full(len(choice), retention.budget == 0),
        _SPENT: for_money,
    }
    why = np.select(list(cases.values()), [_WHYS.index(case) for case in cases], default=_WHYS.index(_TAKEN))
    return _Told(why, named, its_profit)


def _whys(customers: Candidates, told: _Told, retention: Retention, rows: slice) -> list[str]:
    """Say it of a range of customers."""
    names, cost = [action.id for action in retention.actions], customers.worth.cost.tolist()
    sentences, own = [translated(why) for why in _WHYS], translated(AT_STAKE)
    excluded, offers = _WHYS.index(_EXCLUDED), {_WHYS.index(why) for why in _OFFERS}
    numbers = (told.why, told.action, told.profit, customers.p_churn, customers.worth.stake)
    found = []
    for why, action, profit, p_churn, stake, reason in zip(
        *(column[rows].tolist() for column in numbers), customers.excluded[rows], strict=True
    ):
        if why in offers:
            said = sentences[why].format(action=names[action], cost=cost[action], profit=profit)
            found.append(f"{own.format(risk=100 * p_churn, stake=stake)}; {said}")
        else:
            found.append(reason if why == excluded else sentences[why])
    return found


def _service_words(customers: Candidates, outcome: Outcome, retention: Retention, rows: slice) -> list[str]:
    """What is said of each customer's service: nothing where it is today's or cannot be valued."""
    level = outcome.level[rows]
    words = [""] * len(level)
    served = np.flatnonzero(level != TODAY)
    worth = customers.service.profit[rows][served, level[served]]
    for row, profit in zip(served[worth > 0].tolist(), worth[worth > 0].tolist(), strict=True):
        words[row] = "; " + _(SERVED, level=retention.service_levels[level[row]].id, profit=profit)
    return words
