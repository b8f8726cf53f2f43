"""How likely one more message makes a customer unsubscribe, by how many came in the week before."""

import numpy as np
import numpy.typing as npt
from sklearn.isotonic import IsotonicRegression

from churnvalue.clock import DAY, Micros
from churnvalue.errors import DefinitionError

# An assumption until own sends are known: one in a thousand, half as much again with each message of the week before.
ASSUMED_RATES = (0.001, 0.0015, 0.00225, 0.003375, 0.0050625)
WEEK = 7 * DAY
WORTH_SENDS = 2000.0

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


def unsubscribe_rates(recent: npt.ArrayLike, unsubscribed: npt.ArrayLike) -> Floats:
    """Probability of unsubscribing after a message, by 0, 1, … 4 and more messages in the week before; never falling.

    What was observed, with the assumed rates standing in for 2,000 further sends at each number.

    Args:
        recent: For each send that happened, the messages to the same customer in the week before.
        unsubscribed: Whether the customer unsubscribed before the next send.

    Raises:
        DefinitionError: If a number is negative or the two differ in length.
    """
    counts, lost = np.asarray(recent, np.int64), np.asarray(unsubscribed, np.float64)
    if counts.shape != lost.shape or (counts < 0).any():
        raise DefinitionError(
            "Recent messages must be at least 0 and one a send, as must be what came of it, but "
            f"{counts.shape} and {lost.shape} came, lowest {counts.min(initial=0)}. Count messages by send."
        )
    assumed = np.array(ASSUMED_RATES)
    place = np.minimum(counts, len(assumed) - 1)
    weight = np.bincount(place, minlength=len(assumed)) + WORTH_SENDS
    rate = (np.bincount(place, lost, minlength=len(assumed)) + WORTH_SENDS * assumed) / weight
    rising = IsotonicRegression().fit(np.arange(len(rate)), rate, sample_weight=weight)
    return np.asarray(rising.predict(np.arange(len(rate))), dtype=np.float64)


def recent_sends(customer: Ints, send_at: Micros) -> Ints:
    """Messages to the same customer in the seven days before each send. Shape as ``send_at``.

    Of sends at the same moment the earlier row counts as earlier.
    """
    order = np.lexsort((send_at, customer))
    who, when = customer[order], send_at[order]
    # Customers are set apart by more than a week, so that one search finds the first send of each week.
    line = (
        when
        - when.min(initial=0)
        + np.cumsum(np.diff(who, prepend=who[:1]) != 0) * (np.ptp(when) + 2 * WEEK if len(when) else 0)
    )
    found = np.empty(len(when), np.int64)
    found[order] = np.arange(len(when)) - np.searchsorted(line, line - WEEK, side="right")
    return found
