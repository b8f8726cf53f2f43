"""The experiments among contacts: who was drawn into which arm, with which chance, and whether the draw was fair."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import pandas as pd

from churnvalue.contacts.reading import NO_ACTION, Contacts
from churnvalue.contacts.sample_ratio import SampleRatio, sample_ratio
from churnvalue.errors import ExperimentError

_TOLERANCE = 0.01


@dataclass(frozen=True, eq=False)
class Experiment:
    """One experiment, each customer once: as first contacted.

    Attributes:
        name: As the contacts call it.
        frame: customer_id, event_time, action and propensity (above 0, below 1), one row a customer, by id.
        counts: Customers of each arm.
        propensity: Mean probability of each arm, over those in it.
        evidence: Where propensities come from: a column, the configuration, or the arms' own shares.
        sample_ratio: The sizes of the arms against their propensities; None where these are the shares themselves
            or differ among customers of an arm.
        repeated: Contacts left out because the customer was in the experiment before.
        crossed: Customers who were in more than one arm; the first counts.
    """

    name: str
    frame: pd.DataFrame
    counts: Mapping[str, int]
    propensity: Mapping[str, float]
    evidence: Literal["column", "configuration", "arm shares"]
    sample_ratio: SampleRatio | None
    repeated: int
    crossed: int

    @property
    def arms(self) -> tuple[str, ...]:
        """The actions compared; the control, "none", first."""
        return tuple(sorted(self.counts, key=lambda arm: (arm != NO_ACTION, arm)))


def experiments(contacts: Contacts) -> tuple[Experiment, ...]:
    """Return the experiments with at least two arms, by name.

    Raises:
        ExperimentError: If the propensities do not fit the arms: some rows state one and some do not, or the arms' do
            not sum to 1.
    """
    inside = contacts.frame[contacts.frame["experiment"].notna()]
    found = [_experiment(str(name), rows, contacts.stated) for name, rows in inside.groupby("experiment", sort=True)]
    return tuple(one for one in found if len(one.counts) > 1)


def summary(contacts: Contacts) -> pd.DataFrame:
    """Return what actions really were: contacts, mean cost and share redeemed by action; NaN where nobody noted it."""
    by_action = contacts.frame.assign(redeemed=contacts.frame["redeemed"].astype("Float64")).groupby(
        "action", sort=True
    )
    return by_action.agg(
        contacts=("customer_id", "size"), mean_cost=("cost", "mean"), redemption=("redeemed", "mean")
    ).astype({"redemption": "float64"})


def _experiment(name: str, rows: pd.DataFrame, stated: Mapping[str, float]) -> Experiment:
    first = rows.drop_duplicates("customer_id").sort_values("customer_id", ignore_index=True)
    arms_of_one = rows.groupby("customer_id")["action"].nunique()
    counts = {str(arm): int(count) for arm, count in first["action"].value_counts(sort=False).sort_index().items()}
    known = first["propensity"].notna()
    if known.any() and not known.all():
        raise ExperimentError(
            f"Every contact of experiment '{name}' or none must state its propensity, but {int(known.sum()):,} of"
            f" {len(first):,} do. Complete the column, or leave it out and set [contacts] propensity."
        )
    ratio: SampleRatio | None = None
    evidence: Literal["column", "configuration", "arm shares"]
    if known.any():
        evidence, propensity = "column", first["propensity"]
    else:
        shares, evidence = _shares(name, counts, stated)
        propensity = first["action"].map(shares)
    by_arm = propensity.groupby(first["action"])
    means = {str(arm): float(value) for arm, value in by_arm.mean().items()}
    alike = bool((by_arm.max() - by_arm.min() < 1e-9).all())
    if alike and evidence != "arm shares" and len(counts) > 1:
        total = sum(means.values())
        if abs(total - 1.0) > _TOLERANCE:
            raise _unfit(name, means)
        ratio = sample_ratio(counts, {arm: value / total for arm, value in means.items()})
    return Experiment(
        name=name,
        frame=first[["customer_id", "event_time", "action"]].assign(propensity=propensity.astype("float64")),
        counts=counts,
        propensity=means,
        evidence=evidence,
        sample_ratio=ratio,
        repeated=len(rows) - len(first),
        crossed=int((arms_of_one > 1).sum()),
    )


def _shares(
    name: str, counts: Mapping[str, int], stated: Mapping[str, float]
) -> tuple[dict[str, float], Literal["configuration", "arm shares"]]:
    """Return the probability of each arm: as configured; what that leaves is split as the other arms came out."""
    told = {arm: stated[arm] for arm in counts if arm in stated}
    others = {arm: count for arm, count in counts.items() if arm not in stated}
    left = 1.0 - sum(told.values())
    if (left <= 0.0) if others else (abs(left) > _TOLERANCE):
        raise _unfit(name, told)
    shares = {arm: left * count / sum(others.values()) for arm, count in others.items()} | told
    return shares, "configuration" if told else "arm shares"


def _unfit(name: str, propensity: Mapping[str, float]) -> ExperimentError:
    text = ", ".join(f"{arm} {value:g}" for arm, value in sorted(propensity.items()))
    return ExperimentError(
        f"The propensities of the arms of experiment '{name}' must sum to 1, but they are {text}."
        " Correct the column of propensities or [contacts] propensity."
    )
