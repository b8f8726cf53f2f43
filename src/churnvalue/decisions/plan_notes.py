"""What a plan rests on and how it came out, in sentences."""

import numpy as np
import numpy.typing as npt
import pandas as pd

from churnvalue.config import Retention
from churnvalue.decisions.allocation import NONE
from churnvalue.decisions.assignment import EXPLORE, HOLDOUT
from churnvalue.decisions.candidates import Candidates
from churnvalue.decisions.plan_words import Outcome
from churnvalue.language import _

NEXT_MONEY = 100.0

Ints = npt.NDArray[np.int64]


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
    likely = float(np.nanmean(plan["p_profit"].to_numpy(dtype=np.float64)[rows]))
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
