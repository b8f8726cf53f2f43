"""What each level of service is worth for each customer, against being served as they are today.

Rates are assumptions of the configuration. Costs and values are present values over the value horizon.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from churnvalue.config import ServiceLevel
from churnvalue.decisions.action_value import value_given_staying
from churnvalue.decisions.tiers import BELOW_ZERO, TIERS, Codes, places_of
from churnvalue.errors import OutputError
from churnvalue.language import _, translated

TODAY = -1

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]
Ints = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class ServiceValue:
    """Worth of each level for each customer, in money; shape (n, L) in the order of the rows and of the levels.

    Attributes:
        profit: Against today's service; minus infinity where the customer may not have the level.
        cost: What the level costs more than today's service, from the budget; 0 where it costs less.
        save_rate: Mean share of leavers kept; shape (L,). With an action of save rate a, both together keep
            1 - (1 - save_rate) · (1 - a).
        capacity: How many customers may have the level, infinity for no limit; shape (L,).
        first: Index of the first level of the customer's tier, ``TODAY`` (-1) where it has none; shape (n,).
        notes: Who cannot be valued and what they get, in sentences.
    """

    profit: Floats
    cost: Floats
    save_rate: Floats
    capacity: Floats
    first: Ints
    notes: tuple[str, ...]


def service_value(scores: pd.DataFrame, levels: Sequence[ServiceLevel]) -> ServiceValue:
    """Return what each level of service earns against today's, for every customer.

    ``p_churn · save_rate · V - (1 - p_churn) · loss_rate · V - cost_to_serve · (cost_factor - 1) + fee · P(stay)``, V the
    value given staying and P(stay) the one under the level: who leaves pays no fee. V of customers who cost more than they
    bring is negative, so losing them earns.

    A customer may have the levels of their tier with capacity; below zero, none that is meant to save. Whose cost to serve
    or value is not known, and everyone where nobody costs anything, can only be given the first level of their tier, at a
    profit and cost of 0: without costs the best service would seem free.

    Args:
        scores: ``tier``, ``p_churn``, ``clv`` and ``cost_to_serve``.
        levels: In the order of preference where nothing can be valued.

    Raises:
        OutputError: If a column is missing.
    """
    missing = [name for name in ("tier", "p_churn", "clv", "cost_to_serve") if name not in scores]
    if missing:
        raise OutputError(f"Scores must have the columns {missing}, but they are missing. Score the customers anew.")
    clv, p_churn, served = (scores[name].to_numpy(dtype=np.float64) for name in ("clv", "p_churn", "cost_to_serve"))
    tier = places_of(scores["tier"])
    rates = [level.save_rate for level in levels]
    factor, fee, loss = (
        np.array([getattr(level, name) for level in levels], dtype=np.float64)
        for name in ("cost_factor", "fee", "loss_rate")
    )
    capacity = np.array([np.inf if level.capacity is None else level.capacity for level in levels], dtype=np.float64)
    mean = np.array([rate[0] / sum(rate) if rate else 0.0 for rate in rates])
    stake = value_given_staying(clv, p_churn)[:, None]
    extra = served[:, None] * (factor - 1.0)
    leaves = p_churn[:, None]

    change = leaves * mean - (1.0 - leaves) * loss
    profit = change * stake - extra + fee * (1.0 - leaves + change)
    valued = np.isfinite(clv + p_churn + served) & bool(np.nan_to_num(served).any())
    allowed = _allowed(tier, levels) & (capacity >= 1)
    first = np.where(allowed.any(axis=1), allowed.argmax(axis=1), TODAY) if len(levels) else np.full(len(clv), TODAY)
    only_first = ~valued[:, None] & (np.arange(len(levels)) == first[:, None])
    may = allowed & (valued[:, None] | only_first)
    return ServiceValue(
        profit=np.where(may, np.where(valued[:, None], profit, 0.0), -np.inf),
        cost=np.where(valued[:, None], np.maximum(extra, 0.0), 0.0),
        save_rate=mean,
        capacity=capacity,
        first=first,
        notes=_notes(tier, valued, first, levels),
    )


def _allowed(tier: Codes, levels: Sequence[ServiceLevel]) -> Bools:
    """Whether each tier may have each level; keeping those below zero is not paid for."""
    above = tier != TIERS.index(BELOW_ZERO)
    allowed = [
        np.isin(tier, [TIERS.index(one) for one in level.tiers]) & (above | (level.save_rate is None))
        for level in levels
    ]
    return np.column_stack(allowed) if allowed else np.zeros((len(tier), 0), dtype=bool)


def _notes(tier: Codes, valued: Bools, first: Ints, levels: Sequence[ServiceLevel]) -> tuple[str, ...]:
    notes = []
    if not valued.all():
        pairs = np.unique(np.column_stack([tier, first])[~valued & (first != TODAY)], axis=0).tolist()
        given = sorted({f"{translated(TIERS[one])} {levels[level].id}" for one, level in pairs})
        levels_given = ", ".join(given) or _("none is configured")
        if valued.any():
            told = _(
                "What a level of service is worth cannot be told for {customers:,} customers, for want of amounts or of [value] "
                "cost; they get the first level of their tier: {levels}.",
                customers=int((~valued).sum()),
                levels=levels_given,
            )
        else:
            told = _(
                "What a level of service is worth cannot be told for anyone, for want of amounts or of [value] cost; they get "
                "the first level of their tier: {levels}.",
                levels=levels_given,
            )
        notes.append(told)
    if without := sorted(TIERS[one] for one in np.unique(tier[first == TODAY])):
        named = ", ".join(map(translated, without))
        notes.append(_("No service level is open to {tiers}; they are served as today.", tiers=named))
    return tuple(notes)
