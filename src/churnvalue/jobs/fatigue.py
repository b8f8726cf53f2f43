"""How messages tire customers: who was written to when, who unsubscribed, and how often that follows a message."""

import numpy as np
import pandas as pd

from churnvalue import clock
from churnvalue.decisions.sending.fatigue import ASSUMED_RATES, WEEK, WORTH_SENDS, recent_sends, unsubscribe_rates
from churnvalue.events.log import EventLog
from churnvalue.language import _
from churnvalue.sweep import customer_of, rows_of

SENT, UNSUBSCRIBED = "message_sent", "unsubscribe"


def told(log: EventLog, kind: str, start: int, end: int) -> pd.DataFrame:
    """Return customer_id, channel and event_time of the events of a kind known before ``end``."""
    rows = rows_of(log, kind, clock.Span(start, end), end)
    channels = np.array([*log.channel.names, None], dtype=object)
    return pd.DataFrame(
        {
            "customer_id": log.customers.take(customer_of(log, rows)).to_pandas().astype("str"),
            "channel": pd.array(channels[log.channel.codes[rows]], dtype="str"),
            "event_time": pd.to_datetime(log.event_time[rows], unit="us", utc=True),
        }
    )


def leaving_rates(log: EventLog, cutoff: int) -> tuple[tuple[float, ...], str]:
    """Return how likely one more message makes a customer unsubscribe, by messages of the week before, and on what it rests.

    An unsubscribing belongs to the latest message of the week before it, over all channels. Sends of the last week before
    the cutoff are not counted: who unsubscribes for them may still come.
    """
    sent, lost = (rows_of(log, kind, clock.before(cutoff), cutoff) for kind in (SENT, UNSUBSCRIBED))
    over = log.event_time[sent] < cutoff - WEEK
    if over.sum() < WORTH_SENDS or not len(lost):
        return ASSUMED_RATES, (
            _(
                "How often messages make customers unsubscribe is an assumption, {share:.1f} % and more "
                "after several in a week: the log holds {messages:,} messages and {lost:,} unsubscribings.",
                share=100 * ASSUMED_RATES[0],
                messages=int(over.sum()),
                lost=len(lost),
            )
        )
    # The log is sorted by customer and time, so that the latest message before an unsubscribing stands right before it.
    place = np.searchsorted(sent, lost) - 1
    latest = sent[np.maximum(place, 0)]
    follows = (place >= 0) & (customer_of(log, latest) == customer_of(log, lost))
    follows &= log.event_time[lost] - log.event_time[latest] < WEEK
    left = np.zeros(len(sent), dtype=bool)
    left[place[follows]] = True
    rates = unsubscribe_rates(recent_sends(customer_of(log, sent), log.event_time[sent])[over], left[over])
    return tuple(rates.tolist()), (
        _(
            "Customers unsubscribe after {once:.2f} % of messages, after {often:.2f} % of those with "
            "{many} or more in the week before: counted from {messages:,} messages up to {until}, drawn to an "
            "assumption worth {worth:,.0f} at each number.",
            once=100 * rates[0],
            often=100 * rates[-1],
            many=len(rates) - 1,
            messages=int(over.sum()),
            until=clock.text(cutoff - WEEK),
            worth=WORTH_SENDS,
        )
    )
