"""Contacts from their own source or from the log's events of one kind, as one frame, with an account of every row.

What is read is what the log reads: ids as text, times in UTC, nothing from the ``as_of`` on.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import duckdb
import ibis
import pandas as pd
import pyarrow as pa

from churnvalue.clock import END, micros
from churnvalue.config import Config
from churnvalue.contacts.mapping import COLUMNS, account, map_contacts, usable
from churnvalue.engines.session import Session, first_line
from churnvalue.errors import SourceError
from churnvalue.events.account import Account
from churnvalue.events.log import EventLog
from churnvalue.events.selection import places
from churnvalue.language import N_

NO_ACTION = N_("none")


@dataclass(frozen=True, eq=False)
class Contacts:
    """What was done to whom, and what became of every row that was read.

    Attributes:
        frame: One row a contact, by customer, time and action: customer_id, event_time (UTC), action ("none" is the
            control's), channel, cost (money, NaN unknown), redeemed (missing unknown), propensity (of the action, NaN
            unknown), experiment (missing outside one).
        account: Rows read, kept, repeated, later than could be known, and quarantined by reason.
        strangers: Customers in the frame of whom the log holds no event.
        stated: Probability of each action as configured, for experiments whose rows state none; the control's as of "none".
    """

    frame: pd.DataFrame
    account: Account
    strangers: int
    stated: Mapping[str, float]


def read_contacts(config: Config, log: EventLog, as_of: int | None = None) -> Contacts:
    """Return the contacts that had happened and were known before ``as_of``, the end of the log if None.

    A log without events of the configured kind, and no source of its own, gives an empty frame.

    Raises:
        SourceError: If a column is missing or holds what its part cannot, a cost is negative, a propensity not
            between 0 and 1, ``redeemed`` neither 0 nor 1, or too many rows cannot be used.
    """
    until = log.observed_until if as_of is None else as_of
    until = min(until, micros(config.observed_until) if config.observed_until else END)
    with Session(config.folder) as session:
        try:
            parts = map_contacts(config, session, until)
            tables = [usable(part, until) for part in parts]
            found = sum((account(part, session, until) for part in parts), Account())
            rows = ibis.union(*tables) if len(tables) > 1 else tables[0]
            arrow = session.arrow(rows.distinct().order_by([*COLUMNS]))
        except (duckdb.Error, pa.ArrowException, UnicodeDecodeError) as error:
            raise SourceError(f"The contacts must be readable, but: {first_line(error)}") from error
    found = replace(found, kept=len(arrow), duplicates=found.kept - len(arrow))
    # Events of a log were not written as contacts: that none names an action is no fault of theirs.
    if config.contacts.source and found.refused > config.checks.max_quarantined * found.read:
        raise SourceError(
            f"At most {config.checks.max_quarantined:.0%} of the contacts may be unusable, but {found.refused:,} of"
            f" {found.read:,} are ({', '.join(sorted(found.quarantined))}). Check [contacts] columns."
        )
    frame = _frame(arrow, config.contacts.control)
    _require_bounds(frame)
    frame["redeemed"] = frame["redeemed"].astype("boolean")
    strangers = int((places(log, pd.Index(frame["customer_id"].unique())) < 0).sum())
    stated = {NO_ACTION if one == config.contacts.control else one: p for one, p in config.contacts.propensity.items()}
    return Contacts(frame, found, strangers, stated)


def _frame(arrow: pa.Table, control: str) -> pd.DataFrame:
    frame: pd.DataFrame = arrow.to_pandas()
    for column in ("customer_id", "action", "channel", "experiment"):
        frame[column] = frame[column].astype("str")
    frame["event_time"] = pd.to_datetime(frame["event_time"], unit="us", utc=True).astype("datetime64[us, UTC]")
    frame["action"] = frame["action"].mask(frame["action"] == control, NO_ACTION)
    for column in ("cost", "redeemed", "propensity"):
        frame[column] = frame[column].astype("float64")
    return frame[list(COLUMNS)]


def _require_bounds(frame: pd.DataFrame) -> None:
    """Refuse numbers that cannot be what they are said to be: one of them means that the column is another."""
    rules = {
        "cost": ((frame["cost"] < 0) | (frame["cost"].abs() == float("inf")), "money of at least 0"),
        "propensity": (
            ~frame["propensity"].between(0, 1, "neither") & frame["propensity"].notna(),
            "above 0 and below 1",
        ),
        "redeemed": (frame["redeemed"].notna() & ~frame["redeemed"].isin((0.0, 1.0)), "0 or 1"),
    }
    for column, (bad, what) in rules.items():
        if bad.any():
            came = frame.loc[bad, column].iloc[0]  # the number alone: errors print no rows of customers
            raise SourceError(
                f"{column} of a contact must be {what}, but {came:g} came ({int(bad.sum()):,} such rows)."
                " Check [contacts] columns."
            )
