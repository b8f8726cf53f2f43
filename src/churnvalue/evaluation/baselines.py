"""What a model must beat: nothing at all, the last window repeated, recency, and buy-till-you-die models."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from churnvalue.config import Outcome
from churnvalue.features import Feature, expand
from churnvalue.models import buy_till_you_die
from churnvalue.models.buy_till_you_die import BuyTillYouDie

Floats = npt.NDArray[np.float64]
NAMES = ("zero", "last_window", "recency", "bg_nbd", "pareto_nbd")


@dataclass(frozen=True)
class Prediction:
    """What one method foretells at a cutoff; None where it says nothing. ``risk`` ranks leavers, higher is riskier.

    ``p_churn`` only where the method gives a probability. Shapes (customers,).
    """

    risk: Floats | None = None
    p_churn: Floats | None = None
    orders: Floats | None = None
    spend: Floats | None = None


def baseline_features(outcome: Outcome) -> tuple[Feature, ...]:
    """Return the features that the baselines read."""
    kind, days = outcome.kind, outcome.horizon_days
    window = [{"use": use, "kind": kind, "days": days} for use in ("event_count", "amount_total")]
    return expand([*window, {"use": "days_since_last", "kind": kind}]) + buy_till_you_die.inputs(kind)


def _silence(days: pd.Series) -> Floats:
    """Days since the last event; who never had one is silent for longer than anybody."""
    return days.fillna(days.max() + 1 if days.notna().any() else 0.0).to_numpy(dtype=np.float64)


def baselines(frame: pd.DataFrame, outcome: Outcome) -> dict[str, Prediction]:
    """Return every baseline's prediction for a feature frame at one cutoff.

    Buy-till-you-die models are fitted to that frame: they learn from histories alone, so no outcome is needed.
    """
    kind, days = outcome.kind, outcome.horizon_days
    nothing = np.zeros(len(frame))
    count = frame[f"event_count_{kind}_{days}d"].to_numpy(dtype=np.float64)
    made = {
        "zero": Prediction(orders=nothing, spend=nothing),
        "last_window": Prediction(risk=-count, orders=count, spend=frame[f"amount_total_{kind}_{days}d"].to_numpy()),
        "recency": Prediction(risk=_silence(frame[f"days_since_last_{kind}"])),
    }
    for name in ("bg_nbd", "pareto_nbd"):
        model = BuyTillYouDie.fit(frame, kind, name)
        silent = model.p_no_purchase(frame, days)
        spend = model.spend(frame, days) if model.amounts else None
        made[name] = Prediction(risk=silent, p_churn=silent, orders=model.orders(frame, days), spend=spend)
    return made
