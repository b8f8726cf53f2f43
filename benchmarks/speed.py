"""How long a log takes, and how much memory: features, training, scores, reasons, plan, beside what others need for the same.

Logs are made: five kinds of event over two years, 20 categories, lognormal activity, customers who join and leave, ids that are
text. "Sparse" is 20 events a customer, "dense" 200. Every run is a fresh process that has done the same with a log of a few events
before, so imports and what libraries load at their first use are left out (their cost has a row of its own); the notes hold the
spread and the CPU seconds. "sort" is DuckDB's sort of the same columns to Arrow, "scan" its scan
with GROUP BY (count, sum, max). "DuckDB SQL" is the quickest query of the same 80 features that we could write by hand, checked
to give the same numbers; so is the one for Spark. A rival that is not installed is left out. "allowed" was set beforehand.
"""

import sys
import time
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np

from benchmarks.resources import run_command
from benchmarks.results_table import Result, versions
from benchmarks.runner import run
from benchmarks.speed_duckdb import scan, sharded_sql, sort
from benchmarks.speed_log import cutoffs
from benchmarks.speed_measured import Cost, NotInstalled, measured, spread
from benchmarks.speed_ours import SEED, made_log, our_features, our_features_in_ranges
from benchmarks.speed_rivals import FEATURE_RIVALS, lifetimes_fits, tree_drivers

_SPARSE, _DENSE = 20, 200
_ALLOWED = {1: 1.5, 6: 2.5}  # times as long as the sort
_AS_OF = "2024-12-30"


def features(data: Path, quick: bool) -> list[Result]:
    """Return seconds and memory of features from Parquet to frame, at one cutoff and at six."""
    del data
    events, repeat = (1_000_000, 2) if quick else (10_000_000, 5)
    few = made_log(20_000, 1_000)
    measured(our_features, few, cutoffs(1), repeat=1)  # compiles
    first = measured(our_features, few, cutoffs(1), repeat=repeat)
    results = _timed("80 features, what a process loads at first", "20,000 events", first, {})
    for name, each in (("sparse", _SPARSE), ("dense", _DENSE)):
        log = made_log(events, events // each)
        floor = {
            "scan": measured(scan, log, cutoffs(1), repeat=repeat, warm=(few, cutoffs(1))),
            "sort": measured(sort, log, repeat=repeat, warm=(few,)),
        }
        for many in (1, 6):
            given, warm = (log, cutoffs(many)), (few, cutoffs(many))
            ours = measured(our_features, *given, repeat=repeat, warm=warm)
            rivals = dict(floor) | {
                rival: measured(function, *given, repeat=repeat if rival == "DuckDB SQL" else 1, warm=warm)
                for rival, function in FEATURE_RIVALS.items()
                if rival != "pandas" or (many == 1 and name == "sparse")
            }
            data_name = f"{events:,} events, {name}, {'one cutoff' if many == 1 else 'six cutoffs'}"
            results += _timed("80 features, from Parquet to frame", data_name, ours, rivals)
            results += _within(data_name, ours, floor["sort"], _ALLOWED[many])
    return results


def features_large(data: Path, quick: bool) -> list[Result]:
    """Return seconds and memory where a log is gone through in ranges of customers."""
    del data
    events = 2_000_000 if quick else 100_000_000
    log, few = made_log(events, events // _SPARSE), made_log(20_000, 1_000)
    results = []
    for many, allowed in ((1, 30.0), (6, 160.0)):
        given, warm = (log, cutoffs(many)), (few, cutoffs(many))
        ours = measured(our_features_in_ranges, *given, repeat=1, warm=warm)
        rivals = {"DuckDB SQL in shards": measured(sharded_sql, *given, repeat=1, warm=warm)} if many == 1 else {}
        name = f"{events:,} events, sparse, {'one cutoff' if many == 1 else 'six cutoffs'}, in ranges"
        results += _timed("80 features, from Parquet to frame", name, ours, rivals)
        if not quick and isinstance(ours, Cost):
            results += [
                _row("80 features, from Parquet to frame", name, "seconds", ours.seconds.median, allowed, "allowed"),
                _row("80 features, from Parquet to frame", name, "peak MB", ours.peak_mb.median, 1536.0, "allowed"),
            ]
    return results


def spark(data: Path, quick: bool) -> list[Result]:
    """Return seconds of the features on Spark, local with two cores, beside Spark SQL in one grouped pass."""
    del data
    from benchmarks.speed_on_spark import our_features_on_spark, sql_on_spark

    events = 1_000_000 if quick else 10_000_000
    log = made_log(events, events // _SPARSE)
    ours = measured(our_features_on_spark, log, cutoffs(1)[0], repeat=1)
    sql = measured(sql_on_spark, log, cutoffs(1)[0], repeat=1)
    return _by_value(
        "80 features on Spark local[2]", f"{events:,} events, sparse, one cutoff", ours, {"Spark SQL": sql}
    )


def stages(data: Path, quick: bool) -> list[Result]:
    """Return seconds and memory of the commands by size of the log, and how they grow with it."""
    del data
    sizes = (200_000, 1_000_000) if quick else (1_000_000, 10_000_000, 100_000_000)
    first = made_log(sizes[0], sizes[0] // _SPARSE)
    folder = first.parent
    settings = first.with_suffix(".train.toml")
    settings.write_text(first.with_suffix(".toml").read_text() + "\n[training]\ntrials = 3\n")
    trained = run_command(["train", "--config", str(settings), "--out", str(folder / "trained")], folder)
    claim, results = "The whole way by size of the log", []
    name = f"{sizes[0]:,} events"
    results.append(_row(claim, name, "seconds of train, 3 trials", trained.seconds, None, "", trained.peak_mb))
    seconds: dict[str, list[float]] = {"score": [], "plan": []}
    for events in sizes:
        log = made_log(events, events // _SPARSE)
        out = str(folder / f"out_{events}")
        config = ["--config", str(log.with_suffix(".toml"))]
        for command, more in (("score", ["--as-of", _AS_OF, "--out", out]), ("plan", ["--scores", out, "--out", out])):
            used = run_command([command, *config, *more], folder)
            seconds[command].append(used.cpu_seconds)
            note = f"{used.cpu_seconds:.0f} CPU s"
            results.append(
                _row(claim, f"{events:,} events", f"seconds of {command}", used.seconds, None, "", used.peak_mb, note)
            )
    both = np.log(np.sum([seconds["score"], seconds["plan"]], axis=0))
    note = "of the logarithm of CPU seconds against that of events; 1 is linear. Up to 100,000 customers all have their reasons"
    for (few, many), (low, high) in zip(pairwise(sizes), pairwise(both), strict=True):
        growth = float((high - low) / np.log(many / few))
        name = f"{few:,} to {many:,} events"
        results.append(_row(claim, name, "slope of score + plan", growth, 1.0, "linear", note=note))
    return results


def drivers(data: Path, quick: bool) -> list[Result]:
    """Return how many customers can be explained a second, by the shape of the trees, beside SHAP's own walk."""
    del data
    rows = 200 if quick else 2_000
    found = measured(tree_drivers, rows, SEED, repeat=1 if quick else 3)
    results = []
    if isinstance(found, Cost):
        said = found.value
        note = f"200 trees of 31 leaves, 80 features, one thread; largest difference {said['largest difference']:.1e}"
        results = [
            _rate("Reasons of customers", "made", "rows a CPU second", said["LightGBM"], said[rival], rival, note)
            for rival in ("SHAP through LightGBM", "SHAP's own")
        ]
    for leaves, trees in ((8, 200), (12, 200), (31, 200)):
        cost = measured(tree_shape, leaves, trees, rows, repeat=1)
        if isinstance(cost, Cost):
            predicted, explained = cost.value["predicted"], cost.value["explained"]
            shape, metric = f"{trees} trees of {leaves} leaves", "rows explained a CPU second"
            results.append(_rate("Cost of a shape of trees", shape, metric, explained, predicted, "rows predicted"))
    return results


def tree_shape(leaves: int, trees: int, rows: int) -> dict[str, float]:
    """Return how many rows a CPU second are predicted and explained by boosters of a shape."""
    import lightgbm

    generator = np.random.default_rng(SEED)
    given = generator.normal(size=(20_000, 80))
    settings = {"objective": "binary", "num_leaves": leaves, "num_threads": 1, "verbose": -1, "seed": SEED}
    booster = lightgbm.train(settings, lightgbm.Dataset(given, given[:, 0] + generator.normal(size=20_000) > 0), trees)
    found = {}
    for name, asked, options in (("predicted", given, {}), ("explained", given[:rows], {"pred_contrib": True})):
        start = time.process_time()
        booster.predict(asked, num_threads=1, **options)
        found[name] = len(asked) / (time.process_time() - start)
    return found


def fits(data: Path, quick: bool) -> list[Result]:
    """Return CPU seconds of fitting the buy-till-you-die models beside lifetimes."""
    del data
    found = measured(lifetimes_fits, 2357, SEED, repeat=1 if quick else 5)
    if isinstance(found, NotInstalled):
        return [_row("Fits", "2,357 customers", "CPU seconds", None, None, "lifetimes", note=str(found))]
    said = found.value
    return [
        _row(
            "Fits",
            "2,357 customers",
            f"CPU seconds, {model}",
            said[f"{model}, ours"],
            said[f"{model}, lifetimes"],
            "lifetimes",
        )
        for model in ("Pareto/NBD", "BG/NBD")
    ]


def _timed(claim: str, data: str, ours: Cost | NotInstalled, rivals: dict[str, Cost | NotInstalled]) -> list[Result]:
    assert isinstance(ours, Cost)
    results = []
    for name, cost in rivals.items():
        if isinstance(cost, NotInstalled):
            print(f"{name}: {cost}", file=sys.stderr)
            continue
        note = "; ".join(
            f"{n} {c.seconds} s, {c.cpu_seconds.median:.1f} CPU s" for n, c in (("ours", ours), (name, cost))
        )
        results += [
            _row(claim, data, "seconds", ours.seconds.median, cost.seconds.median, name, ours.peak_mb.median, note),
            _row(claim, data, "peak MB", ours.peak_mb.median, cost.peak_mb.median, name),
        ]
    return results or [
        _row(claim, data, "seconds", ours.seconds.median, None, "", ours.peak_mb.median, f"{ours.seconds} s")
    ]


def _by_value(claim: str, data: str, ours: Cost | NotInstalled, rivals: dict[str, Cost | NotInstalled]) -> list[Result]:
    """Return rows of calls that time their own work and return the seconds of each run."""
    if isinstance(ours, NotInstalled):
        return [_row(claim, data, "seconds", None, None, "", note=str(ours))]
    own, rows = spread(ours.value["seconds"]), []
    for name, cost in rivals.items():
        if isinstance(cost, Cost):
            its = spread(cost.value["seconds"])
            note = f"ours {own} s; {name} {its} s"
            rows.append(_row(claim, data, "seconds", own.median, its.median, name, ours.peak_mb.median, note))
    return rows


def _within(data: str, ours: Cost | NotInstalled, sorting: Cost | NotInstalled, allowed: float) -> list[Result]:
    assert isinstance(ours, Cost)
    assert isinstance(sorting, Cost)
    ratio = ours.seconds.median / sorting.seconds.median
    cpu = f"by CPU seconds {ours.cpu_seconds.median / sorting.cpu_seconds.median:.2f}"
    return [_row("80 features, times the sort", data, "ratio", ratio, allowed, "allowed", note=cpu)]


def _row(  # noqa: PLR0913
    claim: str,
    data: str,
    metric: str,
    ours: float | None,
    rival: float | None,
    name: str,
    peak_mb: float | None = None,
    note: str = "",
) -> Result:
    seconds = ours if metric.startswith("seconds") else None
    return Result(
        f"{claim}: {data}", data, metric, ours, rival, name, "lower",
        seconds=seconds, peak_mb=peak_mb, versions=versions(), seed=SEED, note=note,
    )  # fmt: skip


def _rate(claim: str, data: str, metric: str, ours: float, rival: float, name: str, note: str = "") -> Result:  # noqa: PLR0913
    return replace(_row(claim, data, metric, ours, rival, name, None, note), better="higher")


PARTS = {part.__name__: part for part in (features, features_large, spark, stages, drivers, fits)}

if __name__ == "__main__":
    run("speed", __doc__, PARTS)
