"""``[retention]`` and ``[contacts]``: what may be done to keep customers, and what was done."""

from typing import Annotated

from pydantic import Field, field_validator, model_validator

from churnvalue.clock import zone
from churnvalue.config.section import Days, Money, Name, Positive, Section, Share, Text, Tier

BetaRate = tuple[Positive, Positive]


class Action(Section):
    """Something that may keep a customer."""

    id: Name
    """Its name in plans, contacts and measurements."""
    contact_cost: Money = 0.0
    """Money a contact."""
    incentive: Money = 0.0
    """Money, where it is redeemed."""
    redemption: Share = 0.0
    """Share of those offered who redeem it, also of those who would have stayed."""
    fatigue: Money = 0.0
    """Money that being contacted costs the relationship."""
    spend_change: Annotated[float, Field(ge=-1.0, le=10.0)] = 0.0
    """By which share those who stay are worth more or less for it."""
    capacity: Annotated[int, Field(ge=0)] | None = None
    """Most customers a plan; left out, no limit."""
    channel: Name = "email"
    """How it reaches the customer."""
    save_rate: BetaRate = (6.0, 14.0)
    """Share of leavers that it keeps, Beta(a, b); used until an experiment tells."""
    tiers: tuple[Tier, ...] | None = None
    """Who may get it; left out, every tier but below zero."""


class ServiceLevel(Section):
    """How well a customer is served."""

    id: Name
    """Its name in plans."""
    tiers: tuple[Tier, ...]
    """Who may be served so."""
    cost_factor: Money = 1.0
    """Cost to serve against today's."""
    fee: Money = 0.0
    """Money the customer pays for being served, over the value horizon."""
    save_rate: BetaRate | None = None
    """Share of leavers that it keeps, Beta(a, b); left out, none."""
    loss_rate: Share = 0.0
    """Share of stayers who leave over it."""
    capacity: Annotated[int, Field(ge=0)] | None = None
    """Most customers a plan; left out, no limit."""


class Floor(Section):
    """At least so many customers of a tier get an action."""

    tier: Tier
    """Whose floor it is."""
    customers: Annotated[int, Field(ge=0)]
    """How many, at least."""
    action: Name | None = None
    """Which action; left out, any."""


class Retention(Section):
    """What may be spent on keeping customers, on whom, and how much is kept for learning."""

    budget: Money = 5000.0
    """Money a plan, for actions and better service together."""
    holdout: Annotated[float, Field(ge=0.0, le=0.9)] = 0.05
    """Share that gets no action, the same customers in every plan, so that plans can be measured."""
    explore: Annotated[float, Field(ge=0.0, le=0.9)] = 0.05
    """Share that gets an action drawn at random, to learn from."""
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
    """Days for which a customer is left alone after an event, by kind."""
    below_zero: Share = 0.5
    """Probability of a negative value from which a customer counts as below zero."""

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
    """Who was contacted."""
    event_time: Text = "event_time"
    """When."""
    action: Text = "action"
    """What was done; the action's id, or the name of the control."""
    channel: Text | None = None
    """By which channel."""
    cost: Text | None = None
    """What the contact really cost."""
    redeemed: Text | None = None
    """Whether the incentive was redeemed, 0 or 1."""
    propensity: Text | None = None
    """Probability with which this action was drawn."""
    experiment: Text | None = None
    """Name of the experiment; rows without one are no experiment."""


class Contacts(Section):
    """What was done to whom: experiments are read from it, and what plans really cost."""

    source: Text | None = None
    """As of events; left out, the log's events of `kind`."""
    kind: Text = "offer"
    """The kind of event in the log: its category is the action, its campaign the experiment."""
    timezone: str | None = None
    """The zone in which times without an offset were written."""
    columns: ContactColumns = ContactColumns()
    control: Text = "control"
    """The action that is none."""
    propensity: dict[str, Annotated[float, Field(gt=0.0, lt=1.0)]] = {}
    """Probability of each action where no column tells it; left out, the arms' shares."""

    _zone = field_validator("timezone")(lambda value: None if value is None else zone(value).key)
