"""The configuration file: TOML transcribed into frozen definitions, checked once at the door."""

from churnvalue.config.reading import parse_config, read_config
from churnvalue.config.sections import (
    Action,
    Checks,
    Config,
    EventColumns,
    EventSource,
    FromColumn,
    Mlflow,
    Outcome,
    Population,
    Retention,
    Timing,
    Training,
    Value,
)

__all__ = [
    "Action",
    "Checks",
    "Config",
    "EventColumns",
    "EventSource",
    "FromColumn",
    "Mlflow",
    "Outcome",
    "Population",
    "Retention",
    "Timing",
    "Training",
    "Value",
    "parse_config",
    "read_config",
]
