import numpy as np
import pytest

from churnvalue.errors import DefinitionError
from churnvalue.timing.response import SendLog, SlotResponse, machine_opens, week_parts

PARTS = np.arange(6)


def log(slot, responded, propensity=1 / 6, customers=None, **more):
    n = len(slot)
    ids = np.array([f"c{i % (customers or n):05d}" for i in range(n)], dtype=object)
    chance = np.broadcast_to(np.asarray(propensity, float), n)
    return SendLog(
        ids, np.arange(n), np.asarray(slot), np.full(n, "sms", object), np.asarray(responded, bool), chance, **more
    )


def world(n, follows, seed=0, customers=None):
    """Six slots; customers active in one of them each; response follows that or the common third slot."""
    generator = np.random.default_rng(seed)
    peak = generator.integers(0, 6, customers or n)[np.arange(n) % (customers or n)]
    habit = np.full((n, 6), 0.1)
    habit[np.arange(n), peak] = 0.5
    slot = generator.integers(0, 6, n)
    good = slot == (peak if follows else 2)
    return log(slot, generator.random(n) < np.where(good, 0.3, 0.1), customers=customers), habit


def test_personal_slots_where_response_follows_activity():
    sends, habit = world(6000, follows=True)
    model = SlotResponse(parts=PARTS).fit(sends, habit)
    assert model.evidence("sms") == "experiment"
    assert model.channels_["sms"].policy in ("habit", "both")
    assert model.channels_["sms"].gains["gain"].iloc[0] == pytest.approx(0.17, abs=0.06)
    rate = model.predict("sms", habit, sends.customer_id)
    assert (rate.argmax(axis=1) == habit.argmax(axis=1)).mean() > 0.95


def test_the_common_slot_where_it_does_not():
    sends, habit = world(6000, follows=False)
    model = SlotResponse(parts=PARTS).fit(sends, habit)
    assert model.channels_["sms"].policy == "common"
    rate = model.predict("sms", habit, sends.customer_id)
    assert (rate.argmax(axis=1) == 2).all()
    assert rate[0, 2] == pytest.approx(0.3, abs=0.05)
    assert model.channels_["sms"].support["sends"].sum() == 6000


def test_nothing_to_tell_apart_is_left_to_activity_alone():
    generator = np.random.default_rng(1)
    habit = generator.dirichlet(np.ones(6), 2000)
    model = SlotResponse(parts=PARTS).fit(log(np.arange(2000) % 6, np.arange(2000) % 7 == 0), habit)
    rate = model.predict("sms", habit, np.array(["x"] * 2000, object))
    assert np.ptp(rate) < 0.01


def test_without_known_probabilities_rates_are_counted_and_no_personal_hour_claimed():
    sends, habit = world(3000, follows=False)
    few = np.minimum(sends.slot, 3)
    few[:10] = 5
    model = SlotResponse(parts=PARTS).fit(log(few, sends.responded, np.nan), habit)
    known = model.channels_["sms"]
    assert model.evidence("sms") == "rates"
    assert known.policy == "common"
    assert known.support["ranked"].tolist() == [True, True, True, True, False, False]
    rate = model.predict("sms", habit[:2], sends.customer_id[:2])
    assert np.isnan(rate[:, 4:]).all()
    assert (np.nan_to_num(rate).argmax(axis=1) == 2).all()


def test_hours_that_do_not_differ_beyond_chance_tell_nothing():
    generator = np.random.default_rng(4)
    even = log(np.arange(3000) % 6, generator.random(3000) < 0.2, np.nan)
    assert SlotResponse(parts=PARTS).fit(even, np.full((3000, 6), 1 / 6)).evidence("sms") == "activity"
    one_hour = log(np.zeros(3000, np.int64), generator.random(3000) < 0.2, np.nan)
    assert SlotResponse(parts=PARTS).fit(one_hour, np.full((3000, 6), 1 / 6)).evidence("sms") == "activity"


def test_a_plan_that_hardly_explored_is_no_experiment():
    # 190 sends at the chosen hour and 10 drawn ones: weighed alike they tell as much as 14 sends, fewer than 30.
    slot = np.append(np.zeros(190, np.int64), np.arange(10) % 5 + 1)
    chance = np.where(slot == 0, 0.95 + 0.05 / 6, 0.05 / 6)
    sends = log(slot, np.arange(200) % 10 == 0, chance)
    assert SlotResponse(parts=PARTS).fit(sends, np.full((200, 6), 1 / 6)).evidence("sms") == "activity"


def test_experiments_are_believed_beside_counted_sends():
    sends, habit = world(3000, follows=False)
    counted = log(sends.slot, sends.slot % 2 == 0, np.nan)
    other = log(sends.slot, sends.slot % 2 == 0, np.nan)
    other.channel[:] = "email"
    drawn = SlotResponse(parts=PARTS).fit(sends, habit)
    both = drawn.beside(SlotResponse(parts=PARTS).fit(counted, habit))
    assert both.channels_["sms"] is drawn.channels_["sms"]
    both = (
        SlotResponse(parts=PARTS).fit(log([], []), np.zeros((0, 6))).beside(SlotResponse(parts=PARTS).fit(other, habit))
    )
    assert both.evidence("email") == "rates"


def test_the_exponent_of_activity_is_found():
    generator = np.random.default_rng(6)
    habit = generator.dirichlet(np.full(6, 2.0), 40_000)
    slot = generator.integers(0, 6, 40_000)
    rate = 0.1 * np.sqrt(6 * habit[np.arange(40_000), slot])
    known = SlotResponse(parts=PARTS).fit(log(slot, generator.random(40_000) < rate), habit).channels_["sms"]
    assert known.policy == "habit"  # hours alone add nothing, so that the simplest is kept
    assert known.shape.beta == pytest.approx(0.5, abs=0.06)


def test_no_sends_is_activity():
    model = SlotResponse(parts=PARTS).fit(log([], []), np.zeros((0, 6)))
    assert model.evidence("sms") == "activity"
    tiny = SlotResponse(parts=PARTS).fit(log([0, 1], [True, False]), np.full((2, 6), 1 / 6))
    assert tiny.evidence("sms") == "activity"


def test_machine_opens_by_hand():
    ids = np.array(["a", "b", *["robot"] * 25], dtype=object)
    answered = np.ones(27, dtype=bool)
    delay = np.array([2.0, 600.0, *[30.0] * 25])
    sends = SendLog(
        ids, np.arange(27), np.zeros(27, np.int64), np.full(27, "sms", object), answered, np.full(27, np.nan),
        delay_seconds=delay,
    )  # fmt: skip
    assert machine_opens(sends).tolist() == [True, False, *[True] * 25]
    model = SlotResponse(parts=np.zeros(1, np.int64)).fit(sends, np.ones((27, 1)))
    assert model.channels_["sms"].machine_opens == 26


def test_order_of_rows_does_not_matter():
    sends, habit = world(2000, follows=True, customers=400)
    order = np.random.default_rng(2).permutation(2000)
    other = SendLog(*[getattr(sends, name)[order] for name in
                      ("customer_id", "sent_at", "slot", "channel", "responded", "propensity")])  # fmt: skip
    one = SlotResponse(parts=PARTS).fit(sends, habit)
    two = SlotResponse(parts=PARTS).fit(other, habit[order])
    ids = sends.customer_id[:50]
    assert (one.predict("sms", habit[:50], ids) == two.predict("sms", habit[:50], ids)).all()
    assert one.channels_["sms"].gains.equals(two.channels_["sms"].gains)


def test_parts_of_the_week():
    parts = week_parts()
    assert len(set(parts)) == 12
    assert parts[5] == 0
    assert parts[5 * 24 + 6] == 7


def test_input_is_checked():
    with pytest.raises(DefinitionError, match=r"habit the shape \(2, 6\)"):
        SlotResponse(parts=PARTS).fit(log([0, 1], [True, False]), np.ones((2, 168)))
    with pytest.raises(DefinitionError, match="Slots must lie in 0 … 5"):
        SlotResponse(parts=PARTS).fit(log([0, 6], [True, False]), np.ones((2, 6)))
    with pytest.raises(DefinitionError, match="propensity must lie above 0"):
        SlotResponse(parts=PARTS).fit(log([0, 1], [True, False], 0.0), np.ones((2, 6)))
