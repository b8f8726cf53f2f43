"""Whether messages are answered more often at the hour chosen for each customer than at one drawn at random."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from churnvalue.evaluation.estimate import Estimate, unknown
from churnvalue.evaluation.experiment_size import customers_needed
from churnvalue.evaluation.policy_value import Logged, advantage, support, value
from churnvalue.language import _

BEST, OTHER = "best", "other"
_WORTHWHILE = 0.1  # of the share that answers: the gain that an experiment should be able to see

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class SendsValue:
    """Share answered by hour: at the chosen one, at one drawn evenly, and their difference.

    ``needed``: sends with which a gain of a tenth of the share would show; None where nothing is known.
    """

    sends: int
    explored: int
    answered: float | None
    best: Estimate
    random: Estimate
    more: Estimate
    effective_random: float
    needed: int | None
    words: str


def sends_value(sends: pd.DataFrame, answered: Floats) -> SendsValue:
    """Return what the choice of the hour was worth, by self-normalised weights.

    Whoever got the hour that would be chosen anyway, drawn or not, speaks for the choice; a send at propensity ``p`` with
    ``E`` allowed hours stands for ``1 / (E p)`` sends at hours drawn evenly. Chances are exact while no hour was full.

    Args:
        sends: customer_id, group, propensity and eligible_slots of what was sent, as in sends.parquet.
        answered: Shape (n,): 1 if the customer came back in time, else 0.
    """
    slots = sends["eligible_slots"].to_numpy(np.float64)
    chance = sends["propensity"].to_numpy(np.float64)
    known = np.isfinite(answered) & (chance > 0) & (slots > 0)
    sends, slots, chance, answered = sends[known], slots[known], chance[known], answered[known]
    # Drawn evenly, an hour has the chance explore / E; only the one that would be chosen has more than 1 / E.
    best = chance * slots >= 1.0 - 1e-9
    explored = int((~best).sum())
    share = float(answered.mean()) if len(answered) else None
    if not len(sends) or not explored or best.all():
        note = _("hours were not varied at random, so whether the chosen ones are better cannot be told")
        nothing = unknown(note)
        return SendsValue(
            len(sends), explored, share, nothing, nothing, nothing, 0.0, None, note[0].upper() + note[1:] + "."
        )
    logged = Logged(
        customer_id=sends["customer_id"].to_numpy(dtype=object),
        action=np.where(best, BEST, OTHER).astype(object),
        propensity=np.where(best, chance, chance * (slots - 1.0)),
        outcome=answered,
        covariates=np.zeros((len(sends), 0)),
    )
    chosen = np.column_stack([np.ones(len(sends)), np.zeros(len(sends))])
    evenly = np.column_stack([1.0 / slots, 1.0 - 1.0 / slots])
    more = advantage(logged, chosen, evenly, "snips")
    at_best, at_random = value(logged, chosen, "snips"), value(logged, evenly, "snips")
    gain = _WORTHWHILE * (at_random.value or 0.0)
    needed = customers_needed(gain, more.se, len(sends)) if more.se else None
    effective = support(logged, evenly).effective
    return SendsValue(len(sends), explored, share, at_best, at_random, more, effective, needed, _words(more, needed))


def _words(more: Estimate, needed: int | None) -> str:
    if more.value is None or more.low is None or more.high is None:
        return _("Whether the chosen hours are better cannot be told: {why}.", why=more.note)
    change = _(
        "{change:+.1f} points ({low:+.1f} to {high:+.1f})",
        change=100 * more.value,
        low=100 * more.low,
        high=100 * more.high,
    )
    if more.conclusive:
        return _("The chosen hours change the share answered by {change} against hours drawn at random.", change=change)
    told = _("The chosen hours are not told apart from hours drawn at random: {change}.", change=change)
    if needed is None:
        return told
    return told + " " + _("About {needed:,} sends would show a gain of a tenth.", needed=needed)
