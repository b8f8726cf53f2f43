"""The visible side of a simulated shop: the rows its customers leave behind.

Times are hours as in ``simulate_habit``.
"""

from dataclasses import dataclass

import numpy as np

from churnvalue.simulate_habit import WEEK_HOURS, Flags, Floats, Ints, habitual_times
from churnvalue.simulate_truth import CATEGORIES, MESSAGE_CHANNELS, Shop, Truth, response_log_odds

KINDS = (
    *("visit", "purchase", "return", "ticket", "offer"),
    *("message_sent", "message_open", "message_click", "unsubscribe"),
)
ARMS = ("control", "voucher")
CHANNELS = (*MESSAGE_CHANNELS, "web", "app", "phone", "chat")
LABELS = (*CATEGORIES, *ARMS, "question", "complaint")
EXPERIMENT = "experiment-1"

_WEB, _PHONE = CHANNELS.index("web"), CHANNELS.index("phone")
_DAY = 24.0


@dataclass(frozen=True)
class Rows:
    """Rows of one kind, as codes; what is left out is missing: -1 or NaN.

    ``category`` counts in ``LABELS``, ``channel`` in ``CHANNELS``; campaign 0 is the experiment and ``n`` the
    n-th week's; ``order`` counts orders, and from their number on the orders' returns. ``delay`` is in hours.
    """

    kind: str
    customer: Ints
    hours: Floats
    delay: Floats
    amount: Floats | None = None
    order: Ints | None = None
    quantity: Floats | None = None
    category: Ints | None = None
    channel: Ints | None = None
    campaign: Ints | None = None

    def codes(self, name: str) -> Ints:
        """Codes of a column, -1 where it was left out."""
        given: Ints | None = getattr(self, name)
        return np.full(len(self.hours), -1) if given is None else given

    def numbers(self, name: str) -> Floats:
        """Numbers of a column, NaN where it was left out."""
        given: Floats | None = getattr(self, name)
        return np.full(len(self.hours), np.nan) if given is None else given


def draw_arms(rng: np.random.Generator, shop: Shop, truth: Truth, orders: tuple[Ints, Floats], offered: float) -> Ints:
    """Arm of each customer by ``ARMS``, -1 for those without a purchase in the days before the offer."""
    latest = np.where(truth.joined < offered, truth.joined, -np.inf)
    np.maximum.at(latest, orders[0], orders[1])
    eligible = latest >= offered - _DAY * shop.experiment_active_days
    voucher = rng.random(len(latest)) < shop.voucher_share
    return np.where(eligible, voucher.astype(np.int64), -1)


def draw_orders(rng: np.random.Generator, shop: Shop, truth: Truth, customer: Ints, hours: Floats) -> list[Rows]:
    """Lines of each order, and the lines of it that come back together some days later."""
    size = len(customer)
    lines = 1 + np.minimum(rng.poisson(0.8, size), 6)
    order = np.repeat(np.arange(size), lines)
    who = customer[order]
    weight = rng.gamma(2.0, 1.0, len(order))
    total = truth.mean_basket[customer] * np.exp(rng.normal(-0.08, 0.4, size))
    share = weight / np.bincount(order, weight, minlength=size)[order]
    amount = np.maximum(np.round(total[order] * share, 2), 0.01)
    quantity = (1 + rng.poisson(0.3, len(order))).astype(np.float64)
    category = _categories(rng, truth, who)
    channel = _screens(rng, size)
    late = _delays(rng, shop, size)
    bought = Rows("purchase", who, hours[order], late[order], amount, order, quantity, category, channel[order])

    back = rng.random(len(order)) < truth.return_share[who]
    returned = hours + _DAY * (2 + rng.exponential(6.0, size))
    late = _delays(rng, shop, size)
    order = order[back]
    sent_back = Rows(
        "return",
        who[back],
        returned[order],
        late[order],
        -amount[back],
        size + order,
        quantity[back],
        category[back],
        channel[order],
    )
    return [bought, sent_back]


def draw_visits(
    rng: np.random.Generator, shop: Shop, truth: Truth, orders: tuple[Ints, Floats], present: Floats
) -> list[Rows]:
    """Visits at any time, and some in the days before an order."""
    rate = np.full(len(present), shop.visit_rate)
    idle, idle_hours = habitual_times(rng, rate, truth.habit, truth.joined, present)
    order = np.repeat(np.arange(len(orders[0])), rng.poisson(1.2, len(orders[0])))
    keen = orders[0][order]
    keen_hours = orders[1][order] - _DAY * rng.exponential(1.5, len(order))
    inside = keen_hours >= truth.joined[keen]
    who = np.concatenate([idle, keen[inside]])
    hours = np.concatenate([idle_hours, keen_hours[inside]])
    size = len(who)
    return [
        Rows(
            "visit",
            who,
            hours,
            _delays(rng, shop, size),
            category=_categories(rng, truth, who),
            channel=_screens(rng, size),
        )
    ]


def tickets(rng: np.random.Generator, shop: Shop, truth: Truth, present: Floats) -> Rows:
    """Tickets of the customers who are still there."""
    alive = truth.ticket_hours < present[truth.ticket_customer]
    size = int(alive.sum())
    return Rows(
        "ticket",
        truth.ticket_customer[alive],
        truth.ticket_hours[alive],
        _delays(rng, shop, size),
        category=LABELS.index("question") + truth.ticket_complaint[alive].astype(np.int64),
        channel=_PHONE + rng.integers(0, 2, size),
    )


def offers(arm: Ints, offered: float) -> Rows:
    """One row for everyone in the experiment, in either arm."""
    who = np.flatnonzero(arm >= 0)
    return Rows(
        "offer",
        who,
        np.full(len(who), offered),
        np.zeros(len(who)),
        category=LABELS.index(ARMS[0]) + arm[who],
        channel=np.full(len(who), CHANNELS.index("email")),
        campaign=np.zeros(len(who), dtype=np.int64),
    )


def draw_messages(
    rng: np.random.Generator, shop: Shop, truth: Truth, present: Floats, span: tuple[float, float]
) -> list[Rows]:
    """Messages, and what customers do with them.

    A message's time is uniform over ``send_hours`` of the week's seven days: an experiment on hours. Messages
    go to anyone who has joined and not unsubscribed: the shop does not know who has left.
    """
    who, hours, week = _sends(rng, shop, truth, span)
    size = len(who)
    channel = np.searchsorted([0.7, 0.9], rng.random(size), side="right")
    slot = np.floor(hours).astype(np.int64) % WEEK_HOURS
    log_odds = response_log_odds(truth.open_log_odds[who], truth.habit[who], slot, channel)
    opened_at = hours + rng.exponential(2.0, size)
    opened = (rng.random(size) < 1 / (1 + np.exp(-log_odds))) & (opened_at < present[who])
    clicked_at = opened_at + rng.exponential(0.1, size)
    clicked = opened & (rng.random(size) < 0.1 + 0.3 * truth.sensitivity[who]) & (clicked_at < present[who])
    stopped_at = opened_at + rng.exponential(0.1, size)
    stopped = opened & (rng.random(size) < 0.01)

    silent_from = np.full(len(present), np.inf)
    np.minimum.at(silent_from, who[stopped], stopped_at[stopped])
    sent = hours < silent_from[who]
    stopped &= stopped_at == silent_from[who]
    late = _delays(rng, shop, size)

    def rows(kind: str, chosen: Flags, at: Floats, delay: Floats) -> Rows:
        return Rows(kind, who[chosen], at[chosen], delay[chosen], channel=channel[chosen], campaign=week[chosen])

    known = np.zeros(size)
    return [
        rows("message_sent", sent, hours, known),
        rows("message_open", sent & opened, opened_at, late),
        rows("message_click", sent & clicked, clicked_at, late),
        rows("unsubscribe", stopped, stopped_at, known),
    ]


def _sends(rng: np.random.Generator, shop: Shop, truth: Truth, span: tuple[float, float]) -> tuple[Ints, Floats, Ints]:
    """Customer, hour and week (from 1) of every message that would go out if nobody unsubscribed."""
    start, end = span
    customers, times, weeks = [], [], []
    first, last = shop.send_hours
    for week in range(1, int(np.ceil((end - start) / WEEK_HOURS)) + 1):
        who = np.flatnonzero(rng.random(len(truth.joined)) < shop.weekly_message_share)
        day = rng.integers(0, 7, len(who))
        at = start + (week - 1) * WEEK_HOURS + 24 * day + first + (last - first) * rng.random(len(who))
        inside = (at >= truth.joined[who]) & (at < end)
        customers.append(who[inside])
        times.append(at[inside])
        weeks.append(np.full(int(inside.sum()), week))
    return np.concatenate(customers), np.concatenate(times), np.concatenate(weeks)


def _categories(rng: np.random.Generator, truth: Truth, who: Ints) -> Ints:
    """Half of the time the customer's favourite, else any."""
    anything = rng.integers(0, len(CATEGORIES), len(who))
    return np.where(rng.random(len(who)) < 0.5, truth.favourite[who], anything)


def _screens(rng: np.random.Generator, size: int) -> Ints:
    """Web two times out of three, else the app."""
    return np.asarray(_WEB + (rng.random(size) < 1 / 3), dtype=np.int64)


def _delays(rng: np.random.Generator, shop: Shop, size: int) -> Floats:
    """Hours between event and knowledge: none, but for the late share."""
    late = rng.random(size) < shop.late_share
    return np.where(late, 1.0 + _DAY * rng.exponential(shop.late_days, size), 0.0)
