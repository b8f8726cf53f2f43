"""What every file that commands write holds, and what every column means: data for the reference, which is made from it.

Money is in the unit of the log's amounts and null in a log without them; times are UTC; probabilities are from 0 to 1.
"""

from churnvalue.jobs.outputs import CURVE, EXPORT, FEATURES, MEASURE, PLAN, PORTFOLIOS, REASONS, SCORES, SENDS

_WHO = {
    "customer_id": "Whose row it is, as text.",
    "cutoff": "As of when: nothing that happened or was known from this time on was read.",
}

FILES: dict[str, tuple[str, str]] = {
    SCORES: ("score", "One row for everybody in the population: risk, orders, money, reasons, tier."),
    FEATURES: ("score --features", "What the models were given, by which their numbers can be checked."),
    PLAN: ("plan", "One row for everybody scored: action, service, group, cost and profit."),
    SENDS: ("plan", "One row a message: the hour it goes out, or why it does not."),
    EXPORT: ("plan", "The messages that go out, as sending tools read them; no cell is a spreadsheet's formula."),
    CURVE: ("plan", "What the plan would cost and earn with other budgets."),
    PORTFOLIOS: ("plan", "What each tier brought and cost, and how the tiers of a year ago have done since."),
    REASONS: ("plan", "Reasons of those who are planned, where the scores hold none."),
    "train.json": (
        "train",
        "The verdict: metrics beside baselines, grade, gate, calibration, importance, past scores graded.",
    ),
    "backtest.json": ("backtest", "Metrics of every method at past cutoffs, and paired differences with intervals."),
    MEASURE: ("measure", "What a plan earned against its hold-out and its promise, with intervals."),
    "report.html": ("report", "The report: one self-contained page."),
    "manifest.json": (
        "each of them",
        "Digest and rows of every file, and what each command noted: drift, price, gap.",
    ),
}

# Beside the configuration, by default; none of them is to be edited.
KEPT: dict[str, str] = {
    "mlflow.db": "Runs and the registry, where `tracking_uri` names no server.",
    "mlartifacts/": "Models, cards and pictures of those runs.",
    "mlcache/": "Champions of a server, as last loaded: what scores while it is away.",
    ".*.unregistered": "What a training learnt that could not be registered yet; the next training takes it up.",
    ".*.lock, .lock": "Whoever is writing; they may stay.",
}

_WHY = {
    "drivers": "Why they may leave or stay, strongest first: feature, value, effect (log-odds) and text; null if not found.",
    "spend_drivers": "What moves their spend, likewise; effect on the log scale.",
}

COLUMNS: dict[str, dict[str, str]] = {
    SCORES: {
        **_WHO,
        "p_churn": "Probability of no event of the outcome's kind within the horizon.",
        "orders": "Expected number of such events within the horizon.",
        "spend": "Expected money of such events within the horizon.",
        "spend_p10": "10 % quantile of that money.",
        "spend_p50": "Its median; 0 for all who are more likely to leave than not.",
        "spend_p90": "Its 90 % quantile.",
        "clv": "Customer value: present value of margin less cost to serve, over the value horizon; may be negative.",
        "clv_p10": "10 % quantile of the value.",
        "clv_p90": "Its 90 % quantile.",
        "p_below_zero": "Probability that the value is negative.",
        "cost_to_serve": "Expected cost of serving the customer, as present value over the value horizon.",
        "attainable": "Value if the customer were worth what the best fifth of their peers reach.",
        "p_return_7d": "Probability of an event of the outcome's kind within 7 days.",
        "p_return_14d": "The same within 14 days.",
        "p_return_30d": "The same within 30 days.",
        "second_purchase_day": "Days ahead at which a first-time buyer is likeliest to buy again; null for all others.",
        "tier": "elite, most valuable, most growable, steady or below zero.",
        "previous_tier": "The tier of the earlier scores that this one was compared with; null where there was none.",
        "percentile": "Share of customers worth less, times 100.",
        "band": "low, medium or high risk, by thresholds kept with the model.",
        **_WHY,
        "model_versions": "The version of each model that spoke.",
    },
    FEATURES: {**_WHO},
    PLAN: {
        **_WHO,
        "tier": "Tier by the scores.",
        "service_level": "How well to serve them; `as today` where no level is configured for the tier.",
        "action": "What to do; `none` for nothing.",
        "expected_profit": "Money that the action given is expected to earn beyond its cost, beside the service.",
        "profit_p10": "The same at the 10 % quantile of what the action changes.",
        "profit_p90": "The same at its 90 % quantile.",
        "cost": "Expected cost of the action, with the incentive of those who redeem it.",
        "group": "`exploit` gets the best, `explore` an action drawn at random, `holdout` none.",
        "propensity": "Probability with which what they got was chosen.",
        "eligible": "Whether any action was allowed.",
        "reason": "Why, in words.",
        "evidence": "`experiment` or `assumption`: what the effect of the planned action rests on.",
        "policy_version": "The rules by which was decided.",
        "planned_action": "What they would get without hold-out and exploration.",
        "p_stay_change": "By how much the planned action is expected to change the probability of staying.",
        "stake": "What the customer is worth if they stay.",
        "p_profit": "Probability that the action given earns more than it costs; null without one.",
        "service_profit": "Money that the level of service earns against today's, over the value horizon.",
        "service_cost": "What it costs more than today's, from the budget.",
        "next_category": "What to offer next.",
    },
    SENDS: {
        "customer_id": _WHO["customer_id"],
        "channel": "How the message goes.",
        "send_at": "When it goes out; null where it does not.",
        "send_at_local": "The same by the customer's clock, ISO with offset.",
        "slot": "Hour of the local week, 0 is Monday 00:00.",
        "p_slot": "Share of the customer's activity that is expected in that hour of the week.",
        "group": "`exploit`, `explore` (an hour drawn at random) or `holdout` (not written to).",
        "propensity": "Probability with which what they got was chosen.",
        "eligible_slots": "How many hours were allowed.",
        "evidence": "What the hour rests on: `none`, `activity`, `rates` (responses counted) or `experiment`.",
        "reason": "Why then, or why not at all.",
        "message": "The action that it carries.",
        "p_response": "Probability of a response in that hour; null unless sends drawn at random tell.",
        "expected_value": "Money it is expected to bring, less cost and fatigue; null where that is not known.",
        "eligible": "The hours of the week it could have taken: 168 bits as hexadecimal digits, Monday 00:00 first.",
        "policy_version": "The rules by which was decided.",
    },
    EXPORT: {
        "customer": "Customer id.",
        "channel": "How the message goes.",
        "local_minute": "When, by the customer's clock, such as `2011-09-02 10:00`.",
        "campaign": "The action that it carries.",
    },
    REASONS: {"customer_id": _WHO["customer_id"], **_WHY},
    CURVE: {
        "budget": "Money that may be spent.",
        "cost": "Money that would be.",
        "expected_profit": "What the plan would earn beyond its cost.",
        "customers": "How many would get an action or better service.",
        "marginal_profit": "What the next unit of money would add.",
    },
    PORTFOLIOS: {
        "formed": "`today`, or `a year ago`: the portfolio as it stood then, followed to today.",
        "tier": "Tier, or `all`.",
        "customers": "How many they are.",
        "clv": "Their total value by the scores.",
        "revenue": "Their money of the last 365 days.",
        "revenue_before": "Of the 365 days before those.",
        "margin": "Margin on that revenue.",
        "margin_before": "The same a year earlier.",
        "cost": "What serving them cost.",
        "cost_before": "The same a year earlier.",
        "contribution": "Margin less cost.",
        "contribution_before": "The same a year earlier.",
        "revenue_a_customer": "Revenue divided by customers.",
        "revenue_a_customer_before": "The same a year earlier.",
        "p_churn": "Mean probability of leaving.",
        "left": "Share without an order in the last 365 days.",
        "left_error": "Its standard error.",
        "kept": "Revenue as a share of that of the year before.",
        "kept_error": "Its standard error.",
        "left_beyond_base": "`left` less that of all customers.",
        "kept_beyond_base": "`kept` less that of all customers.",
    },
}
