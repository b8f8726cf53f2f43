"""What each action is worth for each customer, from an assumed save rate, and who may get it."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.stats import beta

from churnvalue.config import Action
from churnvalue.decisions.tiers import BELOW_ZERO
from churnvalue.errors import OutputError

STAY_FLOOR = 0.2

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class ActionValue:
    """Worth of each action for each customer, in money; shape (n, A) but for ``cost``, (A,).

    NaN where clv or p_churn is.

    Attributes:
        stake: Value given staying; shape (n,).
        saved: Expected value saved, before cost.
        cost: Expected cost of one customer: contact, and the incentive for those who redeem it.
        profit: ``saved - cost``.
        profit_p10: The same at the 10 % quantile of the save rate.
        profit_p90: At its 90 % quantile.
    """

    stake: Floats
    saved: Floats
    cost: Floats
    profit: Floats
    profit_p10: Floats
    profit_p90: Floats


@dataclass(frozen=True, eq=False)
class Candidates:
    """What is known before anything is decided; rows by customer_id."""

    scores: pd.DataFrame
    p_churn: Floats
    worth: ActionValue
    below_zero: Bools
    eligible: Bools
    capacity: Floats


def value_given_staying(clv: Floats, p_churn: Floats) -> Floats:
    """Return ``clv / max(1 - p_churn, 0.2)``: what a customer is worth if they stay.

    ``clv`` is the mean over staying and leaving. Taking one who leaves to be worth nothing, ``clv = (1 -
    p_churn) · V``. The floor bounds the quotient to five times ``clv``: near ``p_churn`` = 1 it is a small
    number divided by a smaller one.
    """
    return np.asarray(clv / np.maximum(1.0 - p_churn, STAY_FLOOR))


def action_value(clv: Floats, p_churn: Floats, actions: tuple[Action, ...]) -> ActionValue:
    """Worth of each action: ``p_churn · save_rate · V_stay - contact_cost - redemption · incentive``.

    The incentive is paid to all who redeem it, also to those who would have stayed. The quantiles are those
    of the save rate's Beta distribution alone: the interval of ``clv`` tells how a customer may turn out, not
    how sure its mean is.
    """
    stake = value_given_staying(clv, p_churn)
    at_risk = (p_churn * stake)[:, None]
    cost = np.array(
        [action.contact_cost + action.redemption * action.incentive for action in actions], dtype=np.float64
    )
    a, b = np.array([action.save_rate for action in actions], dtype=np.float64).reshape(-1, 2).T
    saved = at_risk * (a / (a + b))
    low, high = (at_risk * beta.ppf(q, a, b) - cost for q in (0.1, 0.9))
    return ActionValue(stake, saved, cost, saved - cost, low, high)


def candidates(scores: pd.DataFrame, actions: tuple[Action, ...]) -> Candidates:
    """Put customers in the order of their ids, value each action and find who may get which."""
    needed = ("customer_id", "cutoff", "p_churn", "clv", "tier")
    missing = [name for name in needed if name not in scores.columns]
    if missing:
        raise OutputError(f"Scores must have the columns {missing}, but they are missing. Score the customers anew.")
    scores = scores.sort_values("customer_id", kind="stable", ignore_index=True)
    twice = scores.loc[scores["customer_id"].duplicated(), "customer_id"]
    if len(twice):
        raise OutputError(f"Scores must hold one row a customer, but '{twice.iloc[0]}' comes twice. Score them anew.")
    clv, p_churn = (scores[name].to_numpy(dtype=np.float64) for name in ("clv", "p_churn"))
    worth = action_value(clv, p_churn, actions)
    below_zero = (clv < 0) | (scores["tier"] == BELOW_ZERO).to_numpy(dtype=bool)
    capacity = np.array(
        [np.inf if action.capacity is None else action.capacity for action in actions], dtype=np.float64
    )
    eligible = ((worth.profit > 0) | (worth.profit_p90 > 0)) & ~below_zero[:, None] & (capacity >= 1)
    return Candidates(scores, p_churn, worth, below_zero, eligible, capacity)
