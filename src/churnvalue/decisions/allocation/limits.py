"""What a plan must keep, and what of it cannot be kept."""

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from churnvalue.decisions.allocation.blocks import Bools, Floats, Ints, Numbers
from churnvalue.decisions.allocation.prices import Problem
from churnvalue.errors import DefinitionError


@dataclass(frozen=True, eq=False)
class Floor:
    """At least ``customers`` of those charged in ``segment`` get one of ``options``, a mask of shape (A,).

    ``name`` is what errors call the segment.
    """

    segment: int
    options: Bools
    customers: int
    name: str = ""

    @property
    def said(self) -> str:
        """What errors call it."""
        return f"A floor of {self.customers} customers in {self.name or f'segment {self.segment}'}"


@dataclass(frozen=True, eq=False)
class Limits:
    """What a plan must keep.

    Attributes:
        budget: Money for all charged customers together.
        capacity: Shape (R,): how many charged customers may use each resource; infinity for no limit.
        uses: Shape (A, R): which resources an option uses.
        floors: Customers who must get something.
        segment: Shape (n,), from 0: the segment of each customer; needed where there are floors.
    """

    budget: float
    capacity: Floats = field(default_factory=lambda: np.zeros(0))
    uses: npt.NDArray[np.generic] | None = None
    floors: tuple[Floor, ...] = ()
    segment: Ints | None = None


def check(
    profit: Numbers, cost: Numbers, limits: Limits, uses: Floats, by_customer: tuple[npt.NDArray[np.generic], ...]
) -> None:
    """Refuse what cannot be allocated."""
    if profit.ndim != 2 or cost.shape != profit.shape or any(len(one) != len(profit) for one in by_customer) or (
        uses.shape != (profit.shape[1], len(limits.capacity))
    ):  # fmt: skip
        raise DefinitionError(
            "Profit and cost must have the shape (customers, options), capacity one entry a resource, uses (options, resources), "
            f"tie_key and charged one a customer, but {profit.shape}, {cost.shape}, {limits.capacity.shape}, {uses.shape} and "
            f"{[one.shape for one in by_customer]} came."
        )
    if not np.isfinite(limits.budget) or limits.budget < 0 or np.isnan(limits.capacity).any():
        raise DefinitionError(
            f"The budget must be finite and at least 0 and capacities known, but {limits.budget} and {limits.capacity} came."
        )
    if limits.floors and (limits.segment is None or len(limits.segment) != len(profit)):
        raise DefinitionError("Floors need the segment of every customer, but it is missing. Give limits.segment.")


def check_floors(problem: Problem, limits: Limits, before: int) -> None:
    """Refuse a floor that cannot be held even alone; ``before`` it come as many other limits but money."""
    for number, floor in enumerate(limits.floors):
        fills = (problem.uses[:, :, before + number] < 0)[problem.segment] & np.isfinite(problem.profit)
        could = int(fills.any(axis=1).sum())
        if could < floor.customers:
            raise DefinitionError(
                f"{floor.said} needs as many who may get one of its options, but there are {could}. Lower the floor."
            )
        cheapest = np.where(fills, problem.cost, np.inf).min(axis=1, initial=np.inf)
        least = float(np.partition(cheapest, max(floor.customers - 1, 0))[: floor.customers].sum())
        if least > limits.budget * (1.0 + 1e-12):
            raise DefinitionError(
                f"{floor.said} costs at least {least:.2f}, but the budget is "
                f"{limits.budget:.2f}. Lower the floor or raise the budget."
            )
