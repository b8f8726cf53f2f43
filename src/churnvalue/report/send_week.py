"""Messages by hour of the week, what their hours rest on, and which have none and why."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from churnvalue.language import _
from churnvalue.report.numbers import number
from churnvalue.report.plans import counts, most_first

HOURS = 168


@dataclass(frozen=True)
class Peak:
    """The busiest hour of a channel: when, in UTC, how many messages, and how many it can carry; None: no limit."""

    channel: str
    messages: int
    hour: pd.Timestamp
    most: int
    capacity: float | None


@dataclass(frozen=True)
class Calendar:
    """Messages by hour of the week.

    Attributes:
        messages: How many have an hour.
        customers: To how many customers these go.
        hours: Counts by weekday and hour, Monday first.
        channels: Channels and how many messages each carries.
        first: First local day of sending; empty where there is none.
        last: Last one.
        evidence: What the hours rest on and for how many messages.
        explored: Messages at an hour drawn at random.
        responses: How many answers are expected; None where the plan does not say.
        unsent: Reasons why messages have no hour, and how many, most frequent first.
        peaks: The busiest hour of each channel, the channel with most messages first.
    """

    messages: int
    customers: int
    hours: list[list[int]]
    channels: list[tuple[str, int]]
    first: str
    last: str
    evidence: dict[str, int]
    explored: int
    responses: float | None
    unsent: list[tuple[str, int]]
    peaks: list[Peak]

    @property
    def weekdays(self) -> list[int]:
        """Messages on each weekday."""
        return [sum(row) for row in self.hours]


def calendar(sends: pd.DataFrame, capacities: Mapping[str, object]) -> Calendar:
    """Return the messages counted by local hour of the week; only an hour within the week counts as one.

    ``capacities`` says how many messages a channel carries in an hour, for those that have a limit.
    """
    slots = pd.to_numeric(sends["slot"], errors="coerce").astype("float64")
    timed = slots.between(0, HOURS - 1).to_numpy()
    sent, unsent = sends[timed], sends[~timed].reindex(columns=["reason"])
    hours = np.bincount(slots[timed].astype(int).to_numpy(), minlength=HOURS).reshape(7, 24)
    days = sent["send_at_local"].dropna().str[:10]
    return Calendar(
        messages=len(sent),
        customers=int(sent["customer_id"].nunique()),
        hours=[[int(n) for n in row] for row in hours],
        channels=sorted(counts(sent["channel"]).items(), key=most_first),
        first=str(days.min()) if len(days) else "",
        last=str(days.max()) if len(days) else "",
        evidence=counts(sent["evidence"]) if "evidence" in sent else {},
        explored=counts(sent["group"]).get("explore", 0) if "group" in sent else 0,
        responses=_responses(sent),
        unsent=sorted(counts(unsent["reason"].fillna(_("no reason is given"))).items(), key=most_first),
        peaks=_peaks(sent, capacities) if "send_at" in sent else [],
    )


def _peaks(sent: pd.DataFrame, capacities: Mapping[str, object]) -> list[Peak]:
    """Return the busiest hour of each channel, the first of those that are as busy."""
    found = []
    for channel, messages in sorted(counts(sent["channel"]).items(), key=most_first):
        hours = sent.loc[sent["channel"] == channel, "send_at"].dropna().dt.floor("h")
        if len(hours):
            sizes = hours.value_counts().sort_index()
            hour = sizes.index[int(sizes.to_numpy().argmax())]
            found.append(Peak(channel, messages, hour, int(sizes.max()), number(capacities.get(channel))))
    return found


def _responses(sent: pd.DataFrame) -> float | None:
    """Return how many answers are expected; None unless every message says."""
    if "p_response" not in sent or sent["p_response"].isna().any():
        return None
    return number(float(np.sort(sent["p_response"].to_numpy(dtype=np.float64)).sum()))
