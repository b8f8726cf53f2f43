"""Who gets which of five options within a budget and capacities: how near to the best, how fast, in how much memory.

Made customers: lognormal values, five options from a cheap message to a dear call, costs that grow with the discount. The gap is
certified: (bound on every plan - profit) ÷ bound. Rivals solve the same customers: "bisection" prices money by 60 halvings in
numpy, "greedy" gives everybody the option with the best profit for each unit of money, best first, "HiGHS" is the linear
programme on a slice. "allowed" is what was set beforehand. Seconds are the median of several runs, the notes hold their spread
and the CPU seconds; other work on the machine makes wall time longer than CPU time. The first call, which compiles, is a row of
its own. Streaming runs in a process of its own, so its memory is its own.
"""

import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks.claims import finished
from benchmarks.results_table import Result
from benchmarks.runner import Part
from churnvalue.decisions.allocation import Limits, allocate_within
from churnvalue.decisions.allocation.core import linear_prices
from churnvalue.decisions.allocation.prices import Problem
from churnvalue.decisions.allocation.streamed import OptionColumns, allocate_streamed

Floats = npt.NDArray[np.float32]
Found = TypeVar("Found")
SEED, OPTIONS = 7, 5
_A_CUSTOMER = 0.85  # budget
_BLOCK = 1_000_000
COLUMNS = OptionColumns(tuple(f"profit_{o}" for o in range(OPTIONS)), tuple(f"cost_{o}" for o in range(OPTIONS)), "key")


@dataclass(frozen=True)
class Effort:
    """How many customers, and how often each is run."""

    memory: tuple[int, ...]
    contested: int
    slice: int
    streamed: int
    runs: int


FULL = Effort((1_000_000, 10_000_000), 1_000_000, 20_000, 100_000_000, 5)
QUICK = Effort((1_000_000,), 200_000, 2_000, 2_000_000, 3)


@dataclass(frozen=True)
class Timed:
    """Median seconds of a call, and in words their spread and CPU seconds."""

    seconds: float
    note: str


def customers(number: int, block: int = 0) -> tuple[Floats, Floats]:
    """Return profit and cost of some customers; each block of them is others."""
    random = np.random.default_rng([SEED, block])
    value, at_risk = random.lognormal(4.0, 1.0, number), random.beta(1.2, 20.0, number)
    profit, cost = np.empty((number, OPTIONS), np.float32), np.empty((number, OPTIONS), np.float32)
    for option, (contact, discount) in enumerate(((0.05, 0.0), (0.5, 0.0), (2.0, 0.05), (5.0, 0.1), (12.0, 0.15))):
        redeemed = random.normal(0.35, 0.1, number).clip(0.0, 1.0)
        cost[:, option] = contact + discount * value * 0.5 * redeemed
        saved = at_risk * random.normal(0.15 * (option + 1) ** 0.6, 0.25, number) * value * 3
        profit[:, option] = saved - cost[:, option]
    return profit, cost


def many(number: int) -> tuple[Floats, Floats]:
    parts = [customers(min(_BLOCK, number - start), start) for start in range(0, number, _BLOCK)]
    return np.concatenate([p for p, _ in parts]), np.concatenate([c for _, c in parts])


def timed(call: Callable[[], Found], runs: int) -> tuple[Found, Timed]:
    """Return what a call returns and what it takes."""
    wall, cpu = [], []
    for _ in range(runs):
        start, used = time.perf_counter(), time.process_time()
        found = call()
        wall.append(time.perf_counter() - start)
        cpu.append(time.process_time() - used)
    spread = f"{min(wall):.3g} … {max(wall):.3g}"
    note = f"{runs} runs {spread} s; CPU {np.median(cpu):.3g} s ({min(cpu):.3g} … {max(cpu):.3g}); load {os.getloadavg()[0]:.1f}"
    return found, Timed(float(np.median(wall)), note)


def bisection(profit: Floats, cost: Floats, budget: float) -> tuple[float, float]:
    """Return profit and gap of pricing money by halving."""
    low, high = 0.0, 1e6
    rows = np.arange(len(profit))

    def at(price: float) -> tuple[float, float, float]:
        net = profit - np.float32(price) * cost
        best = net.argmax(axis=1)
        acts = net[rows, best] > 0
        spent = float(cost[rows, best][acts].sum(dtype=np.float64))
        earned = float(profit[rows, best][acts].sum(dtype=np.float64))
        return spent, earned, float(net[rows, best][acts].sum(dtype=np.float64)) + price * budget

    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if at(middle)[0] > budget else (low, middle)
    _, earned, bound = at(high)
    return earned, (bound - earned) / bound


def greedy(profit: Floats, cost: Floats, budget: float) -> float:
    """Return the profit of giving each their option of best profit for each unit of money, best first."""
    ratio = np.where(profit > 0, profit / cost, -np.inf)
    best = ratio.argmax(axis=1)
    rows = np.arange(len(profit))
    order = np.argsort(-ratio[rows, best], kind="stable")
    order = order[profit[order, best[order]] > 0]
    spent = np.cumsum(cost[order, best[order]], dtype=np.float64)
    return float(profit[order, best[order]][spent <= budget].sum(dtype=np.float64))


def one_budget(effort: Effort) -> list[Result]:
    """Return time and gap of a budget alone beside bisection and greedy."""
    results = []
    start, (few, price) = time.perf_counter(), customers(10)
    allocate_within(few, price, Limits(5.0), np.arange(10, dtype=np.uint64))
    results.append(Result("One budget", "10 customers", "first call, wall s", time.perf_counter() - start, 2.0, "allowed", "lower",
                          note="compiles, where no earlier process has; keeps what it compiled"))  # fmt: skip
    for number, allowed in zip(effort.memory, (0.1, 1.0), strict=False):
        profit, cost = many(number)
        keys, budget = np.random.default_rng(SEED).permutation(number).astype(np.uint64), _A_CUSTOMER * number
        found, took = timed(lambda: allocate_within(profit, cost, Limits(budget), keys), effort.runs)  # noqa: B023
        (earned, gap), halved = timed(lambda: bisection(profit, cost, budget), 1)  # noqa: B023
        simple, sorted_in = timed(lambda: greedy(profit, cost, budget), 1)  # noqa: B023
        claim, data = f"One budget, {number:,} customers", f"{number:,} made customers × {OPTIONS} options"
        for rival, other in (("allowed", Timed(allowed, "")), ("bisection", halved), ("greedy", sorted_in)):
            note = took.note + (f"; {rival} {other.note}" if other.note else "")
            results.append(Result(claim, data, "wall s", took.seconds, other.seconds, rival, "lower", note=note))
        results.append(Result(claim, data, "gap", found.gap, 1e-6, "allowed", "lower"))
        results.append(Result(claim, data, "gap", found.gap, gap, "bisection", "lower"))
        results.append(Result(claim, data, "profit", found.profit, earned, "bisection", "higher"))
        results.append(Result(claim, data, "profit", found.profit, simple, "greedy", "higher"))
    return results


def three_capacities(effort: Effort) -> list[Result]:
    """Return time and gap of a budget and three capacities, of many and on a slice beside HiGHS."""
    results = []
    for number in (effort.contested, effort.slice):
        profit, cost = many(number)
        limits = Limits(_A_CUSTOMER * number, np.array([0.02, 0.03, 0.05]) * number, np.eye(OPTIONS)[:, [4, 3, 2]])
        keys = np.random.default_rng(SEED).permutation(number).astype(np.uint64)
        allocate_within(profit[:5000], cost[:5000], limits, keys[:5000])  # compiles
        found, took = timed(lambda: allocate_within(profit, cost, limits, keys), effort.runs)  # noqa: B023
        claim, data = (
            f"Budget and three capacities, {number:,} customers",
            f"{number:,} made customers × {OPTIONS} options",
        )
        if number == effort.contested:
            results.append(Result(claim, data, "wall s", took.seconds, 2.0, "allowed", "lower", note=took.note))
            results.append(Result(claim, data, "gap", found.gap, 1e-6, "allowed", "lower"))
            continue
        uses, bounds = np.asarray(limits.uses, dtype=np.float64)[None], np.append(limits.budget, limits.capacity)
        whole = Problem(profit.astype(float), cost.astype(float), np.zeros(number, np.int64), uses, bounds)
        prices, solved = timed(lambda: linear_prices(whole), 1)  # noqa: B023
        assert prices is not None
        best = whole.bound(prices)
        results.append(Result(claim, data, "wall s", took.seconds, solved.seconds, "HiGHS", "lower", note=took.note))
        results.append(
            Result(claim, data, "bound over linear optimum", found.bound / best - 1, 1e-6, "allowed", "lower")
        )
        results.append(
            Result(claim, data, "profit below linear optimum", 1 - found.profit / best, 1e-6, "allowed", "lower")
        )
    return results


def streamed(effort: Effort) -> list[Result]:
    """Return time and memory of customers who stay in a Parquet file."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "customers.parquet"
        _write(path, effort.streamed)
        arguments = [sys.executable, "-m", "benchmarks.retention_allocation", str(path)]
        said = subprocess.run(arguments, capture_output=True, text=True, check=True).stdout.split()
    seconds, cpu, peak, gap, size = (float(part) for part in said)
    claim, data = (
        f"One budget, {effort.streamed:,} customers from Parquet",
        f"{effort.streamed:,} made customers × {OPTIONS} options",
    )
    note = f"two passes, one run; CPU {cpu:.0f} s; load {os.getloadavg()[0]:.1f}; {size:,.0f} MB of Parquet"
    return [
        Result(claim, data, "peak MB", peak, 4096.0, "allowed", "lower", note=note),
        Result(claim, data, "wall s", seconds, None, "allowed", "lower", note=note),
        Result(claim, data, "gap", gap, 1e-6, "allowed", "lower"),
    ]


def _write(path: Path, number: int) -> None:
    schema = pa.schema([(name, pa.float32()) for name in (*COLUMNS.profit, *COLUMNS.cost)] + [("key", pa.uint64())])
    with pq.ParquetWriter(path, schema, compression="none", use_dictionary=False) as writer:
        for start in range(0, number, _BLOCK):
            size = min(_BLOCK, number - start)
            profit, cost = customers(size, start)
            keys = np.arange(start, start + size, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)
            writer.write_table(pa.table([*profit.T, *cost.T, keys], schema=schema))


def stream_one(path: Path) -> None:
    """Allocate over a file and print seconds, CPU seconds, peak MB, gap and MB of the file."""

    def read() -> Iterator[pa.RecordBatch]:
        # One row group at a time: iterating over the whole file kept what was read, 5.4 GB of 100M customers.
        with pq.ParquetFile(path, pre_buffer=False) as file:
            for group in range(file.num_row_groups):
                yield from file.read_row_group(group, use_threads=False).to_batches(max_chunksize=1 << 18)

    number = pq.read_metadata(path).num_rows
    start, used = time.perf_counter(), time.process_time()
    found = allocate_streamed(read, COLUMNS, _A_CUSTOMER * number)
    rows = sum(batch.num_rows for batch in found.batches())
    assert rows == number
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    gap = (found.bound - found.profit) / found.bound
    print(time.perf_counter() - start, time.process_time() - used, peak, gap, path.stat().st_size / 1e6)


def _part(claims: Callable[[Effort], list[Result]]) -> Part:
    def run(_: Path, quick: bool) -> list[Result]:
        start = time.perf_counter()
        made = claims(QUICK if quick else FULL)
        return finished(made, time.perf_counter() - start)

    return run


PARTS: dict[str, Part] = {
    "one-budget": _part(one_budget),
    "three-capacities": _part(three_capacities),
    "streamed": _part(streamed),
}

if __name__ == "__main__":
    stream_one(Path(sys.argv[1]))
