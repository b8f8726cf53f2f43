"""A small shop: its configuration, and where a run of all commands leaves what."""

import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from churnvalue.config import Config, parse_config
from churnvalue.jobs.plan import Plan
from churnvalue.jobs.train import Training
from churnvalue.simulate import EVENT_COLUMNS

AS_OF = pd.Timestamp("2024-12-01", tz="UTC")
AS_OF_DATE = "2024-12-01"
LEADING_ZEROS, BEYOND_FLOATS, ONCE = "00123", "9007199254740993", "seen-once"  # 2^53 + 1 fits no float
_COLUMNS = ", ".join(f'{name} = "{name}"' for name in EVENT_COLUMNS if name != "kind")
TOML = f"""
project = "shop"

[[events]]
source = "events.parquet"
kind = {{ column = "kind" }}
columns = {{ {_COLUMNS} }}

[outcome]
horizon_days = 30

[training]
cutoffs = 4
trials = 2
threads = 1

[value]
cost = {{ ticket = 6.0, message_sent = 0.02 }}

[retention]
budget = 150.0
holdout = 0.1
explore = 0.1
actions = [
  {{ id = "call", contact_cost = 4.0, capacity = 20, channel = "call", save_rate = [6, 14] }},
  {{ id = "voucher", contact_cost = 0.05, incentive = 3.0, redemption = 0.3, save_rate = [8, 12] }},
]

[timing]
timezone = "Europe/London"
quiet_hours = ["20:00", "09:00"]
"""


@dataclass(frozen=True)
class Shop:
    """A folder with events.parquet, churnvalue.toml and a registry."""

    folder: Path

    @property
    def config(self) -> Config:
        return self.changed()

    @property
    def out(self) -> Path:
        return self.folder / "out"

    def changed(self, **sections: Any) -> Config:
        """The configuration with some keys of its sections changed."""
        raw = tomllib.loads(TOML)
        for name, part in sections.items():
            raw[name] = {**raw.get(name, {}), **part} if isinstance(part, dict) else part
        return parse_config(raw, self.folder)


@dataclass(frozen=True)
class Finished(Shop):
    """A shop in which everything has been run as of ``AS_OF``."""

    training: Training
    scores: pd.DataFrame
    plan: Plan
    report: Path
