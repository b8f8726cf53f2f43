"""What a plan really earned, as ``measure`` wrote it.

Any key may be absent or hold something odd: what can be read is shown, the rest left out.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from churnvalue.contacts.sample_ratio import SUSPICIOUS
from churnvalue.report.numbers import mapping, number, rows

PLAN = "plan"
# Doubly robust: right if either the chances or the outcome model are.
METHOD = "dr"
_SENTENCES = re.compile(r"(?<=\.) (?=[A-Z가-힣])")


@dataclass(frozen=True)
class Found:
    """A measured number with its 95% interval; all None, with the reason in ``note``, where nothing can be said."""

    value: float | None
    low: float | None
    high: float | None
    note: str

    @property
    def sign(self) -> int:
        """1 where the interval lies above 0, -1 where below, else 0."""
        if self.low is None or self.high is None:
            return 0
        return int(self.low > 0) - int(self.high < 0)


@dataclass(frozen=True)
class Group:
    """Customers given what the plan chose against those held out; ``by`` is all, tier, action or evidence."""

    by: str
    name: str
    treated: int
    held_out: int
    stay: Found
    promised_stay: float | None
    kept_ratio: Found
    profit: Found


@dataclass(frozen=True)
class Policy:
    """A simple policy on the same customers: what it is worth to each, and how much more the plan keeps."""

    name: str
    worth: Found
    plan_more: Found


@dataclass(frozen=True)
class Ratio:
    """Who was held out and who should have been; ``fits`` where chance explains the difference."""

    held_out: float
    expected: float
    customers: float
    fits: bool


@dataclass(frozen=True)
class Measured:
    """A measured plan in words and numbers; None, empty or 0 where the file does not say."""

    verdict: list[str]
    cutoff: str
    as_of: str
    observed_days: float | None
    horizon_days: float | None
    groups: list[Group]
    outcome: str
    policies: list[Policy]
    ratio: Ratio | None
    given: float | None
    done: float | None
    sends: str
    notes: list[str]


def measured(file: object) -> Measured | None:
    """Return what measure.json tells; None where there is none."""
    told = mapping(file)
    if not told:
        return None
    value, carried = mapping(told.get("value")), mapping(told.get("carried_out"))
    outcome, policies = _policies(rows(value.get("policies")))
    notes = told.get("notes")
    return Measured(
        verdict=_SENTENCES.split(_text(told.get("verdict"))),
        cutoff=_text(told.get("cutoff")),
        as_of=_text(told.get("as_of")),
        observed_days=number(told.get("observed_days")),
        horizon_days=number(told.get("horizon_days")),
        groups=_groups(rows(value.get("groups"))),
        outcome=outcome,
        policies=policies,
        ratio=_ratio(mapping(value.get("sample_ratio"))),
        given=number(carried.get("given")),
        done=number(carried.get("done")),
        sends=_text(mapping(told.get("sends")).get("words")),
        notes=[note for note in notes if isinstance(note, str)] if isinstance(notes, list) else [],
    )


def _groups(told: list[Mapping[str, Any]]) -> list[Group]:
    """Return the groups; by evidence only where there are two to tell apart."""
    one_evidence = sum(row.get("by") == "evidence" for row in told) < 2
    return [
        Group(
            by=_text(row.get("by")),
            name=_text(row.get("name")),
            treated=int(number(row.get("treated")) or 0),
            held_out=int(number(row.get("held_out")) or 0),
            stay=_found(row.get("stay")),
            promised_stay=number(row.get("promised_stay")),
            kept_ratio=_found(row.get("kept_ratio")),
            profit=_found(row.get("profit_total")),
        )
        for row in told
        if not (one_evidence and row.get("by") == "evidence")
    ]


def _policies(told: list[Mapping[str, Any]]) -> tuple[str, list[Policy]]:
    """Return the outcome that the first policies are valued by, and the policies but the plan itself."""
    outcome = _text(told[0].get("outcome")) if told else ""
    own = [row for row in told if row.get("outcome") == outcome and row.get("policy") != PLAN]
    return outcome, [
        Policy(
            _text(row.get("policy")),
            _found(mapping(row.get("value")).get(METHOD)),
            _found(mapping(row.get("plan_more")).get(METHOD)),
        )
        for row in own
    ]


def _ratio(told: Mapping[str, Any]) -> Ratio | None:
    counts, p_value = mapping(told.get("counts")), number(told.get("p_value"))
    held_out, expected = number(counts.get("held out")), number(mapping(told.get("expected")).get("held out"))
    if held_out is None or expected is None or p_value is None:
        return None
    return Ratio(held_out, expected, sum(number(one) or 0.0 for one in counts.values()), p_value >= SUSPICIOUS)


def _found(told: object) -> Found:
    known = mapping(told)
    return Found(
        number(known.get("value")), number(known.get("low")), number(known.get("high")), _text(known.get("note"))
    )


def _text(told: object) -> str:
    return told if isinstance(told, str) else ""
