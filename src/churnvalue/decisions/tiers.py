"""How much each customer counts, today and attainably: percentile of value, what peers reach, and the tier.

Tiers steer money and people, so they must not flicker: who had a tier keeps it until its boundary is passed by a margin.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.stats import rankdata

from churnvalue.decisions.action_value import value_given_staying
from churnvalue.errors import DefinitionError, OutputError, near_match
from churnvalue.language import N_

ELITE = N_("elite")
MOST_VALUABLE = N_("most valuable")
MOST_GROWABLE = N_("most growable")
STEADY = N_("steady")
BELOW_ZERO = N_("below zero")
TIERS = (ELITE, MOST_VALUABLE, MOST_GROWABLE, STEADY, BELOW_ZERO)

_PEERS = 30  # fewer say little of their best fifth
_REACHED = 0.8  # quantile of the peers that counts as attainable
_TENURES = 4  # bands of equally many customers
_NEW = -1  # had no tier before

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]
Ints = npt.NDArray[np.int64]
Codes = npt.NDArray[np.int8]


@dataclass(frozen=True)
class TierRules:
    """Where tiers begin.

    Attributes:
        below_zero: Probability of costing more than they bring from which a customer is below zero.
        elite_share: Share of all customers, from the top, that is elite; at least one customer.
        valuable_share: Share of all customers, from the top, that is elite or most valuable.
        growable_share: Share of all customers, by the gap between attainable value and value, that may be growable.
        growth: How many times its ``clv`` the ``attainable`` value of a growable customer must reach.
        margin: Share of each boundary by which it must be passed before a customer changes tier.
    """

    below_zero: float = 0.5
    elite_share: float = 0.001
    valuable_share: float = 0.2
    growable_share: float = 0.2
    growth: float = 2.0
    margin: float = 0.1


def places_of(tier: pd.Series) -> Codes:
    """Place of each tier in ``TIERS``, -1 for what is none: a byte, where the name would take fifty."""
    return np.asarray(pd.Categorical(tier, categories=TIERS).codes, dtype=np.int8)


def percentile(scores: pd.DataFrame) -> Floats:
    """Share of customers worth less, plus half of those worth as much, times 100; strictly between 0 and 100.

    By ``clv``; by ``orders`` where no customer has a ``clv``. Customers without a number count as worth
    least.
    """
    worth = _worth(scores)
    return np.asarray(100.0 * (rankdata(worth) - 0.5) / max(len(worth), 1), dtype=np.float64)


def attainable(scores: pd.DataFrame, category: Ints, tenure_days: Floats) -> Floats:
    """Value that a customer would have who stays as likely as they do, and is worth what the best fifth of peers reach.

    ``max(clv, (1 - p_churn) · q)``, q the 80 % quantile of the peers' value given staying. Peers have the same most
    bought category and stand in the same quarter of the base by tenure; where that makes fewer than 30, the quarter
    alone; then everyone. Shape (n,), in money; NaN where clv or p_churn is.

    Args:
        scores: ``p_churn`` and ``clv`` of the base.
        category: Shape (n,): most bought category as a number; all who have none are alike.
        tenure_days: Shape (n,): days since the first purchase; NaN counts as new.
    """
    clv, p_churn = _floats(scores, "clv"), _floats(scores, "p_churn")
    staying = value_given_staying(clv, p_churn)
    tenure = np.nan_to_num(tenure_days)
    # Equal tenures share a band, so that the order of rows cannot part them.
    ends = np.quantile(tenure, np.arange(1, _TENURES) / _TENURES) if len(tenure) else tenure
    band = np.searchsorted(ends, tenure, side="left")
    table = pd.DataFrame({"category": category, "band": band, "staying": staying})
    reached = np.full(len(table), np.nan)
    for keys in (["category", "band"], ["band"], []):
        peers = table.groupby(keys)["staying"] if keys else table.assign(all=0).groupby("all")["staying"]
        quantile = peers.transform("quantile", _REACHED).to_numpy(dtype=np.float64)
        many = peers.transform("count").to_numpy() >= (_PEERS if keys else 1)
        reached = np.where(np.isnan(reached) & many, quantile, reached)
    return np.asarray(np.maximum(clv, (1.0 - p_churn) * reached), dtype=np.float64)


def tiers(
    scores: pd.DataFrame, rules: TierRules | None = None, previous: pd.Series | None = None
) -> npt.NDArray[np.str_]:
    """Tier of each customer, in the order of the rows of ``scores``.

    From ``customer_id``, ``orders``, ``clv``, ``p_below_zero``, ``cost_to_serve`` and ``attainable``:

    - below zero: ``p_below_zero`` above ``below_zero``, or ``clv < 0``;
    - elite and most valuable: the top by ``clv``, by ``orders`` where no customer has a ``clv``; ties go by id;
    - most growable: the largest ``attainable - clv`` among those whose ``attainable`` is ``growth`` times ``clv``;
    - steady: all others, so also everyone outside the top of a log without amounts.

    ``previous`` is the earlier tier by customer_id. Who had a tier leaves it, and who had another enters it, only beyond
    ``margin`` of the boundary: of its rank, of the factor, of the probability (at most of what is left to 1), and of the
    cost to serve for ``clv < 0``. Shares are therefore met to within ``margin``. Whoever has no earlier tier is
    placed by the boundary itself.

    Raises:
        OutputError: If a column is missing.
        DefinitionError: If an earlier tier is none.
    """
    rules = rules or TierRules()
    worth, ids = _worth(scores), pd.Index(scores["customer_id"].astype(str))
    clv, high = _floats(scores, "clv"), _floats(scores, "attainable")
    risk, cost = _floats(scores, "p_below_zero"), _floats(scores, "cost_to_serve")
    before = _before(ids, previous)

    def shift(*of: str) -> Floats:
        """How far the boundary of these tiers is moved out for those inside, and in for those outside."""
        inside = np.isin(before, [TIERS.index(tier) for tier in of])
        return rules.margin * np.select([inside, before != _NEW], [1.0, -1.0], default=0.0)

    kept = shift(BELOW_ZERO)
    least = rules.below_zero - kept * min(rules.below_zero, 1.0 - rules.below_zero)
    below_zero = (risk > least) | (clv < kept * np.nan_to_num(cost))
    tie_key = ids.argsort().argsort()
    rank = _rank(worth, tie_key)
    count = len(scores)
    elite = ~below_zero & (rank <= np.maximum(1, _limit(rules.elite_share, count) * (1 + shift(ELITE))))
    among_top = _limit(rules.valuable_share, count) * (1 + shift(ELITE, MOST_VALUABLE))
    valuable = ~below_zero & ~elite & (rank <= among_top)
    kept = shift(MOST_GROWABLE)
    may_grow = ~(below_zero | elite | valuable) & (high >= rules.growth * (1 - kept) * clv)
    gap_rank = _rank(np.where(may_grow, high - clv, -np.inf), tie_key)
    growable = may_grow & (gap_rank <= _limit(rules.growable_share, count) * (1 + kept))
    return np.select(
        [below_zero, elite, valuable, growable],
        [BELOW_ZERO, ELITE, MOST_VALUABLE, MOST_GROWABLE],
        default=STEADY,
    )


def _before(ids: pd.Index, previous: pd.Series | None) -> Ints:
    """Earlier tier of each customer as its place in ``TIERS``, ``_NEW`` where there is none."""
    if previous is None:
        return np.full(len(ids), _NEW)
    if unknown := sorted(set(previous.dropna()) - set(TIERS)):
        raise DefinitionError(f"Earlier tiers must be tiers, but '{unknown[0]}' came.{near_match(unknown[0], TIERS)}")
    codes = np.append(pd.Categorical(previous, categories=TIERS).codes, _NEW)
    return np.asarray(codes[previous.index.get_indexer(ids)], dtype=np.int64)


def _limit(share: float, count: int) -> float:
    """Last rank within a share."""
    return float(np.ceil(share * count))


def _rank(values: Floats, tie_key: Ints) -> Ints:
    """Rank from 1, largest first, ties by key."""
    rank = np.empty(len(values), np.int64)
    rank[np.lexsort((tie_key, -values))] = np.arange(1, len(values) + 1)
    return rank


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
