"""A fitted boosted model on its link scale: logit for probabilities, log for amounts; calibrated by a shift there.

A shift keeps contributions additive: they and the base still sum to the link of the prediction.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import lightgbm as lgb
import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.special import expit

from churnvalue.errors import RegistryError, near_match

Floats = npt.NDArray[np.float64]
Link = Literal["logit", "log"]
BOUND = 30.0  # |link|: beyond it a probability or an amount could become exactly 0 or infinite


_walked: ContextVar[dict[tuple[str, int], tuple[pd.DataFrame, Floats]] | None] = ContextVar("walked", default=None)


@contextmanager
def walking_once() -> Iterator[None]:
    """Walk the same trees only once for the same frame inside: models of one future carry copies of each other's trees.

    Frames must not change meanwhile.
    """
    token = _walked.set({})
    try:
        yield
    finally:
        _walked.reset(token)


@dataclass(frozen=True)
class LinkModel:
    """Prediction = inverse link of ``intercept + trees``."""

    trees: str  # the booster as LightGBM's own text
    features: tuple[str, ...]
    link: Link
    intercept: float = 0.0

    @cached_property
    def _booster(self) -> lgb.Booster:
        return lgb.Booster(model_str=self.trees)

    def on_link(self, frame: pd.DataFrame) -> Floats:
        """Return the prediction on the link scale. Shape (rows,)."""
        walked, asked = _walked.get(), (self.trees, id(frame))
        if walked is not None and asked in walked:
            trees = walked[asked][1]
        else:
            trees = np.asarray(self._booster.predict(self._matrix(frame), raw_score=True), dtype=np.float64)
            if walked is not None:
                walked[asked] = frame, trees  # the frame is kept too, so that no other can come by its id
        return np.clip(self.intercept + trees, -BOUND, BOUND)

    def predict(self, frame: pd.DataFrame) -> Floats:
        """Return probabilities (logit) or amounts (log). Shape (rows,)."""
        on_link = self.on_link(frame)
        return expit(on_link) if self.link == "logit" else np.exp(on_link)

    def contributions(self, frame: pd.DataFrame) -> Floats:
        """Return what each feature adds on the link scale, and the base last: exact SHAP values of the trees.

        Shape (rows, features + 1); each row sums to ``on_link`` (before its bounds). Lundberg et al. (2020).
        """
        parts = np.asarray(self._booster.predict(self._matrix(frame), pred_contrib=True), dtype=np.float64)
        parts[:, -1] += self.intercept
        return parts

    def _matrix(self, frame: pd.DataFrame) -> Floats:
        """Columns by name, in the model's order: another order of columns must not change a score."""
        missing = [name for name in self.features if name not in frame.columns]
        if missing:
            raise RegistryError(
                f"The model needs {len(self.features)} features, but '{missing[0]}' is missing"
                f"{f' and {len(missing) - 1} more' if len(missing) > 1 else ''}.{near_match(missing[0], frame.columns)}"
            )
        return frame[list(self.features)].to_numpy(dtype=np.float64)
