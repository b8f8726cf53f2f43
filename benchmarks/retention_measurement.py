"""Whether measurements of plans can be believed: coverage of the 95 % intervals, over simulated plans whose truth is known.

Customers with scores are drawn, the package plans for them with hold-out and exploration, and each stays by a known
chance that the action changes by a known part of what was assumed. Amounts have a long tail. What the package then
measures is held against the truth. No log is needed.
"""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from benchmarks.claims import SEED, finished
from benchmarks.results_table import Result
from benchmarks.runner import Part
from churnvalue.config import Action, Retention, Value
from churnvalue.contacts import NO_ACTION
from churnvalue.decisions.retention import plan_retention
from churnvalue.evaluation.estimate import Estimate
from churnvalue.evaluation.experiment_size import size_experiment
from churnvalue.evaluation.group_value import Happened
from churnvalue.evaluation.plan_value import plan_value

NOMINAL, LOW, HIGH = 0.95, 0.93, 0.97
_TRUE_SHARE = 0.6  # of the assumed effects
_MARGIN = 0.35
_PUBLISHED = {0.005: 312, 0.01: 155, 0.03: 51}  # thousands an arm that show a rate raised by a tenth


@dataclass(frozen=True)
class Scenario:
    """How many customers a plan is for and how many of them are held out."""

    customers: int
    holdout: float

    @property
    def name(self) -> str:
        """The scenario in words."""
        return f"{self.customers:,} customers, {self.holdout:.0%} held out"


SCENARIOS = (Scenario(300, 0.2), Scenario(1_000, 0.05), Scenario(4_000, 0.05), Scenario(4_000, 0.02))
_ACTIONS = (
    Action(id="call", contact_cost=4.0, save_rate=(6.0, 14.0)),
    Action(id="voucher", contact_cost=0.5, incentive=6.0, redemption=0.3, save_rate=(4.0, 16.0)),
)


@dataclass(frozen=True)
class Checked:
    """One interval and the truth."""

    estimate: Estimate
    truth: float


def simulate(scenario: Scenario, seed: int) -> dict[str, Checked]:
    """Plan for drawn customers, let them live, measure; return intervals with their truths by name."""
    generator = np.random.default_rng([SEED, seed])
    size = scenario.customers
    p_churn = generator.beta(2.0, 2.5, size)
    clv = (1 - p_churn) * np.exp(4.0 + 0.6 * generator.normal(size=size))
    scores = pd.DataFrame(
        {
            "customer_id": [f"{number:07d}" for number in range(size)],
            "cutoff": pd.Timestamp("2024-01-01", tz="UTC").as_unit("us"),
            "p_churn": p_churn,
            "orders": 1.0,
            "clv": clv,
            "clv_p10": 0.5 * clv,
            "clv_p90": 1.6 * clv,
            "tier": "steady",
        }
    )
    retention = Retention(budget=10.0 * size, holdout=scenario.holdout, explore=0.1, actions=_ACTIONS)
    plan = plan_retention(scores, retention, Value(), salt=f"{seed}").plan
    saved = {NO_ACTION: 0.0} | {a.id: _TRUE_SHARE * a.save_rate[0] / sum(a.save_rate) for a in _ACTIONS}
    stake = plan["stake"].to_numpy(np.float64)
    stays = {action: 1.0 - p_churn * (1.0 - rate) for action, rate in saved.items()}
    chance = np.select([plan["action"] == action for action in stays], list(stays.values()))
    stayed = (generator.random(size) < chance).astype(np.float64)
    mean_spend = 0.8 * stake
    spend = stayed * mean_spend * np.exp(0.8 * generator.normal(size=size) - 0.32)
    cost = plan["cost"].to_numpy(np.float64)
    telling = np.column_stack([p_churn, np.log(stake), generator.normal(size=size)])
    happened = Happened(stayed, _MARGIN * spend, cost, telling, {"highest risk first": p_churn}, p_churn)
    found = plan_value(plan, happened, scenario.holdout)

    planned = plan["planned_action"].to_numpy()
    chosen = planned != NO_ACTION
    change = np.select([planned == action for action in stays], list(stays.values())) - stays[NO_ACTION]
    costs = {a.id: a.contact_cost + a.redemption * a.incentive for a in _ACTIONS} | {NO_ACTION: 0.0}
    planned_cost = np.select([planned == action for action in costs], list(costs.values()))
    profit = change * _MARGIN * mean_spend - planned_cost
    whole = found.whole
    checked = {
        "stay": Checked(whole.stay, float(change[chosen].mean())),
        "kept": Checked(whole.kept, float((change * stake)[chosen].mean())),
        "profit": Checked(whole.profit, float(profit[chosen].mean())),
        "optimism ratio": Checked(whole.kept_ratio, _TRUE_SHARE),
    }
    able = plan["eligible"].to_numpy(bool) | chosen
    worth = {action: (stays[action] * stake - costs[action])[able].mean() for action in stays}
    of_plan = (np.select([planned == a for a in stays], list(stays.values())) * stake - planned_cost)[able].mean()
    for row in found.policies:
        if row.outcome == "kept" and row.policy in ("none", "voucher for all"):
            action = row.policy.removesuffix(" for all")
            for method, estimate in row.plan_more.items():
                checked[f"plan against {row.policy}, {method}"] = Checked(estimate, float(of_plan - worth[action]))
    return checked


def coverage(scenario: Scenario, seeds: Sequence[int]) -> dict[str, tuple[float, int, float, float]]:
    """Return by name: share of intervals that hold the truth, how many there are, mean error, mean standard error."""
    found: dict[str, list[Checked]] = {}
    for seed in seeds:
        for name, one in simulate(scenario, seed).items():
            found.setdefault(name, []).append(one)
    return {name: _covered(checked) for name, checked in found.items()}


def _covered(checked: Sequence[Checked]) -> tuple[float, int, float, float]:
    known = [one for one in checked if one.estimate.known]
    if not known:
        return 0.0, 0, 0.0, 0.0
    inside = [(one.estimate.low or 0.0) <= one.truth <= (one.estimate.high or 0.0) for one in known]
    errors = [(one.estimate.value or 0.0) - one.truth for one in known]
    return (
        float(np.mean(inside)),
        len(known),
        float(np.mean(errors)),
        float(np.mean([one.estimate.se for one in known])),
    )


def on_coverage(seeds: Sequence[int], scenarios: Sequence[Scenario] = SCENARIOS) -> list[Result]:
    """Return how far each interval's coverage is from 95 %; two points either way are allowed."""
    results = []
    for scenario in scenarios:
        start = time.perf_counter()
        rows = []
        for name, (share, count, error, se) in coverage(scenario, seeds).items():
            note = (
                f"{share:.3f} of {count} intervals hold the truth (± {1.96 * (share * (1 - share) / max(count, 1)) ** 0.5:.3f}"
                f" by chance); mean error {error:+.3g}, mean standard error {se:.3g}"
            )
            off = abs(share - NOMINAL)
            rows.append(
                Result(
                    f"Coverage of 95 % intervals, {scenario.name}", f"{len(seeds)} simulated plans", name, off, HIGH - NOMINAL,
                    "allowed", "lower", note=note,
                )
            )  # fmt: skip
        results += finished(rows, time.perf_counter() - start)
    return results


def on_size(published: Mapping[float, int] = _PUBLISHED) -> list[Result]:
    """Return the sizes of experiments beside published ones."""
    rows = [
        Result(
            "Customers an arm that show a rate raised by a tenth (80 % power)", "by formula", f"base rate {rate:.1%}, thousands",
            round(size_experiment(rate / 10, base_rate=rate).treated / 1000), thousands, "published", "lower",
        )
        for rate, thousands in published.items()
    ]  # fmt: skip
    return finished(rows, 0.0)


PARTS: dict[str, Part] = {
    "size": lambda _, __: on_size(),
    "coverage": lambda _, quick: on_coverage(range(20 if quick else 200)),
}
