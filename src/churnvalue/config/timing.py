"""``[timing]``: when messages may go out."""

from typing import Annotated

from pydantic import Field, field_validator

from churnvalue.clock import zone
from churnvalue.config.section import ClockTime, FromColumn, Section


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
