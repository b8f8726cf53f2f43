"""How far features and scores have moved since training, and whether far enough to warn or to refuse.

Counts in the reference's bins are all that is needed, and counts of chunks of customers add up.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
from scipy.stats import chi2

from churnvalue import clock
from churnvalue.config import Drift
from churnvalue.errors import DriftError
from churnvalue.evaluation.drift_domain import Domain
from churnvalue.evaluation.drift_reference import Binned, Ints, Reference
from churnvalue.language import _, translated

_CHANCE = 1e-4  # of a column that has not moved to be taken for one that has
_HALF = 0.5  # of the steady features: moved, they are worth a warning; moved far, a refusal
_KNOWN = 0.5  # share with a value at training, from which it is a fault that nobody has one now
_ENOUGH = 100  # customers, below which nothing is refused
_EXPECTED = 30  # customers who should be in other bins, from which it is a fault that nobody is
_POINTS_TO_WARN, _POINTS_TO_REFUSE = 0.02, 0.10  # quarantined rows above training
_TIMES_TO_WARN, _TIMES_TO_REFUSE = 2.0, 5.0
_SHOWN = 20
_NAMED = 3


def psi(then: Ints, now: Ints) -> tuple[float, bool]:
    """Return the population stability index of two counts of the same bins, less chance, and whether chance is ruled out.

    PSI = sum of (q - p) ln(q / p), each count raised by a half so that no share is 0. Where nothing has moved it is
    distributed about as (1/n + 1/N) times chi-squared with bins - 1 degrees of freedom, whose mean is taken off: Yurdakul
    and Naranjo (2020), "Statistical properties of the population stability index".
    """
    held = (then + now) > 0
    cells = int(held.sum())
    if cells < 2 or not then.sum() or not now.sum():
        return 0.0, False
    p, q = ((counts[held] + 0.5) / (counts.sum() + 0.5 * cells) for counts in (then, now))
    raw = float(np.sum((q - p) * np.log(q / p)))
    unit = 1.0 / int(then.sum()) + 1.0 / int(now.sum())
    return max(0.0, raw - (cells - 1) * unit), bool(raw / unit > chi2.isf(_CHANCE, cells - 1))


def ks(then: Ints, now: Ints) -> float:
    """Return the largest distance of two cumulative shares at the edges of the bins, missing values counted as the lowest.

    The Kolmogorov–Smirnov distance of the values themselves is at least this.
    """
    if not then.sum() or not now.sum():
        return 0.0
    return float(np.abs(np.cumsum(then) / then.sum() - np.cumsum(now) / now.sum()).max())


@dataclass(frozen=True)
class DriftCounts:
    """Customers now, counted in the bins of a reference, by name of the column; each call gives new counts."""

    reference: Reference
    counts: Mapping[str, Ints] = field(default_factory=dict)

    def add(self, features: pd.DataFrame, predictions: pd.DataFrame) -> "DriftCounts":
        """Return the counts with a chunk of customers added; columns that the frames lack stay uncounted."""
        found = {
            one.name: one.count(frame[one.name])
            for frame, columns in ((features, self.reference.features), (predictions, self.reference.scores))
            for one in columns
            if one.name in frame
        }
        return self.merge(DriftCounts(self.reference, found))

    def merge(self, other: "DriftCounts") -> "DriftCounts":
        """Return the counts of both."""
        counts = dict(self.counts)
        for name, more in other.counts.items():
            counts[name] = counts[name] + more if name in counts else more
        return DriftCounts(self.reference, counts)

    @property
    def customers(self) -> int:
        """How many customers were counted."""
        return max((int(counts.sum()) for counts in self.counts.values()), default=0)


@dataclass(frozen=True)
class _Moved:
    """How far one column has moved, with its status as ``judge`` describes it."""

    of: Binned
    psi: float
    ks: float
    sure: bool
    status: str

    @property
    def fact(self) -> dict[str, Any]:
        return {"name": self.of.name, "psi": round(self.psi, 4), "ks": round(self.ks, 4)}


def judge(counts: DriftCounts, quarantined: float, limits: Drift, domain: Domain | None = None) -> dict[str, Any]:
    """Return what has drifted, as facts for a manifest.

    Args:
        counts: Everyone who was scored.
        quarantined: Share of the log's rows that could not be used, now.
        limits: The thresholds.
        domain: How well a classifier tells now from then, where it was asked.

    Returns:
        ``status`` (ok, warn, refused), ``reference``, ``customers``, ``domain_auc`` and ``domain_error`` (null if not asked),
        ``scores`` and the 20 strongest ``features``, strongest first, ``quarantine`` and ``notes``, one sentence each.
        A feature's status: ok, warn, gone (nobody has a value), constant (everyone is in one bin, though many were in others),
        or grows (it moves with calendar time and is not counted).
    """
    reference = counts.reference
    features = [_moved(one, counts, limits) for one in reference.features if one.name in counts.counts]
    scores = [_moved(one, counts, limits) for one in reference.scores if one.name in counts.counts]
    features.sort(key=lambda one: (one.status != "gone", one.status == "grows", -one.psi, one.of.name))
    refusals = _refusals(features, quarantined, counts, limits)
    warnings = _warnings(features, scores, quarantined, reference, limits)
    notes = list(dict.fromkeys([*refusals, *warnings]))
    if domain is not None and notes:
        notes.append(
            _(
                "a classifier tells customers now from then with AUC {auc:.2f} (± {error:.2f}), most by {strongest}",
                auc=domain.auc,
                error=1.96 * domain.error,
                strongest=", ".join(domain.strongest),
            )
        )
    if unscored := [one.title for one in reference.scores if one.name not in counts.counts]:
        notes.append(_("{unscored} was foretold at training, but is not now", unscored=_named(unscored)))
    return {
        "status": "refused" if refusals else "warn" if warnings else "ok",
        "reference": _(
            "{customers:,} customers as of {cutoff}", customers=reference.customers, cutoff=clock.text(reference.cutoff)
        ),
        "customers": counts.customers,
        "domain_auc": None if domain is None else round(domain.auc, 4),
        "domain_error": None if domain is None else round(domain.error, 4),
        "scores": [one.fact for one in scores],
        "features": [one.fact | {"title": one.of.title, "status": one.status} for one in features[:_SHOWN]],
        "quarantine": {"now": quarantined, "training": reference.quarantined},
        "notes": notes,
    }


def require_no_refusal(verdict: Mapping[str, Any], force: bool) -> None:
    """Refuse to go on where ``judge`` says so, unless forced.

    Raises:
        DriftError: Says what drifted, how far, and what to do.
    """
    if verdict["status"] == "refused" and not force:
        raise DriftError(
            f"What is scored must be like what the models learnt from ({verdict['reference']}), but {verdict['notes'][0]}."
            " Check the sources with churnvalue check; if this is how things are now, train again, or go on with --force."
        )


def _moved(one: Binned, counts: DriftCounts, limits: Drift) -> _Moved:
    then, now = np.array(one.counts, dtype=np.int64), counts.counts[one.name]
    distance, sure = psi(then, now)
    status = "ok"
    if now.sum() >= _ENOUGH and now[0] == now.sum() and one.missing <= 1 - _KNOWN:
        status = "gone"
    elif not one.steady:
        status = "grows"
    elif now.max() == now.sum() and (1 - then[now.argmax()] / max(one.customers, 1)) * now.sum() >= _EXPECTED:
        status = "constant"
    elif sure and distance > limits.warn:
        status = "warn"
    return _Moved(one, distance, ks(then, now), sure, status)


def _refusals(features: list[_Moved], quarantined: float, counts: DriftCounts, limits: Drift) -> list[str]:
    said = []
    if gone := [one.of.title for one in features if one.status == "gone"]:
        said.append(
            _(
                "nobody of {customers:,} customers has a value of {gone}, which most had at training",
                customers=counts.customers,
                gone=_named(gone),
            )
        )
    steady = [one for one in features if one.of.steady]
    far = [one for one in steady if one.sure and one.psi > limits.refuse]
    if counts.customers >= _ENOUGH and len(far) > _HALF * len(steady):
        said.append(
            _(
                "{far} of {steady} features have moved by a PSI above {refuse:g}, most of all {farthest}",
                far=len(far),
                steady=len(steady),
                refuse=limits.refuse,
                farthest=_farthest(far),
            )
        )
    before = counts.reference.quarantined
    if quarantined > max(before + _POINTS_TO_REFUSE, _TIMES_TO_REFUSE * before):
        said.append(
            _(
                "{quarantined:.1%} of the rows are quarantined, against {before:.1%} at training",
                quarantined=quarantined,
                before=before,
            )
        )
    return said


def _warnings(
    features: list[_Moved], scores: list[_Moved], quarantined: float, reference: Reference, limits: Drift
) -> list[str]:
    said = []
    steady = [one for one in features if one.of.steady]
    if constant := [one.of.title for one in steady if one.status == "constant"]:
        said.append(
            _(
                "everyone is alike in {constant}, unlike at training; see whether every source still delivers",
                constant=_named(constant),
            )
        )
    drifted = [one for one in steady if one.sure and one.psi > limits.warn]
    if len(drifted) > _HALF * len(steady) or any(one.psi > limits.refuse for one in drifted):
        said.append(
            _(
                "{drifted} of {steady} features have moved by a PSI above {warn:g}, most of all {farthest}",
                drifted=len(drifted),
                steady=len(steady),
                warn=limits.warn,
                farthest=_farthest(drifted),
            )
        )
    if moved := [one for one in scores if one.status == "warn"]:
        said.append(_("scores have moved since training: {moved}", moved=_farthest(moved)))
    before = reference.quarantined
    if quarantined > max(before + _POINTS_TO_WARN, _TIMES_TO_WARN * before):
        said.append(
            _(
                "{quarantined:.1%} of the rows are quarantined, against {before:.1%} at training",
                quarantined=quarantined,
                before=before,
            )
        )
    return said


def _named(titles: list[str]) -> str:
    named = ", ".join(map(translated, titles[:_NAMED]))
    return _("{named} and {more} more", named=named, more=len(titles) - _NAMED) if len(titles) > _NAMED else named


def _farthest(moved: list[_Moved]) -> str:
    first = sorted(moved, key=lambda one: (-one.psi, one.of.name))[:_NAMED]
    return ", ".join(f"{translated(one.of.title)} ({one.psi:.2f})" for one in first)
