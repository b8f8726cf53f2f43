"""One experiment as the learners read it: who got which arm with which probability, and what came of it."""

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.stats import norm

from churnvalue.errors import ExperimentError

CONTROL = 0
OTHER = -1
SAMPLE_RATIO_P = 0.001
_LEAST_P = 1e-15  # below it the normal tail says no more than "never"

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Trial:
    """Rows of an experiment, in an order that follows from their content.

    Attributes:
        X: Features known before the action, numbers; NaN where unknown. The index names the customer.
        arm: 0 for control, 1 … A for the actions, -1 for an arm that is not studied; shape (n,).
        outcome: Stayed or visited (0 or 1), or money; shape (n,).
        propensity: Probability of the arm that was given; shape (n,).
        customers: A hash of the customer of each row; shape (n,).
        position: Number of each row in what was given; shape (n,).
        count: Number of actions, A.
    """

    X: pd.DataFrame
    arm: Ints
    outcome: Floats
    propensity: Floats
    customers: npt.NDArray[np.uint64]
    position: Ints
    count: int

    def rows(self, chosen: Bools) -> "Trial":
        """Return the chosen rows alone."""
        return replace(
            self,
            X=self.X[chosen],
            arm=self.arm[chosen],
            outcome=self.outcome[chosen],
            propensity=self.propensity[chosen],
            customers=self.customers[chosen],
            position=self.position[chosen],
        )

    def folds(self, count: int, salt: int = 0) -> Ints:
        """Fold of each row, 0 … count - 1; all rows of a customer share one. Another ``salt``, other folds. Shape (n,)."""
        mixed = pd.util.hash_array(self.customers + np.uint64(salt))
        return np.asarray(mixed % np.uint64(count), dtype=np.int64)

    def effective_size(self, arm: int) -> float:
        """Customers in an arm, weighted by ``1 / propensity``: as many as would tell as much at equal weights."""
        given = self.arm == arm
        _, which = np.unique(self.customers[given], return_inverse=True)
        weights = np.bincount(which, 1.0 / self.propensity[given])
        return float(weights.sum() ** 2 / (weights**2).sum()) if len(weights) else 0.0


def make_trial(
    X: pd.DataFrame,
    arm: npt.ArrayLike,
    outcome: npt.ArrayLike,
    propensity: npt.ArrayLike | None,
    names: tuple[str, ...] = (),
) -> Trial:
    """Return the checked experiment.

    Without propensities the arms' shares are taken, as in a plain A/B test. ``names`` of control and actions are for errors.

    Raises:
        ExperimentError: If a feature is no number, lengths differ, an outcome is missing, or there is no control or no action.
        ExperimentError: If a propensity is not above 0 and below 1.
        ExperimentError: If arms do not match their propensities, p < .001.
    """
    words = [str(name) for name, kind in X.dtypes.items() if not pd.api.types.is_numeric_dtype(kind)]
    if words:
        raise ExperimentError(
            f"Features must be numbers, but {words} are not. Give a column of 0 and 1 for each category."
        )
    arms, outcomes = np.asarray(arm, dtype=np.int64), np.asarray(outcome, dtype=np.float64)
    if not len(X) == len(arms) == len(outcomes) or not np.isfinite(outcomes).all():
        raise ExperimentError(
            f"An experiment needs one arm and one known outcome for each of its {len(X):,} rows, but {len(arms):,} arms "
            f"and {int(np.isfinite(outcomes).sum()):,} known outcomes came. Leave out who is not yet observed."
        )
    if not (arms == CONTROL).any() or not (arms > CONTROL).any():
        raise ExperimentError(
            f"An experiment needs a control and at least one action, but the arms are {np.unique(arms).tolist()}. "
            "Name the control, or hold some customers out."
        )
    if propensity is None:
        each, sizes = np.unique(arms, return_counts=True)
        given = (sizes / len(arms))[np.searchsorted(each, arms)]
    else:
        given = np.asarray(propensity, dtype=np.float64)
        _check(arms, given, names)
    customers = customer_hashes(X.index)
    content = pd.util.hash_pandas_object(X).to_numpy()
    order = np.lexsort((given, outcomes, content, arms, customers))
    return Trial(X.iloc[order], arms[order], outcomes[order], given[order], customers[order], order, int(arms.max()))


def customer_hashes(index: pd.Index) -> npt.NDArray[np.uint64]:
    """64 bits for each row by its customer: the level ``customer_id`` of the index, or its first. Shape (n,)."""
    level = "customer_id" if "customer_id" in index.names else 0
    ids = index.get_level_values(level).astype(str).to_numpy(dtype=object)
    return np.asarray(pd.util.hash_array(ids, hash_key="churnvalue folds", categorize=False), dtype=np.uint64)


def _check(arms: Ints, propensity: Floats, names: tuple[str, ...]) -> None:
    """Refuse propensities that leave no choice, or that the sizes of the arms contradict."""
    wrong = ~((propensity > 0) & (propensity < 1)) if len(propensity) == len(arms) else np.ones(1, dtype=np.bool_)
    if wrong.any():
        raise ExperimentError(
            f"Each of the {len(arms):,} rows needs the propensity of its arm, above 0 and below 1, but {len(propensity):,} "
            f"came, {int(wrong.sum()):,} of them otherwise. Leave out customers who could get only one arm."
        )
    studied = [arm for arm in np.unique(arms) if arm >= CONTROL]
    # Weighted by 1 / propensity every arm stands for all rows.
    weights = [1.0 / propensity[arms == arm] for arm in studied]
    scores = [(one.sum() - len(arms)) / np.sqrt((one * (one - 1.0)).sum()) for one in weights]
    p_value = min(1.0, len(scores) * float(2.0 * norm.sf(np.max(np.abs(scores)))))
    if p_value < SAMPLE_RATIO_P:
        worst = int(np.argmax(np.abs(scores)))
        due = len(arms) * len(weights[worst]) / weights[worst].sum()
        arm = f"'{names[studied[worst]]}'" if names else str(studied[worst])
        chance = f"p = {p_value:.1e}" if p_value > _LEAST_P else f"p < {_LEAST_P:g}"
        raise ExperimentError(
            f"Arms must have the sizes their propensities say, but arm {arm} has {len(weights[worst]):,} rows "
            f"and about {due:,.0f} are due ({chance}). Find out how rows were lost or assigned."
        )
