"""A few types of customer, unseen, each with its own distribution of activity: whom a customer resembles.

A mixture of multinomials, fitted by expectation and maximisation: Dempster, Laird and Rubin (1977), "Maximum
likelihood from incomplete data via the EM algorithm".
"""

from typing import Self

import numpy as np
from scipy import sparse

from churnvalue.timing.week import Floats

_FEWEST_ROUNDS = 30  # like types part slowly at first, so that an early halt is no end
_MOST_ROUNDS = 60
_PRIOR_SHARE = 0.4
_ENOUGH = 1e-5  # improvement of the mean log-likelihood below which another round is not worth its time


class LatentTypes:
    """Mixture of ``types`` distributions over the same cells.

    Each type starts from ``strength`` events spread as the common distribution, so that a type seldom seen does not
    stray far from it; from fewer in a small log, 0.4 of the events that a type has on average.

    Attributes:
        share_: Share of customers of each type; shape (types,), sums to 1.
        profile_: Distribution of each type; shape (types, cells); rows sum to 1, all above 0.
    """

    share_: Floats
    profile_: Floats

    def __init__(self, *, types: int, strength: float = 300.0, seed: int = 0) -> None:
        self.types = types
        self.strength = strength
        self.seed = seed

    def fit(self, counts: sparse.csr_array, common: Floats) -> Self:
        """Return self, having learned from ``counts`` of shape (customers, cells); ``common`` must be above 0.

        The random start is a matter of a customer's row: the same rows in another order are another start.
        """
        random = np.random.default_rng(self.seed)
        membership = random.dirichlet(np.full(self.types, 0.5), size=counts.shape[0])
        prior = min(self.strength, _PRIOR_SHARE * float(counts.sum()) / self.types) * common
        reached = -np.inf
        for done in range(_MOST_ROUNDS):
            profile = (counts.T @ membership).T + prior
            self.profile_ = profile / profile.sum(axis=1, keepdims=True)
            share = membership.sum(axis=0) + 1.0
            self.share_ = share / share.sum()
            membership, likelihood = self._membership(counts)
            if done >= _FEWEST_ROUNDS and likelihood - reached < _ENOUGH:
                break
            reached = likelihood
        return self

    def predict(self, counts: sparse.csr_array) -> Floats:
        """Expected distribution of each customer, by the types it resembles. Shape (customers, cells); rows sum to 1."""
        return np.asarray(self._membership(counts)[0] @ self.profile_)

    def _membership(self, counts: sparse.csr_array) -> tuple[Floats, float]:
        """Probability of each type by customer, shape (customers, types), and the mean log-likelihood."""
        log_weight = counts @ np.log(self.profile_).T + np.log(self.share_)
        top = log_weight.max(axis=1, keepdims=True)
        weight = np.exp(log_weight - top)
        total = weight.sum(axis=1, keepdims=True)
        mean = float((np.log(total) + top).mean()) if len(total) else 0.0
        return np.asarray(weight / total), mean
