"""Coming back as it is served: the curve of the wait, made to agree with the churn model, and its folder of plain text.

Two models of one future must not contradict each other. A learnt curve has a level of its own, taken from recent windows, so
it is only kept from saying more than the churn model allows; Pareto/NBD alone has none, so it is scaled to meet that model.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

from churnvalue.features import Feature
from churnvalue.models.blend import Blend
from churnvalue.models.serving import Described, Served
from churnvalue.timing.next_purchase import BUYING, NextPurchase

Floats = npt.NDArray[np.float64]
RETURN_DAYS = (7, 14, 30)
OUTPUTS = (*(f"p_return_{days}d" for days in RETURN_DAYS), "second_purchase_day")
_SURE = 1e-9


@dataclass(frozen=True)
class ReturnModel:
    """The wait until the next event of the outcome's kind, beside the churn model of the same outcome."""

    churn: Blend
    waiting: NextPurchase

    @property
    def inputs(self) -> tuple[str, ...]:
        """Names of the features read."""
        return tuple(dict.fromkeys([*self.churn.features, *self.waiting.features]))

    def predict(self, frame: pd.DataFrame) -> pd.DataFrame:
        """Return the chance of coming back within 7, 14 and 30 days, and the day of the second purchase.

        ``p_return_7d, _14d, _30d``: probabilities that never fall; within the churn model's horizon at most 1 - p_churn.
        ``second_purchase_day``: days ahead, 0 is now; NaN for all but customers of one day.
        """
        silent = p_silent(self.waiting, frame, self.churn.predict(frame), self.churn.horizon_days)
        said = dict(zip(OUTPUTS, (1.0 - silent).T, strict=False))
        return pd.DataFrame({**said, OUTPUTS[-1]: self.waiting.second_purchase_day(frame)}, index=frame.index)

    def files(self, features: Sequence[Feature]) -> dict[str, str]:
        """Return the model's folder: text by file name. ``features`` define at least its inputs."""
        numbers = self.waiting.parameters()
        files = Described("return", self.inputs, OUTPUTS, {"churn": self.churn}, numbers).files(features)
        return files if self.waiting.trees is None else {**files, "waiting.txt": self.waiting.trees.trees}


def p_silent(waiting: NextPurchase, frame: pd.DataFrame, p_churn: Floats, horizon_days: int) -> Floats:
    """Return P(not back within each of ``RETURN_DAYS``), given P(not back within the horizon). Shape (rows, 3)."""
    days = np.array([*RETURN_DAYS, horizon_days])
    hazard = waiting.cumulative_hazard(frame, days)
    at_horizon, hazard = hazard[:, -1:], hazard[:, :-1]
    sure = np.clip(p_churn, _SURE, 1 - _SURE)[:, None]
    if waiting.members == (BUYING,):
        return np.asarray(sure ** (hazard / at_horizon))
    within, beyond = np.maximum(np.exp(-hazard), sure), sure * np.exp(np.minimum(at_horizon - hazard, 0.0))
    return np.asarray(np.where(days[:-1] < horizon_days, within, beyond))


def load_model(folder: Path) -> ReturnModel:
    """Return the model in a folder.

    Raises:
        RegistryError: If a file is missing, damaged or of a newer format.
    """
    described = Described.read(folder)
    trees = folder / "waiting.txt"
    text = trees.read_text(encoding="utf-8") if described.numbers["trees"] is not None else None
    return ReturnModel(described.parts["churn"], NextPurchase.from_parameters(described.numbers, text))


def _load_pyfunc(path: str) -> Served:
    """Return the model in ``path``, as MLflow's pyfunc flavour asks."""
    return Served(load_model(Path(path)))
