import numpy as np
import pandas as pd
import pytest
from scipy.optimize import linear_sum_assignment

from churnvalue.clock import HOUR, micros, moment
from churnvalue.config import Timing
from churnvalue.decisions.sending.rules import Audience, SendRules
from churnvalue.decisions.sending.schedule import plan_messages, schedule
from churnvalue.errors import ConfigError, DefinitionError
from churnvalue.timing.calendar import send_slots

COLUMNS = [
    "customer_id",
    "channel",
    "send_at",
    "send_at_local",
    "slot",
    "p_slot",
    "group",
    "propensity",
    "eligible_slots",
    "evidence",
    "reason",
    "message",
    "p_response",
    "expected_value",
    "eligible",
    "policy_version",
]
AS_OF = micros("2011-09-01")  # a Thursday
CHANNELS = {"call": "phone", "voucher": "email"}


def rules(day_granularity=False, **timing):
    return SendRules(AS_OF, Timing(**{"explore": 0.0, **timing}), CHANNELS, day_granularity)


def plan(actions):
    return pd.DataFrame({"customer_id": [f"c{number:03d}" for number in range(len(actions))], "action": actions})


def planned(table, activity, zones, some):
    """The sends of a plan."""
    audience = Audience(table["customer_id"].tolist(), zones, activity)
    return schedule(plan_messages(table, some), audience, some).sends


def habit(*peaks):
    table = np.full((len(peaks), 168), 0.001)
    table[np.arange(len(peaks)), peaks] = 0.5
    return (table / table.sum(axis=1, keepdims=True)).astype(np.float32)


def random_habit(customers, seed=0):
    return np.random.default_rng(seed).dirichlet(np.full(168, 0.3), customers).astype(np.float32)


def test_by_hand():
    # Friday 10:00 in London; Monday 23:00 is quiet, so now, Wednesday 20:00 in New York, first of all equals.
    sends = planned(
        plan(["call", "none", "voucher"]),
        habit(4 * 24 + 10, 0, 23),
        ["Europe/London", "UTC", "America/New_York"],
        rules(),
    )
    assert list(sends.columns) == COLUMNS
    assert sends["customer_id"].tolist() == ["c000", "c002"]
    assert sends["channel"].tolist() == ["phone", "email"]
    assert str(sends["send_at"].dtype) == "datetime64[us, UTC]"
    assert sends["send_at"].tolist() == [
        pd.Timestamp("2011-09-02T09:00Z"),
        pd.Timestamp("2011-09-01T00:00Z"),
    ]
    assert sends["send_at_local"].tolist() == ["2011-09-02T10:00:00+01:00", "2011-08-31T20:00:00-04:00"]
    assert sends["slot"].tolist() == [106, 68]
    assert sends["p_slot"].tolist() == pytest.approx([0.5 / 0.667, 0.001 / 0.667], rel=1e-5)
    assert sends["eligible_slots"].tolist() == [91, 91]  # 13 hours on 7 days
    assert sends["propensity"].tolist() == [1.0, 1.0]
    assert set(sends["evidence"]) == {"activity"}
    assert sends["reason"].iloc[0] == "75.0 % of activity is expected in this hour of the week, the most of all allowed"


def test_capacity_goes_to_those_who_would_lose_most():
    wide = habit(106, 106, 106)
    wide[1] = 1 / 168  # no habit at all
    wide[2, 107] = 0.4  # nearly as well an hour later
    sends = planned(plan(["call"] * 3), wide, "UTC", rules(capacity_per_hour=1))
    assert sends["slot"].tolist() == [106, 80, 107]
    assert sends["reason"].iloc[2].endswith("the most of all allowed and not full")


def test_nothing_is_dropped_when_all_hours_are_full():
    sends = planned(plan(["call"] * 10), None, "UTC", rules(capacity_per_hour=1))
    assert sends["send_at"].notna().sum() == 7  # the default hour on 7 days
    lost = sends[sends["send_at"].isna()]
    assert len(lost) == 3
    assert lost["slot"].isna().all()
    assert lost["send_at_local"].isna().all()
    assert lost["propensity"].isna().all()
    assert set(lost["reason"]) == {"not sent: every allowed hour of the next 7 days is full"}


def test_capacity_holds_and_little_is_lost_to_the_optimum():
    customers, capacity = 150, 2
    table = random_habit(customers)
    sends = planned(plan(["call"] * customers), table, "Europe/London", rules(capacity_per_hour=capacity))
    assert sends["send_at"].value_counts().max() <= capacity
    slots = np.repeat(send_slots(AS_OF, "Europe/London", ("21:00", "08:00")).slot, capacity)
    rows, columns = linear_sum_assignment(-table[:, slots])
    best = table[rows, slots[columns]].sum()
    assert sends["p_slot"].sum() >= 0.9 * best


def test_exploration_is_even_and_logged():
    customers = 4000
    sends = planned(plan(["call"] * customers), habit(*[106] * customers), "UTC", rules(explore=0.25))
    explored = sends[sends["group"] == "explore"]
    assert len(explored) / customers == pytest.approx(0.25, abs=0.03)
    counts = explored["slot"].value_counts()
    assert len(counts) == 91
    assert ((counts - len(explored) / 91) ** 2 / (len(explored) / 91)).sum() < 137  # chi-squared 90 d.f., .001
    chosen = sends["slot"] == 106
    assert sends.loc[chosen, "propensity"].to_numpy() == pytest.approx(0.75 + 0.25 / 91)
    assert sends.loc[~chosen, "propensity"].to_numpy() == pytest.approx(0.25 / 91)
    assert explored["reason"].str.startswith("drawn at random").all()


def test_exploration_within_capacity():
    sends = planned(plan(["call"] * 80), random_habit(80), "UTC", rules(explore=0.9, capacity_per_hour=1))
    assert sends["send_at"].notna().all()
    assert sends["send_at"].is_unique
    assert sends["reason"].str.endswith("the hour drawn first was full").any()


def test_capacity_is_shared_by_zones_within_an_hour_of_utc():
    zones = ["Asia/Kolkata", "UTC"] * 40
    sends = planned(plan(["call"] * 80), random_habit(80), zones, rules(capacity_per_hour=1))
    hours = [micros(time.to_pydatetime()) // HOUR for time in sends["send_at"]]
    assert len(set(hours)) == 80


def test_log_of_days_gives_the_weekday_and_the_default_hour():
    table = habit(5 * 24)  # everything is logged at midnight; mostly on Saturdays
    sends = planned(plan(["call"]), table, "UTC", rules(day_granularity=True))
    assert sends["send_at_local"].tolist() == ["2011-09-03T10:00:00+00:00"]
    assert sends["p_slot"].tolist() == pytest.approx([(0.5 + 23 * 0.001) / 0.667], rel=1e-5)
    assert sends["eligible_slots"].tolist() == [7]
    assert sends["reason"].tolist() == [
        "78.4 % of activity is expected on Saturdays, the most of all allowed; the log tells no hours, so "
        "the default hour is used"
    ]


def test_no_activity_known_and_a_quiet_default_hour():
    sends = planned(plan(["call"]), None, "UTC", rules(default_hour=22))
    assert sends["send_at_local"].tolist() == ["2011-09-01T08:00:00+00:00"]
    assert np.isnan(sends["p_slot"].iloc[0])
    assert sends["evidence"].tolist() == ["none"]
    assert sends["reason"].iloc[0].endswith("the default hour is used, moved to 08:00 by the quiet hours")


def test_a_cap_of_no_messages():
    sends = planned(plan(["call", "none"]), habit(100, 100), "UTC", rules(max_per_week=0))
    assert sends["send_at"].isna().tolist() == [True]
    assert sends["reason"].tolist() == ["not sent: [timing] max_per_week is 0"]


def test_order_of_rows_does_not_matter():
    table, chances = plan(["call", "voucher", "none"] * 60), random_habit(180)
    zones = np.array(["UTC", "Asia/Tokyo", "America/St_Johns", "Europe/Paris", "UTC"] * 36)
    order = np.random.default_rng(1).permutation(180)
    some = rules(explore=0.3, capacity_per_hour=1)
    one = planned(table, chances, zones.tolist(), some)
    other = planned(table.iloc[order], chances[order], zones[order].tolist(), some)
    pd.testing.assert_frame_equal(one, other, check_exact=True)
    assert len(one) == 120


def test_never_in_quiet_hours():
    zones = ["UTC", "Asia/Tokyo", "America/St_Johns", "Europe/Paris", "Asia/Kathmandu"] * 20
    sends = planned(plan(["call"] * 100), random_habit(100), zones, rules(explore=0.5))
    local = pd.Series([moment(0).fromisoformat(text).hour for text in sends["send_at_local"]])
    assert local.between(8, 20).all()
    assert (sends["slot"] % 24 == local).all()


def test_nobody():
    sends = planned(plan(["none"]), habit(3), "UTC", rules())
    assert list(sends.columns) == COLUMNS
    assert len(sends) == 0
    assert str(sends["send_at"].dtype) == "datetime64[us, UTC]"


def test_input_is_checked():
    with pytest.raises(DefinitionError, match=r"habit must have the shape \(1, 168\), but \(2, 168\)"):
        planned(plan(["call"]), habit(1, 2), "UTC", rules())
    with pytest.raises(DefinitionError, match="Action 'letter' must have a channel"):
        planned(plan(["letter"]), None, "UTC", rules())
    with pytest.raises(ConfigError, match="'Mars' came"):
        planned(plan(["call"]), None, ["Mars"], rules())
