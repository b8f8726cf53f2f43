"""When to send: response against activity on randomised sends, simulated worlds with known truth, and the assignment.

HeartSteps V1 (37 people, pushes randomised at five times a day): answered rate, mean over people, of the slot chosen on one
half of the weeks, read on the other; 40 random halves. Intervals are over people, each with all of the halves. Of what decides
whether hours are personal, the standard errors asked for were chosen while seeing halves 0-39 of the same 37 people and worlds
0-4, the test itself and the preference for the simplest while seeing halves 1000-1039 and worlds 100-109. Reported are halves
2000-2039 and worlds 200-219; the people remain the same. Worlds:
customers with a true habit of their own, seen through 60 events, and sends explored evenly over 91 hours of the week;
afterwards each gets the hour chosen, judged by the true response rate. "best possible" knows the truth. Assignment: messages of
known worth in hours with room for fewer than there are; a tenth of the customers have two messages at least two hours apart;
a fifth are limited by earlier sends. "bound" is the Lagrangian's, above every plan. HiGHS solves the whole linear programme of
a slice without second messages, whose optimum is integral.
"""

import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import sparse
from scipy.optimize import linprog

from benchmarks.claims import SEED, finished
from benchmarks.results_table import Result
from benchmarks.runner import Part
from churnvalue.decisions.sending.prices import SendProblem, assign_slots
from churnvalue.timing.calendar import allowed_hours
from churnvalue.timing.habit import SlotHabit
from churnvalue.timing.response import SendLog, SlotResponse

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

_PRIOR = 5.0
_WEEK = 35  # decision points
_CHANNEL = "push"
_FIRST_SPLIT, _FIRST_WORLD = 2000, 200  # no earlier seed: choices were made while seeing those
_ALLOWED_SHORT = 5.0


@dataclass(frozen=True)
class Effort:
    """How much is run."""

    splits: int
    worlds: int
    customers: int
    messages: int
    slice: int


FULL = Effort(splits=40, worlds=20, customers=20_000, messages=100_000, slice=2_000)
QUICK = Effort(splits=10, worlds=2, customers=10_000, messages=20_000, slice=500)


def heartsteps(data: Path, effort: Effort) -> list[Result]:
    """Return the answered rate of our choice of slot beside that of random, own activity, own response and common slots."""
    start = time.perf_counter()
    frame = pd.read_parquet(data / "heartsteps_v1" / "suggestions.parquet")
    frame = frame[frame["avail"] & frame["send"].notna() & frame["decision.index.nogap"].notna()]
    table = pd.DataFrame(
        {
            "person": frame["user.index"].astype(str),
            "time": frame["decision.index.nogap"].astype(int),
            "slot": frame["sugg.select.slot"].astype(int) - 1,
            "sent": frame["send"].astype(str) == "True",
            "answered": frame["response"].isin(["good", "bad"]),
            "steps": np.log(frame["jbsteps30.zero"] + 0.5),
        }
    ).reset_index(drop=True)
    people = np.sort(table["person"].unique())
    weeks = int(table["time"].max()) // _WEEK + 1
    found: dict[str, list[pd.Series]] = {}
    personal = 0
    for split in range(effort.splits):
        generator = np.random.default_rng(_FIRST_SPLIT + split)
        picked = {p: generator.permutation(weeks)[: weeks // 2] for p in table["person"].unique()}
        learn = np.array([w in picked[p] for p, w in zip(table["person"], table["time"] // _WEEK, strict=True)])
        slots, policy = _slots(table[learn], people)
        personal += policy != "common"
        held = table[~learn & table["sent"]]
        found.setdefault("random slot", []).append(held.groupby("person")["answered"].mean())
        for name, chosen in slots.items():
            matched = held[held["slot"] == held["person"].map(pd.Series(chosen, people))]
            found.setdefault(name, []).append(matched.groupby("person")["answered"].mean())
    rates = {name: pd.concat(each, axis=1).reindex(people) for name, each in found.items()}
    note = f"personal slots were chosen in {personal} of {effort.splits} halves; the common slot otherwise"
    ours, results = rates.pop("ours"), []
    for name, theirs in rates.items():
        low, high = _people_interval(ours, theirs)
        mine, other = (float(one.mean().mean()) for one in (ours, theirs))
        results.append(Result("Hour of a push, HeartSteps", f"{len(people)} people", "answered rate", mine, other, name, "higher",
                              low, high, note=note))  # fmt: skip
    mine = float(ours.mean().mean())
    low, high = _people_interval(ours, ours * 0 + 0.568)
    results.append(Result("Hour of a push, HeartSteps", f"{len(people)} people", "answered rate", mine, 0.568, "measured before",
                          "higher", low, high, note=note))  # fmt: skip
    return finished(results, time.perf_counter() - start)


def _slots(learn: pd.DataFrame, people: npt.NDArray[np.object_]) -> tuple[dict[str, Ints], str]:
    """Return the slot each method chooses for each person, and by which policy ours did."""
    quiet, sent = learn[~learn["sent"]], learn[learn["sent"]]
    common = quiet.groupby("slot")["steps"].mean()
    own = quiet.pivot_table(values="steps", index="person", columns="slot", aggfunc=["sum", "size"], fill_value=0)
    activity = (own["sum"] + _PRIOR * common) / (own["size"] + _PRIOR)
    activity = activity.reindex(people).fillna(common)
    habit = np.exp(activity.to_numpy())
    habit /= habit.sum(axis=1, keepdims=True)
    rate, level = sent.groupby("slot")["answered"].mean(), sent.groupby("person")["answered"].mean().reindex(people)
    answers = sent.pivot_table(values="answered", index="person", columns="slot", aggfunc=["sum", "size"], fill_value=0)
    answers = answers.reindex(people, fill_value=0)
    prior = np.add.outer(level.fillna(rate.mean()).to_numpy(), (rate - rate.mean()).to_numpy())
    shrunk = (answers["sum"].to_numpy() + 8 * prior) / (answers["size"].to_numpy() + 8)
    row = pd.Index(people).get_indexer(sent["person"])
    log = SendLog(
        sent["person"].to_numpy(dtype=object), sent["time"].to_numpy(np.int64), sent["slot"].to_numpy(np.int64),
        np.full(len(sent), _CHANNEL, dtype=object), sent["answered"].to_numpy(bool), np.full(len(sent), 1 / 5),
    )  # fmt: skip
    response = SlotResponse(parts=np.arange(5)).fit(log, habit[row])
    ours = response.predict(_CHANNEL, habit, people)
    return {
        "own most active slot": habit.argmax(axis=1),
        "own response, shrunk": shrunk.argmax(axis=1),
        "best common slot": np.full(len(people), int(rate.idxmax())),
        "ours": np.nan_to_num(ours, nan=-1.0).argmax(axis=1),
    }, response.channels_[_CHANNEL].policy


def _people_interval(ours: pd.DataFrame, theirs: pd.DataFrame, draws: int = 1000) -> tuple[float, float]:
    """Return bounds (95 %) of the difference, people drawn anew, each with all halves."""
    gap = (ours.mean(axis=1) - theirs.mean(axis=1)).dropna().to_numpy()
    generator = np.random.default_rng(SEED)
    means = gap[generator.integers(0, len(gap), (draws, len(gap)))].mean(axis=1)
    low, high = np.quantile(means, [0.025, 0.975])
    return float(low), float(high)


def worlds(effort: Effort) -> list[Result]:
    """Return the true response rate of the hours chosen after exploration, in worlds with a known answer."""
    start, results = time.perf_counter(), []
    customers = effort.customers
    for name in ("response follows own habit", "response is unrelated to habit", "the hour hardly matters"):
        runs = pd.DataFrame([_world(name, customers, _FIRST_WORLD + number) for number in range(effort.worlds)])
        personal = int((runs.pop("policy") != "common").sum())
        claim, data = "Three simulated worlds", f"{len(runs)} worlds, 91 hours, a base rate of 5 %"
        note = f"{name}, {customers:,} sends: personal hours chosen in {personal} of {len(runs)} worlds"
        for rival in runs.columns.drop("ours"):
            low, high = _reach(runs["ours"] - runs[rival])
            metric = f"{name}, {customers:,} explored sends"
            ours, theirs = float(runs["ours"].mean()), float(runs[rival].mean())
            results.append(Result(claim, data, metric, ours, theirs, rival, "higher", low, high, note=note))
        short = 100.0 * (1.0 - runs["ours"] / runs["best possible"])
        low, high = _reach(short - _ALLOWED_SHORT)
        metric = f"{name}, % short of the best possible"
        ours = float(short.mean())
        results.append(Result(claim, data, metric, ours, _ALLOWED_SHORT, "allowed", "lower", low, high, note=note))
    return finished(results, time.perf_counter() - start)


def _reach(gap: "pd.Series[float]") -> tuple[float, float]:
    """Return bounds (95 %) of the mean over worlds."""
    reach = 1.96 * float(gap.std()) / np.sqrt(len(gap))
    return float(gap.mean() - reach), float(gap.mean() + reach)


def _world(name: str, customers: int, seed: int) -> dict[str, float | str]:
    """Return the mean true response rate of each method's hours in one world."""
    generator = np.random.default_rng([SEED, seed])
    hours = np.flatnonzero(np.tile(allowed_hours(("21:00", "08:00")), 7))
    hour, day = np.arange(168) % 24, np.arange(168) // 24
    bumps = [np.exp(6 * (np.cos(2 * np.pi * (hour - peak) / 24) - 1)) for peak in (9, 13, 19)]
    kinds = np.stack([bump * np.where(day < 5, work, 1.0) + 0.02 for bump in bumps for work in (1.5, 0.4)])
    habit = generator.dirichlet(np.full(len(kinds), 0.4), customers) @ kinds
    habit /= habit.sum(axis=1, keepdims=True)
    events = generator.multinomial(60, habit)
    seen = np.asarray(SlotHabit().fit(events).predict(events), dtype=np.float64)
    evening = 1 + 0.8 * np.exp(-0.5 * ((hour - 18) / 2.0) ** 2) * (day < 5)
    shape = {
        "response follows own habit": np.sqrt(habit * 168),
        "response is unrelated to habit": np.broadcast_to(evening, habit.shape),
        "the hour hardly matters": (habit * 168) ** 0.03,
    }[name]
    level = generator.gamma(2.0, 0.5, customers)
    rate = np.minimum(0.05 * level[:, None] * shape / shape[:, hours].mean(), 0.95)
    who = np.arange(customers)
    slot = generator.choice(hours, customers)
    ids = np.char.add("c", who.astype(str)).astype(object)
    eligible = np.zeros((customers, 168), dtype=bool)
    eligible[:, hours] = True
    log = SendLog(
        ids, np.zeros(customers, np.int64), slot, np.full(customers, _CHANNEL, dtype=object),
        generator.random(customers) < rate[who, slot], np.full(customers, 1 / len(hours)), eligible,
    )  # fmt: skip
    response = SlotResponse().fit(log, seen)
    ours = np.nan_to_num(response.predict(_CHANNEL, seen, ids), nan=-1.0)[:, hours].argmax(axis=1)
    counted = pd.Series(log.responded).groupby(slot).mean().reindex(hours).fillna(0.0)
    return {
        "ours": float(rate[who, hours[ours]].mean()),
        "best possible": float(rate[:, hours].max(axis=1).mean()),
        "best common hour, knowing the truth": float(rate[:, hours].mean(axis=0).max()),
        "best common hour, as counted": float(rate[:, hours[int(counted.argmax())]].mean()),
        "own habit": float(rate[who, hours[seen[:, hours].argmax(axis=1)]].mean()),
        "random hour": float(rate[:, hours].mean()),
        "policy": response.channels_[_CHANNEL].policy,
    }


def made_problem(customers: int, two: float, tight: float, slots: int = 56) -> SendProblem:
    """Return messages of random worth in hours with room for the share ``tight`` of them."""
    generator = np.random.default_rng(SEED)
    counts = 1 + (generator.random(customers) < two)
    first = np.append(0, np.cumsum(counts)).astype(np.int64)
    own = np.repeat(np.arange(customers), counts)
    suits = (
        np.sqrt(generator.dirichlet(np.full(slots, 0.5), customers) * generator.dirichlet(np.full(slots, 2.0))) * slots
    )
    value = np.exp(generator.normal(0, 1, customers))
    net = (value[own, None] * suits[own] - 0.3).astype(np.float32)
    net[generator.random(net.shape) < 0.1] = -np.inf
    limited, until = generator.random(len(own)) < 0.2, generator.integers(0, slots // 2, len(own))
    net[limited[:, None] & (np.arange(slots) < until[:, None])] = -np.inf
    places, none = np.arange(slots)[None], np.zeros(net.shape, np.int16)
    return SendProblem(
        net, np.zeros(len(own), np.int64), places, places, places, first, np.zeros(customers, np.int64),
        np.maximum(places - 2, -1), np.zeros(len(own), np.int64), none, none, 2, np.array([2]),
        np.array([0.001, 0.002, 0.004]), value, np.full(slots, np.floor(tight * len(own) / slots)),
    )  # fmt: skip


def greedy(problem: SendProblem) -> float:
    """Return the worth of serving one message after the other, those first that lose most without their best hour."""
    net = np.where(np.isfinite(problem.net), problem.net, 0.0).astype(np.float64)
    room, total = problem.capacity.copy(), 0.0
    for row in np.argsort(net.mean(axis=1) - net.max(axis=1), kind="stable"):
        worth = np.where(room >= 1, net[row], 0.0)
        place = int(worth.argmax())
        total += worth[place]
        room[place] -= worth[place] > 0
    return float(total)


def optimum(problem: SendProblem) -> float:
    """Return the worth of the best plan where every customer has one message, by linear programming (HiGHS)."""
    rows, places = np.nonzero(problem.net > 0)
    once = sparse.csr_array((np.ones(len(rows)), (rows, np.arange(len(rows)))), shape=(len(problem.net), len(rows)))
    full = sparse.csr_array(
        (np.ones(len(rows)), (places, np.arange(len(rows)))), shape=(len(problem.capacity), len(rows))
    )
    limits = np.concatenate([np.ones(len(problem.net)), problem.capacity])
    return float(-linprog(-problem.net[rows, places], A_ub=sparse.vstack([once, full]), b_ub=limits, bounds=(0, 1)).fun)


def assignment(effort: Effort) -> list[Result]:
    """Return seconds and gap of the assignment, with rivals on the same problems."""
    start, results = time.perf_counter(), []
    assign_slots(made_problem(200, 0.5, 0.5))  # compiled once
    claim, data = "Assignment of messages to hours", f"{effort.messages:,} customers, 56 hours"
    for tight in (0.5, 0.8, 1.05):
        problem = made_problem(effort.messages, 0.1, tight)
        wall, cpu = time.perf_counter(), time.process_time()
        made = assign_slots(problem)
        wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
        where = f"room for {tight:.0%} of the messages"
        note = f"{where}: {wall:.2f} s on the wall"
        results.append(Result(claim, data, f"CPU s, {where}", cpu, 3.0, "allowed", "lower", note=note))
        results.append(Result(claim, data, f"gap to the bound in %, {where}", 100 * made.gap, 0.01, "allowed", "lower"))
    single = made_problem(effort.messages, 0.0, 0.8)
    wall = time.process_time()
    worth = greedy(single)
    note = f"one message each; greedy took {time.process_time() - wall:.1f} CPU s"
    ours = assign_slots(single).value
    results.append(Result(claim, data, "worth against greedy", ours / worth, 1.0, "greedy", "higher", note=note))
    small = made_problem(effort.slice, 0.0, 0.8)
    best, wall = optimum(small), time.process_time()
    share = assign_slots(small).value / best
    note = f"{effort.slice:,} customers, one message each"
    results.append(Result(claim, data, "share of the optimum on a slice", share, 1.0, "HiGHS", "higher", note=note))
    return finished(results, time.perf_counter() - start)


PARTS: dict[str, Part] = {
    "heartsteps": lambda data, quick: heartsteps(data, QUICK if quick else FULL),
    "worlds": lambda _, quick: worlds(QUICK if quick else FULL),
    "assignment": lambda _, quick: assignment(QUICK if quick else FULL),
}
