"""Why customers may leave: what speaks for leaving in each tier, and groups of likely leavers who share their reasons.

Reasons come from the drivers of the scores: the strongest few of each customer, on the log-odds of leaving. Effects are added
in whole millionths, so that the order of rows cannot change a digit.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from churnvalue.explain import DRIVER
from churnvalue.report.themes import theme

LIKELY = 0.5
MOST_THEMES, MOST_GROUPS = 8, 6
# A theme with a smaller part of all that speaks for leaving is not worth a line.
LEAST_THEME = 0.01
# A second theme belongs to the name of a group if it is at least so strong against the first.
SECOND = 0.5
_UNIT = 1e6

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int32]


@dataclass(frozen=True, eq=False)
class Drivers:
    """The drivers of many customers, end to end.

    Attributes:
        row: The row of the customer of each driver, in rising order.
        feature: Index into ``names`` of each.
        effect: What each adds to the log-odds of leaving, in whole millionths.
        names: The features, sorted.
        known: How many customers have any.
    """

    row: Ints
    feature: Ints
    effect: Ints
    names: list[str]
    known: int


@dataclass(frozen=True)
class Theme:
    """What speaks for leaving: its part of all that does, over everyone and in each tier (None: nothing does)."""

    name: str
    share: float
    by_tier: list[float | None]


@dataclass(frozen=True)
class Group:
    """Likely leavers who share their strongest reasons; all others stand under no theme.

    Attributes:
        themes: What speaks for leaving, the strongest first by the whole group.
        customers: How many there are; ``share`` is of all likely leavers whose reasons are known.
        p_churn: Their mean risk.
        clv: What they are worth together; None where nobody's value is known.
        typical: Row of a customer in the middle of the group; None for the others.
    """

    themes: tuple[str, ...]
    customers: int
    share: float
    p_churn: float
    clv: float | None
    typical: int | None


def flatten(drivers: pd.Series) -> Drivers:
    """Return the drivers of a column of ``scores.parquet``; null and empty lists have none."""
    found = pa.array(drivers, from_pandas=True)
    names: dict[str, int] = {}
    rows, features, effects, before, known = [], [], [], 0, 0
    for lists in found.chunks if isinstance(found, pa.ChunkedArray) else [found]:
        flat = pa.array([], DRIVER) if pa.types.is_null(lists.type) else lists.flatten()
        if len(flat):
            used = flat.field("feature")
            used = used if pa.types.is_dictionary(used.type) else used.dictionary_encode()
            places = [names.setdefault(str(name), len(names)) for name in used.dictionary.to_pylist()]
            rows.append(pc.list_parent_indices(lists).to_numpy().astype(np.int32) + np.int32(before))
            known += int(np.count_nonzero(pc.list_value_length(lists).fill_null(0)))
            features.append(np.array(places, dtype=np.int32)[used.indices.to_numpy()])
            effects.append(
                np.rint(np.nan_to_num(flat.field("effect").to_numpy(zero_copy_only=False)) * _UNIT).astype(np.int32)
            )
        before += len(lists)
    if not rows:
        nothing = np.empty(0, np.int32)
        return Drivers(nothing, nothing, nothing, [], 0)
    rank = {name: place for place, name in enumerate(sorted(names))}
    order = np.array([rank[name] for name in names], dtype=np.int32)
    return Drivers(np.concatenate(rows), order[np.concatenate(features)], np.concatenate(effects), sorted(names), known)


def strengths(drivers: Drivers) -> dict[str, float]:
    """Return how strongly each feature moves the risk, either way, over all customers."""
    sums = np.bincount(drivers.feature, np.abs(drivers.effect), len(drivers.names))
    return {name: float(size) / _UNIT for name, size in zip(drivers.names, sums, strict=True)}


def themes_by_tier(drivers: Drivers, tiers: pd.Series, names: Sequence[str]) -> list[Theme]:
    """Return what speaks for leaving, the ``MOST_THEMES`` strongest first, over all and in each of the tiers ``names``.

    Args:
        drivers: Of all customers.
        tiers: Tier of each row.
        names: The tiers to tell apart, in the order of ``Theme.by_tier``.
    """
    words, code = _coded(drivers)
    tier = pd.Index(names).get_indexer(pd.Index(tiers)).astype(np.int32)[drivers.row]
    cells = code * (len(names) + 1) + tier + 1
    pushed = np.bincount(cells, np.maximum(drivers.effect, 0.0), len(words) * (len(names) + 1))
    table = pushed.reshape(len(words), len(names) + 1)
    whole, columns = float(table.sum()), table.sum(axis=0)[1:]
    ranked = sorted(range(len(words)), key=lambda i: (-table[i].sum(), words[i]))
    return [
        Theme(
            words[i],
            float(table[i].sum() / whole),
            [float(part / of) if of > 0 else None for part, of in zip(table[i, 1:], columns, strict=True)],
        )
        for i in ranked[:MOST_THEMES]
        if table[i].sum() > LEAST_THEME * whole
    ]


def leaving_groups(drivers: Drivers, p_churn: Floats, clv: Floats) -> list[Group]:
    """Return the likely leavers in groups by what speaks most for their leaving, the largest group first.

    A likely leaver has a risk of at least ``LIKELY``. A group shares its strongest theme and, where that is at least
    ``SECOND`` as strong, the next; beyond ``MOST_GROUPS``, and where nothing speaks for leaving, they are the others.
    """
    words, code = _coded(drivers)
    if not words:
        return []
    likely = (p_churn >= LIKELY)[drivers.row]
    found = np.zeros(len(p_churn), dtype=bool)
    found[drivers.row[likely]] = True
    rows, place = np.flatnonzero(found), (np.cumsum(found) - 1)[drivers.row[likely]]
    push = np.bincount(
        place * len(words) + code[likely], np.maximum(drivers.effect[likely], 0.0), len(rows) * len(words)
    ).reshape(len(rows), len(words))
    order = np.argsort(-push, axis=1, kind="stable")[:, :2]
    best = np.take_along_axis(push, order, axis=1)
    first, second = order[:, 0], order[:, -1]
    alone = (best[:, -1] < SECOND * best[:, 0]) | (len(words) == 1)
    pair = np.where(
        alone, first * len(words) + first, np.minimum(first, second) * len(words) + np.maximum(first, second)
    )
    pair[best[:, 0] <= 0] = -1
    keys, sizes = np.unique(pair[pair >= 0], return_counts=True)
    largest = sorted(zip(keys.tolist(), sizes.tolist(), strict=True), key=lambda one: (-one[1], one[0]))[:MOST_GROUPS]

    def group(themes: tuple[str, ...], members: npt.NDArray[np.bool_], typical: int | None) -> Group:
        own = rows[members]
        worth = clv[own][np.isfinite(clv[own])]
        money = float(worth.sum()) if len(worth) else None
        return Group(themes, len(own), len(own) / len(rows), float(p_churn[own].mean()), money, typical)

    groups = []
    for key, _ in largest:
        members = pair == key
        own = sorted({key // len(words), key % len(words)}, key=lambda i: (-push[members, i].sum(), words[i]))
        total = push[members][:, own].sum(axis=1)
        middle = int(np.argmin(np.abs(total - np.quantile(total, 0.5, method="lower"))))
        groups.append(group(tuple(words[i] for i in own), members, int(rows[members][middle])))
    others = ~np.isin(pair, [key for key, _ in largest])
    return [*groups, group((), others, None)] if others.any() else groups


def _coded(drivers: Drivers) -> tuple[list[str], Ints]:
    """Return the themes, sorted, and the index of the theme of each driver."""
    named = [theme(name) for name in drivers.names]
    words = sorted(set(named))
    places = np.array([words.index(name) for name in named], dtype=np.int32)
    return words, places[drivers.feature] if len(words) else np.empty(0, np.int32)
