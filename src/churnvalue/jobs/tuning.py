"""Which rows parameters are searched on: forward folds whose outcomes had closed before the verdict, in samples of customers."""

from hashlib import blake2b

import numpy as np
import pandas as pd

from churnvalue.evaluation.folds import ForwardFold
from churnvalue.frames import TrainingFrame

_FOLDS = 2
_ROWS = 30_000  # of each fold; more rows change the choice of parameters little
_TEST_SHARE = 4  # every fourth customer, where history is too short for a forward fold


def tuning_folds(
    frame: TrainingFrame, folds: list[ForwardFold], verdict: ForwardFold | None, days: int
) -> list[tuple[TrainingFrame, TrainingFrame]]:
    """Return pairs to tune on whose outcomes had all closed before the verdict's cutoff.

    Where history is too short for that, customers are split instead of time, at the cutoffs that the verdict learns from.
    """
    horizon = pd.Timedelta(days=days)
    past = [f for f in folds if verdict is None or f.test + horizon <= verdict.test][-_FOLDS:]
    if past:
        pairs = [(frame.at(fold.train), frame.at([fold.test])) for fold in past]
    else:
        rows = frame.at(verdict.train) if verdict else frame
        bucket = _buckets(rows.features.index.get_level_values("customer_id"))
        test = bucket % _TEST_SHARE == 0
        pairs = [(_rows(rows, ~test), _rows(rows, test))]
    return [(_sample(train), _sample(test)) for train, test in pairs]


def _sample(frame: TrainingFrame) -> TrainingFrame:
    """Return at most ``_ROWS`` rows, of customers chosen by the hash of their id: the order of rows plays no part."""
    if len(frame.features) <= _ROWS:
        return frame
    bucket = _buckets(frame.features.index.get_level_values("customer_id"))
    return _rows(frame, bucket < 2**32 * (_ROWS / len(frame.features)))


def _rows(frame: TrainingFrame, chosen: np.ndarray) -> TrainingFrame:
    return TrainingFrame(frame.features[chosen], frame.targets[chosen])


def _buckets(ids: pd.Index) -> np.ndarray:
    """Return a number from 0 to 2^32 for each customer id, the same in every run."""
    codes, unique = pd.factorize(ids)
    hashed = [int.from_bytes(blake2b(str(u).encode(), digest_size=4).digest(), "big") for u in unique]
    return np.array(hashed, dtype=np.int64)[codes]
