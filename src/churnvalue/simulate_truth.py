"""The hidden side of a simulated shop: who its customers are, when they leave, what a voucher would change.

Times are hours as in ``simulate_habit``. This module writes no event.
"""

from dataclasses import dataclass

import numpy as np

from churnvalue.clock import zone
from churnvalue.errors import ConfigError
from churnvalue.simulate_habit import (
    HABIT_NAMES,
    WEEK_HOURS,
    Flags,
    Floats,
    Ints,
    habit_curves,
    habitual_times,
    joining_times,
)

CATEGORIES = ("books", "clothing", "garden", "home", "music", "shoes", "sports", "toys")
MESSAGE_CHANNELS = ("email", "push", "sms")
_CHANNEL_LOG_ODDS = np.array([0.0, -0.4, 0.5])
_ABOVE_ZERO = ("purchase_shape", "death_shape", "death_rate", "basket")
_SHARES = (
    *("join_share", "complaint_share", "weekly_message_share"),
    *("late_share", "experiment_after", "voucher_share"),
)


@dataclass(frozen=True)
class Shop:
    """What may be set in the simulated shop.

    Rates are a day and of the average customer, hours are local, shares lie in [0, 1], nothing is negative.
    ``purchase_shape`` and ``death_shape`` are the shapes of the gamma distributions over customers (small:
    they differ much). Customers join in the first ``join_share`` of the days. A complaint adds
    ``complaint_hazard`` a day to the death rate for ``complaint_days``.

    The voucher is offered, after the share ``experiment_after`` of the days, to those with a purchase in the
    ``experiment_active_days`` before; ``voucher_share`` of them, drawn at random, get it, the others are the
    control. It multiplies the death rate by ``exp(-voucher_strength * (sensitivity - 0.2))`` for
    ``experiment_days``, and so drives away the tenth of the customers who are best left alone.

    Raises:
        ConfigError: If a value is out of its bounds, or the time zone is unknown.
    """

    timezone: str = "Europe/London"
    join_share: float = 0.75
    purchase_rate: float = 0.04
    purchase_shape: float = 1.2
    death_rate: float = 0.005
    death_shape: float = 1.5
    basket: float = 40.0
    visit_rate: float = 0.03
    tickets_per_purchase: float = 0.08
    complaint_share: float = 0.4
    complaint_hazard: float = 0.01
    complaint_days: float = 60.0
    weekly_message_share: float = 0.4
    send_hours: tuple[int, int] = (8, 21)
    late_share: float = 0.03
    late_days: float = 2.0
    experiment_after: float = 0.6
    experiment_days: float = 90.0
    experiment_active_days: float = 120.0
    voucher_share: float = 0.5
    voucher_strength: float = 2.5

    def __post_init__(self) -> None:
        zone(self.timezone)
        for name, value in vars(self).items():
            if name in ("timezone", "send_hours"):
                continue
            least, most = name in _ABOVE_ZERO, 1.0 if name in _SHARES else 1e6
            if not ((value > 0 if least else value >= 0) and value <= most):
                bounds = f"{'above' if least else 'at least'} 0 and at most {most:g}"
                raise ConfigError(f"'{name}' of the shop must be {bounds}, but {value!r} came.")
        if not 0 <= self.send_hours[0] < self.send_hours[1] <= 24:
            raise ConfigError(f"'send_hours' of the shop must rise within 0 … 24, but {self.send_hours} came.")


@dataclass(frozen=True)
class Truth:
    """Arrays over customers, and the tickets they would open if they lived for ever.

    ``death_voucher`` is the time of death had the customer been in the voucher arm; it equals
    ``death_control`` where that lies before the offer. ``p_stay_*`` is NaN for customers who join only after
    it.
    """

    joined: Floats
    habit: Floats
    purchase_rate: Floats
    death_rate: Floats
    mean_basket: Floats
    return_share: Floats
    favourite: Ints
    sensitivity: Floats
    open_log_odds: Floats
    death_control: Floats
    death_voucher: Floats
    p_stay_control: Floats
    p_stay_voucher: Floats
    ticket_customer: Ints
    ticket_hours: Floats
    ticket_complaint: Flags


def response_log_odds(own: Floats, habit: Floats, slot: Ints, channel: Ints) -> Floats:
    """Log-odds that a customer who is still there opens a message sent in the hour ``slot`` of the week.

    ``own + channel + 0.6 cos(2 pi (hour of day - 18) / 24) + 0.3 log(168 * habit at slot)``: all prefer the
    early evening, and a little the hours at which they shop.
    """
    common = 0.6 * np.cos(2 * np.pi * (slot % 24 - 18) / 24)
    shopping = 0.3 * np.log(WEEK_HOURS * np.einsum("nk,nk->n", habit, habit_curves().T[slot]))
    return np.asarray(own + _CHANNEL_LOG_ODDS[channel] + common + shopping)


def draw_truth(rng: np.random.Generator, shop: Shop, start: float, days: int, size: int) -> Truth:
    """Draw ``size`` customers of a shop that is observed for ``days`` from the hour ``start``."""
    end = start + 24 * days
    habit = rng.dirichlet(np.full(len(HABIT_NAMES), 0.3), size)
    purchase_rate = rng.gamma(shop.purchase_shape, shop.purchase_rate / shop.purchase_shape, size)
    death_rate = rng.gamma(shop.death_shape, shop.death_rate / shop.death_shape, size)
    sensitivity = rng.beta(2.0, 2.0, size)
    joined = joining_times(rng, habit, start, start + 24 * days * shop.join_share)

    ticket_customer, ticket_hours = habitual_times(
        rng, purchase_rate * shop.tickets_per_purchase, habit, joined, np.full(size, end)
    )
    complaint = rng.random(len(ticket_hours)) < shop.complaint_share
    # Hazards add up, so death is the earliest of independent deaths: the customer's own and one a complaint.
    driven_off = np.full(size, np.inf)
    if shop.complaint_hazard > 0:
        wait = 24 * rng.exponential(1 / shop.complaint_hazard, len(ticket_hours))
        deadly = complaint & (wait < 24 * shop.complaint_days)
        np.minimum.at(driven_off, ticket_customer[deadly], (ticket_hours + wait)[deadly])
    left = joined + 24 * rng.exponential(1.0, size) / np.maximum(death_rate, 1e-12)

    offered = experiment_time(shop, start, days)
    factor = np.exp(-shop.voucher_strength * (sensitivity - 0.2))
    stays = 24 * shop.experiment_days
    remaining = np.maximum(left - offered, 0.0)
    slowed = np.minimum(remaining / factor, stays)
    left_voucher = np.where(left > offered, offered + slowed + remaining - slowed * factor, left)
    left_voucher = np.where(joined < offered, left_voucher, left)
    death_control, death_voucher = np.minimum(left, driven_off), np.minimum(left_voucher, driven_off)

    complaints_before = complaint & (ticket_hours < offered)
    exposure = np.clip(ticket_hours / 24 + shop.complaint_days - offered / 24, 0.0, shop.experiment_days)
    old = np.bincount(ticket_customer[complaints_before], exposure[complaints_before], minlength=size)
    new = purchase_rate * shop.tickets_per_purchase * shop.complaint_share * _complaint_exposure(shop)
    p_stay = np.exp(-death_rate * shop.experiment_days - shop.complaint_hazard * old - new)
    p_control = np.where(joined < offered, np.where(death_control > offered, p_stay, 0.0), np.nan)
    return Truth(
        joined=joined,
        habit=habit,
        purchase_rate=purchase_rate,
        death_rate=death_rate,
        mean_basket=shop.basket * np.exp(rng.normal(-0.125, 0.5, size)),
        return_share=np.where(rng.random(size) < 0.1, rng.beta(4.0, 6.0, size), rng.beta(1.0, 40.0, size)),
        favourite=rng.integers(0, len(CATEGORIES), size),
        sensitivity=sensitivity,
        open_log_odds=-1.6 + 2.0 * (sensitivity - 0.5) + rng.normal(0.0, 0.5, size),
        death_control=death_control,
        death_voucher=death_voucher,
        p_stay_control=p_control,
        p_stay_voucher=p_control * np.exp(death_rate * (1 - factor) * shop.experiment_days),
        ticket_customer=ticket_customer,
        ticket_hours=ticket_hours,
        ticket_complaint=complaint,
    )


def experiment_time(shop: Shop, start: float, days: int) -> float:
    """Hour of the one day, at nine in the morning, on which the voucher is offered."""
    return start + 24 * int((days - 1) * shop.experiment_after) + 9


def _complaint_exposure(shop: Shop) -> float:
    """Deadly complaints expected during the experiment, for one complaint a day.

    The integral of ``1 - exp(-hazard * min(complaint_days, days left))`` over its days.
    """
    hazard, total = shop.complaint_hazard, shop.experiment_days
    if hazard == 0:
        return 0.0
    rising = min(shop.complaint_days, total)  # the days on which the time left, not the complaint, is the bound
    reached = 1 - np.exp(-hazard * rising)
    return float(rising - reached / hazard + (total - rising) * reached)
