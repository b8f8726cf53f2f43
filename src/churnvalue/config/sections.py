"""The sections of the configuration as frozen definitions.

Every section but ``[[events]]`` has defaults, which stand here and nowhere else. This module knows nothing of the data.
"""

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from churnvalue.clock import micros, zone

Text = Annotated[str, Field(min_length=1)]
Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$")]
Days = Annotated[int, Field(ge=1, le=36_500)]
Share = Annotated[float, Field(ge=0.0, le=1.0)]
Money = Annotated[float, Field(ge=0.0, allow_inf_nan=False)]
Positive = Annotated[float, Field(gt=0.0, allow_inf_nan=False)]
ClockTime = Annotated[str, Field(pattern=r"^([01]\d|2[0-3]):[0-5]\d$")]


class Section(BaseModel):
    """A part of the configuration; unknown keys are errors and nothing changes after reading."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    @field_validator("*", mode="before")
    @classmethod
    def _no_truth(cls, value: Any) -> Any:
        # Nothing here is a yes or no, and Python would take true for the number 1.
        if isinstance(value, bool):
            raise ValueError("must not be true or false")
        return value


class FromColumn(Section):
    """The value stands in a column of the source."""

    column: Text


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


class Action(Section):
    """Something that may keep a customer; ``save_rate`` are the parameters of a Beta distribution."""

    id: Name
    contact_cost: Money = 0.0
    incentive: Money = 0.0
    redemption: Share = 0.0
    capacity: Annotated[int, Field(ge=0)] | None = None
    channel: Name = "email"
    save_rate: tuple[Positive, Positive] = (6.0, 14.0)


class Retention(Section):
    """What may be spent on keeping customers, on whom, and how much is kept for learning."""

    budget: Money = 5000.0
    holdout: Annotated[float, Field(ge=0.0, le=0.9)] = 0.05
    explore: Annotated[float, Field(ge=0.0, le=0.9)] = 0.05
    actions: tuple[Action, ...] = (
        Action(id="call", contact_cost=4.0, capacity=500, channel="call", save_rate=(6.0, 14.0)),
        Action(id="voucher", contact_cost=0.05, incentive=10.0, redemption=0.3, save_rate=(4.0, 16.0)),
    )

    @model_validator(mode="after")
    def _distinct(self) -> "Retention":
        names = [action.id for action in self.actions]
        if len(set(names)) < len(names) or "none" in names:
            raise ValueError(f"action ids must be distinct and none may be 'none', but {names} came")
        return self


class Timing(Section):
    """When messages may go out, by the customer's clock. ``default_hour`` serves logs that know only the day."""

    timezone: str | FromColumn = "UTC"
    quiet_hours: tuple[ClockTime, ClockTime] | None = ("21:00", "08:00")
    max_per_week: Annotated[int, Field(ge=0)] = 2
    min_gap_hours: Annotated[float, Field(ge=0.0, allow_inf_nan=False)] = 48.0
    capacity_per_hour: Annotated[int, Field(ge=0)] | None = None
    explore: Annotated[float, Field(ge=0.0, le=0.9)] = 0.05
    default_hour: Annotated[int, Field(ge=0, le=23)] = 10

    _zone = field_validator("timezone")(lambda value: zone(value).key if isinstance(value, str) else value)


class Mlflow(Section):
    """Where runs and models are kept; a relative SQLite path is taken from the configuration's folder."""

    tracking_uri: str = "sqlite:///mlflow.db"
    experiment: str | None = None


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
    timing: Timing = Timing()
    mlflow: Mlflow = Mlflow()
    models: dict[str, str] = {}

    @field_validator("observed_until", mode="before")
    @classmethod
    def _instant(cls, value: Any) -> Any:
        if value is not None:
            micros(value)
            return str(value)
        return value
