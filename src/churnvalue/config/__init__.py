"""The configuration file: TOML transcribed into frozen definitions, checked once at the door."""

from churnvalue.config.databases import masked
from churnvalue.config.drift import Drift
from churnvalue.config.reading import parse_config, read_config
from churnvalue.config.retention import Action, ContactColumns, Contacts, Floor, Retention, ServiceLevel
from churnvalue.config.section import FromColumn
from churnvalue.config.sections import (
    Checks,
    Config,
    EventColumns,
    EventSource,
    Mlflow,
    Outcome,
    Population,
    Spark,
    Training,
    Value,
)
from churnvalue.config.timing import Timing

__all__ = [
    "Action",
    "Checks",
    "Config",
    "ContactColumns",
    "Contacts",
    "Drift",
    "EventColumns",
    "EventSource",
    "Floor",
    "FromColumn",
    "Mlflow",
    "Outcome",
    "Population",
    "Retention",
    "ServiceLevel",
    "Spark",
    "Timing",
    "Training",
    "Value",
    "masked",
    "parse_config",
    "read_config",
]
