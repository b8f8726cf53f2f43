"""Made-up report data: a base of any size, with every part or with few."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest

from churnvalue.report.summary import ReportData

CUTOFF = pd.Timestamp("2011-09-01", tz="UTC")
TIERS = ("platinum", "gold", "silver", "bronze")
TEXTS = (
    "no purchase for 143 days, though usually every 21",
    "3 purchases in the last 90 days, 9 in the 90 before",
    "returned 2 of the last 5 orders",
    "opened none of the last 6 messages",
)


def make_scores(customers: int, seed: int = 1, money: bool = True) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    ids = np.array([f"{number:07d}" for number in range(customers)])
    p_churn = rng.beta(1.3, 1.6, customers)
    clv = rng.lognormal(5.2, 1.3, customers) * (1.25 - p_churn) - 15.0
    tier = np.array(TIERS)[np.digitize(clv, np.quantile(clv, [0.5, 0.8, 0.95])[::-1])]
    drivers = [
        [
            {"feature": f"feature_{k % 4}", "value": 1.0, "effect": 0.9 - 0.2 * step, "text": TEXTS[k % 4]}
            for step, k in enumerate((number, number + 1, number + 2))
        ]
        for number in range(customers)
    ]
    nothing = np.full(customers, np.nan)
    spend = np.maximum(clv, 0) * 0.2
    return pd.DataFrame(
        {
            "customer_id": ids,
            "cutoff": CUTOFF.as_unit("us"),
            "p_churn": p_churn,
            "p_below_zero": rng.beta(1, 6, customers) if money else nothing,
            "cost_to_serve": rng.gamma(2, 4, customers) if money else nothing,
            "attainable": np.maximum(clv, 0) * 1.5 if money else nothing,
            "previous_tier": np.where(rng.random(customers) < 0.9, tier, TIERS[0]),
            "orders": rng.gamma(1.2, 1.5, customers),
            "spend": spend if money else nothing,
            "spend_p10": spend * 0.2 if money else nothing,
            "spend_p50": spend * 0.8 if money else nothing,
            "spend_p90": spend * 2.1 if money else nothing,
            "clv": clv if money else nothing,
            "clv_p10": clv * 0.3 - 5 if money else nothing,
            "clv_p90": clv * 1.9 + 20 if money else nothing,
            "p_return_7d": (1 - p_churn) * 0.2,
            "p_return_14d": (1 - p_churn) * 0.35,
            "p_return_30d": (1 - p_churn) * 0.6,
            "tier": tier,
            "percentile": pd.Series(clv).rank(pct=True).to_numpy() * 100,
            "band": np.where(p_churn > 0.65, "high", np.where(p_churn > 0.3, "medium", "low")),
            "drivers": drivers,
            "spend_drivers": drivers,
            "model_versions": "churn 1, orders 1, spend 1, value 1",
        }
    )


def make_plan(scores: pd.DataFrame, seed: int = 2) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    size = len(scores)
    base = scores["clv"].fillna(scores["orders"] * 40).to_numpy()
    worth = base * scores["p_churn"].to_numpy() * 0.3 - 4
    acting = worth > np.quantile(worth, 0.85)
    action = np.where(acting, np.where(worth > np.quantile(worth, 0.97), "call", "voucher"), "none")
    group = np.where(acting, np.where(rng.random(size) < 0.06, "explore", "exploit"), "exploit")
    group = np.where(~acting & (rng.random(size) < 0.05), "holdout", group)
    why = np.where(
        group == "holdout", "held out to measure the effect", "the best action would earn less than it costs"
    )
    why = np.where((~acting) & (scores["p_churn"] < 0.2), "risk of leaving is low", why)
    profit = np.where(acting, worth, 0.0)
    level = {"platinum": "personal", "gold": "priority", "silver": "standard", "bronze": "self_service"}
    return pd.DataFrame(
        {
            "customer_id": scores["customer_id"],
            "cutoff": scores["cutoff"],
            "tier": scores["tier"],
            "service_level": scores["tier"].map(level),
            "action": action,
            "expected_profit": profit,
            "profit_p10": profit * 0.2 - acting * 1.0,
            "profit_p90": profit * 1.9,
            "cost": np.where(action == "call", 4.0, np.where(action == "voucher", 3.05, 0.0)),
            "group": group,
            "propensity": 0.9,
            "eligible": True,
            "reason": np.where(acting, "expected profit is highest for this action", why),
            "planned_action": action,
            "p_stay_change": np.where(acting, 0.05, 0.0),
            "stake": np.maximum(base, 0) * 1.5,
            "p_profit": np.where(acting, 0.8, np.nan),
            "service_profit": np.where(scores["tier"] == TIERS[0], 3.0, 0.0),
            "service_cost": np.where(scores["tier"] == TIERS[0], 1.0, 0.0),
            "next_category": rng.choice(["garden", "toys", "books"], size, p=[0.6, 0.3, 0.1]),
            "evidence": "assumption",
            "policy_version": "policy-2011-09-01-a",
        }
    )


def make_sends(plan: pd.DataFrame, seed: int = 3) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    acted = plan[plan["action"] == "voucher"]
    morning, evening = rng.normal(9, 1.5, len(acted)), rng.normal(18, 2, len(acted))
    hour = np.clip(np.where(rng.random(len(acted)) < 0.4, morning, evening), 8, 20)
    slot = rng.choice(7, len(acted), p=[0.2, 0.17, 0.15, 0.14, 0.12, 0.08, 0.14]) * 24 + hour.astype(int)
    # 2011-09-05 is a Monday.
    local = pd.Timestamp("2011-09-05") + pd.to_timedelta(slot, unit="h")
    return pd.DataFrame(
        {
            "customer_id": acted["customer_id"].to_numpy(),
            "channel": "email",
            "send_at": (local - pd.Timedelta(hours=1)).tz_localize("UTC").as_unit("us"),
            "send_at_local": [f"{time.isoformat()}+01:00" for time in local],
            "slot": slot,
            "p_slot": 0.1,
            "group": "exploit",
            "propensity": 0.95,
            "eligible_slots": 90,
            "evidence": "habit",
            "reason": "the hour at which the customer usually buys",
        }
    )


def make_curve() -> pd.DataFrame:
    budget = np.linspace(0, 8000, 60)
    return pd.DataFrame(
        {
            "budget": budget,
            "cost": budget,
            "expected_profit": 21000 * (1 - np.exp(-budget / 1800)),
            "customers": (budget / 3).astype(int),
            "marginal_profit": 21000 / 1800 * np.exp(-budget / 1800),
        }
    )


def make_portfolios() -> pd.DataFrame:
    row = {"customers": 400, "revenue": 9000.0, "revenue_before": 12000.0, "cost": 80.0, "contribution": 2920.0}
    row |= {"contribution_before": 4100.0, "revenue_a_customer": 22.5, "kept": 0.75, "kept_error": 0.02, "left": 0.3}
    row |= {"left_error": 0.01, "kept_beyond_base": 0.0, "left_beyond_base": 0.0}
    rows = [{"formed": formed, "tier": tier} | row for formed in ("today", "a year ago") for tier in ("elite", "all")]
    rows[2] |= {"left": 0.1, "left_beyond_base": -0.2}
    return pd.DataFrame(rows)


def make_estimate(value: float, half: float) -> dict[str, Any]:
    return {"value": value, "se": half / 2, "low": value - half, "high": value + half, "effective": 90.0, "note": ""}


def make_group(by: str, name: str) -> dict[str, Any]:
    return {
        "by": by, "name": name, "treated": 380, "held_out": 20, "promised_stay": 0.11, "promised_kept": 18.0,
        "promised_profit": 15.0, "needed": 900, "stay": make_estimate(0.08, 0.05), "kept": make_estimate(15.0, 4.0),
        "profit": make_estimate(5.0, 9.0), "profit_total": make_estimate(1900.0, 3400.0),
        "stay_ratio": make_estimate(0.7, 0.4), "kept_ratio": make_estimate(0.83, 0.2),
    }  # fmt: skip


def make_measured() -> dict[str, Any]:
    unknown = {"value": None, "se": None, "low": None, "high": None, "effective": 0.0, "note": "too few customers"}
    policies = [
        {"policy": name, "outcome": outcome, "value": {"dr": make_estimate(90.0, 9.0)}, "plan_more": {"dr": more}}
        for outcome in ("kept", "profit")
        for name, more in (
            ("plan", make_estimate(0.0, 1.0)),
            ("none", make_estimate(6.0, 4.0)),
            ("call for all", unknown),
        )
    ]
    groups = [
        make_group("all", "chosen by the plan"),
        make_group("tier", "elite"),
        make_group("evidence", "assumption"),
    ]
    return {
        "cutoff": "2011-06-01", "as_of": "2011-09-01", "observed_days": 90.0, "horizon_days": 90,
        "verdict": "The plan worked: staying changed by +8.0 points (+3.0 to +13.0). It earned 1,900.25 after costs.",
        "notes": ["12 contacts state no cost: the plan's is used."],
        "carried_out": {"given": 380, "done": 371, "held_out_contacted": 0, "cost": 900.0},
        "sends": {"words": "The chosen hours are not told apart from hours drawn at random."},
        "value": {
            "groups": groups, "policies": policies, "notes": [], "fallback": None,
            "sample_ratio": {"counts": {"held out": 20, "others": 380}, "expected": {"held out": 21.0}, "p_value": 0.7},
        },
    }  # fmt: skip


NOTES = [
    "Experiment spring: 900 customers from 2011-03-01.",
    "call: no experiment; 30% of those who would leave is assumed to stay.",
    "If actions keep half as many as expected they earn 5284.31 instead of 14834.99, if twice as many 33936.35; 63% and "
    "61% of the decisions would be the same. An action pays with a probability of 86% on average.",
    "What to offer next goes by recent buyers: at past cutoffs co-buying did not beat them.",
    "103 customers are left alone by [retention] exclude.",
]
CHURN = ("auc", "log_loss", "brier", "calibration_error", "average_precision")
SPEND = ("normalised_gini", "spearman", "decile_mape", "rmse", "bias")


def make_models() -> dict[str, Any]:
    texts = [
        ("days_since_last", "Days since the last purchase", 0.91),
        ("rhythm", "Silence compared with the customer’s own rhythm", 0.63),
        ("count_90", "Purchases in the last 90 days", -0.42),
        ("trend", "Fewer purchases than in the 90 days before", 0.31),
        ("tenure", "Days since the first purchase", -0.22),
        ("returns", "Share of orders returned", 0.14),
        ("opens", "Messages opened in the last 30 days", -0.08),
    ]

    def metrics(names: tuple[str, ...], *values: float | None) -> dict[str, float | None]:
        return dict(zip(names, values, strict=False))

    churn = {
        "version": 1,
        "aliases": ["champion"],
        "metrics": metrics(CHURN, 0.7811, 0.5423, 0.1821, 0.0213, 0.7442),
        "baselines": {
            "recency": metrics(CHURN, 0.742, 0.571, 0.194, 0.019),
            "pareto_nbd": metrics(CHURN, 0.7633, 0.5601, 0.1893, 0.0442),
        },
        "features": ["days_since_last"],
        "importance": [{"feature": f, "text": t, "effect": e} for f, t, e in texts],
    }
    orders = {
        "version": 1,
        "metrics": metrics(("rmse", "bias"), 1.312, -0.02),
        "baselines": {"last_window": metrics(("rmse", "bias"), 1.9, 0.3)},
    }
    spend = {
        "version": 2,
        "metrics": metrics(SPEND, 0.712, 0.561, 0.121, 812.3, -0.031),
        "baselines": {
            "last_window": metrics(SPEND, 0.662, 0.487, 0.402, 1210.9, 0.213),
            "pareto_nbd": metrics(SPEND, 0.701, 0.549, 0.188, 861.0, 0.041),
            "zero": metrics(SPEND, 0.0, None, 1.0, 1402.0, -1.0),
        },
    }
    return {"churn": churn, "orders": orders, "spend": spend}


def make_training() -> dict[str, Any]:
    share = [k / 10 for k in range(1, 11)]
    return {
        "project": "online-retail",
        "as_of": "2011-09-01",
        "observed_until": "2011-12-09",
        "cutoffs": ["2010-09-01", "2010-12-01", "2011-03-01", "2011-06-01"],
        "customers": 4312,
        "rows": 14_220,
        "horizon_days": 90,
        "promoted": True,
        "gate": {"passed": True, "reasons": ["AUC 0.781 against 0.742 of recency alone."]},
        "grade": "B",
        "grade_text": "Clearly better than every simple rule, and probabilities can be taken at their word.",
        "log": {
            "rows_kept": 397_924,
            "quarantined": [{"reason": "amount is zero", "rows": 40}],
            "kinds": {"purchase": 388_000, "return": 8_905},
            "first": "2009-12-01T07:45:00Z",
            "last": "2011-08-31T17:12:00Z",
            "notes": ["5,268 exact duplicates were dropped."],
        },
        "test_cutoff": "2011-06-01",
        "last_period": {"from": "2011-06-01", "to": "2011-08-30", "days": 90, "customers": 4100, "spend": 90_000.0},
        "thresholds": [
            {"p_churn": 0.0, "customers": 4312, "leavers": 1800},
            {"p_churn": 0.5, "customers": 1500, "leavers": 1100},
            {"p_churn": 0.8, "customers": 300, "leavers": 270},
        ],
        "realised": [
            {
                "cutoff": "2011-03-01",
                "as_of": "2011-06-01",
                "model": "churn",
                "version": 1,
                "metric": "auc",
                "then": 0.78,
                "realised": 0.763,
                "customers": 4050,
            },
        ],
        "models": make_models(),
        "calibration": [
            {"predicted": s - 0.05, "actual": (s - 0.05) ** 1.06, "customers": int(620 - 420 * s)} for s in share
        ],
        "lift": [{"share": s, "model": 1 - (1 - s) ** 1.9, "recency": 1 - (1 - s) ** 1.55} for s in share],
        "spend_deciles": [{"predicted": 12.0 * k**1.7, "actual": 13.0 * k**1.66} for k in range(1, 11)],
        "timings": {"train": 12.1},
    }


def make_drift() -> dict[str, Any]:
    return {
        "status": "warn", "reference": "the training of 2011-06-01", "domain_auc": 0.71,
        "scores": [{"name": "p_churn", "psi": 0.12, "ks": 0.1}],
        "features": [{"name": "tenure", "title": "days since the first purchase", "psi": 0.3, "ks": 0.2, "status": "warn"}],
        "quarantine": {"now": 0.25, "training": 0.2}, "notes": ["Visits have stopped since 2011-08-01."],
    }  # fmt: skip


def make_facts(money: bool = True) -> dict[str, Any]:
    return {
        "cutoff": "2011-09-01",
        "horizon_days": 90,
        "value_horizon_days": 1095,
        "margin": 0.35,
        "discount_rate": 0.1,
        "has_amounts": money,
        "day_granularity": False,
        "budget": 5000.0,
        "quarantine": [{"reason": "customer_id is missing", "rows": 135_080}],
        "rows_kept": 397_924,
        "currency": "£",
        "previous_cutoff": "2011-06-01",
        "capacities": {"email": 2000},
        "drift": make_drift(),
        "plan_cutoff": "2011-09-01",
        "gap": 0.0,
        "notes": NOTES,
        "portfolio_notes": ["Who was growable a year ago cannot be told."],
    }


@pytest.fixture(scope="session")
def make_report() -> Callable[..., ReportData]:
    """Return a maker of report data: every part, unless ``parts`` is False."""

    def make(customers: int = 300, money: bool = True, parts: bool = True) -> ReportData:
        scores = make_scores(customers, money=money)
        if not parts:
            return ReportData("bare", scores)
        plan = make_plan(scores)
        sends = make_sends(plan)
        return ReportData(
            project="shop",
            scores=scores,
            plan=plan,
            sends=sends,
            curve=make_curve(),
            portfolios=make_portfolios(),
            measured=make_measured(),
            training=make_training(),
            facts=make_facts(money),
        )

    return make


@pytest.fixture(scope="session")
def small_scores() -> pd.DataFrame:
    """Return five customers whose totals are easy to see."""
    return pd.DataFrame(
        {
            "customer_id": ["a", "b", "c", "d", "e"],
            "p_churn": [0.9, 0.1, 0.5, 0.3, 0.7],
            "orders": [1.0, 2.0, 0.5, 0.25, 0.25],
            "spend": [10.0, 20.0, 0.0, 5.0, 5.0],
            "spend_p10": [7.0, 16.0, 0.0, 5.0, 5.0],
            "spend_p90": [13.0, 24.0, 0.0, 5.0, 5.0],
            "clv": [60.0, 30.0, 10.0, 0.0, -20.0],
            "clv_p10": [54.0, 22.0, 10.0, 0.0, -20.0],
            "clv_p90": [66.0, 38.0, 10.0, 0.0, -20.0],
            "tier": ["top", "top", "rest", "rest", "rest"],
            "band": ["high", "low", "medium", "low", "high"],
        }
    )
