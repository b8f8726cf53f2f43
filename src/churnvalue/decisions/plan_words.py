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

NEXT_MONEY = 100.0
_HELD_OUT = "held out to measure the plan"

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
        said = [_HELD_OUT if one == HOLDOUT else "no action is configured" for one in outcome.group]
        return [f"{reason}{more}" for reason, more in zip(said, served, strict=True)]
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
        offer = (
            f"{100 * customers.p_churn[row]:.0f} % likely to leave, {worth.stake[row]:.2f} at stake; "
            f"{names[action]} at {worth.cost[action]:.2f}"
        )
        earns = f"is expected to earn {profit[row, action]:.2f}"
        if group[row] == HOLDOUT:
            reason = _HELD_OUT
        elif group[row] == EXPLORE:
            reason = f"{offer} was drawn at random to learn what it does; it {earns} beyond its cost"
        elif choice[row] != NONE:
            reason = f"{offer} {earns} beyond its cost"
        elif customers.excluded[row]:
            reason = customers.excluded[row]
        elif not known[row]:
            reason = "what this customer is worth is not known, so no action can be shown to pay"
        elif customers.below_zero[row]:
            reason = "likely to cost more than they bring, so keeping them is not paid for"
        elif profit[row, action] <= 0:
            reason = f"{offer} would cost more than it is expected to save"
        elif customers.capacity[action] < 1:
            reason = f"{offer} {earns}, but its capacity is 0"
        elif not customers.eligible[row].any():
            reason = f"{offer} {earns}, but it is not open to the tier"
        elif retention.budget == 0:
            reason = f"{offer} {earns}, but the budget is 0"
        elif for_money[row]:
            reason = f"{offer} {earns}, but the budget was spent on better cases"
        else:
            reason = f"{offer} {earns}, but its capacity went to better cases"
        found.append(reason + served[row])
    return found


def _service_words(customers: Candidates, outcome: Outcome, retention: Retention) -> list[str]:
    """What is said of each customer's service: nothing where it is today's or cannot be valued."""
    names = [one.id for one in retention.service_levels]
    words = []
    for row, level in enumerate(outcome.level):
        worth = 0.0 if level == TODAY else float(customers.service.profit[row, level])
        words.append(
            f"; {names[level]} instead of today's service is expected to earn {worth:.2f}" if worth > 0 else ""
        )
    return words


def notes(
    customers: Candidates, outcome: Outcome, plan: pd.DataFrame, curve: pd.DataFrame, retention: Retention
) -> tuple[str, ...]:
    """Return what the plan rests on and how it came out."""
    groups, acted = plan["group"].value_counts(), outcome.choice != NONE
    spent, service = float(plan["cost"].sum()), float(plan["service_cost"].sum())
    promised = float(plan["expected_profit"].sum())
    told = [
        *customers.service.notes,
        f"The plan is expected to cost {spent + service:,.2f} of {retention.budget:,.2f}"
        + (f", {service:,.2f} of it for better service," if service else "")
        + f" and to earn {promised + float(plan['service_profit'].sum()):,.2f} beyond that.",
    ]
    if acted.any():
        told.append(_sensitivity(customers, outcome, plan))
    told.append(
        f"{acted.sum():,} of {len(plan):,} customers get an action, {int(plan['eligible'].sum()):,} could; "
        f"{groups.get(EXPLORE, 0):,} of them one drawn at random, to learn. {groups.get(HOLDOUT, 0):,} are held out. "
        + _next_money(curve, retention.budget, outcome.price)
    )
    alone = sum(bool(reason) for reason in customers.excluded)
    return (*told, f"{alone:,} customers are left alone by [retention] exclude.") if alone else tuple(told)


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
    breaks_even = (
        f"in the median it must raise the chance of staying by {needed:.1f} points to break even, and {expected:.1f} are expected"
        if needed > 0
        else "in the median it pays even if it keeps nobody"
    )
    return (
        f"If actions keep half as many as expected they earn {less:,.2f} instead of {profit:,.2f}, if twice as many, as far as"
        f" there are so many to keep, {more:,.2f}; {half:.0%} and {double:.0%} of the decisions would be the same. An action pays"
        f" with a probability of {likely:.0%} on average; {breaks_even}."
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
        return f"The next 1 would earn {price:.2f}." if price > 0.005 else "More money would earn nothing."
    return f"The next {NEXT_MONEY:g} would earn {more[1] - more[0]:.2f}."
