"""Of which actions an experiment says enough, and what it says of those."""

from dataclasses import replace

import numpy as np
import numpy.typing as npt

from churnvalue.effects.trial import CONTROL, OTHER, Trial
from churnvalue.language import _

ENOUGH_CUSTOMERS = 100
ENOUGH_OUTCOMES = 10

Floats = npt.NDArray[np.float64]


def too_little(trial: Trial, action: int) -> str:
    """Return why the experiment cannot speak of an action, empty if it can.

    Action and control need 100 customers each, weighted by ``1 / propensity``, so that arms which hardly overlap count little;
    together at least 10 who stay and 10 who leave.
    """
    for name, arm in ((_("the action"), action), (_("control"), CONTROL)):
        size = trial.effective_size(arm)
        if size < ENOUGH_CUSTOMERS:
            return _(
                "{size} effective customers with {arm}, {needed} needed",
                size=int(size),
                arm=name,
                needed=ENOUGH_CUSTOMERS,
            )
    outcome = trial.outcome[(trial.arm == action) | (trial.arm == CONTROL)]
    fewest = int(min((outcome > 0).sum(), (outcome <= 0).sum()))
    if fewest >= ENOUGH_OUTCOMES:
        return ""
    return _("{fewest} of the rarer outcome, {needed} needed", fewest=fewest, needed=ENOUGH_OUTCOMES)


def only(trial: Trial, actions: list[int]) -> Trial:
    """Return the experiment with these actions as 1 … K; rows of other actions stay, as not studied."""
    arm = np.full(len(trial.arm), OTHER, dtype=np.int64)
    for new, old in enumerate((CONTROL, *actions)):
        arm[trial.arm == old] = new
    return replace(trial, arm=arm, count=len(actions))


def leaving_share(trial: Trial) -> float:
    """Share of control that leaves, each row weighted by ``1 / propensity``."""
    given = trial.arm == CONTROL
    return float(np.average(1.0 - trial.outcome[given], weights=1.0 / trial.propensity[given]))


def redeemed_shares(redeemed: Floats, trial: Trial) -> Floats:
    """Share of each action's rows that redeemed, of those where it is known; NaN where it is of none. Shape (A,)."""
    shares = np.full(trial.count, np.nan)
    for action in range(trial.count):
        known = (trial.arm == action + 1) & ~np.isnan(redeemed)
        if known.any():
            shares[action] = np.average(redeemed[known], weights=1.0 / trial.propensity[known])
    return shares
