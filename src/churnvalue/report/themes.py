"""What a feature speaks of, in words that need no table of features: several features say one thing."""

import re
from functools import cache

from churnvalue.features import families
from churnvalue.features.sentences import noun

SILENCE = "silence since the last {thing}"
PACE = "how many {things} lately"
LOYALTY = "how often and how long they came back"
RHYTHM = "gaps between {things}"
TENURE = "how long they have been customers"
MONEY = "how much they spend"
SERVICE = "returns and tickets"
MESSAGES = "messages opened and clicked"
RANGE = "what they buy"
HABIT = "when they buy"

_FAMILIES = {
    "days_since_last": SILENCE, "silence_to_gap": SILENCE, "gap_last_to_mean": SILENCE,
    "event_count": PACE, "active_days": PACE, "event_rate": PACE, "pace": PACE, "count_trend": PACE,
    "days_first_to_last": LOYALTY, "repeat_days": LOYALTY, "past_renewal": LOYALTY,
    "days_since_first": TENURE,
}  # fmt: skip
_MODULES = {
    "rhythm": RHYTHM, "monetary": MONEY, "service": SERVICE, "messages": MESSAGES, "assortment": RANGE, "habit": HABIT,
    "season": HABIT, "trend": MONEY, "frequency": PACE, "recency": SILENCE,
}  # fmt: skip
_PARAMETERS = re.compile(r"(_\d+d?)+$")


@cache
def theme(feature: str) -> str:
    """Return what the feature of this name speaks of; of one that is in no registry, its name in words.

    >>> theme("days_since_last_visit"), theme("amount_total_purchase_90d"), theme("zodiac_sign")
    ('silence since the last visit', 'how much they spend', 'zodiac sign')
    """
    known = families()
    family = max((name for name in known if f"{feature}_".startswith(f"{name}_")), key=len, default=None)
    if family is None:
        return feature.replace("_", " ")
    module = known[family].declare.__module__.rpartition(".")[2]
    words = _FAMILIES.get(family) or _MODULES.get(module) or feature.replace("_", " ")
    kind = _PARAMETERS.sub("", feature.removeprefix(family).removeprefix("_")) or "event"
    return words.format(thing=noun(kind, 1), things=noun(kind))
