"""``[timing]``: when messages may go out, and through which channels."""

from typing import Annotated, Any, Literal

from pydantic import Field, field_validator, model_validator

from churnvalue.clock import zone
from churnvalue.config.section import ClockTime, FromColumn, Money, Name, Positive, Section, Share
from churnvalue.errors import near_match

# Korea: no advertising at night without a consent of its own (Network Act, art. 50 (3)). United States: no calls or
# texts (47 CFR 64.1200 (c) (1)). The same start and end leave no time between them.
QUIET_HOURS = {"KR": ("21:00", "08:00"), "US": ("21:00", "08:00"), "none": ("00:00", "00:00")}

Weekday = Literal["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"]
WEEKDAYS: tuple[Weekday, ...] = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
QuietHours = tuple[ClockTime, ClockTime] | None
Limit = Annotated[int, Field(ge=0)] | None


def _country(value: Any) -> Any:
    """Quiet hours of a country named in their place."""
    if not isinstance(value, str):
        return value
    if value not in QUIET_HOURS:
        raise ValueError(f"quiet hours must be two times or the name of a rule.{near_match(value, QUIET_HOURS)}")
    return QUIET_HOURS[value]


class Channel(Section):
    """A way to reach a customer. What is left out is as [timing] has it."""

    id: Name
    """Its name, as actions use it."""
    cost: Money = 0.0
    """Money a message."""
    effect: Positive = 1.0
    """What a message does here against the average channel."""
    quiet_hours: QuietHours = None
    """Start and end of the hours without messages, or the rule of a country: `KR`, `US`, `none`."""
    weekdays: Annotated[tuple[Weekday, ...], Field(min_length=1)] = WEEKDAYS
    """Days on which messages may go out."""
    max_per_week: Limit = None
    """Most messages of this channel to a customer a week."""
    capacity_per_hour: Limit = None
    """Most messages of this channel an hour."""

    _quiet = field_validator("quiet_hours", mode="before")(_country)


CHANNELS = (
    Channel(id="email", cost=0.001),
    Channel(id="sms", cost=0.02, max_per_week=1),
    Channel(id="push"),
    Channel(id="kakaotalk", cost=0.01, quiet_hours=QUIET_HOURS["KR"], max_per_week=1),
    Channel(id="call", cost=4.0, quiet_hours=("18:00", "09:00"), weekdays=WEEKDAYS[:5], max_per_week=1),
)


class Timing(Section):
    """When messages may go out, by the customer's clock."""

    timezone: str | FromColumn = "UTC"
    """Zone of all customers, or the column of the events that tells it."""
    quiet_hours: QuietHours = ("21:00", "08:00")
    """Start and end of the hours without messages, or the rule of a country: `KR`, `US`, `none`."""
    max_per_week: Annotated[int, Field(ge=0)] = 2
    """Most messages to a customer a week, over all channels."""
    min_gap_hours: Annotated[float, Field(ge=0.0, allow_inf_nan=False)] = 48.0
    """Fewest hours between two messages to a customer, over all channels."""
    capacity_per_hour: Limit = None
    """Most messages an hour of each channel that has no capacity of its own."""
    explore: Annotated[float, Field(ge=0.0, le=0.9)] = 0.05
    """Share whose hour is drawn at random, to learn from."""
    holdout: Annotated[float, Field(ge=0.0, le=0.9)] = 0.0
    """Share written to not at all, beside the hold-out of [retention]."""
    unsubscribe_loss: Share = 0.1
    """Share of a customer's value that goes with the consent to write; an assumption."""
    default_hour: Annotated[int, Field(ge=0, le=23)] = 10
    """The hour of messages where the log knows only the day."""
    channels: tuple[Channel, ...] = ()
    """Those named here replace the default of the same id; an unknown channel follows [timing] alone."""

    _zone = field_validator("timezone")(lambda value: zone(value).key if isinstance(value, str) else value)
    _quiet = field_validator("quiet_hours", mode="before")(_country)

    @model_validator(mode="after")
    def _distinct(self) -> "Timing":
        names = [channel.id for channel in self.channels]
        if len(set(names)) < len(names):
            raise ValueError(f"channel ids must be distinct, but {names} came")
        return self

    def channel(self, name: str) -> Channel:
        """Return a channel as configured, or by default, with everything it leaves out taken from here."""
        known = {channel.id: channel for channel in (*CHANNELS, *self.channels)}
        found = known.get(name, Channel(id="other"))
        general = {key: getattr(self, key) for key in ("quiet_hours", "capacity_per_hour")}
        return found.model_copy(update={k: v for k, v in general.items() if getattr(found, k) is None} | {"id": name})
