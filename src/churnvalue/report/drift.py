"""Whether today's customers are like those the models learnt from, and how past scores came true.

Any key may be absent or hold something odd: what can be read is shown, the rest left out.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from churnvalue.report.numbers import mapping, number, rows

STATES = ("ok", "warn", "refused")
MOST_FEATURES = 20


@dataclass(frozen=True)
class Shift:
    """How far one distribution has moved: population stability index and Kolmogorov-Smirnov distance."""

    title: str
    psi: float | None
    ks: float | None
    status: str


@dataclass(frozen=True)
class Drift:
    """What ``score`` found when it compared today's customers with those of the training.

    Attributes:
        status: One of ``STATES``.
        reference: What is compared with, in words.
        domain_auc: How well the two are told apart, 0.5 as by chance; None where that was not tried.
        scores: The predictions.
        features: What the models read, the strongest shift first.
        quarantined: Share of rows set aside now.
        quarantined_then: The same in the log of the training.
        notes: More in words.
    """

    status: str
    reference: str
    domain_auc: float | None
    scores: list[Shift]
    features: list[Shift]
    quarantined: float | None
    quarantined_then: float | None
    notes: list[str]


@dataclass(frozen=True)
class Realised:
    """A metric of past scores: what it was on the window of the training, and what it came to be."""

    cutoff: str
    as_of: str
    model: str
    version: str
    metric: str
    then: float | None
    realised: float | None
    customers: float | None


def drift(told: object) -> Drift | None:
    """Return what the facts of ``score`` say of drift; None where they say nothing."""
    found = mapping(told)
    if found.get("status") not in STATES:
        return None
    quarantine, notes = mapping(found.get("quarantine")), found.get("notes")
    return Drift(
        status=str(found["status"]),
        reference=str(found.get("reference") or ""),
        domain_auc=number(found.get("domain_auc")),
        scores=[_shift(row) for row in rows(found.get("scores"))],
        features=[_shift(row) for row in rows(found.get("features"))][:MOST_FEATURES],
        quarantined=number(quarantine.get("now")),
        quarantined_then=number(quarantine.get("training")),
        notes=[note for note in notes if isinstance(note, str)] if isinstance(notes, list) else [],
    )


def realised(told: object) -> list[Realised]:
    """Return how past scores came true, the newest first."""
    found = [
        Realised(
            cutoff=str(row.get("cutoff") or ""),
            as_of=str(row.get("as_of") or ""),
            model=str(row.get("model") or ""),
            version=str(row.get("version") or ""),
            metric=str(row.get("metric") or ""),
            then=number(row.get("then")),
            realised=number(row.get("realised")),
            customers=number(row.get("customers")),
        )
        for row in rows(told)
    ]
    return sorted(found, key=lambda one: (one.cutoff, one.as_of), reverse=True)


def _shift(row: Mapping[str, Any]) -> Shift:
    title = str(row.get("title") or str(row.get("name") or "").replace("_", " "))
    return Shift(title, number(row.get("psi")), number(row.get("ks")), str(row.get("status") or ""))
