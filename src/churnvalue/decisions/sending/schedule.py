"""When each customer is written to or called, over which channel, or why not: the table of sends and its words."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from churnvalue.clock import HOUR
from churnvalue.contacts import NO_ACTION
from churnvalue.decisions.assignment import EXPLOIT, EXPLORE, HOLDOUT
from churnvalue.decisions.sending.calendars import HOURS
from churnvalue.decisions.sending.kernels import NONE
from churnvalue.decisions.sending.reasons import reasons
from churnvalue.decisions.sending.rules import MOST_MESSAGES, Audience, Messages, SendRules, messages_of
from churnvalue.decisions.sending.slot_choice import SlotChoice, choose_slots
from churnvalue.decisions.sending.worth import NONE_KNOWN, habit_of
from churnvalue.errors import DefinitionError, near_match
from churnvalue.language import _
from churnvalue.timing.calendar import wall_clock
from churnvalue.timing.response import ACTIVITY, SlotResponse
from churnvalue.timing.week import SLOTS

SEND_POLICY = "slot prices 1"
SEND_COLUMNS = {
    "customer_id": "str",
    "channel": "str",
    "send_at": "Int64",
    "send_at_local": "str",
    "slot": "Int64",
    "p_slot": "float64",
    "group": "str",
    "propensity": "float64",
    "eligible_slots": "int64",
    "evidence": "str",
    "reason": "str",
}
MORE_COLUMNS = {
    "message": "str",
    "p_response": "float64",
    "expected_value": "float64",
    "eligible": "str",
    "policy_version": "str",
}


@dataclass(frozen=True, eq=False)
class SendPlan:
    """Every message with its hour, or the reason why it has none.

    Attributes:
        sends: One row a message, by customer_id and then by worth, with the columns of sends.parquet. ``p_slot`` is activity,
            ``p_response`` response: NaN unless sends drawn at random tell. ``expected_value`` is net of cost and fatigue.
            ``eligible`` holds the hours of the week it could have taken: 168 bits as hexadecimal digits, Monday 00:00 first.
        full: channel, hour (UTC), price: what one more send in a full hour would add, in money.
        gap: Share of the best plan's worth that this one falls short of it at most.
        notes: How the plan came out, in sentences.
    """

    sends: pd.DataFrame
    full: pd.DataFrame
    gap: float
    notes: tuple[str, ...]


def schedule(
    messages: pd.DataFrame, audience: Audience, rules: SendRules, response: SlotResponse | None = None
) -> SendPlan:
    """Return the plan of the next seven days that earns most within quiet hours, consent, caps, gaps and capacities.

    A message is worth its value times how well the hour suits, less the channel's cost and what unsubscribing would lose;
    not to send is worth 0. While nothing is known of response, the hour never decides whether a message pays, only which
    hour it gets. A share explores: every allowed hour is equally likely. ``propensity`` is the probability of what was given
    over the hash of the id: exact but where explorers meet full hours.

    A log that knows only days gives the weekday; the hour is then ``timing.default_hour``, or the first allowed after it.

    Args:
        messages: customer_id, message, channel; if known value (money, of a send in an average hour, before the channel's
            cost) and expires_at (UTC, before which it must start). Of one customer the four worth most are weighed.
        audience: The customers.
        rules: What holds for every send.
        response: What past sends tell; None if there are none.

    Raises:
        ConfigError: If there is no such zone, or quiet hours leave no hour.
        DefinitionError: If the inputs do not fit each other.
    """
    wanted = messages_of(messages, audience)
    choice = choose_slots(wanted, audience, rules, response)
    sends = _table(wanted, audience, rules, choice)
    prices = choice.assignment.prices
    channels = choice.candidates.calendars.channels
    priced = np.flatnonzero(prices > 0)
    full = pd.DataFrame(
        {
            "channel": [channels[place // HOURS].id for place in priced],
            "hour": pd.to_datetime((rules.as_of // HOUR + priced % HOURS) * HOUR, unit="us", utc=True),
            "price": prices[priced],
        }
    )
    return SendPlan(sends, full, choice.assignment.gap, _notes(sends, full, choice.assignment.gap))


def plan_messages(plan: pd.DataFrame, rules: SendRules) -> pd.DataFrame:
    """Messages of the customers of a retention plan who get an action, of unknown value: the plan has decided.

    Raises:
        DefinitionError: If an action has no channel.
    """
    acted = plan[plan["action"] != NO_ACTION]
    for action in sorted(set(acted["action"]) - set(rules.channels)):
        raise DefinitionError(f"Action '{action}' must have a channel.{near_match(action, rules.channels)}")
    return pd.DataFrame(
        {
            "customer_id": acted["customer_id"].astype("str"),
            "message": acted["action"].astype("str"),
            "channel": acted["action"].map(dict(rules.channels)).astype("str"),
        }
    )


def _table(messages: Messages, audience: Audience, rules: SendRules, choice: SlotChoice) -> pd.DataFrame:
    """The rows of sends.parquet."""
    found, given = choice.candidates, choice.given
    calendars, calendar = found.calendars, found.calendar
    rows, sent = np.arange(len(given)), given != NONE
    place = np.where(sent, given, 0)
    slot = np.where(sent, calendars.slot[calendar, place], 0)
    send_at = np.where(sent, calendars.send_at[calendar, place], 0)
    p_slot = np.full(len(rows), np.nan)
    if audience.habit is not None:
        habit = habit_of(audience, messages.customer, rules)
        p_slot = np.where(sent, habit[messages.owner, slot], np.nan)
    eligible = np.zeros((len(rows), SLOTS), dtype=bool)
    some, hours = found.allowed.nonzero()
    eligible[some, calendars.slot[calendar[some], hours]] = True
    table = pd.DataFrame(
        {
            "customer_id": messages.table["customer_id"],
            "channel": messages.table["channel"],
            "send_at": pd.array(send_at, dtype="Int64"),
            "send_at_local": _local(choice, send_at, sent),
            "slot": pd.array(slot, dtype="Int64"),
            "p_slot": p_slot,
            "group": choice.group,
            "propensity": choice.propensity,
            "eligible_slots": found.allowed.sum(axis=1),
            "evidence": found.evidence,
            "reason": reasons(choice, messages, rules, p_slot),
            "message": messages.table["message"],
            "p_response": np.where(sent, found.p_response[rows, place], np.nan),
            "expected_value": np.where(sent, found.expected[rows, place], np.nan),
            "eligible": _hex(eligible),
            "policy_version": SEND_POLICY,
        }
    )
    table.loc[~sent, ["send_at", "slot"]] = pd.NA
    waiting = messages.waiting.assign(
        group=EXPLOIT, eligible_slots=0, evidence=NONE_KNOWN if audience.habit is None else ACTIVITY,
        reason=_(
            "not sent: no more than {most} messages of a customer are weighed at once; it waits for the next plan",
            most=MOST_MESSAGES,
        ),
        eligible="0" * (SLOTS // 4), policy_version=SEND_POLICY,
    )  # fmt: skip
    table = pd.concat([table, waiting.reindex(columns=table.columns)]) if len(waiting) else table
    table = table.sort_values("customer_id", kind="stable", ignore_index=True).astype(SEND_COLUMNS | MORE_COLUMNS)
    table["send_at"] = pd.to_datetime(table["send_at"], unit="us", utc=True).astype("datetime64[us, UTC]")
    return table[[*SEND_COLUMNS, *MORE_COLUMNS]]


def _local(choice: SlotChoice, send_at: npt.NDArray[np.int64], sent: npt.NDArray[np.bool_]) -> npt.NDArray[np.object_]:
    """ISO local times; None where nothing is sent."""
    calendars, calendar = choice.candidates.calendars, choice.candidates.calendar
    offsets = np.zeros(calendars.slot.shape, np.int64)
    for number, own in enumerate(calendars.slots):
        offsets[number, : len(own.slot)] = own.offset
    texts = np.full(len(send_at), None, dtype=object)
    texts[sent] = wall_clock(send_at[sent], offsets[calendar[sent], choice.given[sent]])
    return texts


def _hex(bits: npt.NDArray[np.bool_]) -> list[str]:
    """Each row of 168 bits as 42 hexadecimal digits, the first bit the highest."""
    return [row.tobytes().hex() for row in np.packbits(bits, axis=1)]


def _notes(sends: pd.DataFrame, full: pd.DataFrame, gap: float) -> tuple[str, ...]:
    """How many messages have an hour, why the others have none, and how near the plan is to the best."""
    late = sends.loc[sends["send_at"].isna(), "reason"].value_counts()
    unsent = tuple(_("{count} messages {reason}.", count=n, reason=reason) for reason, n in sorted(late.items()))
    groups = sends["group"].value_counts()
    drawn, held_out = int(groups.get(EXPLORE, 0)), int(groups.get(HOLDOUT, 0))
    told = {"sent": int(sends["send_at"].notna().sum()), "messages": len(sends), "drawn": drawn, "held_out": held_out}
    if drawn and held_out:
        whole = _(
            "{sent:,} of {messages:,} messages have an hour within seven days, {drawn:,} of them at an hour drawn at random; "
            "{held_out:,} are held out.",
            **told,
        )
    elif drawn:
        whole = _(
            "{sent:,} of {messages:,} messages have an hour within seven days, {drawn:,} of them at an hour drawn at random.",
            **told,
        )
    elif held_out:
        whole = _(
            "{sent:,} of {messages:,} messages have an hour within seven days; {held_out:,} are held out.", **told
        )
    else:
        whole = _("{sent:,} of {messages:,} messages have an hour within seven days.", **told)
    crowded = _(
        "{hours:,} hours are full; no other choice of hours is worth over {gap:.3f} % more.",
        hours=len(full),
        gap=100 * gap,
    )
    return (
        whole,
        *unsent,
        *((crowded,) if len(full) else ()),
    )
