"""What to offer next: co-buying against popularity and against the customer's own most bought category.

A hit: one of the first 1, 3 or 5 suggestions was bought within 90 days. "new" counts categories bought for the first time,
by customers who bought one: what an offer is for, since nobody needs one for what they buy anyway. "any" counts all; there
the customer's own most bought category is hard to beat, and co-buying is shown as it is, bought ones not left out. "recent
buyers" and "recent take-up" are the two kinds of popularity; "ours" is what the model chose by past cutoffs alone. Intervals
are 1.96 standard errors over customers and cutoffs. The form of co-buying was chosen on Online Retail II up to June 2011;
September 2011 is shown apart.
"""

import tempfile
import time
from collections.abc import Sequence
from dataclasses import replace
from itertools import product
from pathlib import Path

import numpy as np
import pandas as pd

from benchmarks import origins as logs
from benchmarks.claims import finished
from benchmarks.results_table import Result
from benchmarks.runner import Part
from churnvalue import clock
from churnvalue.config import Config
from churnvalue.engines import read_log
from churnvalue.models.next_category import BEST_SELLING, CO_BUYING, OWN, PLACES, TAKE_UP, NextCategory, hits

HORIZON_DAYS = 90
RETAIL = ("2010-09-01", "2010-12-01", "2011-03-01", "2011-06-01", "2011-09-01")
SIMULATED_SEEDS = (1, 2, 3)


def at(config: Config, as_of: str) -> tuple[pd.DataFrame, str]:
    """Return hits as of a cutoff with those of the chosen method added as "ours", and the model's own sentence."""
    cutoff, kind = clock.micros(as_of), config.outcome.kind
    model = NextCategory(kind=kind, horizon_days=HORIZON_DAYS).fit(read_log(config, cutoff), cutoff)
    found = hits(read_log(config), kind, cutoff, HORIZON_DAYS)
    chosen = found[found["method"] == model.method_].assign(method="ours")
    return pd.concat([found, chosen]).assign(origin=as_of), f"{as_of}: {model.says_}"


def compared(claim: str, data: str, found: pd.DataFrame, note: str = "") -> list[Result]:
    """Return hit rates of ours against popularity on new categories, and of co-buying against own and popularity on any."""
    results = []
    for wanted, first, rivals in (("new", "ours", (TAKE_UP, BEST_SELLING)), ("any", CO_BUYING, (OWN, BEST_SELLING))):
        own = found[found["wanted"] == wanted].set_index(["origin", "customer"])
        for rival, k in product(rivals, PLACES):
            ours, theirs = (own.loc[own["method"] == m, f"hit_{k}"] for m in (first, rival))
            difference = (ours - theirs).to_numpy(dtype=np.float64)
            error = 1.96 * difference.std() / np.sqrt(len(difference))
            low, high = float(difference.mean() - error), float(difference.mean() + error)
            means = float(ours.mean()), float(theirs.mean())
            said = f"{len(difference):,} customers. {note}" if k == PLACES[0] else ""
            whole = f"{claim}, {wanted} category{'' if wanted == 'new' else ' (ours: co-buying)'}"
            results.append(Result(whole, data, f"hits at {k}", *means, rival, "higher", low, high, note=said))
    return results


def on_retail(config: Config, cutoffs: Sequence[str]) -> list[Result]:
    """Return the origins together, and the last one, on which no form was chosen, alone."""
    start = time.perf_counter()
    parts, says = zip(*[at(config, as_of) for as_of in cutoffs], strict=True)
    data = "Online Retail II, stock codes as categories"
    results = compared(f"Online Retail II, {len(cutoffs)} cutoffs", data, pd.concat(parts), " ".join(says))
    results += compared(f"Online Retail II, {cutoffs[-1]} alone", data, parts[-1], says[-1])
    return finished(results, time.perf_counter() - start)


def on_simulated(folder: Path, seeds: Sequence[int]) -> list[Result]:
    """Return simulated shops, in which the first purchase of a category is chance: nothing can be won there."""
    start, parts, notes = time.perf_counter(), [], []
    for seed in seeds:
        found, says = at(logs.simulated(2000, 720, seed, folder), "2025-09-01")
        parts.append(found.assign(origin=seed))
        notes.append(says)
    claim, data = f"Simulated, {len(seeds)} shops", "2,000 customers, 8 categories, day 609 of 720"
    return finished(compared(claim, data, pd.concat(parts), " ".join(notes)), time.perf_counter() - start)


def _offers(data: Path, quick: bool) -> list[Result]:
    cutoffs, seeds = (RETAIL[-2:], SIMULATED_SEEDS[:1]) if quick else (RETAIL, SIMULATED_SEEDS)
    with tempfile.TemporaryDirectory() as folder:
        results = on_retail(logs.online_retail(data, Path(folder)), cutoffs)
        results += on_simulated(Path(folder), seeds)
    return [replace(result, seed=0) for result in results]  # nothing here is drawn


PARTS: dict[str, Part] = {"offers": _offers}
