"""Learning when customers come back, and whether the learnt curve may serve.

The members of the curve are chosen on windows that had closed before the newest one, and judged on that: served is only what
was not worse there than Pareto/NBD's curve, scaled to the same churn model, beyond noise.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from churnvalue import clock
from churnvalue.config import Config
from churnvalue.evaluation.measurement import OURS, Evaluation, Metrics
from churnvalue.evaluation.metrics import calibration_error, log_loss
from churnvalue.features import Feature
from churnvalue.jobs.material import Material
from churnvalue.models.blend import Blend
from churnvalue.models.buy_till_you_die import BuyTillYouDie
from churnvalue.models.definition import ReturnDefinition, read_return_definition
from churnvalue.snapshots import population
from churnvalue.timing.hazard import bin_edges
from churnvalue.timing.next_purchase import BUYING, NextPurchase
from churnvalue.timing.next_purchase_learning import fit_next_purchase
from churnvalue.timing.next_purchase_serving import RETURN_DAYS, ReturnModel, p_silent
from churnvalue.timing.waits import Waits, followed, level_cutoffs, waits

Floats = npt.NDArray[np.float64]
_NOISE = 1.96  # standard errors
_SURE = 1e-9


@dataclass(frozen=True)
class Returns:
    """The model of coming back, what it was found to be by method (none without a later window), and which curve it is."""

    model: ReturnModel
    metrics: Mapping[str, Metrics]
    note: str


def learn_returns(material: Material, features: tuple[Feature, ...], churn: Blend, judged: Evaluation | None) -> Returns:
    """Return the model of coming back, learnt beside ``churn``.

    Args:
        material: What is learnt from.
        features: That the curve may read.
        churn: The model that will serve.
        judged: What was foretold of the newest closed window without its outcomes; None if there is no second one.
    """
    learner = _Learner(material, features, read_return_definition(material.config)[0])
    metrics: dict[str, Metrics] = {}
    if judged is None:
        note = "no later window to judge a learnt curve on"
    else:
        past = learner.pool(judged.cutoff)
        candidate = learner.fit(past, judged.cutoff, judged.features)
        ...
    raise NotImplementedError
