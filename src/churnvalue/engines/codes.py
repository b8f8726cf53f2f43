"""Codes of text by its digest: a number is looked up, where all digests of a column differ; quicker than a join of text."""

import numba
import numpy as np
import numpy.typing as npt

from churnvalue.errors import SourceError

Digests = npt.NDArray[np.uint64]
_MIX = np.uint64(0x9E3779B97F4A7C15)  # 2^64 / golden ratio: spreads numbers by their upper bits (Knuth, TAOCP 3, 6.4)


class Codes:
    """The code of every digest: a table of open addressing, at most half of it taken."""

    def __init__(self, digests: Digests, first: int = 0) -> None:
        """Give ``digests[i]``, which all differ, the code ``first + i``."""
        self._first = first
        bits = max(1, int(2 * len(digests)).bit_length())
        self._shift = np.uint64(64 - bits)
        self._table = np.zeros((1 << bits, 2), dtype=np.uint64)
        _enter(digests, self._table, self._shift)

    def of(self, digests: Digests) -> npt.NDArray[np.int32]:
        """Return the code of each digest.

        Raises:
            SourceError: If one is unknown: its text was not there when the sources were read before.
        """
        codes = np.empty(len(digests), dtype=np.int32)
        if not _look_up(digests, self._table, self._shift, self._first, codes):
            raise SourceError(
                "The sources must not change while they are read, but a text came that was not there before."
                " Read them again."
            )
        return codes


@numba.njit(cache=True, nogil=True)
def _enter(digests, table, shift):  # type: ignore[no-untyped-def]
    last = np.uint64(len(table) - 1)
    for i in range(len(digests)):
        place = (digests[i] * _MIX) >> shift
        while table[place, 1] != 0:
            place = (place + np.uint64(1)) & last
        table[place, 0] = digests[i]
        table[place, 1] = i + 1


@numba.njit(cache=True, nogil=True)
def _look_up(digests, table, shift, first, codes):  # type: ignore[no-untyped-def]
    last = np.uint64(len(table) - 1)
    for i in range(len(digests)):
        place = (digests[i] * _MIX) >> shift
        # A place that is taken and one that is free are told apart by the number beside the digest.
        while table[place, 0] != digests[i] or table[place, 1] == 0:
            if table[place, 1] == 0:
                return False
            place = (place + np.uint64(1)) & last
        codes[i] = first + np.int64(table[place, 1]) - 1
    return True
