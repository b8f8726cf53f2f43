"""What to offer next: the category that a customer has not bought yet and is likeliest to take up.

A new one, because what someone buys anyway needs no offer. Customers who bought alike are asked: a category scores by how
often it was lately bought by the same people as what the customer has bought. Where that did not beat popularity at past
cutoffs, popularity speaks: how many recent buyers bought it, or of those without it took it up. This module knows neither
prices nor stock nor season.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import sparse

from churnvalue import clock
from churnvalue.events.log import EventLog
from churnvalue.language import N_, _, named, translated
from churnvalue.sweep import customer_of, rows_of

CO_BUYING, TAKE_UP, BEST_SELLING, OWN = (
    N_("co-buying"),
    N_("recent take-up"),
    N_("recent buyers"),
    N_("own most bought"),
)
PLACES = (1, 3, 5)
_RIVALS = (TAKE_UP, BEST_SELLING)  # two kinds of popularity
_JUDGED_BY = 3  # hits among so many places decide between the methods
_MOST = 1000  # categories that can be offered: those with the most recent buyers
_SUPPORT = 20.0  # buyers by which a likeness and a share are shrunk
_ROWS = 4096  # customers at a time

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Counts: TypeAlias = Any  # a sparse matrix of scipy, by row


def bought(log: EventLog, kind: str, span: clock.Span, known_before: int) -> Counts:
    """Return how many events of ``kind`` in ``span``, known before a time, named each category.

    Shape (customers, categories), in the order of ``log.customers`` and ``log.categories.names``.
    """
    events, codes = rows_of(log, kind, span, known_before), log.categories.codes
    mentions: Ints = np.diff(log.category_start)[events].astype(np.int64)
    if (mentions == 1).all():  # the usual log; what follows would need many times the memory
        event, code = events, codes[log.category_start[events]]
    else:
        event = np.repeat(events, mentions)
        begin = np.repeat(np.cumsum(mentions) - mentions, mentions)
        first: Ints = np.repeat(log.category_start[events].astype(np.int64), mentions)
        code = codes[first + np.arange(len(event)) - begin]
    named = code >= 0
    places = (customer_of(log, event[named]).astype(np.int32), code[named])
    shape = (len(log.customers), len(log.categories.names))
    return sparse.csr_matrix((np.ones(len(named)), places), shape=shape)


def top_category(log: EventLog, kind: str, cutoff: int) -> Ints:
    """Return the code of the category that each customer bought most often before ``cutoff``; -1 without any.

    In the order of ``log.customers``; ties go by name.
    """
    if not log.categories.names:
        return np.full(len(log.customers), -1, dtype=np.int64)
    counts = bought(log, kind, clock.before(cutoff), cutoff)
    top = np.asarray(counts.argmax(axis=1), dtype=np.int64).ravel()
    return np.where(np.diff(counts.indptr) > 0, top, -1)


@dataclass(frozen=True)
class Basis:
    """What is learnt from before a cutoff; ``shown`` are the categories that can be offered, most bought first.

    ``ever``: counts of the whole past, with one row more for customers who are not known. ``popular``: share of recent
    buyers; ``taken_up``: of those of them who had not bought it before, and ``again``: of those who had. ``likeness`` of
    two categories, and ``share``: how many of the recent buyers who had one took up the other; both of shape
    (shown, shown).
    """

    ever: Counts
    shown: Ints
    popular: Floats
    taken_up: Floats
    again: Floats
    likeness: Floats
    share: Floats

    def scores(self, rows: Ints, method: str) -> Floats:
        """Return how strongly each shown category is suggested, bought ones too. Shape (rows, shown)."""
        own = self.ever[rows][:, self.shown]
        if method == OWN:
            return np.asarray(own.toarray() + self.popular)
        if method in (TAKE_UP, BEST_SELLING):
            return np.broadcast_to(self.taken_up if method == TAKE_UP else self.popular, own.shape)
        return np.asarray((own > 0).astype(np.float64) @ self.likeness + self.taken_up)

    def ranked(self, rows: Ints, method: str, *, new: bool, places: int) -> Ints:
        """Return the categories suggested first, of those not bought before if ``new``. Shape (rows, places), as codes.

        -1 where there are not so many.
        """
        scores = self.scores(rows, method)
        if new:
            scores = np.where(self.ever[rows][:, self.shown].toarray() > 0, -np.inf, scores)
        order = np.argsort(-scores, axis=1, kind="stable")[:, :places]
        held = np.take_along_axis(scores, order, axis=1) > -np.inf
        return np.where(held, self.shown[order], -1)


def learn(log: EventLog, kind: str, cutoff: int, horizon_days: int) -> Basis:
    """Return what the past before ``cutoff`` says; "recent" are the ``horizon_days`` before it."""
    start = cutoff - horizon_days * clock.DAY
    ever = bought(log, kind, clock.before(cutoff), cutoff)
    before = _flags(bought(log, kind, clock.before(start), cutoff))
    recent = _flags(bought(log, kind, clock.Span(start, cutoff), cutoff))
    buys = np.asarray(recent.sum(axis=1)).ravel() > 0
    buyers = np.asarray(recent.sum(axis=0)).ravel()
    shown = np.argsort(-buyers, kind="stable")[: min(_MOST, int((buyers > 0).sum()))]
    recent, before = recent[:, shown], sparse.diags(buys.astype(np.float64)) @ before[:, shown]
    repeated = recent.multiply(before).tocsr()
    had = np.asarray(before.sum(axis=0)).ravel()
    both_before = (before.T @ before).toarray()
    taken_up = (buyers[shown] - np.asarray(repeated.sum(axis=0)).ravel()) / np.maximum(buys.sum() - had, 1.0)
    took_up = (before.T @ (recent - repeated)).toarray()
    together = (recent.T @ recent).toarray()
    size = np.sqrt(np.diag(together))
    likeness = together / (np.outer(size, size) + _SUPPORT)
    np.fill_diagonal(likeness, 0.0)
    return Basis(
        ever=sparse.vstack([ever, sparse.csr_matrix((1, ever.shape[1]))]).tocsr(),
        shown=np.asarray(shown, dtype=np.int64),
        popular=buyers[shown] / max(float(buys.sum()), 1.0),
        taken_up=taken_up,
        again=np.asarray(repeated.sum(axis=0)).ravel() / np.maximum(had, 1.0),
        likeness=likeness,
        share=(took_up + _SUPPORT * taken_up) / (np.diag(both_before)[:, None] - both_before + _SUPPORT),
    )


def hits(log: EventLog, kind: str, cutoff: int, horizon_days: int, known_before: int = clock.END) -> pd.DataFrame:
    """Return whether what was suggested as of ``cutoff`` was bought in the horizon.

    One row a customer known before the cutoff, ``wanted`` and ``method``; customers in the same order for every method.
    ``wanted`` is "new": the customer bought a category for the first time, and only such count; or "any": they bought, and
    all count. ``hit_1, hit_3, hit_5``: 1 where one of so many suggestions was bought. Purchases known only from
    ``known_before`` on do not count.
    """
    basis = learn(log, kind, cutoff, horizon_days)
    known = basis.ever[:-1]
    after = _flags(bought(log, kind, clock.after(cutoff, horizon_days), known_before))
    after = (sparse.diags((np.diff(known.indptr) > 0).astype(np.float64)) @ after).tocsr()
    fresh = (after - after.multiply(_flags(known))).tocsr()
    fresh.eliminate_zeros()
    after.eliminate_zeros()
    found = []
    for wanted, target, methods in (
        ("new", fresh, (CO_BUYING, TAKE_UP, BEST_SELLING)),
        ("any", after, (CO_BUYING, BEST_SELLING, OWN)),
    ):
        for rows in _chunks(np.flatnonzero(np.diff(target.indptr))):
            for method in methods:
                top = basis.ranked(rows, method, new=wanted == "new", places=max(PLACES))
                there = np.take_along_axis(target[rows].toarray(), np.maximum(top, 0), axis=1) * (top >= 0)
                held = {f"hit_{k}": there[:, :k].max(axis=1, initial=0.0) for k in PLACES}
                found.append(pd.DataFrame({"customer": rows, "wanted": wanted, "method": method, **held}))
    columns = ["customer", "wanted", "method", *(f"hit_{k}" for k in PLACES)]
    return pd.concat(found, ignore_index=True) if found else pd.DataFrame(columns=columns)


class NextCategory:
    """The category to offer next, by co-buying where that beat popularity at past cutoffs.

    Learnt: ``method_``; ``says_``, a sentence on what it rests on; ``gain_`` and ``error_``: hits among three suggestions of
    co-buying less those of the better kind of popularity, a customer who bought something new, with its standard error
    (NaN where nothing could be compared).
    """

    def __init__(self, *, kind: str = "purchase", horizon_days: int = 90, origins: int = 3) -> None:
        self.kind = kind
        self.horizon_days = horizon_days
        self.origins = origins

    def fit(self, log: EventLog, cutoff: int) -> "NextCategory":
        """Learn from what was known before ``cutoff``; at most ``origins`` past cutoffs choose the method."""
        self._names, self._customers = log.categories.names, pd.Index(log.customers.to_pandas())
        self._basis = learn(log, self.kind, cutoff, self.horizon_days)
        gains = self._past_gains(log, cutoff)
        rival = int(gains.mean(axis=0).argmin()) if len(gains) else 0
        against = gains[:, rival]
        self.gain_ = float(against.mean()) if len(against) else np.nan
        self.error_ = float(against.std() / np.sqrt(len(against))) if len(against) else np.nan
        self.method_ = CO_BUYING if self.gain_ > self.error_ else _RIVALS[rival]
        self.says_ = self._sentence(_RIVALS[rival], len(against))
        return self

    def predict(self, customers: Sequence[str]) -> pd.DataFrame:
        """Return ``customer_id, next_category, share, is_new``, in the order of ``customers``.

        ``share``: of the recent buyers who had bought what the customer has, those who took the category up; over the
        mean of what the customer has. Who has bought everything is offered what they buy most (``is_new`` False, share
        of those who had it that bought it again). Without categories next_category is None and share NaN.
        """
        ids = list(customers)
        rows, basis = self._customers.get_indexer(pd.Index(ids)), self._basis
        code, share = np.full(len(ids), -1), np.full(len(ids), np.nan)
        is_new = np.zeros(len(ids), dtype=bool)
        place = {int(category): j for j, category in enumerate(basis.shown)}
        for chosen in _chunks(np.arange(len(ids))) if place else ():
            top = basis.ranked(rows[chosen], self.method_, new=True, places=1)[:, 0]
            own = basis.ranked(rows[chosen], OWN, new=False, places=1)[:, 0]
            code[chosen], is_new[chosen] = np.where(top >= 0, top, own), top >= 0
            at = np.array([place[int(c)] for c in code[chosen]])
            has = (basis.ever[rows[chosen]][:, basis.shown] > 0).astype(np.float64)
            peers, many = has.multiply(basis.share.T[at]).sum(axis=1), has.sum(axis=1)
            mean = np.asarray(peers).ravel() / np.maximum(np.asarray(many).ravel(), 1.0)
            taken_up = np.where(np.asarray(many).ravel() > 0, mean, basis.taken_up[at])
            share[chosen] = np.where(is_new[chosen], taken_up, basis.again[at])
        names = pd.Series([self._names[c] if c >= 0 else None for c in code], dtype=object)
        return pd.DataFrame({"customer_id": ids, "next_category": names, "share": share, "is_new": is_new})

    def _past_gains(self, log: EventLog, cutoff: int) -> Floats:
        """Hits of co-buying less those of each kind of popularity, a customer and past cutoff.

        Shape (customers of all past cutoffs, 2). Nothing after ``cutoff`` is read.
        """
        step, gains = self.horizon_days * clock.DAY, [np.zeros((0, len(_RIVALS)))]
        for back in range(1, self.origins + 1):
            origin = cutoff - back * step
            if origin - step < log.first:
                break
            found = hits(log, self.kind, origin, self.horizon_days, known_before=cutoff)
            new = found[found["wanted"] == "new"]
            held = {m: own[f"hit_{_JUDGED_BY}"].to_numpy(dtype=np.float64) for m, own in new.groupby("method")}
            if held:
                gains.append(np.column_stack([held[CO_BUYING] - held[rival] for rival in _RIVALS]))
        return np.concatenate(gains)

    def _sentence(self, rival: str, compared: int) -> str:
        if not len(self._basis.shown):
            return _(
                "No recent {kind} names a category, so nothing can be said of what to offer next.",
                kind=named(self.kind),
            )
        if not compared:
            return _(
                "What to offer next goes by {rival}: no past cutoff is there to compare anything else with it.",
                rival=translated(rival),
            )
        places = {
            "method": translated(self.method_), "rival": translated(rival), "gain": self.gain_, "error": self.error_,
            "places": _JUDGED_BY, "customers": compared,
        }  # fmt: skip
        if self.method_ == CO_BUYING:
            return _(
                "What to offer next goes by {method}: at past cutoffs co-buying beat {rival}, by {gain:+.3f} ± {error:.3f} hits "
                "among {places} suggestions, over {customers:,} customers who bought something new.",
                **places,
            )
        return _(
            "What to offer next goes by {method}: at past cutoffs co-buying did not beat {rival}, by {gain:+.3f} ± {error:.3f} "
            "hits among {places} suggestions, over {customers:,} customers who bought something new.",
            **places,
        )


def _flags(counts: Counts) -> Counts:
    """1 where there is a count."""
    return (counts > 0).astype(np.float64).tocsr()


def _chunks(rows: Ints) -> Iterator[Ints]:
    for start in range(0, len(rows), _ROWS):
        yield rows[start : start + _ROWS]
