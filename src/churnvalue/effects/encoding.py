"""Features as a linear model wants them: without gaps, without far tails, on one scale."""

from typing import Self

import numpy as np
import numpy.typing as npt
import pandas as pd

TAIL = 0.005
_SKEWED = 1.0

Floats = npt.NDArray[np.float64]


class Encoder:
    """Columns of numbers, winsorised, straightened, filled and standardised; nothing is tuned.

    Each column is cut at its 0.5 % and 99.5 % quantiles. The logarithm, ``log1p``, is taken of a column without
    negative values that is skewed (above 1) and less so on the log scale. Gaps get the median, and a column that had
    gaps a second one that says where. Columns that do not vary are left out.
    """

    def fit(self, X: pd.DataFrame) -> Self:
        """Return self, having learnt cuts, medians and scales from ``X``, numbers, NaN where unknown."""
        values = X.to_numpy(dtype=np.float64, na_value=np.nan)
        self.gaps_ = np.isnan(values).any(axis=0)
        known = np.where(np.isnan(values).all(axis=0), 0.0, values)
        low, high = np.nanquantile(known, [TAIL, 1.0 - TAIL], axis=0)
        rare = low == high  # a flag that few have would be cut away
        self.low_ = np.where(rare, np.nanmin(known, axis=0), low)
        self.high_ = np.where(rare, np.nanmax(known, axis=0), high)
        cut = np.clip(known, self.low_, self.high_)
        self.log_ = _straighter_in_log(cut)
        self.fill_ = np.nanmedian(np.where(self.log_, np.log1p(np.maximum(cut, 0.0)), cut), axis=0)
        table = self._filled(values)
        self.mean_, spread = table.mean(axis=0), table.std(axis=0)
        self.kept_ = spread > 1e-9 * (1.0 + np.abs(self.mean_))
        self.scale_ = np.where(self.kept_, spread, 1.0)
        return self

    def transform(self, X: pd.DataFrame) -> Floats:
        """Columns of mean 0 and variance 1 over what was fitted; shape (n, columns), no NaN."""
        table = self._filled(X.to_numpy(dtype=np.float64, na_value=np.nan))
        return np.asarray(((table - self.mean_) / self.scale_)[:, self.kept_])

    def _filled(self, values: Floats) -> Floats:
        cut = np.clip(values, self.low_, self.high_)
        straight = np.where(self.log_, np.log1p(np.maximum(cut, 0.0)), cut)
        missing = np.isnan(values)
        return np.column_stack([np.where(missing, self.fill_, straight), missing[:, self.gaps_]])


def _straighter_in_log(values: Floats) -> npt.NDArray[np.bool_]:
    """Which columns have no negative value, are skewed, and less so after ``log1p``."""
    found = np.nanmin(values, axis=0) >= 0
    plain, logged = (_skewness(one) for one in (values, np.log1p(np.maximum(values, 0.0))))
    return np.asarray(found & (plain > _SKEWED) & (logged < plain), dtype=np.bool_)


def _skewness(values: Floats) -> Floats:
    """Size of each column's skewness, of what is known; 0 for a column that does not vary."""
    apart = values - np.nanmean(values, axis=0)
    square = apart * apart
    cubed = np.nanmean(square, axis=0) ** 1.5
    third = np.nanmean(square * apart, axis=0)
    return np.asarray(np.abs(np.divide(third, cubed, out=np.zeros_like(cubed), where=cubed > 0)))
