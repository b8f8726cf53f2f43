"""The hours of each zone and channel in which messages may start, side by side."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from churnvalue.clock import HOUR, Micros
from churnvalue.config.timing import Channel
from churnvalue.decisions.sending.rules import Audience, Messages, SendRules
from churnvalue.timing.calendar import SEND_DAYS, SendSlots, allowed_hours, send_slots

HOURS = SEND_DAYS * 24 + 1  # a plan may start within an hour

Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Calendars:
    """The hours of each zone and channel, padded to the same number J; ``hour`` counts from the start.

    ``slot`` is that of the local week, ``known`` says which places are hours at all; all of shape (calendars, J).
    """

    channels: tuple[Channel, ...]
    zones: tuple[str, ...]
    slots: tuple[SendSlots, ...]
    known: Bools
    send_at: Micros
    slot: Ints
    hour: Ints


def only_hour(rules: SendRules, channel: Channel) -> int:
    """The one local hour of sends where activity tells nothing of hours: the default, or the next allowed."""
    allowed = allowed_hours(channel.quiet_hours)
    later = (rules.timing.default_hour + np.arange(24)) % 24
    return int(later[allowed[later]][0])


def calendars_of(messages: Messages, audience: Audience, rules: SendRules) -> tuple[Calendars, Ints, Ints]:
    """Return the calendars, and the number of each row's channel and of each customer's zone.

    Raises:
        ConfigError: If there is no such zone, or quiet hours leave no hour.
    """
    names, channel = np.unique(messages.table["channel"].to_numpy(dtype=object), return_inverse=True)
    zones, zone = np.unique(audience.zone_of(messages.customer).astype(str), return_inverse=True)
    channels = tuple(rules.timing.channel(name) for name in names)
    slots = []
    for name in zones:
        for one in channels:
            found = send_slots(rules.as_of, str(name), one.quiet_hours, weekdays=one.weekdays)
            if rules.day_granularity or audience.habit is None:
                found = found.take(found.slot % 24 == only_hour(rules, one))
            slots.append(found)
    width = max((len(found.slot) for found in slots), default=0)

    def padded(values: list[Ints]) -> Ints:
        table = [np.pad(one, (0, width - len(one))) for one in values]
        return np.array(table, dtype=np.int64).reshape(len(slots), width)

    send_at = padded([found.send_at for found in slots])
    known = np.arange(width) < np.array([len(found.slot) for found in slots], dtype=np.int64)[:, None]
    hour = np.where(known, send_at // HOUR - rules.as_of // HOUR, 0)
    made = Calendars(
        channels, tuple(zones.tolist()), tuple(slots), known, send_at, padded([s.slot for s in slots]), hour
    )
    return made, channel.astype(np.int64), zone.astype(np.int64)


def channel_caps(calendars: Calendars) -> Ints:
    """Sends a week each channel allows; a large number where it has no cap."""
    caps = [np.iinfo(np.int32).max if one.max_per_week is None else one.max_per_week for one in calendars.channels]
    return np.array(caps, dtype=np.int64)
