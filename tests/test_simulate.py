import numpy as np
import pandas as pd
import pytest

from churnvalue.clock import hour_of_week, local
from churnvalue.errors import ConfigError
from churnvalue.simulate import (
    EVENT_COLUMNS,
    KINDS,
    Shop,
    SimulatedLog,
    habit_curves,
    open_probability,
    simulate_log,
)

HABITS = ["habit_early", "habit_noon", "habit_evening", "habit_weekend"]
DAY = pd.Timedelta(days=1)


@pytest.fixture(scope="module")
def log() -> SimulatedLog:
    return simulate_log(customers=6000, days=420, seed=11)


@pytest.fixture(scope="module")
def purchases(log) -> pd.DataFrame:
    return orders(log)


def orders(log: SimulatedLog) -> pd.DataFrame:
    bought = log.events[log.events["kind"] == "purchase"]
    return bought.groupby("order_id", as_index=False).agg(
        customer_id=("customer_id", "first"),
        customers=("customer_id", "nunique"),
        event_time=("event_time", "first"),
        times=("event_time", "nunique"),
        amount=("amount", "sum"),
    )


def days_alive(log: SimulatedLog) -> pd.Series:
    truth = log.customers.set_index("customer_id")
    return (truth["died"].fillna(pd.Timestamp(log.end)) - truth["joined"]) / DAY


def slots(times: pd.Series, zone: str = "Europe/London") -> np.ndarray:
    return hour_of_week(local(times.to_numpy("datetime64[us]").astype(np.int64), zone))


def close(count: float, expected: float, variance: float) -> bool:
    return abs(count - expected) < 4 * np.sqrt(variance)


def test_columns_and_types(log):
    events = log.events
    assert tuple(events.columns) == EVENT_COLUMNS
    assert set(events["kind"]) == set(KINDS)
    times, text = "datetime64[us, UTC]", "str"
    assert events.dtypes.astype(str).tolist() == [
        text,
        times,
        times,
        text,
        "float64",
        text,
        "float64",
        text,
        text,
        text,
    ]
    assert log.customers["customer_id"].tolist() == [f"{n:06d}" for n in range(1, 6001)]
    assert events["event_time"].min() >= log.start
    assert events["known_at"].max() < log.end
    assert (events["known_at"] >= events["event_time"]).all()


def test_same_arguments_give_the_same_bytes_and_another_seed_does_not():
    first, second, other = (simulate_log(customers=200, days=200, seed=seed) for seed in (3, 3, 4))
    pd.testing.assert_frame_equal(first.events, second.events, check_exact=True)
    pd.testing.assert_frame_equal(first.customers, second.customers, check_exact=True)
    assert len(other.events) != len(first.events)


def test_rows_are_in_order_of_time_customer_and_kind(log):
    keys = log.events[["event_time", "customer_id"]]
    assert keys.equals(keys.sort_values(["event_time", "customer_id"], kind="stable"))


def test_purchases_come_at_the_true_rate(log, purchases):
    truth = log.customers.set_index("customer_id")
    expected = truth["purchase_rate"] * days_alive(log)
    repeats = purchases.groupby("customer_id").size().reindex(truth.index, fill_value=1) - 1
    frequent = expected > expected.median()
    for part in (frequent, ~frequent):
        # Late rows not known by the end are missing, about one in a hundred of the last weeks.
        assert close(repeats[part].sum(), expected[part].sum(), expected[part].sum())


def test_first_purchase_is_when_the_customer_joined():
    log = simulate_log(customers=500, shop=Shop(late_share=0.0))
    first = orders(log).groupby("customer_id")["event_time"].min()
    assert first.tolist() == log.customers["joined"].tolist()


def test_nothing_is_done_after_death(log):
    died = log.events["customer_id"].map(log.customers.set_index("customer_id")["died"])
    after = log.events["event_time"] > died
    assert set(log.events.loc[after, "kind"]) <= {"return", "message_sent", "offer"}
    assert (after & (log.events["kind"] == "message_sent")).any()


def test_lifetimes_follow_the_death_rate():
    shop = Shop(complaint_hazard=0.0, voucher_share=0.0)
    log = simulate_log(customers=4000, shop=shop)
    truth = log.customers.set_index("customer_id")
    lived = truth["died"].notna()
    # Deaths a unit of hazard lived through: a martingale, mean zero, variance its number of deaths.
    assert close(lived.sum(), (truth["death_rate"] * days_alive(log)).sum(), lived.sum())


def test_complaints_drive_customers_away():
    deaths = [
        simulate_log(customers=2000, shop=Shop(complaint_hazard=hazard)).customers["died"].notna().mean()
        for hazard in (0.0, 0.05)
    ]
    assert deaths[1] > deaths[0] + 0.03


def test_orders_have_lines_one_customer_one_time_and_the_true_basket(log, purchases):
    lines = log.events[log.events["kind"] == "purchase"]
    assert 1.5 < len(lines) / len(purchases) < 2.1
    assert (purchases[["customers", "times"]] == 1).all(axis=None)
    ratio = purchases["amount"] / purchases["customer_id"].map(log.customers.set_index("customer_id")["mean_basket"])
    assert close(ratio.mean(), 1.0, ratio.var() / len(ratio))
    favourite = lines["customer_id"].map(log.customers.set_index("customer_id")["favourite"])
    assert (lines["category"] == favourite).mean() == pytest.approx(0.5 + 0.5 / 8, abs=0.01)


def test_returns_are_negative_later_and_of_known_orders(log, purchases):
    back = log.events[log.events["kind"] == "return"]
    assert (back["amount"] < 0).all()
    assert (log.events.loc[log.events["kind"] == "purchase", "amount"] > 0).all()
    order = back.assign(order_id=back["order_id"].str.removeprefix("R")).merge(
        purchases, on=["order_id", "customer_id"], suffixes=("", "_bought")
    )
    assert len(order) > 0.95 * len(back)  # a late purchase may be known after its return
    assert ((order["event_time"] - order["event_time_bought"]) / DAY >= 2 - 1e-4).all()
    assert (-order["amount"] <= order["amount_bought"] + 0.005).all()
    share = back.groupby("customer_id").size()
    truth = log.customers.set_index("customer_id")["return_share"]
    assert truth[share[share >= 5].index].mean() > 3 * truth.mean()


def test_purchases_follow_the_habit(log, purchases):
    truth = log.customers.set_index("customer_id")
    seen = np.bincount(slots(purchases["event_time"]), minlength=168)
    weights = truth.loc[purchases["customer_id"], HABITS].to_numpy()
    expected = (weights @ habit_curves()).sum(axis=0)
    often = expected > 20
    scores = (seen[often] - expected[often]) / np.sqrt(expected[often])
    assert np.mean(scores**2) < 1.6
    early = truth.index[truth["habit_early"] > 0.9]
    hours = slots(purchases.loc[purchases["customer_id"].isin(early), "event_time"]) % 24
    assert np.mean((hours >= 4) & (hours <= 10)) > 0.8


def test_habits_hold_by_the_wall_clock_of_the_zone():
    log = simulate_log(customers=1500, days=120, shop=Shop(timezone="Australia/Sydney"))
    bought = orders(log)["event_time"]
    assert np.mean(slots(bought, "Australia/Sydney") % 24 < 4) < 0.01
    assert np.mean(slots(bought, "UTC") % 24 < 4) > 0.1
    assert log.start.isoformat() == "2023-12-31T13:00:00+00:00"


def test_habit_curves_are_shares():
    curves = habit_curves()
    assert curves.shape == (4, 168)
    assert (curves > 0).all()
    assert curves.sum(axis=1) == pytest.approx(np.ones(4))
    assert [int(slot) for slot in curves[[0, 2]].argmax(axis=1) % 24] == [7, 20]
    assert curves[3].argmax() // 24 >= 5


def test_visits_gather_before_purchases():
    quiet = simulate_log(customers=800, shop=Shop(visit_rate=0.0))
    visits = quiet.events[quiet.events["kind"] == "visit"]
    bought = orders(quiet).sort_values("event_time")[["customer_id", "event_time"]]
    ahead = pd.merge_asof(
        visits[["customer_id", "event_time"]],
        bought.assign(bought=bought["event_time"]),
        on="event_time",
        by="customer_id",
        direction="forward",
    )
    gap = (ahead["bought"] - ahead["event_time"]) / DAY
    assert gap.median() < 2


@pytest.mark.parametrize("share", [0.0, 0.2])
def test_late_share(share):
    log = simulate_log(customers=800, shop=Shop(late_share=share))
    own = log.events[log.events["kind"].isin(["purchase", "visit", "ticket", "return"])]
    own = own[own["event_time"] < pd.Timestamp(log.end) - 20 * DAY]
    assert (own["known_at"] > own["event_time"]).mean() == pytest.approx(share, abs=0.02)
    assert (own.groupby("order_id")["known_at"].agg(["min", "max"]).diff(axis=1)["max"] == pd.Timedelta(0)).all()


def test_experiment_is_balanced_and_logged(log):
    offered = log.events[log.events["kind"] == "offer"]
    truth = log.customers.set_index("customer_id")
    assert set(offered["campaign"]) == {"experiment-1"}
    assert offered["event_time"].min() == offered["event_time"].max()
    arms = truth["arm"].dropna()
    assert offered.set_index("customer_id")["category"].sort_index().to_dict() == arms.to_dict()
    size = len(arms)
    assert close((arms == "voucher").sum(), size / 2, size / 4)
    inside = truth.loc[arms.index]
    for column in ("purchase_rate", "death_rate", "sensitivity", "p_stay_control"):
        means = inside.groupby("arm")[column].mean()
        assert close(means["voucher"], means["control"], 4 * inside[column].var() / size)


def test_propensity_is_that_of_the_arm_drawn():
    truth = simulate_log(customers=3000, shop=Shop(voucher_share=0.2)).customers.dropna(subset="arm")
    assert (truth["propensity"] == np.where(truth["arm"] == "voucher", 0.2, 0.8)).all()
    assert (truth["arm"] == "voucher").mean() == pytest.approx(0.2, abs=0.04)


def test_life_after_the_offer_follows_the_true_effect():
    log = simulate_log(customers=30_000, days=360, shop=Shop(weekly_message_share=0.0, visit_rate=0.0))
    truth = log.customers.set_index("customer_id")
    offered = log.events.loc[log.events["kind"] == "offer", "event_time"].iloc[0]
    inside = truth.dropna(subset="arm")
    stays = ~(inside["died"] < offered + 90 * DAY)
    there = ~(inside["died"] < offered)
    assert (there == (inside["p_stay_control"] > 0)).all()
    expected = inside["p_stay_control"].where(inside["arm"] == "control", inside["p_stay_voucher"])
    helped = inside["effect"] > 0.1
    for part in (
        there,
        there & helped,
        there & (inside["arm"] == "voucher"),
        there & (inside["arm"] == "control"),
    ):
        chance = expected[part]
        assert close(stays[part].sum(), chance.sum(), (chance * (1 - chance)).sum())
    by_arm = stays.groupby(inside["arm"]).mean()
    assert by_arm["voucher"] - by_arm["control"] == pytest.approx(inside["effect"].mean(), abs=0.025)
    assert by_arm["voucher"] > by_arm["control"] + 0.03


def test_effect_is_known_bounded_and_harms_a_few(log):
    truth = log.customers.dropna(subset="effect")
    assert (truth["p_stay_voucher"] - truth["p_stay_control"]).equals(truth["effect"])
    assert truth[["p_stay_control", "p_stay_voucher"]].isin([0.0]).all(axis=1).any()
    assert truth["p_stay_control"].between(0, 1).all()
    assert truth["p_stay_voucher"].between(0, 1).all()
    alive = truth[truth["p_stay_control"] > 0]
    assert ((alive["effect"] > 0) == (alive["sensitivity"] > 0.2)).all()
    assert 0.02 < (alive["effect"] < 0).mean() < 0.2
    offered = log.events.loc[log.events["kind"] == "offer", "event_time"].iloc[0]
    unknown = log.customers[log.customers["effect"].isna()]
    assert (unknown["joined"] >= offered).all()


def test_messages_are_sent_at_uniform_hours_and_stop_when_unsubscribed(log):
    sent = log.events[log.events["kind"] == "message_sent"]
    seen = np.bincount(slots(sent["event_time"]), minlength=168).reshape(7, 24)
    assert seen[:, :8].sum() + seen[:, 21:].sum() < 0.002 * len(sent)  # the hours when clocks change
    inside = seen[:, 8:21].ravel()
    assert np.mean((inside - inside.mean()) ** 2) / inside.mean() < 2
    stopped = log.events[log.events["kind"] == "unsubscribe"].set_index("customer_id")["event_time"]
    assert stopped.index.is_unique
    later = sent["event_time"] > sent["customer_id"].map(stopped)
    assert not later.any()


def test_opens_follow_the_documented_curve():
    shop = Shop(late_share=0.0, death_rate=1e-6, complaint_hazard=0.0, weekly_message_share=1.0)
    log = simulate_log(customers=1500, days=200, shop=shop)
    keys = ["customer_id", "campaign"]
    kept = log.events["event_time"] < pd.Timestamp(log.end) - 2 * DAY
    sent = log.events[(log.events["kind"] == "message_sent") & kept]
    opened = log.events.loc[log.events["kind"] == "message_open", keys].assign(opened=True)
    sent = sent.merge(opened, on=keys, how="left").assign(slot=slots(sent["event_time"]))
    truth = log.customers.set_index("customer_id")
    hits, chances = {}, {}
    for (slot, channel), part in sent.groupby(["slot", "channel"]):
        chance = open_probability(truth.loc[part["customer_id"]], int(slot), channel)
        hits[slot, channel] = part["opened"].notna().sum()
        chances[slot, channel] = (chance.sum(), (chance * (1 - chance)).sum())
    table = pd.DataFrame(chances, index=["mean", "variance"]).T.assign(hits=pd.Series(hits))
    for level in (0, 1):
        sums = table.groupby(level=level).sum()
        assert (abs(sums["hits"] - sums["mean"]) < 4.5 * np.sqrt(sums["variance"])).all()
    hours = table.groupby(table.index.get_level_values(0) % 24).sum()
    sizes = sent.groupby(sent["slot"] % 24).size()
    assert (hours["hits"] / sizes)[18] > 1.4 * (hours["hits"] / sizes)[8]


def test_open_probability_by_hand():
    habit = dict.fromkeys(HABITS, 0.0) | {"habit_evening": 1.0}
    customer = pd.DataFrame([{"open_log_odds": -1.0, **habit}])
    evening = habit_curves()[2, 18]
    odds = np.exp(-1.0 + 0.5 + 0.6) * (168 * evening) ** 0.3  # own, sms, best hour, habit
    assert open_probability(customer, 18, "sms") == pytest.approx([odds / (1 + odds)])
    with pytest.raises(ConfigError, match="0 … 167, but 168 came"):
        open_probability(customer, 168, "sms")
    with pytest.raises(ConfigError, match="Did you mean 'email'"):
        open_probability(customer, 0, "mail")


def test_a_start_inside_a_week_and_the_smallest_shop():
    log = simulate_log(customers=1, days=14, start="2024-03-27", shop=Shop(late_share=0.0))
    assert log.start.isoformat() == "2024-03-27T00:00:00+00:00"
    assert log.end.isoformat() == "2024-04-09T23:00:00+00:00"  # clocks went forward on 31 March
    assert (log.events["kind"] == "purchase").any()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"customers": 0}, "at least 1 customer"),
        ({"days": 13}, "14 days, but 2000 customers and 13 days came"),
    ],
)
def test_sizes_that_cannot_be(arguments, message):
    with pytest.raises(ConfigError, match=message):
        simulate_log(**arguments)


@pytest.mark.parametrize(
    ("knobs", "message"),
    [
        ({"late_share": 1.5}, "'late_share' of the shop must be at least 0 and at most 1, but 1.5 came"),
        ({"death_rate": 0.0}, "'death_rate' of the shop must be above 0"),
        ({"visit_rate": float("nan")}, "'visit_rate'"),
        ({"send_hours": (21, 8)}, "'send_hours' of the shop must rise"),
        ({"timezone": "London"}, "IANA name"),
    ],
)
def test_knobs_out_of_bounds(knobs, message):
    with pytest.raises(ConfigError, match=message):
        Shop(**knobs)
