"""Forward folds: learn from cutoffs whose outcomes had closed, test at a later cutoff."""

from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd


@dataclass(frozen=True)
class ForwardFold:
    """Cutoffs to learn from, and the later one to be tested at."""

    train: tuple[pd.Timestamp, ...]
    test: pd.Timestamp


def forward_folds(cutoffs: Sequence[pd.Timestamp], horizon_days: int) -> list[ForwardFold]:
    """Return, for each cutoff that has any, the earlier cutoffs whose horizon had ended by it; in time order.

    No fold learns from an outcome that was still open at its test cutoff.
    """
    horizon = pd.Timedelta(days=horizon_days)
    folds = []
    for test in sorted(cutoffs):
        closed = tuple(cutoff for cutoff in sorted(cutoffs) if cutoff + horizon <= test)
        if closed:
            folds.append(ForwardFold(closed, test))
    return folds
