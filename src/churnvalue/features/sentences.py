"""Words for people: what the value of a feature says about a customer."""

import re
from dataclasses import dataclass
from decimal import Decimal
from functools import lru_cache
from math import isnan

from churnvalue.language import ENGLISH, _, language, marked, ngettext

_SINGULAR = {
    "days": "day", "lines": "line", "units": "unit", "returns": "return", "tickets": "ticket", "categories": "category",
    "different categories": "category",
}  # fmt: skip
_ONE_OF_MANY = re.compile(rf"((?<![\d.,])1 )({'|'.join(_SINGULAR)})\b")
# Kinds as tables name them.
_KINDS = marked("message sent", "message open", "message click", "offer")
_NOUNS = {
    "event": ("event", "events"),
    "purchase": ("purchase", "purchases"),
    "return": ("return", "returns"),
    "visit": ("visit", "visits"),
    "ticket": ("ticket", "tickets"),
    "message_sent": ("message received", "messages received"),
    "message_open": ("message opened", "messages opened"),
    "message_click": ("click on a message", "clicks on messages"),
    "unsubscribe": ("unsubscribe", "unsubscribes"),
}


@dataclass(frozen=True)
class Sentence:
    """Templates of what a value says; the most fitting one is used.

    Places: ``{value}`` the number, ``{percent}`` the number in per cent (for ``less`` and ``more`` its distance from 1),
    ``{thing}`` and ``{things}`` the kind of event as a noun, ``{events}`` the noun that fits the number, ``{in_days}`` the
    window, and every parameter by name.
    """

    general: str
    zero: str | None = None
    absent: str | None = None
    less: str | None = None
    more: str | None = None

    def say(self, value: float, parameters: dict[str, str | int | None]) -> str:
        """Return the sentence for ``value`` of a feature with ``parameters``."""
        given = tuple(parameters.items())
        places = {
            **_words(given, language()),
            "events": _noun(str(parameters.get("kind") or "event"), value == 1, language()),
        }
        if isnan(value):
            absent = self.absent and _(self.absent, value="–", percent="–", **places)
            return absent or _("not known: {what}", what=_(self.general, value="–", percent="–", **places))
        template, percent = self.general, value
        if value == 0 and self.zero:
            template = self.zero
        elif self.less and round(value, 2) < 1:
            template, percent = self.less, 1 - value
        elif self.more and round(value, 2) > 1:
            template, percent = self.more, value - 1
        share = _("{percent:,.0f} %", percent=100 * percent) if "{percent}" in template else ""
        said = _(template, value=number(value), percent=share, **places)
        if language() != ENGLISH:
            return said
        return _ONE_OF_MANY.sub(lambda match: match.group(1) + _SINGULAR[match.group(2)], said)


def words(parameters: dict[str, str | int | None]) -> dict[str, str]:
    """Return what the places of a template stand for, but for the value."""
    kind, days = str(parameters.get("kind") or "event"), parameters.get("days")
    given = {name: str(part) for name, part in parameters.items()}
    window = _("in the last {days} days", days=days) if days else _("so far")
    return {**given, "thing": noun(kind, 1), "things": noun(kind), "in_days": window}


def noun(kind: str, count: float | None = None) -> str:
    """Return the noun of a kind of event, singular for a count of one.

    >>> noun("purchase", 1), noun("message_open", 3)
    ('purchase', 'messages opened')
    """
    name = kind.replace("_", " ")
    singular, plural = _NOUNS.get(kind, (name, f"{name}s" if language() == ENGLISH else name))
    return ngettext(singular, plural, 2 if count is None else count)


# Sentences are said by the million; what their places stand for is the same for all customers.
@lru_cache(maxsize=4096)
def _words(parameters: tuple[tuple[str, str | int | None], ...], _language: str) -> dict[str, str]:
    return words(dict(parameters))


@lru_cache(maxsize=4096)
def _noun(kind: str, one: bool, _language: str) -> str:
    return noun(kind, 1 if one else 2)


def number(value: float) -> str:
    """Return a number as people write it: three digits that matter, thousands separated.

    >>> number(1234.5), number(12.0), number(0.1234)
    ('1,234', '12', '0.123')
    """
    if abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{Decimal(f'{value:.3g}') + 0:f}"
