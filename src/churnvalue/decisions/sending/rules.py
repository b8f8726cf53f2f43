"""What a send plan is made from: the messages wanted, the customers they go to, and what holds for all."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt
import pandas as pd

from churnvalue.clock import Micros
from churnvalue.config import Timing
from churnvalue.decisions.sending.fatigue import ASSUMED_RATES
from churnvalue.errors import DefinitionError
from churnvalue.timing.calendar import SEND_DAYS
from churnvalue.timing.week import SLOTS

MOST_MESSAGES = 4
_PEAK_DAYS = 2.0

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


@dataclass(frozen=True)
class SendRules:
    """What holds for every send.

    Attributes:
        as_of: Microseconds since 1970-01-01 UTC; sends go out in the seven days that start with it.
        timing: Channels, quiet hours, caps, capacity, shares of exploration and hold-out.
        channels: Channel of each action, for plans of retention.
        day_granularity: Whether the log knows the day of events but not the hour.
        salt: Decides, with the customer's id, who explores and who is held out.
        unsubscribe_rates: Probability of unsubscribing after one more message, by messages in the week before; the last
            holds for all beyond.
    """

    as_of: int
    timing: Timing
    channels: Mapping[str, str] = field(default_factory=dict)
    day_granularity: bool = False
    salt: str = "churnvalue"
    unsubscribe_rates: tuple[float, ...] = ASSUMED_RATES


@dataclass(frozen=True, eq=False)
class Audience:
    """Customers who may be written to, one entry each.

    Attributes:
        customer_id: Distinct.
        zones: Time zone of each, or one of all.
        habit: Probability of each hour of the local week; shape (n, 168). None if no activity is known.
        value: What each is worth, in money, of which [timing] unsubscribe_loss goes when they unsubscribe; NaN or below 0
            counts as 0; shape (n,). None is 0 for all.
        day_weight: Probability of coming back on each day ahead, up to a factor; shape (n, 7).
        peak_day: Days ahead at which a first-time buyer is likeliest to buy again; NaN for all others; shape (n,).
        past_sends: customer_id, channel, event_time (UTC) of sends that happened or are planned elsewhere.
        unsubscribed: customer_id, channel of who must not be written to there; a missing channel stands for all.
    """

    customer_id: Sequence[str]
    zones: str | Sequence[str]
    habit: npt.NDArray[np.floating] | None = None
    value: Floats | None = None
    day_weight: Floats | None = None
    peak_day: Floats | None = None
    past_sends: pd.DataFrame | None = None
    unsubscribed: pd.DataFrame | None = None

    def __post_init__(self) -> None:
        n = len(self.customer_id)
        zones = pd.Series(["" if isinstance(self.zones, str) else zone for zone in self.zones][: n or None])
        if not isinstance(self.zones, str) and len(self.zones) != n:
            raise DefinitionError(
                f"Zones must have one entry a customer, {n}, but {len(self.zones)} came. Give one each."
            )
        repeated = pd.Index(self.customer_id).duplicated()
        if repeated.any():
            name = self.customer_id[int(repeated.argmax())]
            own = sorted({z for z, c in zip(zones, self.customer_id, strict=False) if c == name})
            said = f", one with the zones {', '.join(own)}" if len(own) > 1 else ""
            raise DefinitionError(
                f"Each customer must come once, but {int(repeated.sum()):,} come again{said}. Keep the latest entry."
            )
        for name, shape in (("habit", (n, SLOTS)), ("value", (n,)), ("day_weight", (n, SEND_DAYS)), ("peak_day", (n,))):
            given = getattr(self, name)
            if given is not None and np.shape(given) != shape:
                raise DefinitionError(
                    f"{name} must have the shape {shape}, but {np.shape(given)} came. Give a row each."
                )

    def zone_of(self, rows: Ints) -> npt.NDArray[np.object_]:
        """Names of the zones of some customers."""
        names = [self.zones] * len(self.customer_id) if isinstance(self.zones, str) else list(self.zones)
        return np.array(names, dtype=object)[rows]

    def days(self) -> Floats:
        """How much each day ahead weighs for each customer; shape (n, 7), mean 1 or, where nothing is known, all 1.

        The weight of a peak falls by half in about a day and a half on either side. A peak beyond the plan lifts its last day.
        """
        weight = np.ones((len(self.customer_id), SEND_DAYS))
        if self.day_weight is not None:
            weight *= np.nan_to_num(np.maximum(self.day_weight, 0.0), nan=1.0)
        if self.peak_day is not None:
            apart = np.abs(np.arange(SEND_DAYS) + 0.5 - np.clip(self.peak_day, 0.0, SEND_DAYS)[:, None])
            weight *= np.where(np.isnan(apart), 1.0, np.exp(-apart / _PEAK_DAYS))
        mean = weight.mean(axis=1, keepdims=True)
        return np.asarray(np.where(mean > 0, weight / np.maximum(mean, np.finfo(np.float64).tiny), 1.0))


@dataclass(frozen=True, eq=False)
class Messages:
    """Messages wanted, by customer and then by what they are worth, most first; rows of one customer stand together.

    Attributes:
        table: customer_id, message, channel, value, expires_at as they came, in this order.
        waiting: The same of messages beyond the fourth of a customer: they are not weighed in this plan.
        owner: Number of the customer among those written to; shape (rows,).
        customer: Row of the audience of each such customer; shape (customers,).
        place: Which message of its customer a row is, 0 the first; shape (rows,).
        expires: Microseconds before which it must start; shape (rows,).
        stand_in: What a message of unknown value counts as: the mean of the others, or 1.
    """

    table: pd.DataFrame
    waiting: pd.DataFrame
    owner: Ints
    customer: Ints
    place: Ints
    expires: Micros
    stand_in: float

    def of(self, owners: Ints) -> "Messages":
        """Return the messages of some customers, whose rising numbers among those written to are given."""
        rows = np.flatnonzero(np.isin(self.owner, owners))
        return replace(
            self, table=self.table.iloc[rows].reset_index(drop=True), owner=np.searchsorted(owners, self.owner[rows]),
            customer=self.customer[owners], place=self.place[rows], expires=self.expires[rows],
        )  # fmt: skip


def messages_of(messages: pd.DataFrame, audience: Audience) -> Messages:
    """Return the messages in order and checked.

    Raises:
        DefinitionError: If a column is missing, a customer is not in the audience, or a message comes twice.
    """
    missing = [name for name in ("customer_id", "message", "channel") if name not in messages.columns]
    if missing:
        raise DefinitionError(f"Messages must have the columns {missing}, but they are missing. Add them.")
    table = messages.reindex(columns=["customer_id", "message", "channel", "value", "expires_at"])
    table = table.astype({"customer_id": "str", "message": "str", "channel": "str", "value": "float64"})
    table["expires_at"] = pd.to_datetime(table["expires_at"], utc=True).astype("datetime64[us, UTC]")
    table = table.sort_values(["customer_id", "value", "message", "channel"], ascending=[True, False, True, True])
    table = table.reset_index(drop=True)
    twice = table.duplicated(["customer_id", "message", "channel"])
    if twice.any():
        first = table.iloc[int(twice.to_numpy().argmax())]
        raise DefinitionError(
            f"A message must be wanted once by a customer, but '{first['message']}' by {first['channel']} comes again"
            f" ({int(twice.sum()):,} such rows). Keep one."
        )
    rows = pd.Index(list(audience.customer_id), dtype="str").get_indexer(pd.Index(table["customer_id"]))
    if (rows < 0).any():
        strangers = table["customer_id"][rows < 0].nunique()
        raise DefinitionError(
            f"Every message must go to a customer of the audience, but {strangers:,} are not in it. Add them."
        )
    late = (table.groupby("customer_id").cumcount() >= MOST_MESSAGES).to_numpy(dtype=bool)
    waiting, table, rows = table[late], table[~late].reset_index(drop=True), rows[~late]
    starts = np.flatnonzero(np.diff(rows, prepend=-1))
    owner = np.cumsum(np.diff(rows, prepend=-1) != 0) - 1
    unending = np.iinfo(np.int64).max
    until = table["expires_at"].astype("int64").where(table["expires_at"].notna(), unending)
    return Messages(
        table,
        waiting,
        owner,
        rows[starts].astype(np.int64),
        (np.arange(len(rows)) - starts[owner]).astype(np.int64),
        np.asarray(until, dtype=np.int64),
        _stand_in(table["value"].to_numpy(np.float64)),
    )


def _stand_in(value: Floats) -> float:
    known = value[~np.isnan(value)]
    mean = float(known.mean()) if len(known) else 1.0
    return mean if mean > 0 else 1.0
