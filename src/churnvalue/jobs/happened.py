"""What happened to planned customers: who stayed, what they brought, what was really done, who answered."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from churnvalue import clock
from churnvalue.clock import DAY, END, Span
from churnvalue.config import Config
from churnvalue.contacts import NO_ACTION, Contacts
from churnvalue.decisions.assignment import HOLDOUT
from churnvalue.evaluation.group_value import Happened
from churnvalue.events.log import EventLog
from churnvalue.events.selection import places
from churnvalue.jobs.answers import ANSWER_DAYS, ANSWERED, first_wait, rows_of_kinds
from churnvalue.language import N_, _
from churnvalue.sweep import compile_measures, customer_of, sweep
from churnvalue.views import Column, Future, History, evaluate, measures

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class CarriedOut:
    """How many were given an action by the plan, how many of them really got it, and who got one though held out.

    ``done`` and ``held_out_contacted`` are None where the log knows no contact of the plan's actions at any time; then costs
    are the plan's.
    """

    given: int
    done: int | None
    held_out_contacted: int | None
    cost: float


@dataclass(frozen=True, eq=False)
class Contacted:
    """What actions really cost each customer, how far the plan was carried out, and notes in words."""

    spent: Floats
    shares: CarriedOut
    notes: tuple[str, ...]


def carried_out(plan: pd.DataFrame, contacts: Contacts, window: Span) -> Contacted:
    """Return what was really done in the window, of the plan's own actions.

    Costs that contacts leave out are those that the plan expected; so are all of them where such an action was never
    contacted, for then contacts are not noted. Where they are, but none is in the window, nothing was done or spent.
    """
    expected = plan["cost"].fillna(0.0).to_numpy(np.float64)
    given = (plan["action"] != NO_ACTION).to_numpy()
    start, end = (pd.Timestamp(clock.moment(one)) for one in (window.start, window.end))
    columns = [name for name in ("action", "planned_action") if name in plan.columns]
    planned = set(plan[columns].to_numpy().ravel()) - {NO_ACTION}
    frame = contacts.frame[contacts.frame["action"].isin(planned)]
    if frame.empty:
        note = _("The log knows no contact of the plan's actions: costs are those that the plan expected.")
        return Contacted(expected, CarriedOut(int(given.sum()), None, None, float(expected.sum())), (note,))
    inside = frame[frame["event_time"].between(start, end, "left") & frame["customer_id"].isin(plan["customer_id"])]
    if inside.empty:
        note = _(
            "The plan was not carried out: {contacts:,} contacts of its actions are known, but none with its "
            "customers in the window. Nothing was spent, and what was measured says nothing of its actions.",
            contacts=len(frame),
        )
        return Contacted(np.zeros(len(plan)), CarriedOut(int(given.sum()), 0, 0, 0.0), (note,))
    actions = plan.set_index("customer_id")["action"]
    rows = plan["customer_id"]
    by_action = plan[given].groupby("action")["cost"].mean()
    cost = inside["cost"].fillna(inside["action"].map(by_action)).fillna(0.0)
    spent = rows.map(cost.groupby(inside["customer_id"]).sum()).fillna(0.0).to_numpy(np.float64)
    done = inside.loc[(inside["customer_id"].map(actions) == inside["action"]).to_numpy(), "customer_id"].nunique()
    held_out = plan.loc[plan["group"] == HOLDOUT, "customer_id"]
    reached = int(held_out.isin(inside["customer_id"]).sum())
    notes = [
        _(
            "{done:,} of {actions:,} actions of the plan were carried out; the comparison is by what the plan "
            "assigned, not by what was done.",
            done=done,
            actions=int(given.sum()),
        )
    ]
    if reached:
        notes.append(
            _(
                "{reached:,} of {held_out:,} customers held out were contacted all the same.",
                reached=reached,
                held_out=len(held_out),
            )
        )
    unpriced = int(inside["cost"].isna().sum())
    if unpriced:
        notes.append(
            _(
                "{unpriced:,} of {contacts:,} contacts state no cost: the plan's is used.",
                unpriced=unpriced,
                contacts=len(inside),
            )
        )
    return Contacted(spent, CarriedOut(int(given.sum()), int(done), reached, float(spent.sum())), tuple(notes))


def happened(
    plan: pd.DataFrame, log: EventLog, window: Span, config: Config, spent: Floats, p_churn: Floats | None
) -> Happened:
    """Return what each planned customer did in the window, and what was known of them before.

    Margin and cost to serve as [value] has them: margin of the outcome's amounts, less the cost of each event.
    """
    rows = places(log, plan["customer_id"])
    outcome = config.outcome.kind

    def measured(columns: dict[str, Column], span: Span, known_before: int) -> dict[str, Floats]:
        found = sweep(log, compile_measures(measures(columns.values()), log), span, known_before)
        every = {name: np.broadcast_to(evaluate(column, found), len(log.customers)) for name, column in columns.items()}
        return {name: np.where(rows >= 0, values[rows], 0.0) for name, values in every.items()}

    after = Future().of(outcome)
    future: dict[str, Column] = {"orders": after.count(), "amount": after.total().at_least(0)}
    # What contacts cost is in ``spent`` already.
    costs = {kind: cost for kind, cost in sorted(config.value.cost.items()) if kind != config.contacts.kind}
    future |= {f"cost {kind}": cost * Future().of(kind).count() for kind, cost in costs.items()}
    seen = measured(future, window, END)
    before = History().of(outcome)
    past: dict[str, Column] = {
        "silent": before.age_of_newest(),
        "count": before.count(),
        "total": before.total().at_least(0),
    }
    known = measured(past, clock.before(window.start), window.start)
    served = np.sum([seen[name] for name in seen if name.startswith("cost ")], axis=0) if costs else 0.0
    earned = config.value.margin * seen["amount"] - served
    silent = np.nan_to_num(known["silent"], nan=(window.start - log.first) / DAY)
    covariates = [np.log1p(silent), np.log1p(known["count"]), np.log1p(known["total"])]
    rankings = {N_("longest silent first"): silent}
    if p_churn is not None:
        covariates.insert(0, p_churn)
        rankings[N_("highest risk first")] = p_churn
    if "stake" in plan.columns:
        stake = plan["stake"].to_numpy(np.float64)
        covariates.insert(1, np.log1p(np.maximum(np.nan_to_num(stake), 0.0)))
        rankings[N_("highest value first")] = stake
    return Happened(
        stayed=np.minimum(seen["orders"], 1.0),
        earned=earned if log.pays(outcome) else np.full(len(plan), np.nan),
        spent=spent,
        covariates=np.column_stack(covariates),
        rankings=rankings,
        p_churn=p_churn,
    )


def answered(sends: pd.DataFrame, log: EventLog, outcome: str) -> Floats:
    """Return 1 for each send which the customer opened, clicked or followed by coming back within 7 days, else 0."""
    customer = places(log, sends["customer_id"])
    rows = rows_of_kinds(log, (outcome, *ANSWERED), END, customer)
    sent_at = sends["send_at"].dt.as_unit("us").astype("int64").to_numpy(np.int64)
    waited = first_wait(customer, sent_at, customer_of(log, rows), log.event_time[rows])
    return np.asarray(waited < ANSWER_DAYS * DAY, dtype=np.float64)
