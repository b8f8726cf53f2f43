"""The features that churnvalue and its rivals compute in the speed benchmark: 81 columns of five kinds of event."""

from typing import Any

from churnvalue.features import Feature, expand

_OTHERS = ["visit", "message_sent", "ticket", "return"]
WINDOWS = (7, 30, 90, 365)

ENTRIES: list[dict[str, Any]] = [
    {"use": "event_count", "kind": ["purchase", *_OTHERS], "days": [*WINDOWS, "all"]},
    {"use": "days_since_last", "kind": ["purchase", *_OTHERS]},
    {"use": ["days_since_first", "days_first_to_last", "repeat_days", "event_rate"], "kind": "purchase"},
    {"use": "amount_total", "kind": "purchase", "days": [*WINDOWS, "all"]},
    {"use": "amount_total", "kind": "return", "days": [90, 365, "all"]},
    {"use": "amount_mean", "kind": "purchase", "days": [30, 90, 365, "all"]},
    {"use": "amount_max", "kind": "purchase", "days": [90, 365, "all"]},
    {"use": ["amount_last", "amount_first"], "kind": "purchase"},
    {"use": "active_days", "kind": "purchase", "days": [*WINDOWS, "all"]},
    {"use": "active_days", "kind": "visit", "days": [30, 90, 365]},
    {"use": ["gap_mean", "gap_sd", "gap_min", "gap_last"], "kind": "purchase"},
    {"use": ["gap_last_to_mean", "silence_to_gap"], "kind": "purchase"},
    {"use": "distinct_categories", "kind": "purchase", "days": [30, 90, 365, "all"]},
    {"use": "top_category_share", "kind": "purchase"},
    {"use": "hour_share", "kind": "purchase", "first_hour": 6, "end_hour": 12},
    {"use": "hour_share", "kind": "purchase", "first_hour": 18, "end_hour": 24},
    {"use": "weekend_share", "kind": "purchase"},
    {"use": ["return_share", "ticket_share"], "days": [365, "all"]},
    {"use": "returned_amount_share"},
    {"use": "pace", "kind": "purchase", "days": [30, 90]},
]


def features() -> tuple[Feature, ...]:
    """Return the features to compare on, in the order of their columns."""
    return expand(ENTRIES)
