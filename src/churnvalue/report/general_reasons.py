"""Reasons of the plan without what they say of one customer alone, so that they can be counted."""

import re
from string import Formatter

import pyarrow as pa
import pyarrow.compute as pc

from churnvalue.decisions.plan_words import AT_STAKE, NOT_TAKEN, SERVED
from churnvalue.language import translated


def general(reasons: pa.Array) -> pa.Array:
    """Return the reasons without stake, service, costs and profits, by the sentences of the language spoken.

    Reasons in another language stay as they are.
    """
    for regex, shortened in (
        (f"^{_pattern(AT_STAKE)}; ", ""),
        (f"; {_pattern(SERVED)}$", ""),
        *((f"^{_pattern(own)}$", _shortened(own, same)) for own, same in NOT_TAKEN.items()),
    ):
        reasons = pc.replace_substring_regex(reasons, regex, shortened)
    return reasons


def _pattern(message: str) -> str:
    """Return a regular expression that the filled message fits; each place is a group."""
    parts = Formatter().parse(translated(message))
    return "".join(re.escape(text) + ("" if place is None else "([^;]*)") for text, place, *_ in parts)


def _shortened(message: str, shorter: str) -> str:
    """Return what replaces a match of ``message``: the shorter message with groups of the match in its places."""
    places = [place for _, place, *_ in Formatter().parse(translated(message)) if place is not None]
    parts = Formatter().parse(translated(shorter))
    return "".join(text + ("" if place is None else rf"\{places.index(place) + 1}") for text, place, *_ in parts)
