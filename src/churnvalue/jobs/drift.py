"""The reference that travels with the churn model, and what a scoring needs to compare itself with it."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from churnvalue import clock
from churnvalue.config import Config, Population
from churnvalue.errors import HistoryError
from churnvalue.evaluation.drift import DriftCounts, judge
from churnvalue.evaluation.drift_domain import MOST_CUSTOMERS, Domain, tell_apart
from churnvalue.evaluation.drift_reference import SCORES, Reference, binned
from churnvalue.events.account import Account
from churnvalue.events.assembly import concatenated
from churnvalue.events.log import EventLog
from churnvalue.events.selection import of_customers
from churnvalue.features import Feature
from churnvalue.frames import feature_frame
from churnvalue.jobs.registered import Registered
from churnvalue.models.digests import verify_digests

REFERENCE = "reference.json"
Glimpse = tuple[DriftCounts, EventLog]


def training_reference(
    log: EventLog, now: pd.DataFrame, models: Mapping[str, Registered], features: Sequence[Feature], who: Population
) -> Reference:
    """Return the reference of models: features and scores of the population ``now``, at the end of their training log."""
    known = {feature.name: feature for feature in features}
    cutoff = clock.micros(now.index[0][1].to_pydatetime())
    history = (cutoff - log.first) // clock.DAY
    said = pd.concat(
        [models[name].predict(now) for name in ("churn", "orders", "spend", "value") if name in models], axis=1
    )
    read = sorted({name for model in models.values() for name in model.inputs})
    return Reference(
        cutoff=cutoff,
        customers=len(now),
        quarantined=quarantined_share(log.account),
        features=tuple(binned(now[name], known[name].title, is_steady(known[name], history, who)) for name in read),
        scores=tuple(binned(said[name], title, True) for name, title in SCORES.items() if name in said),
    )


def read_reference(folder: Path, features: Sequence[Feature] = ()) -> Reference | None:
    """Return the reference in the folder of a churn model; None if it was registered without one.

    ``features`` are called as they are now, in the language spoken, and not as they were when the model was registered.

    Raises:
        RegistryError: If a file of the model is missing or damaged, or the reference is of another format.
    """
    verify_digests(folder)
    path = folder / REFERENCE
    if not path.exists():
        return None
    found, titles = Reference.read(path.read_text(encoding="utf-8")), {one.name: one.title for one in features}
    return replace(found, features=tuple(replace(one, title=titles.get(one.name, one.title)) for one in found.features))


def quarantined_share(account: Account) -> float:
    """Return the share of the rows that could not be used."""
    return account.refused / max(account.read, 1)


def is_steady(feature: Feature, history_days: int, who: Population) -> bool:
    """Whether a feature stays as it is while nothing changes, in a log with so many days before the reference.

    One over a number of days does where the log held them twice over, for trends compare them with as many before. Of those
    "so far" only the days since the last event that makes the population do, where the log is as old as that may be.
    """
    given = dict(feature.parameters)
    if feature.use == "days_since_last":
        return given["kind"] == who.kind and who.active_days <= history_days
    days = given.get("days")
    return isinstance(days, int) and 2 * days <= history_days


@dataclass(frozen=True)
class Eye:
    """What sees a range of customers, wherever they are scored; ``drawn`` are those looked at closely, None for all."""

    reference: Reference
    drawn: pa.StringArray | None

    def see(self, log: EventLog, frame: pd.DataFrame, predicted: pd.DataFrame) -> Glimpse:
        """Return counts of the features and scores of those in the population, and the log of those who are drawn."""
        counts = DriftCounts(self.reference).add(frame, predicted)
        if self.drawn is None:
            return counts, log
        return counts, of_customers(log, pc.is_in(log.customers, self.drawn).to_numpy(zero_copy_only=False))


class Watch:
    """Watches for drift while the customers of a log are scored, a range of them after the other."""

    def __init__(self, reference: Reference, customers: pa.StringArray, seed: int) -> None:
        """``customers`` are those of the whole log, of whom at most 20,000 are drawn for the classifier."""
        drawn = None
        if len(customers) > MOST_CUSTOMERS:
            chosen = np.random.default_rng(seed).choice(len(customers), MOST_CUSTOMERS, replace=False)
            drawn = customers.take(pa.array(np.sort(chosen)))
        self.eye = Eye(reference, drawn)
        self._counts = DriftCounts(reference)
        self._samples: list[EventLog] = []

    def add(self, seen: Glimpse) -> None:
        """Add what ``eye`` saw of the next range of customers."""
        counts, sample = seen
        self._counts = self._counts.merge(counts)
        self._samples.append(sample)

    def verdict(self, account: Account, features: Sequence[Feature], cutoff: int, config: Config) -> dict[str, Any]:
        """Return what has drifted, as facts for a manifest; see ``judge``."""
        found = None
        with suppress(HistoryError):  # where nobody was then, nobody can be told from them
            found = domain(concatenated(self._samples), self._counts.reference, features, cutoff, config)
        return judge(self._counts, quarantined_share(account), config.drift, found)


def domain(
    log: EventLog, reference: Reference, features: Sequence[Feature], cutoff: int, config: Config
) -> Domain | None:
    """Return how well customers at ``cutoff`` can be told from those as of the reference, both computed from the same log.

    By steady features alone. None where the cutoff is not after the reference's, or either population has too few customers.

    Raises:
        HistoryError: If a population is empty.
    """
    steady = {one.name for one in reference.features if one.steady}
    compared = [feature for feature in features if feature.name in steady]
    if reference.cutoff >= cutoff or not compared:
        return None
    then, now = (feature_frame(log, compared, time, config.population) for time in (reference.cutoff, cutoff))
    return tell_apart(then, now, config.training.seed)
