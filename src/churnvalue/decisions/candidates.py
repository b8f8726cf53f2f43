"""What is known before anything is decided: who may get which action, and what each is worth for each customer."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import pandas as pd

from churnvalue.config import Action, Retention
from churnvalue.decisions.action_value import ActionValue, action_value
from churnvalue.decisions.service import ServiceValue, service_value
from churnvalue.decisions.tiers import BELOW_ZERO, TIERS, places_of
from churnvalue.effects.action_effects import ActionEffects, assumed
from churnvalue.errors import DefinitionError, OutputError, near_match

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Known:
    """What a plan may know beside scores and configuration; without it, effects are assumed.

    Attributes:
        effects: Of the configured actions on each customer, in the order of customer_id; None for the assumed save rates.
        excluded: Why customers are to be left alone, by customer_id.
        next_category: What to offer next, by customer_id.
        notes: What more the plan rests on, in sentences.
    """

    effects: ActionEffects | None = None
    excluded: Mapping[str, str] = field(default_factory=dict)
    next_category: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class Candidates:
    """Customers by customer_id, what each action and service level is worth for them, and who may get which action."""

    scores: pd.DataFrame
    p_churn: Floats
    effects: ActionEffects
    worth: ActionValue
    service: ServiceValue
    below_zero: Bools
    excluded: list[str]
    eligible: Bools
    capacity: Floats

    @property
    def ids(self) -> list[str]:
        """Ids of the customers, in order."""
        return self.scores["customer_id"].astype(str).tolist()

    @property
    def occasion(self) -> str:
        """What tells this plan from those of other cutoffs."""
        return str(self.scores["cutoff"].iloc[0]) if len(self.scores) else ""


def assumed_effects(p_churn: Floats, actions: tuple[Action, ...]) -> ActionEffects:
    """Return what the configured save rates say."""
    return assumed(
        p_churn,
        {action.id: action.save_rate for action in actions},
        {action.id: action.redemption for action in actions},
    )


def candidates(scores: pd.DataFrame, retention: Retention, known: Known) -> Candidates:
    """Put customers in the order of their ids, value each action and find who may get which.

    A customer can get an action if they are not excluded, clv and p_churn are known, their tier may get it (by default every
    tier but below zero), it has capacity, and it would pay at the 90 % quantile of its effect.

    Raises:
        OutputError: If a column is missing, a customer comes twice, or a tier is none.
        DefinitionError: If the effects are not those of these customers and actions.
    """
    actions = retention.actions
    needed = ("customer_id", "cutoff", "p_churn", "clv", "tier")
    missing = [name for name in needed if name not in scores.columns]
    if missing:
        raise OutputError(f"Scores must have the columns {missing}, but they are missing. Score the customers anew.")
    scores = scores.sort_values("customer_id", kind="stable", ignore_index=True)
    twice = scores.loc[scores["customer_id"].duplicated(), "customer_id"]
    if len(twice):
        raise OutputError(f"Scores must hold one row a customer, but '{twice.iloc[0]}' comes twice. Score them anew.")
    if unknown := sorted(set(scores["tier"].unique().astype(str)) - set(TIERS)):
        raise OutputError(
            f"Tiers of scores must be tiers, but '{unknown[0]}' came.{near_match(unknown[0], TIERS)} Score them anew."
        )
    if "cost_to_serve" not in scores:
        scores["cost_to_serve"] = np.nan
    clv, p_churn = (scores[name].to_numpy(dtype=np.float64) for name in ("clv", "p_churn"))
    effects = known.effects or assumed_effects(p_churn, actions)
    if effects.stay.shape != (len(scores), len(actions)) or effects.actions != tuple(one.id for one in actions):
        raise DefinitionError(
            f"Effects must be of the {len(scores):,} customers and of {[one.id for one in actions]}, but {len(effects.stay):,}"
            f" rows of {list(effects.actions)} came. Predict them for these scores."
        )
    worth = action_value(clv, p_churn, actions, effects)
    tier = places_of(scores["tier"])
    below_zero = tier == TIERS.index(BELOW_ZERO)
    excluded = [known.excluded.get(one, "") for one in scores["customer_id"].astype(str).tolist()]
    capacity = np.array([np.inf if one.capacity is None else one.capacity for one in actions], dtype=np.float64)
    open_to = np.column_stack(
        [np.zeros((len(scores), 0), bool)]
        + [
            ~below_zero & (clv >= 0) if one.tiers is None else np.isin(tier, list(map(TIERS.index, one.tiers)))
            for one in actions
        ]
    )
    alone = np.array([bool(reason) for reason in excluded], dtype=bool)
    eligible = ((worth.profit > 0) | (worth.profit_p90 > 0)) & open_to & ~alone[:, None] & (capacity >= 1)
    service = service_value(scores, retention.service_levels)
    return Candidates(scores, p_churn, effects, worth, service, below_zero, excluded, eligible, capacity)
