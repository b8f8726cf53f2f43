"""What a feature speaks of, in words that need no table of features: several features say one thing."""

import re
from functools import cache

from churnvalue.features import families
from churnvalue.features.sentences import noun
from churnvalue.language import N_, _

SILENCE = N_("silence since the last {thing}")
PACE = N_("how many {things} lately")
LOYALTY = N_("how often and how long they came back")
RHYTHM = N_("gaps between {things}")
TENURE = N_("how long they have been customers")
MONEY = N_("how much they spend")
SERVICE = N_("returns and tickets")
MESSAGES = N_("messages opened and clicked")
RANGE = N_("what they buy")
HABIT = N_("when they buy")

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


def theme(feature: str) -> str:
    """Return what the feature of this name speaks of; of one that is in no registry, its name in words.

    >>> theme("days_since_last_visit"), theme("amount_total_purchase_90d"), theme("zodiac_sign")
    ('silence since the last visit', 'how much they spend', 'zodiac sign')
    """
    words, kind = _parts(feature)
    return _(words, thing=noun(kind, 1), things=noun(kind)) if kind else words


@cache
def _parts(feature: str) -> tuple[str, str]:
    """Return the theme of a feature and the kind of event it is about; its name in words and no kind, where it has none."""
    known = families()
    family = max((name for name in known if f"{feature}_".startswith(f"{name}_")), key=len, default=None)
    module = known[family].declare.__module__.rpartition(".")[2] if family else ""
    words = _FAMILIES.get(family or "") or _MODULES.get(module)
    if family is None or words is None:
        return feature.replace("_", " "), ""
    return words, _PARAMETERS.sub("", feature.removeprefix(family).removeprefix("_")) or "event"
