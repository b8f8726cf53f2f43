"""The sections of the configuration as frozen definitions.

Every section but ``[[events]]`` has defaults, which stand here and nowhere else. This module knows nothing of the data.
"""

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, ValidationInfo, field_validator

from churnvalue.clock import micros, zone
from churnvalue.config.databases import Sink
from churnvalue.config.drift import Drift
from churnvalue.config.retention import Contacts, Retention
from churnvalue.config.section import Days, FromColumn, Money, Name, Section, Share, Text
from churnvalue.config.timing import Timing
from churnvalue.language import ENGLISH, Language


class EventColumns(Section):
    """Which column of the source plays which part."""

    customer_id: Text = "customer_id"
    """Whose event it is; read as text, so `00123` stays what it is."""
    event_time: Text = "event_time"
    """When it happened."""
    known_at: Text | None = None
    """When the row could be known; left out, when it happened."""
    order_id: Text | None = None
    """The order: lines that share it become one event."""
    amount: Text | None = None
    """Money, a column or arithmetic over columns; returns are below zero."""
    quantity: Text | None = None
    """How many pieces, a column or arithmetic over columns."""
    category: Text | None = None
    """What was bought or asked; of an offer, its action."""
    channel: Text | None = None
    """Where it happened, or by which channel a message went."""
    campaign: Text | None = None
    """Which campaign; of an offer, its experiment."""
    currency: Text | None = None
    """The currency of the amount: all rows must have the same one."""
    event_id: Text | None = None
    """What names each event: rows that share it must not differ, unless `repeated` says which one counts."""


class EventSource(Section):
    """One source of events and how its columns are read."""

    source: Text
    """File or glob of Parquet or CSV, `duckdb:///file#table`, `postgresql://…/db#schema.table`, or `spark://schema.table`."""
    kind: Text | FromColumn = "purchase"
    """What sort of event every row is, or the column that tells it."""
    timezone: str | None = None
    """The zone in which times without an offset were written; needed where there are such times."""
    time_format: Text | None = None
    """How times written as text are to be read, such as `%d/%m/%Y %H:%M`; left out, ISO."""
    negative_kind: Text = "return"
    """The kind that purchases become whose amount, once folded into orders, is below zero."""
    columns: EventColumns = EventColumns()
    repeated: Literal["latest"] | None = None
    """Of rows that share an `event_id` and differ, `"latest"` keeps the one known last; left out, they are refused."""

    _zone = field_validator("timezone")(lambda value: None if value is None else zone(value).key)

    @field_validator("repeated")
    @classmethod
    def _of_what(cls, value: str | None, info: ValidationInfo) -> str | None:
        if value is not None and "columns" in info.data and info.data["columns"].event_id is None:
            raise ValueError("needs columns.event_id")
        return value


class Checks(Section):
    """How much of the log may be unusable before the run is refused."""

    max_quarantined: Share = 0.5
    """Largest share of rows that may be unusable."""


class Population(Section):
    """Who is described: customers who were active not long before the cutoff."""

    kind: Text = "purchase"
    """The kind of event that makes a customer one."""
    active_days: Days = 365
    """So many days before the cutoff they must have had one."""


class Outcome(Section):
    """What is foretold: who has none of these events in the days after the cutoff has left."""

    kind: Text = "purchase"
    """The kind of event that is foretold."""
    horizon_days: Days = 90
    """How many days ahead."""


class Training(Section):
    """How models are trained."""

    cutoffs: Annotated[int, Field(ge=1, le=200)] | tuple[str, ...] = 8
    """How many as-of times are learnt from, as many as fit; or their dates."""
    trials: Annotated[int, Field(ge=1, le=10_000)] = 20
    """How many settings are tried for each model."""
    seed: Annotated[int, Field(ge=0, le=2**31 - 1)] = 7
    """Where all randomness starts."""
    threads: Annotated[int, Field(ge=0, le=1024)] = 0
    """Threads of each fit; 0 is one, for the models are fitted side by side, one a core."""
    most_customers: Annotated[int, Field(ge=1_000, le=1_000_000_000)] = 200_000
    """Of more customers this many are learnt from, drawn by a digest of their ids: the same ones every day."""

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
    """What a customer is worth: margin, discount and the cost of serving them."""

    margin: Share = 0.35
    """Share of the amount that is left after the cost of goods."""
    discount_rate: Annotated[float, Field(ge=0.0, le=10.0)] = 0.10
    """By which money of next year is worth less, a year."""
    horizon_days: Days = 1095
    """How far ahead value is counted."""
    cost: dict[str, Money] = {}
    """Money that one event costs, by kind, such as `{ ticket = 6.0 }`."""


class Mlflow(Section):
    """Where runs and models are kept, and by which keys models are signed."""

    tracking_uri: str = "sqlite:///mlflow.db"
    """`sqlite:///FILE`, relative to the configuration, or the address of a server."""
    experiment: str | None = None
    """Name of the MLflow experiment; left out, the project."""
    signing_key_file: Text | None = None
    """Private Ed25519 key in PEM: training signs its models with it."""
    verify_key_file: Text | None = None
    """Its public part: no model is used that was not signed so."""


class Spark(Section):
    """Where Spark runs for ``engine = "spark"``, and its own settings; a session that is active already is taken as it is."""

    master: Text = "local[*]"
    """The cluster, as Spark spells it."""
    conf: dict[str, str] = {}
    """Spark's own settings, such as `{ "spark.executor.memory" = "4g" }`."""


class Config(Section):
    """A whole configuration; ``folder`` is where relative paths start."""

    project: Name = "churnvalue"
    """Names the experiment and salts who is held out: do not change it later."""
    folder: Path = Path()
    language: Language = ENGLISH
    """What people are spoken to in: the report, the reasons, and what commands print."""
    engine: Literal["duckdb", "spark"] = "duckdb"
    """What reads, checks and sorts the events: DuckDB on one machine, Spark on several."""
    spark: Spark = Spark()
    observed_until: str | None = None
    """Up to when the log is complete; left out, its last event."""
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
    """Definitions that replace those of the package, by model: `churn`, `orders`, `spend`, `value`, `return`."""

    @field_validator("observed_until", mode="before")
    @classmethod
    def _instant(cls, value: Any) -> Any:
        if value is not None:
            micros(value)
            return str(value)
        return value
