"""A small shop as files: its orders, its configuration and its features, made to hold every oddity that models must bear."""

import sqlite3
from pathlib import Path

import numpy as np
import pandas as pd

ONCE = "seen-once"
ODD_KIND = "visit <b>é</b> &/?"  # as sources may call it
SOURCE = """
[[events]]
source = "orders.csv"
timezone = "UTC"
kind = { column = "kind" }
columns = { customer_id = "customer", event_time = "time", known_at = "known", amount = "amount", category = "item" }
"""
SETTINGS = """
[outcome]
horizon_days = 30

[training]
cutoffs = 3
trials = 1
threads = 1
"""
CONFIG = f'project = "small"\n{SOURCE}{SETTINGS}\n[models]\nchurn = "churn.toml"\n'
# quantity_mean is null for everyone, lines_mean 1 for everyone; the odd kind is part of a feature's name.
CHURN = f"""
name = "churn"
title = "Leaves"
target = "churned"
objective = "binary"
features = [
  {{ use = ["days_since_last", "days_since_first", "event_rate", "amount_mean"], kind = "@outcome" }},
  {{ use = ["quantity_mean", "lines_mean", "distinct_categories"], kind = "@outcome" }},
  {{ use = "event_count", kind = ["@outcome", '{ODD_KIND}'], days = [30, "all"] }},
]

[parameters]
learning_rate = 0.1

[search]
num_leaves = {{ low = 4, high = 8, start = 4 }}

[gate]
metric = "auc"
higher = true
baselines = []
"""


def orders(customers: int = 110, days: int = 120, *, leavers: bool = True) -> pd.DataFrame:
    """Orders and visits of customers who come every few days; every second one leaves if there are ``leavers``.

    Whoever is seen once comes at the end. All is known when it happens.
    """
    rng = np.random.default_rng(5)
    rows = []
    for number in range(customers):
        stop = rng.uniform(days / 4, days) if leavers and number % 2 else float(days)
        day = rng.uniform(0, 6)
        while day < stop:
            kind = ODD_KIND if rng.random() < 0.3 else "purchase"
            amount = None if kind == ODD_KIND else round(rng.gamma(3.0, 9.0) + 1.0, 2)
            rows.append((f"{number:05d}", day, kind, amount, f"item {rng.integers(4)}"))
            day += rng.exponential(5.0)
    rows.append((ONCE, days - 0.5, "purchase", 12.5, "item 1"))
    table = pd.DataFrame(rows, columns=["customer", "day", "kind", "amount", "item"])
    time = (pd.Timestamp("2024-01-01") + pd.to_timedelta(table.pop("day"), unit="D")).dt.floor("s")
    return table.assign(time=time, known=time)


def write_orders(folder: Path, rows: pd.DataFrame) -> None:
    """Write ``orders.csv``, the configuration and the definition of churn."""
    rows.to_csv(folder / "orders.csv", index=False)
    (folder / "churnvalue.toml").write_text(CONFIG, encoding="utf-8")
    (folder / "churn.toml").write_text(CHURN, encoding="utf-8")


def left_behind(folder: Path) -> dict[str, object]:
    """Everything that an error must not touch: the bytes of every output, and who is champion."""
    files: dict[str, object] = {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.suffix in (".json", ".parquet", ".csv", ".html", ".toml", ".staged", ".complete")
    }
    if (folder / "mlflow.db").exists():
        with sqlite3.connect(folder / "mlflow.db") as store:
            query = "SELECT name, alias, version FROM registered_model_aliases ORDER BY name, alias"
            files["champions"] = store.execute(query).fetchall()
    return files
