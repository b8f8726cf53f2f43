"""At what hour customers order: the hour of the week of the next order, the best 3 hours of the day, day and hour together.

Online Retail II, its two years: rows with a customer, a quantity and a price above 0, not cancelled; customer-hours with an
order count once; local time; the segment is whether the country is the United Kingdom. Learned by defaults from what came
before each cutoff (2011-08-01, 09-15, 10-15) alone; what came in the 90 days before it also judges the settings. Scored are
customers with a history and a later order: *slot NLL* is of the hour of the week (168) of the next order, *capture* the mean
over customers of the share of their orders of the next 28 days within the likeliest 3 hours of the day. *Joint NLL* at
2011-10-01, over all customers with a history, is of the hour of the next order within 14 days, or of none; the day comes from
Pareto/NBD, its level from the three newest closed fortnights, the hour from the habit.

"target" is the best that any single method had reached before on this protocol. Intervals are of 400 draws of customers.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd
from scipy.special import expit, logit
from sklearn.linear_model import LogisticRegression

from benchmarks.claims import finished
from benchmarks.results_table import Result
from benchmarks.runner import Part
from churnvalue.clock import DAY, HOUR, hour_of_week
from churnvalue.datasets import load_online_retail
from churnvalue.models.pareto_nbd import ParetoNBD
from churnvalue.timing.habit import SlotHabit
from churnvalue.timing.machine_made import machine_made
from churnvalue.timing.week import SLOTS, Floats, Ints, captured

SEED = 7
_DATA = "Online Retail II"
_CUTOFFS = ("2011-08-01", "2011-09-15", "2011-10-15")
_JOINT = "2011-10-01"
_PAST_FORTNIGHTS = ("2011-08-20", "2011-09-03", "2011-09-17")
_EARLIER_DAYS, _CAPTURE_DAYS, _JOINT_DAYS = 90, 28, 14
_TARGET_LIFT, _TARGET_NLL, _TARGET_JOINT = 0.076, 3.908, 0.802
_BANDS = {
    "": (0, np.inf),
    ", 1-2 events": (0, 2),
    ", 3-5 events": (2, 5),
    ", 6-15 events": (5, 15),
    ", 16 and more": (15, np.inf),
}
_DIRICHLET = 50.0  # chosen by likelihood on cutoffs up to 2011-05-01
OURS, COMMON, MODE, SHRUNK = "ours", "best common window", "own histogram", "Dirichlet shrinkage"


@dataclass(frozen=True, eq=False)
class Origin:
    """Counts before a cutoff, in total and 90 days earlier, what came then, and who it is; rows are customers.

    ``next_at``: hours from the cutoff to the next order, -1 where there is none; ``next_slot`` its hour of the week.
    """

    ids: Ints
    counts: Floats
    earlier: Floats
    segment: Ints
    later: Floats
    next_at: Ints
    next_slot: Ints
    rfm: pd.DataFrame


def orders(lines: pd.DataFrame) -> pd.DataFrame:
    """Return customer, wall (local microseconds) and segment of every customer-hour with an order, in order of time."""
    kept = lines[
        lines["CustomerID"].notna()
        & (lines["Quantity"] > 0)
        & (lines["Price"] > 0)
        & ~lines["Invoice"].str.startswith("C")
    ]
    invoices = kept.groupby(["CustomerID", "Invoice"], as_index=False).agg(
        wall=("InvoiceDate", "first"), country=("Country", "first")
    )
    wall = invoices["wall"].to_numpy(dtype="datetime64[us]").astype(np.int64)
    table = pd.DataFrame(
        {
            "customer": invoices["CustomerID"].astype(float).astype(int),
            "wall": wall,
            "segment": (invoices["country"] == "United Kingdom").astype(int),
        }
    )
    table = table.sort_values(["wall", "customer"], kind="stable")
    return table[~table.assign(hour=table["wall"] // HOUR).duplicated(["customer", "hour"])].reset_index(drop=True)


def origin(table: pd.DataFrame, cutoff: str) -> Origin:
    """Return what was known before ``cutoff`` and what came then, of everyone who had ordered before it."""
    at = int(np.datetime64(cutoff, "us").astype(np.int64))
    past, future = table[table["wall"] < at], table[table["wall"] >= at]
    ids = np.sort(past["customer"].unique())
    future = future[future["customer"].isin(ids)]
    first = future.groupby("customer")["wall"].first().reindex(ids)
    came = first.notna().to_numpy()
    next_wall = first.fillna(at).to_numpy(dtype=np.int64)
    days = past["wall"] // DAY
    by_day = pd.DataFrame({"customer": past["customer"], "day": days}).drop_duplicates().groupby("customer")["day"]
    start, end = by_day.min().reindex(ids), by_day.max().reindex(ids)
    rfm = pd.DataFrame({"frequency": by_day.size().reindex(ids) - 1, "recency": end - start, "age": at // DAY - start})
    return Origin(
        ids=ids,
        counts=_counts(past, ids),
        earlier=_counts(past[past["wall"] < at - _EARLIER_DAYS * DAY], ids),
        segment=past.groupby("customer")["segment"].first().reindex(ids).to_numpy(),
        later=_counts(future[future["wall"] < at + _CAPTURE_DAYS * DAY], ids),
        next_at=np.where(came, (next_wall - at) // HOUR, -1),
        next_slot=hour_of_week(next_wall),
        rfm=rfm.astype(float),
    )


def _counts(table: pd.DataFrame, ids: Ints) -> Floats:
    counts = np.zeros((len(ids), SLOTS))
    np.add.at(counts, (np.searchsorted(ids, table["customer"]), hour_of_week(table["wall"].to_numpy())), 1.0)
    return counts


def foretold(given: Origin) -> Mapping[str, Floats]:
    """Return the distribution over the week by method; ours learned by defaults."""
    habit = SlotHabit().fit(given.counts, given.segment, given.earlier)
    common = np.tile(habit.common_, (len(given.ids), 1))
    events = given.counts.sum(axis=1, keepdims=True)
    return {
        OURS: habit.predict(given.counts, given.segment).astype(np.float64),
        COMMON: common,
        MODE: (given.counts + 1.0) / (events + SLOTS),
        SHRUNK: (given.counts + _DIRICHLET * common) / (events + _DIRICHLET),
    }


def scored(table: pd.DataFrame, cutoffs: Sequence[str]) -> pd.DataFrame:
    """Return nats and capture of each method by customer and cutoff; columns (measure, method), customer, events."""
    parts = []
    for cutoff in cutoffs:
        given = origin(table, cutoff)
        came = given.next_at >= 0
        rows = np.arange(int(came.sum()))
        columns: dict[object, Floats | Ints] = {
            "customer": given.ids[came],
            "events": given.counts.sum(axis=1)[came],
        }
        for method, said in foretold(given).items():
            columns["nll", method] = -np.log(said[came][rows, given.next_slot[came]])
            columns["capture", method] = captured(said[came], given.later[came])
        parts.append(pd.DataFrame(columns))
    return pd.concat(parts, ignore_index=True)


def habit_claims(table: pd.DataFrame, draws: int) -> list[Result]:
    """Return capture and slot NLL beside the rivals, by the number of events known, and against the targets."""
    found = scored(table, _CUTOFFS)
    claim, data = "Hour of the week of the next order", f"{_DATA}, {len(found):,} customers at {', '.join(_CUTOFFS)}"
    results = []
    measures: tuple[tuple[str, str, Literal["higher", "lower"]], ...] = (
        ("capture", "3-hour capture", "higher"),
        ("nll", "slot NLL", "lower"),
    )
    for band, (above, up_to) in _BANDS.items():
        some = found[(found["events"] > above) & (found["events"] <= up_to)]
        for measure, name, better in measures:
            for rival in (COMMON, MODE, SHRUNK):
                ours, theirs = (some[measure, method] for method in (OURS, rival))
                gap = drawn(some, partial(_gap, (measure, OURS), (measure, rival)), draws)
                note = f"{len(some):,} customers" if band else ""
                results.append(
                    Result(claim, data, f"{name}{band}", ours.mean(), theirs.mean(), rival, better, *gap, note=note)
                )

    def lift(part: pd.DataFrame) -> float:
        return float(part["capture", OURS].mean() / part["capture", COMMON].mean() - 1.0)

    def nats(part: pd.DataFrame) -> float:
        return float(part["nll", OURS].mean())

    targets: tuple[tuple[str, Callable[[pd.DataFrame], float], float, Literal["higher", "lower"]], ...] = (
        ("capture, lift over best common window", lift, _TARGET_LIFT, "higher"),
        ("slot NLL", nats, _TARGET_NLL, "lower"),
    )
    for metric, measured, target, better in targets:
        low, high = drawn(found, measured, draws)
        results.append(
            Result(claim, data, metric, measured(found), target, "target", better, low - target, high - target)
        )
    return results


def _gap(ours: object, rival: object, part: pd.DataFrame) -> float:
    return float(part[ours].mean() - part[rival].mean())


def drawn(found: pd.DataFrame, measured: Callable[[pd.DataFrame], float], draws: int) -> tuple[float, float]:
    """Return the 95 % interval of a measure, customers drawn anew with all of their origins."""
    generator = np.random.default_rng(SEED)
    codes, ids = pd.factorize(found["customer"], sort=True)
    values = []
    for _ in range(draws):
        times = np.bincount(generator.integers(0, len(ids), len(ids)), minlength=len(ids))
        values.append(measured(found.iloc[np.repeat(np.arange(len(found)), times[codes])]))
    low, high = np.quantile(values, [0.025, 0.975])
    return float(low), float(high)


def day_hazards(table: pd.DataFrame, given: Origin) -> Floats:
    """Return -log P(none) of each of the next 14 days; shape (customers, 14). Level learned on closed fortnights."""
    ends = np.arange(1, _JOINT_DAYS + 1)
    said, ordered = [], []
    for cutoff in _PAST_FORTNIGHTS:
        past = origin(table, cutoff)
        said.append(-logit(_silent(past, _JOINT_DAYS)))
        ordered.append((past.next_at >= 0) & (past.next_at < 24 * _JOINT_DAYS))
    level = LogisticRegression(C=np.inf).fit(np.concatenate(said)[:, None], np.concatenate(ordered))
    curve = -np.log(np.stack([_silent(given, float(end)) for end in ends], axis=1))
    p_order = expit(level.intercept_[0] + level.coef_[0, 0] * -logit(np.exp(-curve[:, -1])))
    hazards = np.diff(curve, axis=1, prepend=0.0)
    return np.asarray(hazards * (-np.log1p(-p_order) / curve[:, -1])[:, None], dtype=np.float64)


def _silent(given: Origin, days: float) -> Floats:
    silent = np.asarray(ParetoNBD().fit(given.rfm).p_no_purchase(given.rfm, days), dtype=np.float64)
    return np.clip(silent, 1e-9, 1 - 1e-9)


def joint_nats(given: Origin, hazards: Floats, week: Floats, first_slot: int) -> Floats:
    """Return -log P of the hour of the next order within 14 days, or of none; shape (customers,)."""
    slots = (first_slot + np.arange(24 * _JOINT_DAYS)) % SLOTS
    hourly = np.repeat(hazards, 24, axis=1) * 7.0 * week[:, slots]
    total = np.cumsum(hourly, axis=1)
    rows = np.arange(len(hourly))
    came = (given.next_at >= 0) & (given.next_at < hourly.shape[1])
    place = np.where(came, given.next_at, 0)
    at = hourly[rows, place]
    return np.asarray(np.where(came, total[rows, place] - at - np.log(-np.expm1(-at)), total[:, -1]), dtype=np.float64)


def joint_claims(table: pd.DataFrame, draws: int) -> list[Result]:
    """Return the joint NLL beside a flat week, the common hours and the own histogram, and against the target."""
    given = origin(table, _JOINT)
    hazards = day_hazards(table, given)
    first = int(hour_of_week(np.array([_JOINT], "datetime64[us]").astype(np.int64))[0])
    weeks = {**foretold(given), "flat week": np.full((len(given.ids), SLOTS), 1.0 / SLOTS)}
    nats = pd.DataFrame({name: joint_nats(given, hazards, week, first) for name, week in weeks.items()})
    nats["customer"] = given.ids
    claim, data = "Day and hour of the next order, 14 days", f"{_DATA}, {len(nats):,} customers at {_JOINT}"
    results, ours = [], float(nats[OURS].mean())
    for rival in ("flat week", COMMON, MODE, SHRUNK):
        low, high = drawn(nats, partial(_gap, OURS, rival), draws)
        results.append(Result(claim, data, "joint NLL", ours, float(nats[rival].mean()), rival, "lower", low, high))
    low, high = drawn(nats, lambda part: float(part[OURS].mean()), draws)
    target = Result(
        claim, data, "joint NLL", ours, _TARGET_JOINT, "target", "lower", low - _TARGET_JOINT, high - _TARGET_JOINT
    )
    return [*results, target]


def machine_claims(table: pd.DataFrame) -> list[Result]:
    """Return how many orders of people are taken for a machine's."""
    found = machine_made(table["customer"].to_numpy(), table["wall"].to_numpy())
    note = ", ".join(f"{reason}: {count}" for reason, count in found.events.items())
    claim, data = "Orders taken for a machine's", f"{_DATA}, {len(table):,} customer-hours"
    return [Result(claim, data, "share flagged", float(found.mask.mean()), 0.001, "allowed", "lower", note=note)]


def _part(claims: Callable[[pd.DataFrame, int], list[Result]]) -> Part:
    def run(data: Path, quick: bool) -> list[Result]:
        start = time.perf_counter()
        made = claims(orders(load_online_retail(data)), 40 if quick else 400)
        return finished(made, time.perf_counter() - start)

    return run


PARTS: dict[str, Part] = {
    "habit": _part(habit_claims),
    "joint": _part(joint_claims),
    "machines": _part(lambda table, _: machine_claims(table)),
}
