"""The sections of the configuration as frozen definitions.

Every section but ``[[events]]`` has defaults, which stand here and nowhere else. This module knows nothing of the data.
"""

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, field_validator

from churnvalue.clock import micros, zone
from churnvalue.config.databases import Sink
from churnvalue.config.drift import Drift
from churnvalue.config.retention import Contacts, Retention
from churnvalue.config.section import Days, FromColumn, Money, Name, Section, Share, Text
from churnvalue.config.timing import Timing


class EventColumns(Section):
    """Which column of the source plays which part; ``amount`` and ``quantity`` may be arithmetic over columns."""

    customer_id: Text = "customer_id"
    event_time: Text = "event_time"
    known_at: Text | None = None
    order_id: Text | None = None
    amount: Text | None = None
    quantity: Text | None = None
    category: Text | None = None
    channel: Text | None = None
    campaign: Text | None = None


class EventSource(Section):
    """One source of events and how its columns are read.

    ``negative_kind`` names the kind of purchases whose amount, once folded into orders, is below zero.
    """

    source: Text
    kind: Text | FromColumn = "purchase"
    timezone: str | None = None
    time_format: Text | None = None
    negative_kind: Text = "return"
    columns: EventColumns = EventColumns()

    _zone = field_validator("timezone")(lambda value: None if value is None else zone(value).key)


class Checks(Section):
    """How much of the log may be unusable before the run is refused."""

    max_quarantined: Share = 0.5


class Population(Section):
    """Who is described: customers with an event of ``kind`` in the ``active_days`` before the cutoff."""

    kind: Text = "purchase"
    active_days: Days = 365


class Outcome(Section):
    """What is foretold: events of ``kind`` in the ``horizon_days`` after the cutoff."""

    kind: Text = "purchase"
    horizon_days: Days = 90


class Training(Section):
    """How models are trained. ``threads`` of each fit; 0 is one, for the models are fitted side by side, one a core."""

    cutoffs: Annotated[int, Field(ge=1, le=200)] | tuple[str, ...] = 8
    trials: Annotated[int, Field(ge=1, le=10_000)] = 20
    seed: Annotated[int, Field(ge=0, le=2**31 - 1)] = 7
    threads: Annotated[int, Field(ge=0, le=1024)] = 0

    @field_validator("cutoffs", mode="before")
    @classmethod
    def _dates(cls, value: Any) -> Any:
        if isinstance(value, list):
            if not value:
                raise ValueError("a list of dates must hold at least one")
            for date in value:
                micros(date)
            return tuple(str(date) for date in value)
        return value


class Value(Section):
    """Customer value: ``margin`` of the amount, ``discount_rate`` a year, ``cost`` of one event by kind."""

    margin: Share = 0.35
    discount_rate: Annotated[float, Field(ge=0.0, le=10.0)] = 0.10
    horizon_days: Days = 1095
    cost: dict[str, Money] = {}


class Mlflow(Section):
    """Where runs and models are kept; relative paths, also of SQLite, are taken from the configuration's folder.

    With ``signing_key_file``, a private Ed25519 key in PEM, training signs its models; with ``verify_key_file``, the public
    part of it, no model is used that was not signed so.
    """

    tracking_uri: str = "sqlite:///mlflow.db"
    experiment: str | None = None
    signing_key_file: Text | None = None
    verify_key_file: Text | None = None


class Config(Section):
    """A whole configuration; ``folder`` is where relative paths start."""

    project: Name = "churnvalue"
    folder: Path = Path()
    engine: Literal["duckdb"] = "duckdb"
    observed_until: str | None = None
    events: Annotated[tuple[EventSource, ...], Field(min_length=1)]
    checks: Checks = Checks()
    population: Population = Population()
    outcome: Outcome = Outcome()
    training: Training = Training()
    value: Value = Value()
    retention: Retention = Retention()
    contacts: Contacts = Contacts()
    timing: Timing = Timing()
    drift: Drift = Drift()
    mlflow: Mlflow = Mlflow()
    sink: Sink | None = None
    models: dict[str, str] = {}

    @field_validator("observed_until", mode="before")
    @classmethod
    def _instant(cls, value: Any) -> Any:
        if value is not None:
            micros(value)
            return str(value)
        return value
