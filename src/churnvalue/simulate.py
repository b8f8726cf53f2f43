"""Simulated logs with known truth, for what a real log never tells: who had left, what an offer changed."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

import numpy as np
import pandas as pd

from churnvalue.clock import DAY, HOUR, hour_of_week, micros, moment
from churnvalue.errors import ConfigError, near_match
from churnvalue.simulate_events import (
    ARMS,
    CHANNELS,
    EXPERIMENT,
    KINDS,
    LABELS,
    Rows,
    draw_arms,
    draw_messages,
    draw_orders,
    draw_visits,
    offers,
    tickets,
)
from churnvalue.simulate_habit import HABIT_NAMES, Floats, Ints, ShopClock, habit_curves, habitual_times
from churnvalue.simulate_truth import (
    CATEGORIES,
    MESSAGE_CHANNELS,
    Shop,
    Truth,
    draw_truth,
    experiment_time,
    response_log_odds,
)

__all__ = [
    "EVENT_COLUMNS",
    "KINDS",
    "Shop",
    "SimulatedLog",
    "habit_curves",
    "open_probability",
    "simulate_log",
]

EVENT_COLUMNS = (
    *("customer_id", "event_time", "known_at", "kind", "amount", "order_id"),
    *("quantity", "category", "channel", "campaign"),
)
_DEFAULT_SHOP = Shop()


@dataclass(frozen=True)
class SimulatedLog:
    """A log, the truth behind it, and the span ``[start, end)`` it covers.

    ``events``, in order of time: customer_id (text with leading zeros), event_time and known_at (UTC; differ
    for what came late), kind (one of ``KINDS``), amount (of one line of an order; returns negative), order_id
    (lines share it; a return's is its order's after an R), quantity, category (of goods; of a ticket question
    or complaint; of an offer its arm, control or voucher), channel, campaign. Rows known at ``end`` or later
    are out.

    ``customers``, sorted by customer_id, is the truth:

    - joined: time of the first purchase. died: after it there is no purchase, visit, ticket or opened message
      (but parcels come back, and messages go out); NaT if not before ``end``.
    - purchase_rate: further purchases a day while alive. death_rate: a day, without complaints and voucher.
    - mean_basket: expected money of an order. return_share: of lines. favourite: category of over half of
      them.
    - sensitivity: in (0, 1), to clicks and the voucher. open_log_odds: see ``open_probability``.
    - habit_early, habit_noon, habit_evening, habit_weekend: weights of the rows of ``habit_curves()``, sum 1.
    - arm and propensity (chance of the arm that was drawn); missing outside the experiment.
    - p_stay_control, p_stay_voucher: chance to be alive ``experiment_days`` after the offer, given everything
      before it (0 for those who had left); effect: their difference. NaN for those who joined after it.
    """

    events: pd.DataFrame
    customers: pd.DataFrame
    start: datetime
    end: datetime


def simulate_log(
    customers: int = 2000,
    days: int = 540,
    seed: int = 7,
    start: str = "2024-01-01",
    shop: Shop = _DEFAULT_SHOP,
) -> SimulatedLog:
    """Simulate buyers who purchase at their own rate until, one day, they stop.

    Poisson purchases, exponential lifetimes, both rates gamma over customers: Schmittlein, Morrison and
    Colombo (1987). Around them a shop: orders at the customer's own hours of the week, returns, visits (more
    of them before a purchase), tickets of which complaints raise the death rate, messages sent at random
    hours and answered by the hour, rows known late, and one randomised experiment with a voucher whose effect
    on staying is known for every customer. The same arguments give the same bytes.

    Raises:
        ConfigError: If there are no customers, or fewer than 14 days.
    """
    if customers < 1 or days < 14:
        raise ConfigError(
            "A simulated log must have at least 1 customer and 14 days, "
            f"but {customers} customers and {days} days came."
        )
    midnight = micros(start) // DAY * DAY
    opening = float(hour_of_week(np.array([midnight]))[0])
    closing = opening + 24.0 * days
    streams = [np.random.default_rng(part) for part in np.random.SeedSequence(seed).spawn(6)]
    truth = draw_truth(streams[0], shop, opening, days, customers)
    offered = experiment_time(shop, opening, days)

    # What happens before the offer does not depend on the arm, and decides who takes part.
    until = np.minimum(truth.death_control, min(offered, closing))
    early = habitual_times(streams[1], truth.purchase_rate, truth.habit, truth.joined, until)
    arm = draw_arms(streams[2], shop, truth, early, offered)
    present = np.minimum(np.where(arm == ARMS.index("voucher"), truth.death_voucher, truth.death_control), closing)
    later = habitual_times(streams[1], truth.purchase_rate, truth.habit, np.maximum(truth.joined, offered), present)
    who = np.concatenate([np.arange(customers), early[0], later[0]])
    hours = np.concatenate([truth.joined, early[1], later[1]])
    order = np.lexsort((who, hours))
    who, hours = who[order], hours[order]

    rows = [
        *draw_visits(streams[3], shop, truth, (who, hours), present),
        *draw_orders(streams[4], shop, truth, who, hours),
        tickets(streams[4], shop, truth, present),
        offers(arm, offered),
        *draw_messages(streams[5], shop, truth, present, (opening, closing)),
    ]
    clock = ShopClock(shop.timezone, midnight - int(opening) * HOUR, days)
    return SimulatedLog(
        events=_event_table(rows, clock, closing, len(hours), customers),
        customers=_customer_table(shop, truth, arm, np.where(present < closing, present, np.nan), clock),
        start=moment(int(clock.utc(np.array([opening]))[0])),
        end=moment(int(clock.utc(np.array([closing]))[0])),
    )


def open_probability(customers: pd.DataFrame, slot: int, channel: str) -> Floats:
    """Chance that each of ``customers``, while alive, opens a message sent in the hour ``slot`` of the week.

    ``slot`` is local, 0 … 167 from Monday 00:00. The log-odds are ``open_log_odds``; plus 0, -0.4 or 0.5 for
    email, push or sms; plus ``0.6 cos(2 pi (hour of day - 18) / 24)``; plus 0.3 times the log of how many
    times more often than on average the customer shops in that hour.

    Raises:
        ConfigError: If there is no such slot or channel.
    """
    if not 0 <= slot < 168:
        raise ConfigError(f"A slot must be an hour of the week, 0 … 167, but {slot} came.")
    if channel not in MESSAGE_CHANNELS:
        raise ConfigError(f"No message is sent by channel '{channel}'.{near_match(channel, MESSAGE_CHANNELS)}")
    habit = customers[[f"habit_{name}" for name in HABIT_NAMES]].to_numpy(np.float64)
    size = len(customers)
    log_odds = response_log_odds(
        customers["open_log_odds"].to_numpy(np.float64),
        habit,
        np.full(size, slot),
        np.full(size, MESSAGE_CHANNELS.index(channel)),
    )
    return np.asarray(1 / (1 + np.exp(-log_odds)))


def _event_table(rows: list[Rows], clock: ShopClock, closing: float, orders: int, customers: int) -> pd.DataFrame:
    """Everything known before ``closing``, in order of time, customer and kind."""
    hours = np.concatenate([part.hours for part in rows])
    known = hours + np.concatenate([part.delay for part in rows])
    customer = np.concatenate([part.customer for part in rows])
    kind = np.concatenate([np.full(len(part.hours), KINDS.index(part.kind)) for part in rows])
    inside = np.flatnonzero(known < closing)
    order = inside[np.lexsort((kind[inside], customer[inside], np.floor(hours[inside] * 3600)))]

    def numbers(name: str) -> Floats:
        return np.concatenate([part.numbers(name) for part in rows])[order]

    def codes(name: str) -> Ints:
        return np.concatenate([part.codes(name) for part in rows])[order]

    order_ids = _ids(orders)
    weeks = int(codes("campaign").max(initial=-1)) + 1
    campaigns = [EXPERIMENT, *(f"weekly-{week:03d}" for week in range(1, weeks))]
    return pd.DataFrame(
        {
            "customer_id": _texts(_ids(customers), customer[order]),
            "event_time": clock.times(hours[order]),
            "known_at": clock.times(known[order]),
            "kind": _texts(KINDS, kind[order]),
            "amount": numbers("amount"),
            "order_id": _texts(pd.concat([order_ids, "R" + order_ids]), codes("order")),
            "quantity": numbers("quantity"),
            "category": _texts(LABELS, codes("category")),
            "channel": _texts(CHANNELS, codes("channel")),
            "campaign": _texts(campaigns, codes("campaign")),
        },
        columns=list(EVENT_COLUMNS),
    )


def _customer_table(shop: Shop, truth: Truth, arm: Ints, died: Floats, clock: ShopClock) -> pd.DataFrame:
    """Return the truth as ``SimulatedLog`` describes it."""
    chance = np.array([1 - shop.voucher_share, shop.voucher_share])
    return pd.DataFrame(
        {
            "customer_id": _texts(_ids(len(arm)), np.arange(len(arm))),
            "joined": clock.times(truth.joined),
            "died": clock.times(died),
            "purchase_rate": truth.purchase_rate,
            "death_rate": truth.death_rate,
            "mean_basket": truth.mean_basket,
            "return_share": truth.return_share,
            "favourite": _texts(CATEGORIES, truth.favourite),
            "sensitivity": truth.sensitivity,
            "open_log_odds": truth.open_log_odds,
            **{f"habit_{name}": truth.habit[:, kind] for kind, name in enumerate(HABIT_NAMES)},
            "arm": _texts(ARMS, arm),
            "propensity": np.where(arm < 0, np.nan, chance[arm]),
            "p_stay_control": truth.p_stay_control,
            "p_stay_voucher": truth.p_stay_voucher,
            "effect": truth.p_stay_voucher - truth.p_stay_control,
        }
    )


def _ids(size: int) -> pd.Series:
    """Return 1 … ``size`` as text, with leading zeros so that text sorts as the numbers do."""
    return pd.Series(np.arange(1, size + 1)).astype("str").str.zfill(max(6, len(str(size)) + 1))


def _texts(names: Iterable[str], codes: Ints) -> pd.Series:
    """Return the name of each code; missing for -1."""
    return pd.Series(pd.array(list(names), dtype="str").take(codes, allow_fill=True))
