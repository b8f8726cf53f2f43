"""The planner of messages: rules, reasons, channels, exploration and the export."""

from itertools import product

import numpy as np
import pandas as pd
import pytest

from churnvalue.clock import DAY, HOUR, micros
from churnvalue.config import Timing
from churnvalue.config.timing import Channel
from churnvalue.decisions.sending.export import export_sends, export_text
from churnvalue.decisions.sending.fatigue import ASSUMED_RATES, recent_sends, unsubscribe_rates
from churnvalue.decisions.sending.prices import SendProblem, assign_slots
from churnvalue.decisions.sending.rules import Audience, SendRules
from churnvalue.decisions.sending.schedule import schedule
from churnvalue.errors import ConfigError, DefinitionError
from churnvalue.timing.response import SendLog, SlotResponse

AS_OF = micros("2011-09-01")  # a Thursday
FREE = Channel(id="push", quiet_hours=("00:00", "00:00"))


def rules(**timing):
    given = {"explore": 0.0, "channels": (FREE,), "min_gap_hours": 0.0, "max_per_week": 9, **timing}
    return SendRules(AS_OF, Timing(**given))


def wanted(*rows):
    return pd.DataFrame(rows, columns=["customer_id", "message", "channel", "value"])


def people(n=1, peaks=(106,), **given):
    habit = np.full((n, 168), 0.001)
    habit[np.arange(n), np.resize(peaks, n)] = 0.5
    return Audience([f"c{i}" for i in range(n)], "UTC", habit / habit.sum(axis=1, keepdims=True), **given)


def past(*days, channel="push"):
    times = pd.to_datetime([AS_OF + int(day * DAY) for day in days], unit="us", utc=True)
    return pd.DataFrame({"customer_id": "c0", "channel": channel, "event_time": times})


def one(audience, some=None, value=1.0):
    return schedule(wanted(("c0", "hello", "push", value)), audience, some or rules()).sends.iloc[0]


def test_caps_count_past_sends_by_time():
    audience = people(past_sends=past(-1, -6.5))
    assert one(audience, rules(max_per_week=2))["send_at"] >= pd.Timestamp("2011-09-01T12:00Z")
    # Of Thursday noon on only one send lies in the week before, until then two do.
    assert one(audience, rules(max_per_week=1))["send_at"] == pd.Timestamp("2011-09-07T00:00Z")
    never = one(people(past_sends=past(-0.5, 6.0)), rules(max_per_week=1))
    assert never["reason"] == "not sent: the cap of 1 messages a week is reached"
    channel = Channel(id="push", max_per_week=1)
    assert one(people(past_sends=past(-0.1)), rules(channels=(channel,)))["reason"].endswith("1 by push, is reached")
    other = people(past_sends=past(-0.1, channel="sms"))
    assert one(other, rules(channels=(channel,)))["send_at"] is not pd.NaT


def test_gaps_hold_against_past_and_planned_sends():
    assert one(people(past_sends=past(1.0)), rules(min_gap_hours=48.0))["send_at"] >= pd.Timestamp("2011-09-04T00:00Z")
    reason = one(people(past_sends=past(0.0, 3.0, 6.0)), rules(min_gap_hours=48.0))["reason"]
    assert reason == "not sent: every allowed hour is nearer than 48 hours to another send"
    plan = schedule(wanted(*[("c0", name, "push", 1.0) for name in "abcde"]), people(), rules(min_gap_hours=48.0))
    times = plan.sends["send_at"].dropna().sort_values()
    assert len(plan.sends) == 5
    assert len(times) == 4
    assert (times.diff().dropna() >= pd.Timedelta(hours=48)).all()
    assert plan.sends["reason"].str.contains("no more than 4 messages").sum() == 1


def test_consent_expiry_and_cost_leave_a_reason():
    lost = pd.DataFrame({"customer_id": ["c0", "c1"], "channel": ["push", None]})
    messages = wanted(
        ("c0", "a", "push", 1.0), ("c0", "b", "sms", 1.0), ("c1", "a", "sms", 1.0), ("c2", "a", "sms", 0.001)
    )
    messages["expires_at"] = [pd.NaT, pd.Timestamp("2011-08-01T00:00Z"), pd.NaT, pd.NaT]
    sends = schedule(messages, people(3, unsubscribed=lost), rules()).sends.set_index(["customer_id", "message"])
    assert sends["reason"].to_dict() == {
        ("c0", "a"): "not sent: the customer has unsubscribed from push",
        ("c0", "b"): "not sent: it expires before the first allowed hour",
        ("c1", "a"): "not sent: the customer has unsubscribed from sms",
        ("c2", "a"): "not sent: it would cost more than it is expected to bring, fatigue counted",
    }
    assert sends["send_at"].isna().all()


def test_fatigue_is_priced_in_what_the_customer_is_worth():
    # An unsubscribing customer of 1000 loses 100; at one in a thousand a message must bring .1.
    audience = people(value=np.array([1000.0]))
    assert one(audience, value=0.11)["expected_value"] == pytest.approx(0.01, abs=1e-6)
    assert pd.isna(one(audience, value=0.09)["send_at"])
    # After two messages of the week before the rate is .00225.
    recent = people(value=np.array([1000.0]), past_sends=past(-1, -1))
    assert one(recent, value=0.2)["send_at"] >= pd.Timestamp("2011-09-07T00:00Z")


def test_calls_go_out_in_office_hours_of_weekdays():
    messages = wanted(*[(f"c{hour}", "a", "call", 9.0) for hour in range(168)])
    slots = schedule(messages, people(168, peaks=range(168)), rules()).sends["slot"]
    assert (slots < 120).all()
    assert (slots % 24).between(9, 17).all()


def test_a_second_purchase_is_met_on_its_day():
    audience = Audience(["c0"], "UTC", np.full((1, 168), 1 / 168), peak_day=np.array([3.2]))
    assert one(audience)["send_at"].date() == pd.Timestamp("2011-09-04").date()
    weighted = Audience(["c0"], "UTC", np.full((1, 168), 1 / 168), day_weight=np.eye(7)[[5]])
    assert one(weighted)["send_at"].date() == pd.Timestamp("2011-09-06").date()


def test_held_out_customers_get_nothing():
    messages = wanted(*[(f"c{i}", "a", "push", 1.0) for i in range(2000)])
    sends = schedule(messages, people(2000), rules(holdout=0.1)).sends
    held = sends["group"] == "holdout"
    assert held.mean() == pytest.approx(0.1, abs=0.03)
    assert sends["send_at"].isna().equals(held)
    assert (sends.loc[held, "propensity"] == 0.1).all()
    assert sends.loc[~held, "propensity"].to_numpy() == pytest.approx(0.9)


def test_exploration_of_one_message_leaves_room_for_the_others():
    messages = wanted(*[(f"c{i}", m, "push", v) for i in range(300) for m, v in (("a", 2.0), ("b", 1.0))])
    sends = schedule(messages, people(300), rules(explore=0.5, min_gap_hours=48.0)).sends
    times = sends.pivot_table(index="customer_id", columns="message", values="send_at", aggfunc="first")
    assert ((times["a"] - times["b"]).abs() >= pd.Timedelta(hours=48)).all()
    assert set(sends.loc[sends["group"] == "explore", "message"]) == {"a"}
    assert sends.loc[sends["message"] == "b", "propensity"].isna().all()
    first = sends[sends["message"] == "a"]
    assert (first["propensity"] >= 0.5 / 168 - 1e-12).all()
    assert (first["eligible"] == "f" * 42).all()


def test_every_message_is_accounted_for_under_any_rules():
    generator = np.random.default_rng(0)
    messages = wanted(
        *[(f"c{i}", m, c, generator.normal(0.5)) for i in range(60) for m, c in (("a", "push"), ("b", "sms"))]
    )
    for capacity, cap, gap in product((0, 1, None), (0, 1, 3), (0.0, 100.0)):
        some = rules(explore=0.2, holdout=0.1, capacity_per_hour=capacity, max_per_week=cap, min_gap_hours=gap)
        sends = schedule(messages, people(60, peaks=(106, 107, 30)), some).sends
        assert len(sends) == 120
        assert (sends["reason"].str.startswith("not sent") == sends["send_at"].isna()).all()
        taken = sends.dropna(subset="send_at").groupby(["channel", "send_at"]).size()
        assert capacity is None or taken.max() <= capacity or not len(taken)
        assert sends.groupby("customer_id")["send_at"].count().max() <= cap


def test_bad_input_is_named():
    messages = wanted(("c0", "a", "push", 1.0))
    with pytest.raises(DefinitionError, match="but 1 come again, one with the zones Asia/Seoul, UTC"):
        Audience(["c0", "c0"], ["UTC", "Asia/Seoul"])
    with pytest.raises(DefinitionError, match="but 1 are not in it"):
        schedule(wanted(("c9", "a", "push", 1.0)), people(), rules())
    with pytest.raises(DefinitionError, match=r"'a' by push comes again \(1 such rows\)"):
        schedule(pd.concat([messages, messages]), people(), rules())
    with pytest.raises(DefinitionError, match=r"columns \['channel'\], but they are missing"):
        schedule(messages.drop(columns="channel"), people(), rules())
    with pytest.raises(ConfigError, match="must leave one whole hour"):
        schedule(messages, people(), rules(channels=(Channel(id="push", quiet_hours=("00:00", "23:59")),)))
    with pytest.raises(ConfigError, match="'Mars' came"):
        schedule(messages, Audience(["c0"], "Mars"), rules())
    with pytest.raises(DefinitionError, match=r"habit must have the shape \(1, 168\)"):
        Audience(["c0"], "UTC", np.ones((1, 24)))


def small_problem(generator, hours=5, customers=4):
    counts = generator.integers(1, 3, customers)
    first = np.append(0, np.cumsum(counts)).astype(np.int64)
    rows = int(first[-1])
    net = generator.normal(1, 1, (rows, hours)).astype(np.float32)
    net[generator.random(net.shape) < 0.2] = -np.inf
    places, none = np.arange(hours)[None], np.zeros((rows, hours), np.int16)
    return SendProblem(
        net, np.zeros(rows, np.int64), places, places, places, first, np.zeros(customers, np.int64),
        np.maximum(places - 2, -1), np.zeros(rows, np.int64), none, none, 2, np.array([2]), np.array([0.0, 0.1]),
        np.ones(customers), np.ones(hours),
    )  # fmt: skip


def by_enumeration(problem):
    """The best worth of all plans, one after the other."""
    best = 0.0
    rows, hours = problem.net.shape
    for plan in product(range(-1, hours), repeat=rows):
        used = [h for h in plan if h >= 0]
        if len(set(used)) < len(used):
            continue
        total = sum(float(problem.net[r, h]) for r, h in enumerate(plan) if h >= 0)
        for start, end in zip(problem.first[:-1], problem.first[1:], strict=True):
            own = [h for h in plan[start:end] if h >= 0]
            if len(own) == 2:
                total -= 0.1 if abs(own[0] - own[1]) >= 2 else np.inf
        best = max(best, total)
    return best


def test_assignment_against_enumeration():
    found = []
    for seed in range(12):
        problem = small_problem(np.random.default_rng(seed), hours=4, customers=3)
        best, made = by_enumeration(problem), assign_slots(problem)
        assert made.value <= best + 1e-5 <= made.bound + 2e-5
        found.append(made.value / best if best else 1.0)
    assert np.mean(found) > 0.97


def test_exact_without_capacity():
    for seed in range(6):
        problem = small_problem(np.random.default_rng(seed), hours=4, customers=1)
        free = problem._replace(capacity=np.full(4, np.inf))
        assert assign_slots(free).gap == pytest.approx(0.0, abs=1e-6)
        assert assign_slots(free).value == pytest.approx(by_enumeration(free), abs=1e-5)


def test_many_messages_in_few_hours_come_near_the_bound():
    generator = np.random.default_rng(3)
    problem = small_problem(generator, hours=20, customers=4000)
    made = assign_slots(problem._replace(capacity=np.full(20, 150.0)))
    assert made.gap < 2e-3
    assert np.bincount(made.choice[made.choice >= 0]).max() <= 150


def test_unsubscribe_rates_shrink_and_never_fall():
    assert unsubscribe_rates([], []).tolist() == pytest.approx(list(ASSUMED_RATES))
    # 2,000 sends without a loss halve the first rate; (20 + 2.0) / (2000 + 2000) is the second, from which none may fall.
    found = unsubscribe_rates([0] * 2000 + [1] * 2000, [False] * 2000 + [True] * 22 + [False] * 1978)
    assert found[0] == pytest.approx(0.0005)
    assert (np.diff(found) >= 0).all()
    with pytest.raises(DefinitionError, match="must be at least 0"):
        unsubscribe_rates([-1], [True])


def test_recent_sends_by_hand():
    when = np.array([0, 6 * DAY, 7 * DAY, 7 * DAY + HOUR, 3 * DAY])
    assert recent_sends(np.array([1, 1, 1, 1, 2]), when).tolist() == [0, 1, 1, 2, 0]


def test_export_is_text_without_formulas():
    sends = schedule(
        wanted(("c0", "=cmd|' /C calc'!A0", "push", 1.0), ("c1", "plain", "push", -9.0)), people(2), rules()
    ).sends
    table = export_sends(sends.assign(customer_id=["=1+1", "b"]))
    assert table.to_numpy().tolist() == [["'=1+1", "push", "2011-09-02 10:00", "'=cmd|' /C calc'!A0"]]
    assert export_text(sends).splitlines()[0] == "customer,channel,local_minute,campaign"
    for start in "=+-@\t\r":
        assert export_sends(sends.assign(message=start + "x"))["campaign"].str.startswith("'").all()


def answered(propensity):
    """Pushes of every hour of the week to 16,800 others; those at Saturday noon are answered far more often."""
    slot = np.arange(16_800) % 168
    answers = np.random.default_rng(5).random(len(slot)) < np.where(slot == 132, 0.9, 0.1)
    ids = np.array([f"x{i}" for i in range(len(slot))], dtype=object)
    log = SendLog(ids, slot * 0, slot, np.full(len(slot), "push", object), answers, np.full(len(slot), propensity))
    return SlotResponse().fit(log, np.full((len(slot), 168), 1 / 168))


def test_an_experiment_moves_hour_and_worth_and_plain_counts_the_hour_alone():
    messages = wanted(("c0", "hello", "push", 1.0))
    known = schedule(messages, people(), rules(), answered(1 / 168)).sends.iloc[0]
    assert (known["evidence"], known["slot"]) == ("experiment", 132)
    assert 0.3 < known["p_response"] <= 1.0
    assert known["expected_value"] > 2.0
    counted = schedule(messages, people(), rules(), answered(np.nan)).sends.iloc[0]
    assert (counted["evidence"], counted["slot"]) == ("rates", 132)
    assert np.isnan(counted["p_response"])
    assert counted["expected_value"] == pytest.approx(1.0)


def test_hours_that_no_send_ranks_go_by_activity():
    # Pushes were only ever counted on weekdays before noon; of the customer's week only Sunday is left.
    messages = wanted(("c0", "hello", "push", 1.0)).assign(expires_at=pd.NaT)
    slot = np.resize([9, 10, 33, 34], 4000)
    answers = np.random.default_rng(7).random(4000) < np.where(slot == 10, 0.5, 0.1)
    log = SendLog(
        np.array([f"x{i}" for i in range(4000)], object), slot * 0, slot, np.full(4000, "push", object), answers,
        np.full(4000, np.nan),
    )  # fmt: skip
    counted = SlotResponse().fit(log, np.full((4000, 168), 1 / 168))
    free = schedule(messages, people(), rules(), counted).sends.iloc[0]
    assert (free["evidence"], free["slot"]) == ("rates", 10)
    sundays = Channel(id="push", quiet_hours=("00:00", "00:00"), weekdays=("Sun",))
    left = schedule(messages, people(peaks=(150,)), rules(channels=(sundays,)), counted).sends.iloc[0]
    assert (left["evidence"], left["slot"]) == ("activity", 150)
    assert "of activity is expected" in left["reason"]
