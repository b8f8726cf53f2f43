"""By what the hour of a message is chosen, judged on sends not learned from."""

import numpy as np
import pandas as pd

from churnvalue.timing.response_shape import Trials, fit_shape, gain_over, likelier

COMMON, HABIT, BOTH, OWN = "common", "habit", "both", "own"  # the simplest first
GAINS = ("policy", "gain", "gain_se", "likelier", "likelier_se")

_FOLDS = 4
_OWN_SENDS = 5
_SURE = 2.58  # standard errors by which personal hours must foretell better: .5 %, one-sided, for each policy
_CHUNK = 65_536


def choose_policy(trials: Trials) -> tuple[pd.DataFrame, str]:
    """Return what personal hours gain over the best common ones, and the policy to choose by.

    Each send is foretold by a shape that did not learn from it.
    """
    nth = pd.Series(trials.customer).groupby(trials.customer).cumcount().to_numpy()
    # Customers with one send would all fall into the first fold.
    fold = (nth + trials.customer) % _FOLDS
    # Own response can be told only of customers with several sends.
    tried = (COMMON, HABIT, BOTH, OWN) if len(fold) >= _OWN_SENDS * len(trials.ids) else (COMMON, HABIT, BOTH)
    inside = {policy: np.zeros(len(fold), dtype=bool) for policy in tried}
    likelihood = {policy: np.zeros(len(fold)) for policy in tried}
    for held in range(_FOLDS):
        test = np.flatnonzero(fold == held)
        learned = trials.take(np.flatnonzero(fold != held))
        for policy in tried:
            shape = fit_shape(learned, policy)
            for rows in np.array_split(test, max(1, -(-len(test) // _CHUNK))):
                inside[policy][rows], likelihood[policy][rows] = trials.take(rows).judge(shape, policy)
    found = [
        (
            policy,
            *gain_over(trials, inside[policy], inside[COMMON]),
            *likelier(trials, likelihood[policy], likelihood[COMMON]),
        )
        for policy in tried[1:]
    ]
    gains = pd.DataFrame(found, columns=list(GAINS))
    sure = gains[(gains["likelier"] > _SURE * gains["likelier_se"]) & (gains["gain"] > 0)]
    if sure.empty:
        return gains, COMMON
    best = str(sure.sort_values("gain", kind="stable")["policy"].iloc[-1])
    within = {policy: gain_over(trials, inside[best], inside[policy]) for policy in sure["policy"]}
    # Of policies that are as good but for chance the simplest: its hours are less noisy.
    return gains, next(policy for policy, (gain, error) in within.items() if gain <= error)
