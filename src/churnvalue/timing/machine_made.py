"""Events that no person made: mail scanners that open everything, scripts on a timer, one opening logged many times.

Every rule asks for what people hardly do: somebody who is merely very active must stay. What is flagged is to be left out
of habits and response, and its count shown.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from churnvalue.clock import DAY, HOUR, Micros
from churnvalue.errors import DefinitionError
from churnvalue.language import N_

_SECOND = 1_000_000
_MINUTE = 60 * _SECOND
_FINE_CLOCK = (
    30  # different seconds of the hour in the log; with fewer, times are rounded and fall together by themselves
)
_BURST_SECONDS = 10
_BURST_EVENTS = 3  # that many and more of one kind within seconds are one act
_CLOCK_EVENTS = 20
_CLOCK_SHARE = 0.8
_GAP_TOLERANCE = 0.001
_FEWEST_CUSTOMERS = 20
_SHARE_OF_LOG = 0.1
_TIMES_NEXT = 10  # times as many events as the second most active
_AT_TOP_A_DAY = 20
_MOST_A_DAY = 300  # on half of the days on which it is active
_ACTIVE_DAYS = 3

TOO_MANY, CLOCKWORK, BURST = N_("too many events"), N_("regular clock"), N_("burst")

Flags = npt.NDArray[np.bool_]
Ints = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class MachineMade:
    """Which events a machine made, and why.

    Attributes:
        mask: True for what should be left out; shape (events,), in the order given.
        events: Number left out by reason; each event counts once, under the first that holds.
        customers: Number of customers with events left out by reason.
    """

    mask: Flags
    events: Mapping[str, int]
    customers: Mapping[str, int]


def machine_made(customer: npt.ArrayLike, event_time: Micros) -> MachineMade:
    """Return which events of one kind a machine made.

    All events of a customer are left out under *too many events*, where one id makes a tenth of a log of 20 customers or
    more, ten times the next and 20 a day, or 300 a day on half of its days (of at least 3), and under *regular clock*, where of 20
    events or more 80 % fall on the same second of the hour or follow the one before at the same distance. Of a *burst*,
    3 or more within 10 s of each other, the first event stays.

    Where times are rounded, events fall together by themselves: the clock is asked only if the log shows 30 different
    seconds of the hour, bursts only if it shows seconds.

    Args:
        customer: Whose event it is; shape (events,).
        event_time: Microseconds since 1970-01-01 UTC; shape (events,).

    Raises:
        DefinitionError: If the lengths differ.
    """
    ids, codes = np.unique(np.asarray(customer), return_inverse=True)
    if codes.shape != event_time.shape:
        raise DefinitionError(
            f"Each event must have one customer and one time, but {len(codes)} customers and {len(event_time)} times came. "
            "Pass two columns of one table."
        )
    order = np.lexsort((event_time, codes))
    who, times = codes[order], event_time[order]
    too_many = _too_many(who, times, len(ids))[who]
    fine_clock = len(np.unique(times % HOUR // _SECOND)) >= _FINE_CLOCK
    clockwork = fine_clock & _clockwork(who, times, len(ids))[who]
    burst = bool((times % _MINUTE != 0).any()) & _repeats_in_bursts(who, times)
    reasons = {TOO_MANY: too_many, CLOCKWORK: clockwork & ~too_many, BURST: burst & ~too_many & ~clockwork}
    mask = np.empty(len(who), dtype=bool)
    mask[order] = too_many | clockwork | burst
    return MachineMade(
        mask=mask,
        events={reason: int(flags.sum()) for reason, flags in reasons.items()},
        customers={reason: len(np.unique(who[flags])) for reason, flags in reasons.items()},
    )


def _too_many(who: Ints, times: Micros, customers: int) -> Flags:
    """Whether each customer makes more events than a person; shape (customers,). Events of one moment count once."""
    moments = np.r_[True, (np.diff(who) != 0) | (np.diff(times) != 0)][: len(who)]
    events = np.bincount(who[moments], minlength=customers)
    active, a_day = _grouped(who[moments], times[moments] // DAY)
    active_days = np.bincount(active, minlength=customers)
    crowded = np.bincount(active[a_day >= _MOST_A_DAY], minlength=customers)
    flags = (active_days >= _ACTIVE_DAYS) & (2 * crowded >= active_days)
    if customers >= _FEWEST_CUSTOMERS:
        apart = events >= np.maximum(_TIMES_NEXT * np.partition(events, -2)[-2], _SHARE_OF_LOG * events.sum())
        flags |= apart & (events >= _AT_TOP_A_DAY * active_days)
    return np.asarray(flags)


def _clockwork(who: Ints, times: Micros, customers: int) -> Flags:
    """Whether each customer's events run by a clock; shape (customers,)."""
    hours = np.bincount(
        _grouped(who, times // HOUR)[0], minlength=customers
    )  # repeats in one hour say nothing of a clock
    second = times % HOUR // _SECOND
    same_second = _largest_group(who, second, customers)
    follows = np.diff(who) == 0
    gaps, owner = np.diff(times)[follows], who[1:][follows]
    apart = gaps >= HOUR
    step = np.round(np.log(np.maximum(gaps[apart], 1)) / _GAP_TOLERANCE).astype(np.int64)
    same_gap = _largest_group(owner[apart], step, customers)
    events = np.bincount(who, minlength=customers)
    enough = np.minimum(events, hours) >= _CLOCK_EVENTS
    return np.asarray(enough & (np.maximum(same_second, same_gap) >= _CLOCK_SHARE * events))


def _largest_group(who: Ints, value: Ints, customers: int) -> Ints:
    """Number of events of each customer that share its most frequent value; shape (customers,)."""
    largest = np.zeros(customers, dtype=np.int64)
    owner, sizes = _grouped(who, value)
    np.maximum.at(largest, owner, sizes)
    return largest


def _grouped(who: Ints, value: Ints) -> tuple[Ints, Ints]:
    """Customer and size of each group of events of one customer with one value."""
    if not len(who):
        return who, who
    lowest = value.min()
    width = int(value.max() - lowest) + 1
    pairs, sizes = np.unique(who * width + (value - lowest), return_counts=True)
    return pairs // width, sizes


def _repeats_in_bursts(who: Ints, times: Micros) -> Flags:
    """Whether each event, sorted by customer and time, belongs to a burst and is not its first."""
    follows = np.r_[False, (np.diff(who) == 0) & (np.diff(times) <= _BURST_SECONDS * _SECOND)][: len(who)]
    burst = np.cumsum(~follows) - 1
    return np.asarray(follows & (np.bincount(burst)[burst] >= _BURST_EVENTS)) if len(who) else follows
