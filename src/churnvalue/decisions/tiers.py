"""How much each customer counts: percentile of value, tier, and the level of service that goes with it."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.stats import rankdata

from churnvalue.errors import DefinitionError, OutputError, near_match

ELITE = "elite"
MOST_VALUABLE = "most valuable"
MOST_GROWABLE = "most growable"
STEADY = "steady"
BELOW_ZERO = "below zero"

SERVICE_LEVELS = {
    ELITE: "preferred",
    MOST_VALUABLE: "preferred",
    MOST_GROWABLE: "standard",
    STEADY: "self-service",
    BELOW_ZERO: "charged",
}

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class TierRules:
    """Where tiers begin.

    Attributes:
        elite_share: Share of all customers, from the top, that is elite; at least one customer.
        valuable_share: Share of all customers, from the top, that is elite or most valuable.
        growth: How many times its ``clv`` the ``clv_p90`` of a growable customer must reach.
    """

    elite_share: float = 0.001
    valuable_share: float = 0.2
    growth: float = 2.0


def percentile(scores: pd.DataFrame) -> Floats:
    """Share of customers worth less, plus half of those worth as much, times 100; strictly between 0 and 100.

    By ``clv``; by ``orders`` where no customer has a ``clv``. Customers without a number count as worth
    least.
    """
    worth = _worth(scores)
    return np.asarray(100.0 * (rankdata(worth) - 0.5) / max(len(worth), 1), dtype=np.float64)


def tiers(scores: pd.DataFrame, rules: TierRules | None = None) -> npt.NDArray[np.str_]:
    """Tier of each customer, in the order of the rows of ``scores``.

    From ``customer_id``, ``orders``, ``clv``, ``clv_p10``, ``clv_p90``:

    - below zero: ``clv < 0``, which is P(value < 0) above one half for a value that spreads evenly about its
      mean, or ``clv_p90 < 0``, which is P(value < 0) above .9;
    - elite and most valuable: the top by ``clv``, by ``orders`` where no customer has a ``clv``; ties go by
      id;
    - most growable: ``clv_p90`` reaches both ``growth`` times ``clv`` and the lowest ``clv`` of the most
      valuable;
    - steady: all others, so also everyone outside the top of a log without amounts.

    Raises:
        OutputError: If a column is missing.
    """
    rules = rules or TierRules()
    worth = _worth(scores)
    clv, high = _floats(scores, "clv"), _floats(scores, "clv_p90")
    count = len(worth)
    position = np.empty(count, np.int64)
    position[np.lexsort((scores["customer_id"].astype(str).to_numpy(), -worth))] = np.arange(count)
    below_zero = (clv < 0) | (high < 0)
    valuable = ~below_zero & (position < int(np.ceil(rules.valuable_share * count)))
    elite = ~below_zero & (position < max(1, int(np.ceil(rules.elite_share * count))))
    reach = worth[valuable | elite].min(initial=np.inf)
    growable = ~below_zero & (high >= rules.growth * clv) & (high >= reach)
    return np.select(
        [below_zero, elite, valuable, growable],
        [BELOW_ZERO, ELITE, MOST_VALUABLE, MOST_GROWABLE],
        default=STEADY,
    )


def service_level(tier: str) -> str:
    """Return the level of service of a tier: preferred, standard, self-service or charged.

    >>> service_level("below zero")
    'charged'

    Raises:
        DefinitionError: If there is no such tier.
    """
    if tier not in SERVICE_LEVELS:
        raise DefinitionError(f"Unknown tier '{tier}'.{near_match(tier, SERVICE_LEVELS)}")
    return SERVICE_LEVELS[tier]


def _worth(scores: pd.DataFrame) -> Floats:
    """What customers are ranked by; minus infinity where it is not known."""
    clv = _floats(scores, "clv")
    worth = _floats(scores, "orders") if np.isnan(clv).all() else clv
    return np.where(np.isnan(worth), -np.inf, worth)


def _floats(scores: pd.DataFrame, column: str) -> Floats:
    """Return a column as floats."""
    if column not in scores.columns:
        raise OutputError(f"Scores must have the column '{column}', but it is missing. Score the customers anew.")
    return scores[column].to_numpy(dtype=np.float64)
