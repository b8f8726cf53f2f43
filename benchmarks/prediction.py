"""Churn, orders, spend: one default configuration on three logs against every baseline, on the same customers.

Learning is that of `churnvalue train --as-of`, predictions are those of `churnvalue score`; nothing is tuned to a log, only the
mapping of columns, the population and the horizon differ. Nothing after an origin is read before it is scored. `pareto_nbd`,
`bg_nbd` are fitted to the same histories; `lightgbm` is the blend's own trees without buy-till-you-die, level set on the newest
closed window (beyond 90 days stretched as Pareto/NBD says, as ours is). "floor" is the best published peer, "target" the best
cell of any single model measured before, on the same split of CDNOW.

Bias and coverage are shown as distances, so that lower is better: |predicted total ÷ actual total - 1|, |share - 0.80|; the
notes hold the plain values. Coverage is of [p10, p90] of spend, randomised: most customers spend exactly 0, so a share counted
plainly is near 90 % even for perfect quantiles, while 80 % is due once a 0 is spread evenly over the probability of it.
Intervals of differences are of 200 draws. Time and memory depend on the machine and on what else it was doing.
"""

import argparse
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from benchmarks import origins as logs
from benchmarks.claims import COLUMNS, MAIN, SEED, against_published, compared, covering, finished, totals
from benchmarks.origins import foretell, with_training
from benchmarks.resources import NOT_PROMOTED, fit_seconds, run_command, tiled
from benchmarks.results_table import RESULTS, Result, load, replaced, save, tables, write_readme
from churnvalue import clock
from churnvalue.config import Config
from churnvalue.engines import read_log
from churnvalue.frames import feature_frame
from churnvalue.models import buy_till_you_die

_A_SEASON_BEFORE = "2011-03-01"  # the first origin with the same window, and history before it, a year earlier
PARTS = ("cdnow", "retail", "simulated", "costs")


@dataclass(frozen=True)
class Effort:
    """How much is run: None for the default number of trials."""

    trials: int | None
    draws: int
    cdnow: tuple[str, ...]
    retail: tuple[str, ...]
    seeds: tuple[int, ...]
    fits: int
    commands: tuple[str, ...]


FULL = Effort(
    trials=None,
    draws=200,
    cdnow=("1997-10-01", "1998-01-01", "1998-03-01"),
    retail=("2010-11-01", "2011-01-01", "2011-03-01", "2011-05-01", "2011-07-01", "2011-09-01"),
    seeds=(1, 2, 3, 4, 5),
    fits=5,
    commands=("train", "backtest"),
)
QUICK = Effort(
    trials=3, draws=40, cdnow=FULL.cdnow[:1], retail=FULL.retail[3::2], seeds=(1, 2), fits=2, commands=("train",)
)


def on_cdnow(config: Config, effort: Effort) -> list[Result]:
    """Return both horizons of the published split beside the floors, totals at more origins, coverage."""
    data, results, found = "CDNOW, 23,570 customers of one cohort", [], {}
    for horizon in (90, 273):
        for as_of in effort.cdnow if horizon == 90 else effort.cdnow[:1]:
            found[as_of, horizon] = foretell(with_training(config, horizon, effort.trials), as_of)
        origin = found[effort.cdnow[0], horizon]
        claim = f"CDNOW, {horizon} days ahead of {origin.cutoff}"
        both = compared(claim, data, [origin], COLUMNS, effort.draws) + against_published(claim, data, origin)
        results += finished(both, origin.seconds)
    short = [origin for (_, horizon), origin in found.items() if horizon == 90]
    seconds = sum(origin.seconds for origin in short)
    results += finished(compared("CDNOW, 90 days, mean of origins", data, short, MAIN[:3], effort.draws), seconds)
    results += finished(totals("CDNOW, total spend, 90 days", data, short), seconds)
    results += finished(covering("CDNOW, 80 % interval of spend, 90 days", data, short), seconds)
    long = found[effort.cdnow[0], 273]
    return results + finished(covering("CDNOW, 80 % interval of spend, 273 days", data, [long]), long.seconds)


def on_retail(config: Config, effort: Effort) -> list[Result]:
    """Return Online Retail II over its origins, and over those whose log shows the same season a year before."""
    found = [foretell(with_training(config, 90, effort.trials), as_of) for as_of in effort.retail]
    later = [origin for origin in found if origin.cutoff >= _A_SEASON_BEFORE]
    results = []
    for where, chosen in (("", found), (f"from {_A_SEASON_BEFORE} on, ", later)):
        sizes = ", ".join(f"{origin.cutoff} ({len(origin.actual):,} customers)" for origin in chosen)
        data, seconds = f"Online Retail II at {sizes}", sum(origin.seconds for origin in chosen)
        rows = compared(f"Online Retail II, 90 days, {where}mean of origins", data, chosen, MAIN, effort.draws)
        rows += totals(f"Online Retail II, {where}total spend, 90 days", data, chosen)
        if not where:
            rows += covering("Online Retail II, 80 % interval of spend, 90 days", data, chosen)
        results += finished(rows, seconds)
    return results


def on_simulated(folder: Path, effort: Effort, customers: int = 600, days: int = 600) -> list[Result]:
    """Return small simulated bases against buy-till-you-die alone, the mean over seeds."""
    found = []
    for seed in effort.seeds:
        config = logs.simulated(customers, days, seed, folder)
        as_of = clock.text(read_log(config).first // clock.DAY * clock.DAY + days * 3 // 4 * clock.DAY)[:10]
        origin = foretell(with_training(config, 90, effort.trials), as_of)
        # The same ids stand for other people under another seed.
        own = origin.actual.set_axis([f"{seed}-{customer}" for customer in origin.actual.index])
        found.append(replace(origin, actual=own))
    data = f"{len(found)} simulated bases of {customers} customers, day {days * 3 // 4} of {days}"
    claim = f"Simulated, {customers} customers, 90 days, mean of bases"
    return finished(compared(claim, data, found, MAIN, effort.draws), sum(origin.seconds for origin in found))


def costs(config: Config, effort: Effort) -> list[Result]:
    """Return CPU seconds of one fit of Pareto/NBD, and time and memory of the commands on CDNOW."""
    start, kind = time.perf_counter(), config.outcome.kind
    cutoff = clock.micros(effort.cdnow[0])
    frame = feature_frame(read_log(config, cutoff), buy_till_you_die.inputs(kind), cutoff, config.population)
    rfm = buy_till_you_die.summary(frame, kind)
    claim, results = "Time and memory, one thread", []
    fits: Mapping[str, tuple[list[float], float]] = {
        f"Pareto/NBD fit, {len(rfm):,} customers, CPU s": (fit_seconds(rfm, effort.fits), 0.2),
        "Pareto/NBD fit, 1,000,000 customers, CPU s": (fit_seconds(tiled(rfm, 1_000_000, SEED), max(effort.fits // 2, 1)), 3.0),
    }  # fmt: skip
    for metric, (seconds, limit) in fits.items():
        note = f"median of {len(seconds)}: {', '.join(f'{s:.3f}' for s in seconds)}"
        results.append(Result(claim, "CDNOW", metric, float(np.median(seconds)), limit, "allowed", "lower", note=note))
    for command in effort.commands:
        text = (config.folder / "churnvalue.toml").read_text(encoding="utf-8")
        training = "threads = 1" + ("" if effort.trials is None else f"\ntrials = {effort.trials}")
        own = config.folder / "one-thread.toml"
        own.write_text(f"{text}\n[training]\n{training}\n", encoding="utf-8")
        used = run_command([command, "--config", own.name, "--out", f"out-{command}"], config.folder)
        ended = "; the gate refused it" if used.code == NOT_PROMOTED else ""
        note = f"the whole log, 90 days; {used.cpu_seconds:.0f} CPU s{ended}"
        wall, memory = f"churnvalue {command}, wall s", f"churnvalue {command}, peak MB"
        results.append(Result(claim, "CDNOW", wall, used.seconds, 180.0, "allowed", "lower", note=note))
        results.append(Result(claim, "CDNOW", memory, used.peak_mb, 1500.0, "allowed", "lower"))
    return finished(results, time.perf_counter() - start)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.prediction", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--data", type=Path, required=True, help="folder with online_retail_ii/ and, if wanted, cdnow/")
    parser.add_argument("--quick", action="store_true", help="fewer trials, origins and draws; kept in results/quick")
    parser.add_argument("--out", type=Path, help="folder of prediction.json")
    parser.add_argument("--part", action="append", choices=PARTS, help="only this part; other results stay as they are")
    given = parser.parse_args()
    effort, out = (QUICK, RESULTS / "quick") if given.quick else (FULL, RESULTS)
    path = (given.out or out) / "prediction.json"
    results = load(path) if given.part and path.is_file() else []
    with tempfile.TemporaryDirectory() as name, threadpool_limits(1):
        folder = Path(name)
        cdnow = logs.cdnow(given.data, folder)
        parts: dict[str, Callable[[], list[Result]]] = {
            "cdnow": lambda: on_cdnow(cdnow, effort),
            "retail": lambda: on_retail(logs.online_retail(given.data, folder), effort),
            "simulated": lambda: on_simulated(folder, effort),
            "costs": lambda: costs(cdnow, effort),
        }
        for part in given.part or PARTS:
            made = parts[part]()
            print(tables(made), flush=True)
            results = replaced(results, made)
            save(results, path)
            if path.parent == RESULTS:
                write_readme()


if __name__ == "__main__":
    main()
