"""Whether the hour changes the answer: the response to messages by hour, as far as the sends of the past can tell.

Response is not activity: that customers buy on Tuesday evening does not show that a message sent then works better. Only
sends whose hour was drawn with a known probability can, and what they say of personal hours is checked on sends not learned
from. Three tiers: no sends ("activity"), sends of a policy whose probabilities are not known ("rates": counts by hour,
if they differ beyond chance; no claim), sends with known probabilities ("experiment").
"""

from dataclasses import dataclass, replace
from typing import Self

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.stats import chi2

from churnvalue.errors import DefinitionError
from churnvalue.language import N_
from churnvalue.timing.response_policy import COMMON, GAINS, choose_policy
from churnvalue.timing.response_shape import Floats, Ints, Shape, Trials, fit_shape, relative_activity

ACTIVITY, RATES, EXPERIMENT = N_("activity"), N_("rates"), N_("experiment")

MIN_SENDS = 30
_MIN_RESPONSES = 10
_HOURS_DIFFER = 0.95
_TIE = 1e-6
_MACHINE_SECONDS = 5.0
_MACHINE_SHARE, _MACHINE_SENDS = 0.95, 20
_CHUNK = 65_536

Bools = npt.NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class SendLog:
    """Messages that were sent, one entry each unless said otherwise.

    Attributes:
        customer_id: To whom.
        sent_at: Microseconds since 1970-01-01 UTC.
        slot: Hour of the local week, 0 … 167, in which they went out.
        channel: By which channel.
        responded: Whether it was answered, clicked or whatever counts.
        propensity: Probability of this slot among the eligible ones; NaN where no policy was recorded.
        eligible: Which slots could have been drawn; shape (m, S). None: all in which the channel sent.
        delay_seconds: From sending to the response; NaN where not known. None: for none.
    """

    customer_id: npt.NDArray[np.object_]
    sent_at: Ints
    slot: Ints
    channel: npt.NDArray[np.object_]
    responded: Bools
    propensity: Floats
    eligible: Bools | None = None
    delay_seconds: Floats | None = None


@dataclass(frozen=True, eq=False)
class ChannelResponse:
    """What the sends of one channel tell.

    Attributes:
        evidence: "activity", "rates" or "experiment".
        policy: "common", "habit", "both" or "own": what chooses the hour; beyond "common" only where responses not learned from
            were foretold better by more than chance and the hours chosen gained. Of personal policies whose gains differ by
            less than a standard error it is the simplest.
        gains: policy; gain, gain_se: response rate of the best tenth of each customer's hours by a personal policy less that
            of the best common ones, by self-normalised inverse propensities; likelier, likelier_se: by how much responses
            were foretold better, in nats a send; all on sends not learned from.
        support: slot, sends, responses, ranked; one row a slot.
        shape: How the chance of a response moves with hour, habit and customer.
        machine_opens: Responses set aside because a machine gave them.
        unknown_policy: Sends without a known probability; they are not learned from where others have one.
    """

    evidence: str
    policy: str
    gains: pd.DataFrame
    support: pd.DataFrame
    shape: Shape
    machine_opens: int
    unknown_policy: int


def week_parts() -> Ints:
    """Part of the week of each of its 168 hours: six parts of the day, on weekdays and on the weekend. Shape (168,)."""
    hour, day = np.arange(168) % 24, np.arange(168) // 24
    return np.asarray(np.searchsorted([6, 10, 14, 18, 22], hour, side="right") + 6 * (day >= 5), dtype=np.int64)


def machine_opens(sends: SendLog) -> Bools:
    """Whether each response was given by a machine: within five seconds of sending, or by a customer who answers nearly all.

    The latter: at least 95 % of 20 or more sends, half of them within a minute. Without delays nothing can be told.
    """
    if sends.delay_seconds is None:
        return np.zeros(len(sends.slot), dtype=bool)
    delay = np.where(sends.responded, sends.delay_seconds, np.nan)
    table = pd.DataFrame({"id": sends.customer_id, "answered": sends.responded, "delay": delay})
    own = table.groupby("id", sort=True).agg(
        n=("answered", "size"), share=("answered", "mean"), delay=("delay", "median")
    )
    robots = own.index[(own["n"] >= _MACHINE_SENDS) & (own["share"] >= _MACHINE_SHARE) & (own["delay"] <= 60.0)]
    return np.asarray(sends.responded & ((delay < _MACHINE_SECONDS) | table["id"].isin(robots).to_numpy()), dtype=bool)


class SlotResponse:
    """Response to messages by slot, for each channel; see the module for what each tier may claim.

    Attributes:
        channels_: What is known of each channel.
    """

    channels_: dict[str, ChannelResponse]

    def __init__(self, *, parts: Ints | None = None) -> None:
        self.parts = parts

    def fit(self, sends: SendLog, habit: npt.NDArray[np.floating]) -> Self:
        """Return self, having learned from ``sends``; ``habit`` of the customer of each, shape (m, S), rows sum to 1.

        Raises:
            DefinitionError: If shapes do not fit, a slot does not exist or a propensity is not in (0, 1].
        """
        parts = week_parts() if self.parts is None else np.asarray(self.parts, np.int64)
        _check(sends, habit, len(parts))
        machine = machine_opens(sends)
        order = np.lexsort(
            (sends.propensity, sends.responded, sends.slot, sends.sent_at, sends.customer_id.astype(str))
        )
        self.channels_ = {}
        for name in np.unique(sends.channel.astype(str)).tolist():
            rows = order[sends.channel[order].astype(str) == name]
            self.channels_[name] = _learn(_trials(sends, habit, rows, machine, parts), int(machine[rows].sum()))
        return self

    def evidence(self, channel: str) -> str:
        """Tier of evidence of a channel; "activity" where nothing was ever sent."""
        return self.channels_[channel].evidence if channel in self.channels_ else ACTIVITY

    def beside(self, other: "SlotResponse") -> "SlotResponse":
        """Return what the experiments here tell, and what ``other`` tells of all other channels."""
        both = SlotResponse(parts=self.parts)
        both.channels_ = {**self.channels_, **other.channels_}
        both.channels_ |= {name: one for name, one in self.channels_.items() if one.evidence == EXPERIMENT}
        return both

    def predict(self, channel: str, habit: npt.NDArray[np.floating], customer_id: npt.NDArray[np.object_]) -> Floats:
        """Probability of a response in each slot; shape (n, S); NaN in slots not ranked, for want of sends.

        Rates without an experiment are what was counted: the customers reached in an hour may have differed.
        """
        known = self.channels_[channel]
        own = np.asarray(habit, np.float64)
        # Where response tells hours apart no further, activity breaks the tie.
        rate = known.shape.predict(own, customer_id, known.policy) * np.exp(_TIE * relative_activity(own))
        return np.where(known.support["ranked"].to_numpy(dtype=bool), np.clip(rate, 0.0, 1.0), np.nan)


def _check(sends: SendLog, habit: npt.NDArray[np.floating], slots: int) -> None:
    """Refuse what cannot be learned from."""
    m = len(sends.slot)
    lengths = {len(getattr(sends, name)) for name in ("customer_id", "sent_at", "channel", "responded", "propensity")}
    if lengths != {m} or habit.shape != (m, slots):
        raise DefinitionError(
            f"Sends must have {m} entries each and habit the shape ({m}, {slots}), but {sorted(lengths)} and {habit.shape} came."
        )
    if m and not (sends.slot.min() >= 0 and sends.slot.max() < slots):
        raise DefinitionError(f"Slots must lie in 0 … {slots - 1}, but {sends.slot.min()} … {sends.slot.max()} came.")
    known = sends.propensity[~np.isnan(sends.propensity)]
    if ((known <= 0) | (known > 1)).any():
        raise DefinitionError(
            "A propensity must lie above 0 and at most at 1, but some do not. Leave unknown ones out (NaN)."
        )


def _trials(sends: SendLog, habit: npt.NDArray[np.floating], rows: Ints, machine: Bools, parts: Ints) -> Trials:
    """The sends of one channel, in an order of their own; sends of unknown policy only if there are no others."""
    drawn = rows[~np.isnan(sends.propensity[rows]) & (sends.propensity[rows] < 1.0)]
    known = _described(sends, drawn, machine, parts)
    random = _effective(known.weight) >= MIN_SENDS and known.answered.sum() >= _MIN_RESPONSES
    if not random:
        # What was counted chooses no personal hours, so that activity is not asked.
        return replace(_described(sends, rows, machine, parts), propensity=np.full(len(rows), np.nan))
    activity = np.empty(len(drawn))
    for part in np.array_split(np.arange(len(drawn)), max(1, -(-len(drawn) // _CHUNK))):
        own = np.asarray(habit[drawn[part]], np.float64)
        activity[part] = relative_activity(own)[np.arange(len(part)), known.slot[part]]
    return replace(known, habit=habit[drawn], activity=activity, left_out=len(rows) - len(drawn))


def _described(sends: SendLog, rows: Ints, machine: Bools, parts: Ints) -> Trials:
    """Some sends, as if all customers were equally active in all hours."""
    codes, ids = pd.factorize(sends.customer_id[rows])
    seen = np.isin(np.arange(len(parts)), sends.slot[rows])
    shape = (len(rows), len(parts))
    return Trials(
        customer=codes.astype(np.int64),
        ids=np.asarray(ids, dtype=object),
        slot=sends.slot[rows],
        answered=(sends.responded & ~machine)[rows].astype(np.float64),
        propensity=sends.propensity[rows],
        eligible=np.broadcast_to(seen, shape) if sends.eligible is None else sends.eligible[rows],
        habit=np.broadcast_to(np.float32(1.0 / len(parts)), shape),
        activity=np.zeros(len(rows)),
        parts=parts,
        left_out=0,
    )


def _effective(weight: Floats) -> float:
    """Sends of equal weight that would tell as much (Kish 1965)."""
    return float(weight.sum() ** 2 / (weight**2).sum()) if len(weight) else 0.0


def _learn(trials: Trials, machine: int) -> ChannelResponse:
    """What one channel's sends tell."""
    size = len(trials.parts)
    sent = np.bincount(trials.slot, minlength=size)
    answered = np.bincount(trials.slot[trials.answered > 0], minlength=size)
    random = not np.isnan(trials.propensity).any()
    by_part = np.bincount(trials.parts, sent, minlength=trials.parts.max() + 1)[trials.parts]
    ranked = (sent > 0) & (by_part >= MIN_SENDS) if random else sent >= MIN_SENDS
    support = pd.DataFrame({"slot": np.arange(size), "sends": sent, "responses": answered, "ranked": ranked})
    tells = ranked.any() if random else _differ(sent[ranked], answered[ranked])
    evidence = ACTIVITY if not tells else EXPERIMENT if random else RATES
    gains, policy = choose_policy(trials) if evidence == EXPERIMENT else (pd.DataFrame(columns=list(GAINS)), COMMON)
    return ChannelResponse(evidence, policy, gains, support, fit_shape(trials, policy), machine, trials.left_out)


def _differ(sent: Ints, answered: Ints) -> bool:
    """Whether the answers of hours differ by more than chance: Pearson's test of homogeneity."""
    if len(sent) < 2:
        return False
    rate = answered.sum() / sent.sum()
    chance = sent * rate * (1.0 - rate)
    beyond = np.divide((answered - sent * rate) ** 2, chance, out=np.zeros(len(sent)), where=chance > 0)
    return bool(beyond.sum() > chi2.ppf(_HOURS_DIFFER, len(sent) - 1))
