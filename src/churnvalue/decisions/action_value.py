"""What each action is worth for each customer: one sum, in profit."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.stats import beta, norm

from churnvalue.config import Action
from churnvalue.effects.action_effects import ASSUMPTION, ActionEffects

STAY_FLOOR = 0.2
_P90 = float(norm.ppf(0.9))

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class ActionValue:
    """Worth of each action for each customer, in money; shape (n, A) unless told. NaN where clv or p_churn is.

    Attributes:
        stake: Value given staying; shape (n,).
        stay: Expected change of the probability of staying.
        worth_of_staying: What one more unit of the probability of staying adds.
        gained: Expected value gained, before cost and after fatigue.
        cost: Expected money spent on one customer: contact, and the incentive for those who redeem it; shape (A,).
        profit: ``gained - cost``.
        profit_p10: The same at the 10 % quantile of the change of staying.
        profit_p90: At its 90 % quantile.
        break_even: Change of the probability of staying at which the profit is 0.
    """

    stake: Floats
    stay: Floats
    worth_of_staying: Floats
    gained: Floats
    cost: Floats
    profit: Floats
    profit_p10: Floats
    profit_p90: Floats
    break_even: Floats


def value_given_staying(clv: Floats, p_churn: Floats) -> Floats:
    """Return ``clv / max(1 - p_churn, 0.2)``: what a customer is worth if they stay.

    ``clv`` is the mean over staying and leaving. Taking one who leaves to be worth nothing, ``clv = (1 -
    p_churn) · V``. The floor bounds the quotient to five times ``clv``: near ``p_churn`` = 1 it is a small
    number divided by a smaller one.
    """
    return np.asarray(clv / np.maximum(1.0 - p_churn, STAY_FLOOR))


def action_value(clv: Floats, p_churn: Floats, actions: tuple[Action, ...], effects: ActionEffects) -> ActionValue:
    """Worth of each action: ``τ·V + P(stay | action)·δ - contact - redemption·incentive - fatigue``.

    τ is the change of the probability of staying, V the value given staying and δ = ``spend_change · V`` what the
    action changes for those who stay. The incentive is paid to all who redeem it, also to those who would have stayed.
    The quantiles are those of τ alone: the interval of ``clv`` tells how a customer may turn out, not how sure its mean
    is.
    """
    stake = value_given_staying(clv, p_churn)

    def each(name: str) -> Floats:
        return np.array([getattr(action, name) for action in actions], dtype=np.float64)

    cost = each("contact_cost") + effects.redemption * each("incentive")
    # The sum is a straight line in τ: its slope is what one more point of staying is worth, its base what is sure.
    slope = stake[:, None] * (1.0 + each("spend_change"))
    base = ((1.0 - p_churn) * stake)[:, None] * each("spend_change") - each("fatigue")
    gained, low, high = (slope * stay + base for stay in (effects.stay, effects.stay_p10, effects.stay_p90))
    with np.errstate(divide="ignore", invalid="ignore"):
        break_even = np.where(slope > 0, (cost - base) / slope, np.where(cost < base, -np.inf, np.inf))
    break_even[np.isnan(slope + base)] = np.nan
    return ActionValue(
        stake,
        effects.stay,
        slope,
        gained,
        cost,
        gained - cost,
        low - cost,
        high - cost,
        break_even,
    )


def p_profit(
    worth: ActionValue, option: Ints, p_churn: Floats, actions: tuple[Action, ...], effects: ActionEffects
) -> Floats:
    """Probability, over the change of staying, that each customer's ``option`` earns something; NaN for -1, none. Shape (n,).

    An assumed change is a Beta distribution times ``p_churn``, a measured one taken as normal.
    """
    chance = np.full(len(option), np.nan)
    for column, action in enumerate(actions):
        rows = np.flatnonzero((option == column) & ~np.isnan(worth.break_even[:, column]))
        limit, leaving = worth.break_even[rows, column], p_churn[rows]
        if effects.evidence[column] == ASSUMPTION:
            with np.errstate(divide="ignore", invalid="ignore"):
                rate = np.where(leaving > 0, limit / leaving, np.where(limit < 0, -np.inf, np.inf))
            chance[rows] = beta.sf(rate, *action.save_rate)
        else:
            low, high = effects.stay_p10[rows, column], effects.stay_p90[rows, column]
            spread, gap = (high - low) / (2.0 * _P90), (high + low) / 2.0 - limit
            with np.errstate(divide="ignore", invalid="ignore"):
                chance[rows] = norm.cdf(np.where(spread > 0, gap / spread, np.where(gap > 0, np.inf, -np.inf)))
    return chance
