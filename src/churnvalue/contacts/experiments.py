"""The experiments among contacts: who was drawn into which arm, with which chance, and whether the draw was fair."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal

import pandas as pd

from churnvalue.contacts.reading import NO_ACTION, Contacts
from churnvalue.contacts.sample_ratio import SampleRatio, sample_ratio
from churnvalue.errors import ExperimentError

_TOLERANCE = 0.01

Evidence = Literal["column", "configuration", "arm shares"]


@dataclass(frozen=True, eq=False)
class Experiment:
    """One experiment, each customer once: as first contacted.

    Attributes:
        name: As the contacts call it.
        frame: customer_id, event_time, action, redeemed (missing unknown) and propensity (above 0, below 1; NaN where the
            experiment is ``unfit``), one row a customer, by id.
        counts: Customers of each arm.
        propensity: Mean probability of each arm, over those in it; empty where the experiment is ``unfit``.
        evidence: Where propensities come from: a column, the configuration, or the arms' own shares.
        sample_ratio: The sizes of the arms against their propensities; None where these are the shares themselves
            or differ among customers of an arm.
        repeated: Contacts left out because the customer was in the experiment before.
        crossed: Customers who were in more than one arm; the first counts.
        unfit: Why nothing can be learnt from it; empty where something can.
    """

    name: str
    frame: pd.DataFrame
    counts: Mapping[str, int]
    propensity: Mapping[str, float]
    evidence: Evidence
    sample_ratio: SampleRatio | None
    repeated: int
    crossed: int
    unfit: str

    @property
    def arms(self) -> tuple[str, ...]:
        """The actions compared; the control, "none", first."""
        return tuple(sorted(self.counts, key=lambda arm: (arm != NO_ACTION, arm)))


def experiments(contacts: Contacts) -> tuple[Experiment, ...]:
    """Return the experiments by name, also those from which nothing can be learnt: ``unfit`` says why."""
    inside = contacts.frame[contacts.frame["experiment"].notna()]
    return tuple(
        _experiment(str(name), rows, contacts.stated) for name, rows in inside.groupby("experiment", sort=True)
    )


def summary(contacts: Contacts) -> pd.DataFrame:
    """Return what actions really were, by action.

    Columns: contacts; mean_cost; noted, of how many it is known whether they redeemed; redemption, the share of those who
    did. NaN where nobody noted it.
    """
    by_action = contacts.frame.assign(redeemed=contacts.frame["redeemed"].astype("Float64")).groupby(
        "action", sort=True
    )
    return by_action.agg(
        contacts=("customer_id", "size"),
        mean_cost=("cost", "mean"),
        noted=("redeemed", "count"),
        redemption=("redeemed", "mean"),
    ).astype({"noted": "int64", "redemption": "float64"})


def _experiment(name: str, rows: pd.DataFrame, stated: Mapping[str, float]) -> Experiment:
    first = rows.drop_duplicates("customer_id").sort_values("customer_id", ignore_index=True)
    counts = {str(arm): int(count) for arm, count in first["action"].value_counts(sort=False).sort_index().items()}
    arms_of_one = rows.groupby("customer_id")["action"].nunique()
    found = Experiment(
        name=name,
        frame=first[["customer_id", "event_time", "action", "redeemed"]].assign(propensity=float("nan")),
        counts=counts,
        propensity={},
        evidence="arm shares",
        sample_ratio=None,
        repeated=len(rows) - len(first),
        crossed=int((arms_of_one > 1).sum()),
        unfit="",
    )
    if len(counts) < 2:
        return replace(
            found, unfit=f"all its {len(first):,} customers got '{first['action'].iloc[0]}', none another arm"
        )
    try:
        return _with_propensity(found, first["propensity"], stated)
    except ExperimentError as error:
        return replace(found, unfit=str(error))


def _with_propensity(found: Experiment, column: pd.Series, stated: Mapping[str, float]) -> Experiment:
    """Return the experiment with the probability of the arm that each customer got.

    Raises:
        ExperimentError: If some rows state one and some do not, or those of the arms do not sum to 1.
    """
    known = column.notna()
    if known.any() and not known.all():
        raise ExperimentError(
            f"Every contact of an experiment or none must state its propensity, but {int(known.sum()):,} of"
            f" {len(column):,} do. Complete the column, or leave it out and set [contacts] propensity."
        )
    evidence: Evidence
    if known.any():
        evidence, propensity = "column", column
    else:
        shares, evidence = _shares(found.counts, stated)
        propensity = found.frame["action"].map(shares)
    by_arm = propensity.groupby(found.frame["action"])
    means = {str(arm): float(value) for arm, value in by_arm.mean().items()}
    ratio: SampleRatio | None = None
    if evidence != "arm shares" and (by_arm.max() - by_arm.min() < 1e-9).all():
        total = sum(means.values())
        if abs(total - 1.0) > _TOLERANCE:
            raise _unfit(means)
        ratio = sample_ratio(found.counts, {arm: value / total for arm, value in means.items()})
    frame = found.frame.assign(propensity=propensity.astype("float64"))
    return replace(found, frame=frame, propensity=means, evidence=evidence, sample_ratio=ratio)


def _shares(
    counts: Mapping[str, int], stated: Mapping[str, float]
) -> tuple[dict[str, float], Literal["configuration", "arm shares"]]:
    """Return the probability of each arm: as configured; what that leaves is split as the other arms came out."""
    told = {arm: stated[arm] for arm in counts if arm in stated}
    others = {arm: count for arm, count in counts.items() if arm not in stated}
    left = 1.0 - sum(told.values())
    if (left <= 0.0) if others else (abs(left) > _TOLERANCE):
        raise _unfit(told)
    shares = {arm: left * count / sum(others.values()) for arm, count in others.items()} | told
    return shares, "configuration" if told else "arm shares"


def _unfit(propensity: Mapping[str, float]) -> ExperimentError:
    text = ", ".join(f"{arm} {value:g}" for arm, value in sorted(propensity.items()))
    return ExperimentError(
        f"The propensities of its arms must sum to 1, but they are {text}."
        " Correct the column of propensities or [contacts] propensity."
    )
