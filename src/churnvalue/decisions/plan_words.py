"""What is said of a plan: why each customer gets what they get, what it all rests on, and how it came out."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from churnvalue.config import Retention
from churnvalue.decisions.allocation import NONE
from churnvalue.decisions.assignment import EXPLORE, HOLDOUT
from churnvalue.decisions.candidates import Candidates
from churnvalue.decisions.service import TODAY
from churnvalue.language import N_, _

NEXT_MONEY = 100.0
_HELD_OUT = N_("held out to measure the plan")
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


def reasons(customers: Candidates, outcome: Outcome, retention: Retention) -> list[str]:
    """Why each customer gets what they get, in one sentence with its numbers."""
    names = [action.id for action in retention.actions]
    served = _service_words(customers, outcome, retention)
    if not names:
        plain = [_(_HELD_OUT) if one == HOLDOUT else _("no action is configured") for one in outcome.group]
        return [f"{reason}{more}" for reason, more in zip(plain, served, strict=True)]
    worth, choice, group = customers.worth, outcome.choice, outcome.group
    known = np.asarray(~np.isnan(outcome.profit).any(axis=1))
    profit = np.where(known[:, None], outcome.profit, -np.inf)
    still_open = np.where(outcome.full, -np.inf, np.where(customers.eligible, profit, -np.inf))
    for_money = np.asarray((still_open > 0).any(axis=1) & (outcome.price > 0))
    # Of someone who gets nothing the action that came closest is named.
    closest = np.where(for_money, still_open.argmax(axis=1), profit.argmax(axis=1))
    named = np.where(choice == NONE, closest, choice)
    found = []
    for row, action in enumerate(named):
        said, offer = "", ""
        if group[row] == HOLDOUT:
            said = _(_HELD_OUT)
        elif group[row] == EXPLORE:
            offer = _EXPLORED
        elif choice[row] != NONE:
            offer = _EARNS
        elif customers.excluded[row]:
            said = customers.excluded[row]
        elif not known[row]:
            said = _("what this customer is worth is not known, so no action can be shown to pay")
        elif customers.below_zero[row]:
            said = _("likely to cost more than they bring, so keeping them is not paid for")
        elif profit[row, action] <= 0:
            offer = _COSTS
        elif customers.capacity[action] < 1:
            offer = _NO_CAPACITY
        elif not customers.eligible[row].any():
            offer = _NOT_OPEN
        elif retention.budget == 0:
            offer = _NO_BUDGET
        elif for_money[row]:
            offer = _SPENT
        else:
            offer = _TAKEN
        if offer:
            own = _(AT_STAKE, risk=100 * customers.p_churn[row], stake=worth.stake[row])
            told = _(offer, action=names[action], cost=worth.cost[action], profit=profit[row, action])
            said = f"{own}; {told}"
        found.append(said + served[row])
    return found


def _service_words(customers: Candidates, outcome: Outcome, retention: Retention) -> list[str]:
    """What is said of each customer's service: nothing where it is today's or cannot be valued."""
    names = [one.id for one in retention.service_levels]
    words = []
    for row, level in enumerate(outcome.level):
        worth = 0.0 if level == TODAY else float(customers.service.profit[row, level])
        words.append("; " + _(SERVED, level=names[level], profit=worth) if worth > 0 else "")
    return words


def notes(
    customers: Candidates, outcome: Outcome, plan: pd.DataFrame, curve: pd.DataFrame, retention: Retention
) -> tuple[str, ...]:
    """Return what the plan rests on and how it came out."""
    groups, acted = plan["group"].value_counts(), outcome.choice != NONE
    spent, service = float(plan["cost"].sum()), float(plan["service_cost"].sum())
    promised = float(plan["expected_profit"].sum())
    costs = {
        "cost": spent + service,
        "budget": retention.budget,
        "profit": promised + float(plan["service_profit"].sum()),
    }
    if service:
        whole = _(
            "The plan is expected to cost {cost:,.2f} of {budget:,.2f}, {service:,.2f} of it for better service, and to earn "
            "{profit:,.2f} beyond that.",
            **costs,
            service=service,
        )
    else:
        whole = _(
            "The plan is expected to cost {cost:,.2f} of {budget:,.2f} and to earn {profit:,.2f} beyond that.", **costs
        )
    told = [*customers.service.notes, whole]
    if acted.any():
        told.append(_sensitivity(customers, outcome, plan))
    counted = _(
        "{acted:,} of {customers:,} customers get an action, {eligible:,} could; {explored:,} of them one drawn at random, to "
        "learn. {held_out:,} are held out.",
        acted=int(acted.sum()),
        customers=len(plan),
        eligible=int(plan["eligible"].sum()),
        explored=int(groups.get(EXPLORE, 0)),
        held_out=int(groups.get(HOLDOUT, 0)),
    )
    told.append(f"{counted} {_next_money(curve, retention.budget, outcome.price)}")
    alone = sum(bool(reason) for reason in customers.excluded)
    if alone:
        told.append(_("{customers:,} customers are left alone by [retention] exclude.", customers=alone))
    return tuple(told)


def _sensitivity(customers: Candidates, outcome: Outcome, plan: pd.DataFrame) -> str:
    """What the plan earns, and which decisions hold, if actions do half or twice as much as expected."""
    worth, rows = customers.worth, np.flatnonzero(outcome.choice != NONE)
    choice = outcome.choice[rows]
    kept = (worth.worth_of_staying * worth.stay + outcome.profit - worth.profit)[rows, choice]
    # Nobody can be kept who would not leave.
    at_most = np.divide(
        customers.p_churn[rows], worth.stay[rows, choice], out=np.ones(len(rows)), where=worth.stay[rows, choice] > 0
    )
    profit = float(plan["expected_profit"].sum())
    less, more = profit - 0.5 * kept.sum(), profit + (kept * np.clip(at_most - 1.0, 0.0, 1.0)).sum()
    half, double = (share_holding(customers, outcome, factor) for factor in (0.5, 2.0))
    likely = float(np.nanmean(worth.p_profit[rows, choice]))
    needed, expected = (100 * np.median(part[rows, choice]) for part in (worth.break_even, worth.stay))
    if needed > 0:
        breaks_even = _(
            "in the median it must raise the chance of staying by {needed:.1f} points to break even, and {expected:.1f} are "
            "expected",
            needed=needed,
            expected=expected,
        )
    else:
        breaks_even = _("in the median it pays even if it keeps nobody")
    return _(
        "If actions keep half as many as expected they earn {less:,.2f} instead of {profit:,.2f}, if twice as many, as far as "
        "there are so many to keep, {more:,.2f}; {half:.0%} and {double:.0%} of the decisions would be the same. An action pays "
        "with a probability of {likely:.0%} on average; {breaks_even}.",
        less=less,
        profit=profit,
        more=more,
        half=half,
        double=double,
        likely=likely,
        breaks_even=breaks_even,
    )


def share_holding(customers: Candidates, outcome: Outcome, factor: float) -> float:
    """Share of those who could get an action whose best action, at the plan's prices, stays the same if effects change.

    All effects are multiplied by ``factor``; prices of money and of capacities stay as they are.
    """
    worth = customers.worth
    could = np.flatnonzero(customers.eligible.any(axis=1))
    if not len(could):
        return 1.0
    charge = outcome.price * worth.cost + outcome.capacity_price

    def best(times: float) -> Ints:
        profit = worth.profit + (times - 1.0) * worth.worth_of_staying * worth.stay - charge
        net = np.where(customers.eligible, profit, -np.inf)[could]
        return np.where(net.max(axis=1) > 0, net.argmax(axis=1), NONE)

    return float((best(factor) == best(1.0)).mean())


def _next_money(curve: pd.DataFrame, budget: float, price: float) -> str:
    """What the next piece of money would earn, read off the curve."""
    more = np.interp([budget, budget + NEXT_MONEY], curve["budget"], curve["expected_profit"])
    if more[1] - more[0] < 0.005:
        return (
            _("The next 1 would earn {profit:.2f}.", profit=price)
            if price > 0.005
            else _("More money would earn nothing.")
        )
    return _("The next {piece:g} would earn {profit:.2f}.", piece=NEXT_MONEY, profit=more[1] - more[0])
