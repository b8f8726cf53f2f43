"""The gate: everybody gets the average effect until individual ones are shown to rank customers better."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from churnvalue.effects.ranking import Estimate, mean_gain, paired, qini
from churnvalue.effects.trial import Trial

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Verdict:
    """Whether individual effects are used, and the paired gain of doing so over the average effects ranked by value."""

    individual: bool
    gain: Estimate


def choose(effects: Mapping[str, Floats], scores: Floats, trial: Trial) -> str:
    """Return the learner to use, by name: the first, unless a later one ranks better by more than one paired standard error.

    Args:
        effects: Cross-fitted effects by learner, the simplest first; shape (n, A) each.
        scores: Doubly robust scores; shape (n, A).
        trial: The experiment they come from.
    """
    found = {
        name: np.mean([qini(one[:, a], scores[:, a]) for a in range(trial.count)], axis=0)
        for name, one in effects.items()
    }
    best, *others = found
    for name in others:
        if paired(found[name], found[best], trial.customers).clear:
            best = name
    return best


def gate(individual: Floats, average: Floats, scores: Floats, value: Floats | None, trial: Trial) -> Verdict:
    """Return whether individual effects earn more of the outcome than average ones, by one paired standard error.

    Both policies give every customer the action of the highest effect and treat customers in some order: by that effect, or,
    where it is the same for all, by value. Compared is the gain averaged over all shares treated, on the outcome of the
    experiment, where there is far more power than on money. All actions are decided together: one customer's effects of two
    actions go together, and an individual one beside an average one would win by what both share.

    Args:
        individual: Cross-fitted, shrunk effects; shape (n, A).
        average: Average effects; shape (A,).
        scores: Doubly robust scores; shape (n, A).
        value: What staying is worth, by which customers with the same effect are ranked; None for no order.
        trial: The experiment they come from.
    """
    rows, best = np.arange(len(scores)), individual.argmax(axis=1)
    ours = mean_gain(individual[rows, best], scores[rows, best])
    order = np.zeros(len(scores)) if value is None else np.nan_to_num(value, nan=-np.inf)
    theirs = mean_gain(order, scores[:, int(average.argmax())])
    gain = paired(ours, theirs, trial.customers)
    return Verdict(gain.clear, gain)
