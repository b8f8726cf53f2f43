"""What the page says of the scored customers: totals, concentration, tiers, thresholds.

Sums run over customers in the order of their ids, so that the order of input rows cannot change a digit. This
module knows nothing of plans, words or pictures.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from churnvalue.evaluation.equity import Estimate, positive, total

SCORED = ("p_churn", "orders", "spend", "spend_p10", "spend_p90", "clv", "clv_p10", "clv_p90", "p_return_30d")
CONTACT_SHARES = (0.05, 0.1, 0.2, 0.3)
TOP_SHARES = (0.001, 0.01, 0.05, 0.2)
MOST_MOVES = 8
EVEN = 0.5

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class ReportData:
    """All that the page shows.

    Attributes:
        project: Name of the project.
        scores: One row a customer, as ``score`` writes them; of ``drivers`` only feature and effect are needed with ``told``.
        plan: One row a customer, as ``plan`` writes them.
        sends: One row a message.
        curve: Profit against budget.
        portfolios: How the tiers did, as ``plan`` writes it.
        measured: Contents of ``measure.json``.
        training: Contents of ``train.json``.
        facts: cutoff, previous_cutoff, horizon_days, value_horizon_days, margin, discount_rate, has_amounts, day_granularity,
            quarantine, rows_kept, currency, drift; of the plan budget, gap, notes, portfolio_notes, plan_cutoff, capacities.
        told: Gives the drivers of the customers with some ids, as mappings with feature, effect and text; None: the scores
            hold them.
    """

    project: str
    scores: pd.DataFrame
    plan: pd.DataFrame | None = None
    sends: pd.DataFrame | None = None
    curve: pd.DataFrame | None = None
    portfolios: pd.DataFrame | None = None
    measured: dict[str, Any] | None = None
    training: dict[str, Any] | None = None
    facts: dict[str, Any] = field(default_factory=dict)
    told: Callable[[Sequence[str]], Mapping[str, list[Mapping[str, Any]]]] | None = None


@dataclass(frozen=True)
class Base:
    """The scored customers in total.

    Attributes:
        at_risk: Value of those in the high-risk band; ``at_risk_share`` is of equity.
        to_serve: Cost to serve all; None where it is not known.
        unprofitable: Customers who, coming back, would more likely than not cost more than they bring; None likewise.
    """

    customers: int
    leavers: float
    leaving_share: float | None
    orders: float
    spend: Estimate
    equity: Estimate
    at_risk: float
    at_risk_customers: int
    at_risk_share: float | None
    to_serve: float | None
    unprofitable: int | None


@dataclass(frozen=True)
class Tier:
    """One tier; ``value_share`` is of all positive value, ``attainable`` what the best of each customer's peers reach."""

    name: str
    customers: int
    customer_share: float
    value_share: float | None
    p_churn: float
    clv: float
    attainable: float | None
    service_level: str


@dataclass(frozen=True)
class Moves:
    """Who changed tier since the scores before: ``most`` are the most frequent moves, from, to and customers."""

    stayed: int
    moved: int
    most: list[tuple[str, str, int]]


@dataclass(frozen=True)
class Threshold:
    """Contacting the ``share`` at highest risk: expected leavers reached, stayers disturbed for nothing."""

    share: float
    customers: int
    p_churn: float
    caught: float
    caught_share: float | None
    falsely: float


def by_customer(table: pd.DataFrame) -> pd.DataFrame:
    """Return ``table`` in the order of customer ids."""
    ids = pa.array(table["customer_id"], pa.string())
    if pc.all(pc.less_equal(ids[:-1], ids[1:])).as_py() is not False:
        return table
    return table.sort_values("customer_id", kind="stable")


def ordered_scores(scores: pd.DataFrame) -> pd.DataFrame:
    """Return the scores in the order of customer ids; number columns that are missing become NaN."""
    missing: dict[str, float | str] = {name: np.nan for name in SCORED if name not in scores}
    missing |= {name: "" for name in ("tier", "band") if name not in scores}
    return by_customer(scores.assign(**missing) if missing else scores).reset_index(drop=True)


def base(scores: pd.DataFrame) -> Base:
    """Return the totals of the scored customers; NaN counts as nothing."""
    customers = len(scores)
    leavers = float(np.nansum(_floats(scores, "p_churn")))
    clv = _floats(scores, "clv")
    at_risk = (scores["band"] == "high").to_numpy()
    equity = total(clv, _floats(scores, "clv_p10"), _floats(scores, "clv_p90"))
    lost = float(np.nansum(clv[at_risk]))
    served, below = _known(scores, "cost_to_serve"), _known(scores, "p_below_zero")
    return Base(
        customers=customers,
        leavers=leavers,
        leaving_share=_share(leavers, customers),
        orders=float(np.nansum(_floats(scores, "orders"))),
        spend=total(_floats(scores, "spend"), _floats(scores, "spend_p10"), _floats(scores, "spend_p90")),
        equity=equity,
        at_risk=lost,
        at_risk_customers=int(at_risk.sum()),
        at_risk_share=_share(lost, equity.value),
        to_serve=None if served is None else float(served.sum()),
        unprofitable=None if below is None else int((below > EVEN).sum()),
    )


def concentration(scores: pd.DataFrame) -> list[tuple[float, float]]:
    """Return shares of customers, most valuable first, and of value, at up to 120 places."""
    value = positive(_floats(scores, "clv"))
    if not value.sum() > 0:
        return []
    held = np.concatenate([[0.0], np.cumsum(value) / value.sum()])
    places = np.unique(np.round(np.linspace(0.0, 1.0, 120) ** 2 * len(value)).astype(int))
    return [(float(place / len(value)), float(held[place])) for place in places]


def tier_names(scores: pd.DataFrame) -> list[str]:
    """Return the tiers, the one of the highest mean value first; without money, the one at lowest risk."""
    means = scores.groupby("tier", sort=True)[["clv", "p_churn"]].mean()
    means = means.fillna({"clv": -np.inf, "p_churn": np.inf})
    ranked = means.sort_values(["clv", "p_churn"], ascending=[False, True], kind="stable")
    return [str(name) for name in ranked.index if name != ""]


def tiers(scores: pd.DataFrame, service_levels: Mapping[str, str]) -> list[Tier]:
    """Return one row a tier in the order of ``tier_names``."""
    whole = float(positive(_floats(scores, "clv")).sum())
    found = []
    for name in tier_names(scores):
        own = scores[scores["tier"] == name]
        within_reach = _known(own, "attainable")
        found.append(
            Tier(
                name=name,
                customers=len(own),
                customer_share=len(own) / len(scores),
                value_share=_share(float(positive(_floats(own, "clv")).sum()), whole),
                p_churn=float(own["p_churn"].mean()),
                clv=float(own["clv"].mean()),
                attainable=None if within_reach is None else float(within_reach.mean()),
                service_level=service_levels.get(name, ""),
            )
        )
    return found


def moves(scores: pd.DataFrame) -> Moves | None:
    """Return who changed tier since the scores before; None where there are none."""
    if "previous_tier" not in scores:
        return None
    both = scores.loc[scores["previous_tier"].notna() & (scores["previous_tier"] != ""), ["previous_tier", "tier"]]
    if both.empty:
        return None
    counts = both.value_counts().reset_index(name="n").itertuples(index=False)
    pairs = ((str(old), str(new), int(n)) for old, new, n in counts)
    moved = sorted((one for one in pairs if one[0] != one[1]), key=lambda one: (-one[2], one[:2]))
    changed = sum(n for _, _, n in moved)
    return Moves(len(both) - changed, changed, moved[:MOST_MOVES])


def thresholds(scores: pd.DataFrame) -> list[Threshold]:
    """Return what contacting the customers at highest risk would catch, if ``p_churn`` is calibrated."""
    risk = np.sort(np.nan_to_num(_floats(scores, "p_churn")))[::-1]
    found = []
    for share in CONTACT_SHARES if len(risk) else ():
        size = math.ceil(share * len(risk))
        caught = float(risk[:size].sum())
        caught_share = _share(caught, float(risk.sum()))
        found.append(Threshold(share, size, float(risk[size - 1]), caught, caught_share, size - caught))
    return found


def _floats(scores: pd.DataFrame, column: str) -> Floats:
    return scores[column].to_numpy(dtype=np.float64)


def _known(scores: pd.DataFrame, column: str) -> Floats | None:
    """Return what a column knows; None where it is missing or knows nothing."""
    known = _floats(scores, column) if column in scores else np.empty(0)
    known = known[np.isfinite(known)]
    return known if len(known) else None


def _share(part: float, whole: float) -> float | None:
    return part / whole if whole > 0 else None
