"""Evidence to choose by: what is known of customers and what was held out, at random and by time."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import sparse

from churnvalue.errors import DefinitionError
from churnvalue.timing.week import Floats, Ints, checked_counts

_STEADY = 2000  # customers at which leaving one event out once is steady enough
_MOST_FOLDS = 5
_FEWEST_FOLLOWED = 200
_NOTHING = 1e-9


@dataclass(frozen=True, eq=False)
class HeldOut:
    """Counts known of customers and what was held out, both (customers, cells); ``segment`` is a code for each.

    ``later`` weighs customers alike: its rows sum to 1.
    """

    known: sparse.csr_array
    later: sparse.csr_array
    segment: Ints

    def loss(self, probability: npt.NDArray[np.floating]) -> Floats:
        """Negative log-likelihood of what was held out, in nats; shape (customers,)."""
        rows, cells = self.later.nonzero()
        nats = -np.log(probability[rows, cells].astype(np.float64)) * self.later.data
        return np.asarray(np.bincount(rows, nats, minlength=self.later.shape[0]), dtype=np.float64)

    def on(self, cells: sparse.csr_array) -> "HeldOut":
        """The same on a coarser circle; ``cells`` of shape (cells, coarser cells) holds a 1 where each belongs."""
        return HeldOut(sparse.csr_array(self.known @ cells), sparse.csr_array(self.later @ cells), self.segment)

    def rows(self, chosen: npt.NDArray[np.bool_]) -> "HeldOut":
        """The same for some customers."""
        return HeldOut(self.known[chosen], self.later[chosen], self.segment[chosen])


def checked_earlier(earlier: npt.ArrayLike, counts: Floats) -> Floats:
    """Return the counts known at an earlier cutoff as floats.

    Raises:
        DefinitionError: If they are not of the same shape as ``counts``, or exceed them.
        HistoryError: If a count is negative or not a number.
    """
    table = checked_counts(earlier)
    if table.shape != counts.shape or (table > counts + _NOTHING).any():
        raise DefinitionError(
            f"Earlier counts must be part of the counts of the same {len(counts)} customers, but {len(table)} customers "
            "came or some counts are larger. Count the same events up to an earlier cutoff, unweighted."
        )
    return table


def held_out(counts: Floats, earlier: Floats | None, segment: Ints, seed: int) -> Sequence[HeldOut]:
    """Return some ways to leave one event of each customer out and, last, what was known earlier and came later.

    The last is missing without ``earlier``, or where fewer than 200 customers were known and came again. Both are asked:
    time alone shows what changes, leaving out uses every customer with two events. None where nobody has two events.
    The draws are a matter of the rows' order.
    """
    random = np.random.default_rng(seed)
    enough = counts.sum(axis=1) - np.minimum(counts.max(axis=1, initial=0.0), 1.0) > _NOTHING
    repeated, codes = counts[enough], segment[enough]
    folds = min(_MOST_FOLDS, -(-_STEADY // len(repeated))) if len(repeated) else 0
    found = [_one_left_out(repeated, codes, random) for _ in range(folds)]
    if earlier is not None:
        came = np.maximum(counts - earlier, 0.0)
        again = (earlier.sum(axis=1) > _NOTHING) & (came.sum(axis=1) > _NOTHING)
        if again.sum() >= _FEWEST_FOLLOWED:
            later = came[again] / came[again].sum(axis=1, keepdims=True)
            found.append(HeldOut(sparse.csr_array(earlier[again]), sparse.csr_array(later), segment[again]))
    return found


def _one_left_out(counts: Floats, segment: Ints, random: np.random.Generator) -> HeldOut:
    """Leave out one event of each customer, drawn with the chance that it weighs."""
    rows = np.arange(len(counts))
    reached = counts.cumsum(axis=1)
    drawn = random.random(len(counts)) * reached[:, -1]
    cells = (reached > drawn[:, None]).argmax(axis=1)
    known = counts.copy()
    known[rows, cells] = np.maximum(known[rows, cells] - 1.0, 0.0)
    later = sparse.csr_array((np.ones(len(counts)), (rows, cells)), shape=counts.shape)
    return HeldOut(sparse.csr_array(known), later, segment)
