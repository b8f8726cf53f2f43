"""Past sends and who answered them: those of earlier plans, and the messages that the log holds."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

from churnvalue import clock
from churnvalue.clock import DAY, HOUR, Micros
from churnvalue.decisions.assignment import HOLDOUT
from churnvalue.events.log import MISSING, EventLog
from churnvalue.events.selection import places
from churnvalue.jobs.activity import Activity
from churnvalue.jobs.answers import ANSWER_DAYS, ANSWERED, first_wait, last_before, rows_of_kinds
from churnvalue.jobs.fatigue import SENT
from churnvalue.jobs.outputs import PLAN, SENDS
from churnvalue.jobs.ranges import ranges
from churnvalue.language import _
from churnvalue.storage import read_manifest, read_parquet
from churnvalue.sweep import customer_of
from churnvalue.timing.response import SendLog
from churnvalue.timing.week import SLOTS

MOST_SENDS = 200_000  # the latest; their hours of activity take 130 MB
_ANSWER_HOURS = 48
_MINUTE = HOUR // 60
_NEEDED = ("customer_id", "channel", "send_at", "slot", "group", "propensity", "message", "eligible")

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class PastSends:
    """The sends of an earlier plan, as in sends.parquet, and the cutoff at which it was made."""

    cutoff: int
    sends: pd.DataFrame


def read_past_sends(folders: Iterable[Path]) -> tuple[tuple[PastSends, ...], tuple[str, ...]]:
    """Return the sends of past plans, earliest first, and a note on every folder that holds none to learn from."""
    found, notes = [], []
    for folder in folders:
        whole = {PLAN, SENDS} <= set(read_manifest(folder)["files"])
        cutoffs = read_parquet(folder, PLAN)["cutoff"].to_pylist() if whole else []
        sends = read_parquet(folder, SENDS).to_pandas() if whole else pd.DataFrame()
        if len(cutoffs) and set(_NEEDED) <= set(sends.columns):
            found.append(PastSends(clock.micros(cutoffs[0]), sends[list(_NEEDED)]))
        else:
            notes.append(
                _(
                    "{folder} holds no sends with the hours they could have taken: nothing is learned of hours there.",
                    folder=folder,
                )
            )
    return tuple(sorted(found, key=lambda one: one.cutoff)), tuple(notes)


def sends_of_plans(
    log: EventLog, outcome: str, activity: Activity, past: Sequence[PastSends], cutoff: int
) -> tuple[SendLog, npt.NDArray[np.float32], dict[str, int]]:
    """Return the sends of plans as they were assigned, whether or not they went out, and what is left out.

    With them the hours of activity of each send's customer as known when its plan was made; shape (sends, 168).
    """
    tables = [one.sends.assign(made=one.cutoff, propensity=_if_sent(one.sends)) for one in past]
    table = pd.concat(tables) if tables else pd.DataFrame(columns=[*_NEEDED, "made"])
    table = table[table["send_at"].notna()].drop_duplicates(["customer_id", "message", "channel", "send_at"])
    customer = places(log, table["customer_id"])
    at: Micros = np.asarray(table["send_at"].astype("datetime64[us, UTC]").astype("int64"), dtype=np.int64)
    over, known = at < cutoff - ANSWER_DAYS * DAY, customer >= 0
    kept = _latest(np.flatnonzero(over & known), at, customer)
    left_out = {
        _("the time to answer is not over"): int((~over).sum()),
        _("the log does not know the customer"): int((over & ~known).sum()),
        _("only the latest {most_sends:,} of plans are", most_sends=MOST_SENDS): int((over & known).sum()) - len(kept),
    }
    table, customer, at = table.iloc[kept], customer[kept], at[kept]
    channel = table["channel"].to_numpy(dtype=object)
    rows = rows_of_kinds(log, (outcome, *ANSWERED), cutoff, customer)
    started = _started(log, customer, channel, at)
    delay = first_wait(customer, started, customer_of(log, rows), log.event_time[rows])
    delay = np.where(delay < ANSWER_DAYS * DAY, delay, np.nan)
    eligible = np.frombuffer(bytes.fromhex("".join(table["eligible"])), np.uint8).reshape(len(table), SLOTS // 8)
    sends = SendLog(
        customer_id=table["customer_id"].to_numpy(dtype=object),
        sent_at=at,
        slot=table["slot"].to_numpy(np.int64),
        channel=channel,
        responded=~np.isnan(delay),
        propensity=table["propensity"].to_numpy(np.float64),
        eligible=np.unpackbits(eligible, axis=1).astype(bool),
        delay_seconds=_seconds(log, delay),
    )
    return sends, _habits(activity, table["made"].to_numpy(np.int64), customer), left_out


def _if_sent(sends: pd.DataFrame) -> Floats:
    """Chance of each hour given that the customer was not held out; 1 where the hour was certain."""
    held = sends.loc[sends["group"] == HOLDOUT, "propensity"]
    chance = sends["propensity"].to_numpy(np.float64) / (1.0 - (float(held.iloc[0]) if len(held) else 0.0))
    return np.where(chance > 1.0 - 1e-9, 1.0, chance)


def _habits(activity: Activity, made: Ints, customer: Ints) -> npt.NDArray[np.float32]:
    """Hours of activity of each send's customer as known when its plan was made.

    How own events are drawn to those of others is learned once, at the earliest plan: no send knows more than its plan.
    """
    habits = np.empty((len(customer), SLOTS), np.float32)
    if len(customer):
        habit = activity.habit(int(made.min()))
    for cutoff in np.unique(made):
        rows = np.flatnonzero(made == cutoff)
        habits[rows] = activity.habits(habit, int(cutoff), customer[rows])
    return habits


def sends_of_log(log: EventLog, cutoff: int) -> tuple[SendLog, dict[str, int]]:
    """Return the log's own messages, whose policy is not known, and what is left out."""
    sent, at = rows_of_kinds(log, (SENT,), cutoff), log.event_time
    over, named = at[sent] < cutoff - _ANSWER_HOURS * HOUR, log.channel.codes[sent] != MISSING
    usable = sent[over & named]
    late = usable[_late(at[usable])]
    learned = late[_latest(np.arange(len(late)), at[late], customer_of(log, late))]
    left_out = {
        _("the time to answer is not over"): int((~over).sum()),
        _("the log states no channel"): int((over & ~named).sum()),
        _("only the latest {most_sends:,} of the log are", most_sends=MOST_SENDS): len(usable) - len(learned),
    }
    since = int(at[learned].min(initial=cutoff))
    sent = sent[at[sent] >= since]
    came = rows_of_kinds(log, ANSWERED, cutoff)
    delay = _answer_delays(log, sent, came[at[came] >= since])[np.searchsorted(sent, learned)]
    names = np.array([*log.channel.names, None], dtype=object)
    sends = SendLog(
        customer_id=np.asarray(log.customers.take(customer_of(log, learned)).to_pandas(), dtype=object),
        sent_at=at[learned],
        slot=clock.hour_of_week(log.wall_clock[learned]).astype(np.int64),
        channel=names[log.channel.codes[learned]],
        responded=~np.isnan(delay),
        propensity=np.full(len(learned), np.nan),
        delay_seconds=_seconds(log, delay),
    )
    return sends, left_out


def _answer_delays(log: EventLog, sent: Ints, came: Ints) -> Floats:
    """Microseconds to the first answer within two days of each message; NaN if there is none.

    An answer belongs to the latest message before it, by its own channel where it states one.
    """
    customer, channel = customer_of(log, sent), log.channel.codes
    delay = np.full(len(sent), np.nan)
    width = len(log.channel.names)
    stated = channel[came] != MISSING
    for answers, key in ((came[stated], customer * width + channel[sent]), (came[~stated], customer * width)):
        own = customer_of(log, answers) * width + np.maximum(channel[answers], 0)
        latest = last_before(own, log.event_time[answers], key, log.event_time[sent])
        answers, latest = answers[latest >= 0], latest[latest >= 0]
        waited = log.event_time[answers] - log.event_time[sent[latest]]
        in_time = waited < _ANSWER_HOURS * HOUR
        np.fmin.at(delay, latest[in_time], waited[in_time].astype(np.float64))
    return delay


def _late(times: Micros) -> npt.NDArray[np.bool_]:
    """Which times are not before the 200,000th latest."""
    most = min(MOST_SENDS, len(times))
    return np.asarray(times >= np.partition(times, -most)[-most]) if most else np.zeros(0, dtype=bool)


def _latest(rows: Ints, times: Micros, customer: Ints) -> Ints:
    """At most 200,000 of the rows: the latest, of the same moment by customer; in their order."""
    return np.sort(rows[np.lexsort((customer[rows], -times[rows]))[:MOST_SENDS]])


def _seconds(log: EventLog, delay: Floats) -> Floats | None:
    """Delays in seconds; None where the log knows no seconds, so that all that is quick would look made by a machine."""
    fine = any((part.event_time % _MINUTE != 0).any() for _, part in ranges(log))
    return delay / 1e6 if fine else None


def _started(log: EventLog, customer: Ints, channel: npt.NDArray[np.object_], planned: Micros) -> Micros:
    """When each message really went out: the first that the log holds within its hour, else as planned."""
    end = int(planned.max(initial=clock.BEGINNING)) + HOUR
    rows = rows_of_kinds(log, (SENT,), end, customer)
    width = len(log.channel.names) + 1
    own = customer * width + pd.Index(log.channel.names).get_indexer(pd.Index(channel)) + 1
    key = customer_of(log, rows) * width + log.channel.codes[rows] + 1
    waited = first_wait(own, planned, key, log.event_time[rows])
    return planned + np.where(waited < HOUR, waited, 0).astype(np.int64)
