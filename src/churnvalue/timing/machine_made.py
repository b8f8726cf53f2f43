"""Events that no person made: mail scanners that open everything, scripts on a timer, one opening logged many times.

Every rule asks for what people hardly do: somebody who is merely very active must stay. What is flagged is to be left out
of habits and response, and its count shown.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

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
_AT_ONCE = 1 << 20  # events

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
    who, times, order = _sorted(np.asarray(customer), event_time)
    found = [_of_range(who[part], times[part]) for part in _ranges(who)]
    events, active_days, crowded, by_clock, bursts, seconds, fine = (
        np.concatenate(part) for part in zip(*found, strict=True)
    )
    too_many = _too_many(events, active_days, crowded)[who]
    fine_clock = np.count_nonzero(seconds.reshape(len(found), -1).any(axis=0)) >= _FINE_CLOCK
    clockwork = fine_clock & by_clock[who]
    burst = fine.any() & bursts
    reasons = {TOO_MANY: too_many, CLOCKWORK: clockwork & ~too_many, BURST: burst & ~too_many & ~clockwork}
    mask = np.empty(len(who), dtype=bool)
    mask[order] = too_many | clockwork | burst
    return MachineMade(
        mask=mask,
        events={reason: int(flags.sum()) for reason, flags in reasons.items()},
        customers={reason: len(np.unique(who[flags])) for reason, flags in reasons.items()},
    )


def _sorted(customer: npt.NDArray[Any], event_time: Micros) -> tuple[Ints, Micros, Ints | slice]:
    """Return number of the customer and time of each event by both, and the order, everything where it is so already."""
    if customer.shape != event_time.shape:
        raise DefinitionError(
            f"Each event must have one customer and one time, but {len(customer)} customers and {len(event_time)} times came. "
            "Pass two columns of one table."
        )
    if customer.dtype.kind == "i":
        new = customer[1:] != customer[:-1]
        if (customer[1:] >= customer[:-1]).all() and (new | (event_time[1:] >= event_time[:-1])).all():
            return np.cumsum(np.r_[False, new][: len(customer)]), event_time, slice(None)
    codes = np.unique(customer, return_inverse=True)[1]
    order = np.lexsort((event_time, codes))
    return codes[order], event_time[order], order


def _ranges(who: Ints) -> list[slice]:
    """Return events in ranges of about a million, no customer's in two of them; one range where there are none."""
    edges = np.unique(np.searchsorted(who, who[::_AT_ONCE]))
    return [slice(*pair) for pair in pairwise([*edges.tolist(), len(who)])] or [slice(0)]


def _of_range(who: Ints, times: Micros) -> tuple[npt.NDArray[np.generic], ...]:
    """What tells machines, of all events of some customers.

    Events (those of one moment once), days with any, days with very many, and whether they run by a clock, by customer;
    whether each event repeats another in a burst; the seconds of the hour that there are, shape (3600,); whether any time
    is finer than a minute, shape (1,).
    """
    who = who - who[:1]
    customers = int(who.max(initial=-1)) + 1
    second = times % HOUR // _SECOND
    moments = np.r_[True, (np.diff(who) != 0) | (np.diff(times) != 0)][: len(who)]
    active, a_day = _grouped(who[moments], times[moments] // DAY)
    return (
        np.bincount(who[moments], minlength=customers),
        np.bincount(active, minlength=customers),
        np.bincount(active[a_day >= _MOST_A_DAY], minlength=customers),
        _clockwork(who, times, second),
        _repeats_in_bursts(who, times),
        np.bincount(second, minlength=HOUR // _SECOND) > 0,
        np.array([(times % _MINUTE != 0).any()]),
    )


def _too_many(events: Ints, active_days: Ints, crowded: Ints) -> Flags:
    """Whether each customer makes more events than a person; shape (customers,). ``crowded``: days with very many."""
    flags = (active_days >= _ACTIVE_DAYS) & (2 * crowded >= active_days)
    if len(events) >= _FEWEST_CUSTOMERS:
        apart = events >= np.maximum(_TIMES_NEXT * np.partition(events, -2)[-2], _SHARE_OF_LOG * events.sum())
        flags |= apart & (events >= _AT_TOP_A_DAY * active_days)
    return np.asarray(flags)


def _clockwork(who: Ints, times: Micros, second: Ints) -> Flags:
    """Whether each customer's events run by a clock; shape (customers,). ``second`` of the hour of each event."""
    customers = int(who.max(initial=-1)) + 1
    hours = np.bincount(
        _grouped(who, times // HOUR)[0], minlength=customers
    )  # repeats in one hour say nothing of a clock
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
