"""What actions change, in one form for both sources of evidence: an experiment, or an assumed save rate."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.stats import beta

from churnvalue.errors import DefinitionError
from churnvalue.language import N_, _

EXPERIMENT = N_("experiment")
ASSUMPTION = N_("assumption")

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class ActionEffects:
    """Expected change of each customer's probability of staying by each action.

    Attributes:
        actions: Ids of the actions; A of them.
        stay: Expected change of P(stay); shape (n, A); NaN where ``p_churn`` is unknown.
        stay_p10: 10 % quantile of what that expectation may be; it tells how sure the expectation is, not how the customer
            will turn out. From an experiment: of the average and of how far individual effects are believed. From an
            assumption: of the save rate.
        stay_p90: Its 90 % quantile.
        redemption: Share of those offered who take the incentive; shape (A,); NaN where unknown.
        evidence: "experiment" or "assumption" for each action; shape (A,).
        notes: What the numbers rest on, in sentences.
    """

    actions: tuple[str, ...]
    stay: Floats
    stay_p10: Floats
    stay_p90: Floats
    redemption: Floats
    evidence: npt.NDArray[np.str_]
    notes: tuple[str, ...]

    def select(self, actions: tuple[str, ...]) -> "ActionEffects":
        """Return these actions alone, in this order; notes that begin with the id of another are left out."""
        at = [self.actions.index(action) for action in actions]
        dropped = tuple(f"{action}: " for action in self.actions if action not in actions)
        return ActionEffects(
            actions,
            self.stay[:, at],
            self.stay_p10[:, at],
            self.stay_p90[:, at],
            self.redemption[at],
            self.evidence[at],
            tuple(note for note in self.notes if not note.startswith(dropped)),
        )


def assumed(
    p_churn: npt.ArrayLike, save_rates: Mapping[str, tuple[float, float]], redemption: Mapping[str, float] | None = None
) -> ActionEffects:
    """Return ``p_churn · save_rate``: of those who would leave, each action keeps a share of Beta(a, b).

    Args:
        p_churn: Probability of leaving without action; shape (n,).
        save_rates: The two parameters of the Beta distribution by action.
        redemption: Share who take the incentive, by action; 0 where it is not named.

    Raises:
        DefinitionError: If a parameter is not above 0.
    """
    leaving = np.asarray(p_churn, dtype=np.float64)[:, None]
    a, b = np.array(list(save_rates.values()), dtype=np.float64).reshape(-1, 2).T
    if not ((a > 0) & (b > 0) & np.isfinite(a + b)).all():
        raise DefinitionError(
            f"A save rate needs two finite numbers above 0, but {dict(save_rates)} came. [6, 14] is a mean of 30 %."
        )
    given = redemption or {}
    notes = tuple(
        _(
            "{action}: no experiment; a share of Beta({one:g}, {two:g}), {share:.0%} on average, of those who "
            "would leave is assumed to stay.",
            action=action,
            one=one,
            two=two,
            share=one / (one + two),
        )
        for action, (one, two) in save_rates.items()
    )
    return ActionEffects(
        tuple(save_rates),
        leaving * (a / (a + b)),
        leaving * beta.ppf(0.1, a, b),
        leaving * beta.ppf(0.9, a, b),
        np.array([given.get(action, 0.0) for action in save_rates]),
        np.full(len(save_rates), ASSUMPTION),
        notes,
    )


def combine(measured: ActionEffects, assumption: ActionEffects) -> ActionEffects:
    """Return each action as ``measured`` where it holds it, else as assumed; those that are only measured come last.

    A share of redemption that was not observed is the assumed one.

    Raises:
        DefinitionError: If the two describe different numbers of customers.
    """
    if len(measured.stay) != len(assumption.stay):
        raise DefinitionError(
            f"Both sources must describe the same customers, but {len(measured.stay):,} and {len(assumption.stay):,} rows "
            "came. Predict and assume for the same table."
        )
    alone = [action for action in assumption.actions if action not in measured.actions]
    rest = assumption.select(tuple(alone))
    both = ActionEffects(
        (*measured.actions, *rest.actions),
        np.column_stack([measured.stay, rest.stay]),
        np.column_stack([measured.stay_p10, rest.stay_p10]),
        np.column_stack([measured.stay_p90, rest.stay_p90]),
        np.append(_observed_or_assumed(measured, assumption), rest.redemption),
        np.append(measured.evidence, rest.evidence),
        (*measured.notes, *rest.notes),
    )
    return both.select(tuple(dict.fromkeys((*assumption.actions, *measured.actions))))


def _observed_or_assumed(measured: ActionEffects, assumption: ActionEffects) -> Floats:
    """Share that redeems each measured action, the assumed one where it was not observed."""
    shares = dict(zip(assumption.actions, assumption.redemption, strict=True))
    pairs = zip(measured.actions, measured.redemption, strict=True)
    return np.array([shares.get(action, np.nan) if np.isnan(share) else share for action, share in pairs])
