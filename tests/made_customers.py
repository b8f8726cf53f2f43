"""A made-up base of customers as feature frame and outcomes, and small models learnt from it."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from churnvalue.features import Feature, expand
from churnvalue.models import buy_till_you_die
from churnvalue.models.blend import Blend, reference_of
from churnvalue.models.boosted import fit_trees
from churnvalue.models.buy_till_you_die import BuyTillYouDie, summary
from churnvalue.models.customer_value import cost_features
from churnvalue.models.definition import Definition, Gate
from churnvalue.models.link_model import LinkModel

COST = {"ticket": 6.0, "message_sent": 0.02}
FEATURES = tuple(
    dict.fromkeys(
        [
            *expand([{"use": "days_since_last", "kind": "purchase"}]),
            *buy_till_you_die.inputs("purchase"),
            *cost_features("purchase", COST),
        ]
    )
)
LEARNT = {"churn": ("churned", "binary"), "orders": ("orders", "poisson"), "spend": ("spend", "tweedie")}


@dataclass(frozen=True)
class Base:
    """Customers as they look at a cutoff, what they did after it, and models of that."""

    features: pd.DataFrame
    targets: pd.DataFrame
    links: Mapping[str, LinkModel]
    buying: BuyTillYouDie

    def blend(self, name: str, **changes: object) -> Blend:
        """The trees of a model, blended with buy till you die."""
        given = {
            "trees": self.links[name],
            "buying": self.buying,
            "foretells": name,
            "learnt_days": 90,
            "horizon_days": 90,
            "trees_weight": 0.7,
            "buying_weight": 0.4,
            "level": 0.1 + 0.2,
            "reference": reference_of(summary(self.features, self.buying.kind)),
        }
        return Blend(**{**given, **changes})

    @property
    def known(self) -> tuple[Feature, ...]:
        return FEATURES


def make_features(customers: int, seed: int) -> pd.DataFrame:
    """Whole-day histories of Poisson buyers of whom some have stopped; money is missing without a repeat purchase."""
    rng = np.random.default_rng(seed)
    tenure = rng.integers(20, 700, customers).astype(float)
    alive = np.minimum(tenure, np.floor(rng.exponential(400, customers)))
    repeats = rng.poisson(rng.gamma(1.0, 0.02, customers) * alive).astype(float)
    recency = np.where(repeats > 0, np.floor(alive * rng.uniform(0.3, 1, customers)), 0.0)
    mean = rng.lognormal(3, 0.5, customers)
    values = {
        "days_since_last_purchase": tenure - recency,
        "repeat_days_purchase": repeats,
        "days_first_to_last_purchase": recency,
        "days_since_first_purchase": tenure,
        "repeat_amount_mean_purchase": np.where(repeats > 0, mean, np.nan),
        "active_days_purchase": repeats + 1,
        "event_count_purchase": repeats + 1 + rng.integers(0, 4, customers),
        "amount_total_purchase": mean * (repeats + 1),
        "event_count_purchase_365d": np.minimum(repeats + 1, 12),
        "event_count_ticket_365d": rng.integers(0, 4, customers).astype(float),
        "event_count_message_sent_365d": rng.integers(0, 60, customers).astype(float),
    }
    ids = [f"c{number:05d}" for number in range(customers)]
    return pd.DataFrame(values, index=pd.Index(ids, name="customer_id"))


def make_targets(features: pd.DataFrame, seed: int) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    rate = 8 * (features["repeat_days_purchase"] + 0.3) / (features["days_since_last_purchase"] + 20)
    orders = rng.poisson(rate).astype(float)
    amount = features["repeat_amount_mean_purchase"].fillna(20.0)
    spend = orders * amount * rng.lognormal(0, 0.3, len(features))
    return pd.DataFrame({"churned": (orders == 0) * 1.0, "orders": orders, "spend": spend}, index=features.index)


def a_definition(name: str = "churn", **changes: object) -> Definition:
    """A definition that needs no file."""
    target, objective = LEARNT[name]
    given = {
        "name": name,
        "title": name.capitalize(),
        "target": target,
        "objective": objective,
        "parameters": {"learning_rate": 0.2},
        "search": {"num_leaves": {"low": 3, "high": 8, "start": 4}},
        "gate": Gate(metric="auc", higher=True, baselines=()),
    }
    return Definition.model_validate({**given, **changes})


def fit(name: str, features: pd.DataFrame, targets: pd.DataFrame) -> LinkModel:
    definition = a_definition(name)
    parameters = {
        "objective": definition.objective,
        "num_leaves": 5,
        "learning_rate": 0.2,
        "min_data_in_leaf": 10,
        "num_threads": 1,
        "seed": 1,
    }
    return fit_trees(definition, parameters, 15, features, targets[definition.target])


def make_base() -> Base:
    features = make_features(400, seed=1)
    targets = make_targets(features, seed=2)
    links = {name: fit(name, features, targets) for name in LEARNT}
    return Base(features, targets, links, BuyTillYouDie.fit(features, "purchase"))
