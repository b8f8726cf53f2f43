"""Rivals by name, and those of models: SHAP and lifetimes, timed beside ours on the same booster and the same customers."""

import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from benchmarks.speed_duckdb import best_sql
from benchmarks.speed_measured import needs
from benchmarks.speed_pandas import pandas_groups
from benchmarks.speed_polars import polars_streaming

FEATURE_RIVALS: dict[str, Callable[[Path, Sequence[int]], Iterator[Any]]] = {
    "DuckDB SQL": best_sql,
    "Polars": polars_streaming,
    "pandas": pandas_groups,
}


@needs("shap", "lightgbm")
def tree_drivers(rows: int, seed: int) -> dict[str, float]:
    """Return rows a CPU second of SHAP and of LightGBM's own contributions on one booster, and how far apart they are.

    Asked of a LightGBM booster, ``shap.TreeExplainer`` calls LightGBM; so its own walk over the trees is timed beside that.
    """
    import lightgbm
    import shap

    generator = np.random.default_rng(seed)
    given = generator.normal(size=(5_000, 80))
    chance = 1 / (1 + np.exp(-given[:, :8].sum(axis=1) - given[:, 0] * given[:, 1]))
    settings = {
        "objective": "binary",
        "num_leaves": 31,
        "learning_rate": 0.05,
        "num_threads": 1,
        "verbose": -1,
        "seed": seed,
    }
    booster = lightgbm.train(settings, lightgbm.Dataset(given, generator.random(len(given)) < chance), 200)
    asked = given[np.arange(rows) % len(given)]
    explainer = shap.TreeExplainer(booster)
    ours, native = _timed(lambda: booster.predict(asked, pred_contrib=True))
    _, through = _timed(lambda: explainer.shap_values(asked))
    explainer.model.model_type = "internal"
    theirs, own = _timed(lambda: explainer.shap_values(asked, check_additivity=False))
    apart = float(np.abs(np.asarray(theirs).reshape(rows, -1) - np.asarray(ours)[:, :-1]).max())
    seconds = {"LightGBM": native, "SHAP through LightGBM": through, "SHAP's own": own}
    return {**{name: rows / taken for name, taken in seconds.items()}, "largest difference": apart}


def bought_till_died(customers: int, seed: int) -> pd.DataFrame:
    """Return repeat purchases, recency and age (weeks) of made Pareto/NBD customers, of the size of CDNOW's numbers."""
    generator = np.random.default_rng(seed)
    rate, stop = generator.gamma(0.55, 1 / 10.6, customers), generator.gamma(0.61, 1 / 11.7, customers)
    age = generator.integers(27 * 7, 39 * 7, customers) / 7
    lives = np.minimum(age, generator.exponential(1 / stop))
    frequency = generator.poisson(rate * lives).astype(float)
    # The latest of n uniform times.
    recency = np.where(frequency > 0, lives * generator.random(customers) ** (1 / np.maximum(frequency, 1)), 0.0)
    return pd.DataFrame({"frequency": frequency, "recency": recency, "age": age})


@needs("dill", "lifetimes")
def lifetimes_fits(customers: int, seed: int) -> dict[str, float]:
    """Return CPU seconds of fitting Pareto/NBD and BG/NBD by lifetimes and by ours, to the same customers."""
    import lifetimes

    from churnvalue.models.bg_nbd import BGNBD
    from churnvalue.models.pareto_nbd import ParetoNBD

    rfm = bought_till_died(customers, seed)
    columns = (rfm["frequency"], rfm["recency"], rfm["age"])
    fits: dict[str, Callable[[], object]] = {
        "Pareto/NBD, lifetimes": lambda: lifetimes.ParetoNBDFitter().fit(*columns),
        "Pareto/NBD, ours": lambda: ParetoNBD().fit(rfm),
        "BG/NBD, lifetimes": lambda: lifetimes.BetaGeoFitter().fit(*columns),
        "BG/NBD, ours": lambda: BGNBD().fit(rfm),
    }
    return {name: _timed(fit)[1] for name, fit in fits.items()}


def _timed(call: Callable[[], Any]) -> tuple[Any, float]:
    """Return what a call returns and its CPU seconds."""
    start = time.process_time()
    return call(), time.process_time() - start
