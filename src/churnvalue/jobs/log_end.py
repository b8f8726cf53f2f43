"""Whether a log ends where its events end, or a few of them lie far beyond."""

import numpy as np

from churnvalue import clock
from churnvalue.config import Config
from churnvalue.events.log import EventLog
from churnvalue.language import _

_USUAL = 0.999  # of events lie before the end but for a few, whose time may be a slip of the pen


def far_end(log: EventLog, config: Config) -> str:
    """Return what is to be said if the last event lies more than a horizon after almost all others; nothing otherwise.

    The log would end with it, and everybody else look gone by then.
    """
    usual = int(np.quantile(log.event_time, _USUAL, method="lower"))
    latest = usual + config.outcome.horizon_days * clock.DAY
    last = int(log.event_time.max())
    if config.observed_until or last <= latest:
        return ""
    end = int(log.event_time[log.event_time <= latest].max()) // clock.DAY * clock.DAY + clock.DAY
    return _(
        "the last event, {last}, lies {days:,} days after {share} of all: until then everyone would look gone."
        ' If its time is wrong, bound the log: observed_until = "{end}"',
        last=clock.text(last),
        days=(last - usual) // clock.DAY,
        share=f"{_USUAL:.1%}",
        end=clock.text(end),
    )
