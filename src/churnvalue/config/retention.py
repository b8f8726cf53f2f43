"""``[retention]`` and ``[contacts]``: what may be done to keep customers, and what was done."""

from typing import Annotated

from pydantic import Field, field_validator, model_validator

from churnvalue.clock import zone
from churnvalue.config.section import Days, Money, Name, Positive, Section, Share, Text, Tier

BetaRate = tuple[Positive, Positive]


class Action(Section):
    """Something that may keep a customer.

    ``save_rate``: parameters of a Beta distribution of the share of leavers kept, used until an experiment tells.
    ``redemption``: share of those offered who take the ``incentive``, stayers too. ``fatigue``: what being contacted
    costs the relationship, in money. ``spend_change``: by which share the action changes what those who stay are worth.
    ``tiers``: who may get it; None is every tier but below zero.
    """

    id: Name
    contact_cost: Money = 0.0
    incentive: Money = 0.0
    redemption: Share = 0.0
    fatigue: Money = 0.0
    spend_change: Annotated[float, Field(ge=-1.0, le=10.0)] = 0.0
    capacity: Annotated[int, Field(ge=0)] | None = None
    channel: Name = "email"
    save_rate: BetaRate = (6.0, 14.0)
    tiers: tuple[Tier, ...] | None = None


class ServiceLevel(Section):
    """How well a customer is served.

    ``cost_factor``: cost to serve against today's. ``fee``: what the customer pays for being served, over the value
    horizon. ``save_rate``: share of leavers it keeps, Beta; ``loss_rate``: share of stayers who leave over it.
    """

    id: Name
    tiers: tuple[Tier, ...]
    cost_factor: Money = 1.0
    fee: Money = 0.0
    save_rate: BetaRate | None = None
    loss_rate: Share = 0.0
    capacity: Annotated[int, Field(ge=0)] | None = None


class Floor(Section):
    """At least ``customers`` of a tier get an action, any or the one named."""

    tier: Tier
    customers: Annotated[int, Field(ge=0)]
    action: Name | None = None


class Retention(Section):
    """What may be spent on keeping customers, on whom, and how much is kept for learning.

    ``exclude``: kinds of events after which a customer is left alone, with the days for which that holds.
    ``below_zero``: probability of a negative value from which a customer counts as below zero.
    """

    budget: Money = 5000.0
    holdout: Annotated[float, Field(ge=0.0, le=0.9)] = 0.05
    explore: Annotated[float, Field(ge=0.0, le=0.9)] = 0.05
    actions: tuple[Action, ...] = (
        Action(id="call", contact_cost=4.0, capacity=500, channel="call", save_rate=(6.0, 14.0)),
        Action(id="voucher", contact_cost=0.05, incentive=10.0, redemption=0.3, save_rate=(4.0, 16.0)),
    )
    service_levels: tuple[ServiceLevel, ...] = (
        ServiceLevel(id="preferred", tiers=("elite", "most valuable"), cost_factor=1.5, save_rate=(1.0, 19.0)),
        ServiceLevel(id="standard", tiers=("elite", "most valuable", "most growable", "steady")),
        ServiceLevel(id="self-service", tiers=("steady", "below zero"), cost_factor=0.5, loss_rate=0.01),
        ServiceLevel(id="charged", tiers=("below zero",), cost_factor=0.0, loss_rate=0.1),
    )
    floors: tuple[Floor, ...] = ()
    exclude: dict[str, Days] = {"unsubscribe": 3650}
    below_zero: Share = 0.5

    @model_validator(mode="after")
    def _distinct(self) -> "Retention":
        names = [action.id for action in self.actions]
        if len(set(names)) < len(names) or "none" in names:
            raise ValueError(f"action ids must be distinct and none may be 'none', but {names} came")
        levels = [level.id for level in self.service_levels]
        if len(set(levels)) < len(levels):
            raise ValueError(f"ids of service levels must be distinct, but {levels} came")
        unknown = [floor.action for floor in self.floors if floor.action is not None and floor.action not in names]
        if unknown:
            raise ValueError(f"floors must be of configured actions, {names}, but {unknown} came")
        return self


class ContactColumns(Section):
    """Which column of the source of contacts plays which part."""

    customer_id: Text = "customer_id"
    event_time: Text = "event_time"
    action: Text = "action"
    channel: Text | None = None
    cost: Text | None = None
    redeemed: Text | None = None
    propensity: Text | None = None
    experiment: Text | None = None


class Contacts(Section):
    """What was done to whom: an own ``source``, or the log's events of ``kind`` (action: their category).

    ``control`` names the action that is none. ``propensity``: probability of each action where no column tells it; of
    what is left out the arms' shares are taken.
    """

    source: Text | None = None
    kind: Text = "offer"
    timezone: str | None = None
    columns: ContactColumns = ContactColumns()
    control: Text = "control"
    propensity: dict[str, Annotated[float, Field(gt=0.0, lt=1.0)]] = {}

    _zone = field_validator("timezone")(lambda value: None if value is None else zone(value).key)
