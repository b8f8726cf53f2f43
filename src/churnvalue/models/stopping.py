"""Who stops before the next purchase: the one hypergeometric function of Pareto/NBD, as a continued fraction."""

import numba
import numpy as np
import numpy.typing as npt

from churnvalue.models.likelihood import Floats

_MOST_TERMS = 2048
_BLOCK = 2048


def chance_of_stopping(r: float, s: float, x: Floats, ratio: Floats) -> Floats:
    """Return the probability of ``stops_first`` without its slopes, which prediction does not need."""
    chance = np.empty(len(ratio))
    _chances(r, s, x, ratio, _terms(ratio), chance)
    return _bounded(chance)


def stops_first(r: float, s: float, x: Floats, ratio: Floats) -> tuple[Floats, Floats, Floats, Floats]:
    """Probability that somebody alive stops before the next purchase, and its slopes in r, s and ratio.

    With ratio = (beta + y) / (alpha + y) and n = r + s + x it is s/n 2F1(1, r + x; n + 1; 1 - ratio),
    whichever of alpha and beta is larger. Gauss's continued fraction (DLMF 15.7.1 with b = 0) needs no
    powers, so nothing overflows for any x, and its convergents are probabilities too.
    """
    terms = _terms(ratio)
    result = np.empty((4, len(x)))
    for level in np.unique(terms):
        members = np.flatnonzero(terms == level)
        # Blocks that fit the processor's cache.
        for start in range(0, len(members), _BLOCK):
            block = members[start : start + _BLOCK]
            result[:, block] = _continued_fraction(r, s, x[block], ratio[block], int(level))
    chance, d_r, d_s, d_ratio = result
    return _bounded(chance), d_r, d_s, d_ratio


def _bounded(chance: Floats) -> Floats:
    return np.clip(chance, 1e-300, 1 - 1e-15)


def _terms(ratio: Floats) -> npt.NDArray[np.int64]:
    """How many pairs of terms the continued fraction needs.

    The error falls by ((root - 1) / (root + 1))^2 a pair; enough of them for 1e-13. Their number is a matter of the moment
    alone: one customer never touches another, not even in the last digit.
    """
    root = np.sqrt(np.maximum(ratio, 1 / ratio))
    needed = 1 + 15 / np.log((root + 1) / np.maximum(root - 1, 1e-12))
    return np.asarray(np.minimum(2 ** np.ceil(np.log2(needed)), _MOST_TERMS), dtype=np.int64)


@numba.njit(cache=True, nogil=True)
def _chances(r, s, x, ratio, terms, chance):  # type: ignore[no-untyped-def]
    """Fill in the probability of ``stops_first``: the same fraction without its slopes, which prediction does not need."""
    for i in range(len(x)):
        a, n, z = r + x[i], r + s + x[i], 1 - ratio[i]
        tail = 1.0
        for j in range(terms[i], 0, -1):
            tail = 1 - (a + j) * (n + j) / ((n + 2 * j) * (n + 2 * j + 1)) / tail * z
            tail = 1 - j * (s + j) / ((n + 2 * j - 1) * (n + 2 * j)) / tail * z
        chance[i] = s / (n * (1 - a * n / (n * (n + 1)) / tail * z))


def _continued_fraction(r: float, s: float, x: Floats, ratio: Floats, terms: int) -> Floats:
    """Rows: the probability of ``stops_first`` by so many pairs of terms, its slopes in r, s and ratio."""
    a, n, z = r + x, r + s + x, 1 - ratio
    tail, t_r, t_s, t_z = np.ones_like(x), np.zeros_like(x), np.zeros_like(x), np.zeros_like(x)
    for j in range(terms, -1, -1):
        # 1 - k z / tail for the odd coefficient, then for the even one; slopes by the product rule.
        low, high = 1 / (n + 2 * j), 1 / (n + 2 * j + 1)
        rest = 1 / (n + j)
        step = (a + j) * (n + j) * low * high / tail
        both = rest - low - high
        t_r = step * z * (t_r / tail - both - 1 / (a + j))
        t_s = step * z * (t_s / tail - both)
        t_z = step * (z * t_z / tail - 1)
        tail = 1 - step * z
        if j:
            low, high = 1 / (n + 2 * j - 1), low
            step = j * (s + j) * low * high / tail
            t_r = step * z * (t_r / tail + low + high)
            t_s = step * z * (t_s / tail + low + high - 1 / (s + j))
            t_z = step * (z * t_z / tail - 1)
            tail = 1 - step * z
    chance = s / (n * tail)
    return np.stack(
        [chance, chance * (-1 / n - t_r / tail), chance * (1 / s - 1 / n - t_s / tail), chance * t_z / tail]
    )
