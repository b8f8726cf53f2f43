"""What past sends tell of the hour, by hand and in worlds in which the answer is known."""

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from churnvalue import clock
from churnvalue.clock import HOUR, micros
from churnvalue.config import parse_config
from churnvalue.decisions.sending.fatigue import ASSUMED_RATES
from churnvalue.jobs.activity import read_activity
from churnvalue.jobs.answers import last_before
from churnvalue.jobs.fatigue import leaving_rates, told
from churnvalue.jobs.moments import moments
from churnvalue.jobs.past_sends import PastSends, read_past_sends, sends_of_log, sends_of_plans
from churnvalue.jobs.responses import learn_response, said
from churnvalue.storage import staged
from churnvalue.sweep import customer_of, rows_of

CUTOFF = micros("2024-03-01")
ALL_HOURS = "f" * 42

SMALL = """
customer_id kind          event_time           channel
a           purchase      2024-01-30T10:20:07  -
a           message_sent  2024-02-01T09:00:10  email
a           message_open  2024-02-01T09:00:12  email     # two seconds later: a machine
a           message_sent  2024-02-02T09:00:00  email
a           message_sent  2024-02-02T12:00:00  push
a           message_open  2024-02-02T13:00:00  email     # of the e-mail
a           message_click 2024-02-02T13:30:00  -         # of the latest message, the push
a           message_sent  2024-02-05T09:00:00  email
a           message_open  2024-02-07T09:00:00  email     # after 48 hours: too late
b           message_open  2024-02-07T10:00:00  email     # of nobody's message
b           message_sent  2024-02-08T10:00:00  -
b           purchase      2024-02-21T11:30:00  -
b           message_sent  2024-02-29T10:00:00  email     # the time to answer is not over
"""


def sends_table(*rows, **more):
    """customer_id, send_at, slot and group of sends by e-mail of equal chance."""
    table = pd.DataFrame(rows, columns=["customer_id", "send_at", "slot", "group", "propensity"])
    given = {"channel": "email", "message": "voucher", "eligible": ALL_HOURS, **more}
    return table.assign(send_at=pd.to_datetime(table["send_at"], utc=True), **given)


def test_the_last_before_by_hand():
    key, at = np.array([1, 1, 2]), np.array([10, 20, 10])
    found = last_before(np.array([1, 1, 1, 2, 3, 1]), np.array([9, 10, 99, 9, 50, 19]), key, at)
    assert found.tolist() == [-1, 0, 1, -1, -1, 0]
    none = np.zeros(0, np.int64)
    assert last_before(np.array([1]), np.array([5]), none, none).tolist() == [-1]


def test_messages_of_the_log_by_hand(log_from):
    sends, left_out = sends_of_log(log_from(SMALL), CUTOFF)
    assert left_out == {
        "the time to answer is not over": 1,
        "the log states no channel": 1,
        "only the latest 200,000 of the log are": 0,
    }
    assert sends.customer_id.tolist() == ["a"] * 4
    assert sends.channel.tolist() == ["email", "email", "push", "email"]
    assert sends.slot.tolist() == [81, 105, 108, 9]  # Thursday 09:00 is 3 · 24 + 9
    assert sends.responded.tolist() == [True, True, True, False]
    assert sends.delay_seconds.tolist() == pytest.approx([2.0, 4 * 3600, 1.5 * 3600, np.nan], nan_ok=True)
    assert np.isnan(sends.propensity).all()


def test_only_the_latest_sends_are_learned_from(log_from, monkeypatch):
    whole, _ = sends_of_log(log_from(SMALL), CUTOFF)
    monkeypatch.setattr("churnvalue.jobs.past_sends.MOST_SENDS", 2)
    sends, left_out = sends_of_log(log_from(SMALL), CUTOFF)
    assert list(left_out.values()) == [1, 1, 2]
    assert sends.sent_at.tolist() == whole.sent_at[2:].tolist()
    assert sends.responded.tolist() == whole.responded[2:].tolist()


def test_without_seconds_no_answer_looks_made_by_a_machine(log_from):
    coarse = SMALL.replace("10:20:07", "10:20:00").replace("09:00:10", "09:00:00").replace("09:00:12", "09:00:00")
    assert sends_of_log(log_from(coarse), CUTOFF)[0].delay_seconds is None


def test_sends_of_plans_by_hand(log_from):
    log = log_from(SMALL)
    activity = read_activity(log, "purchase", CUTOFF)
    table = sends_table(
        ("a", "2024-02-02T09:00", 105, "exploit", 0.72),  # opened
        ("a", "2024-02-05T09:00", 9, "explore", 0.09),  # opened after two days: within seven
        ("b", "2024-02-14T12:00", 60, "exploit", 0.9),  # bought within the seven days
        ("b", "2024-02-14T11:00", 59, "exploit", 0.9),  # not quite
        ("b", "2024-02-23T00:00", 96, "exploit", 0.9),  # seven days before the cutoff: not over
        ("z", "2024-02-02T09:00", 105, "exploit", 0.9),
        ("y", None, None, "holdout", 0.1),
    )
    table["eligible"] = ["8" + "0" * 41, *[ALL_HOURS] * 6]
    past = [PastSends(micros("2024-02-01"), table), PastSends(micros("2024-02-01"), table)]  # given twice
    sends, habit, left_out = sends_of_plans(log, "purchase", activity, past, CUTOFF)
    assert left_out == {
        "the time to answer is not over": 1,
        "the log does not know the customer": 1,
        "only the latest 200,000 of plans are": 0,
    }
    assert sends.customer_id.tolist() == ["a", "a", "b", "b"]
    assert sends.slot.tolist() == [105, 9, 60, 59]
    assert sends.propensity.tolist() == pytest.approx([0.8, 0.1, 1.0, 1.0])  # a tenth was held out
    assert sends.responded.tolist() == [True, True, True, False]
    assert np.flatnonzero(sends.eligible[0]).tolist() == [0]
    assert sends.eligible[1:].all()
    assert habit.shape == (4, 168)


def test_delays_run_from_when_the_message_really_went_out(log_from):
    log = log_from("""
        customer_id kind          event_time           channel
        a           message_open  2024-02-02T09:05:00  email     # of an older one
        a           message_sent  2024-02-02T09:40:03  email
        a           message_open  2024-02-02T09:40:05  email
    """)
    activity = read_activity(log, "purchase", CUTOFF)
    past = [PastSends(micros("2024-02-01"), sends_table(("a", "2024-02-02T09:00", 105, "explore", 0.5)))]
    assert sends_of_plans(log, "purchase", activity, past, CUTOFF)[0].delay_seconds.tolist() == [2.0]


def test_activity_agrees_with_the_sweep_and_a_habit_knows_nothing_later(log_from, monkeypatch):
    generator = np.random.default_rng(0)
    times = pd.Timestamp("2023-06-01") + pd.to_timedelta(generator.integers(0, 270 * 24 * 60, 4000), unit="min")
    rows = pd.DataFrame(
        {"customer_id": generator.integers(0, 50, 4000).astype(str), "kind": "visit", "event_time": times}
    )
    log, cutoff = log_from(rows), micros("2024-01-01")
    activity = read_activity(log, "purchase", CUTOFF)
    assert activity.notes == ()
    every, visits = np.zeros((50, 168)), rows_of(log, "visit", clock.before(cutoff), cutoff)
    np.add.at(every, (customer_of(log, visits), clock.hour_of_week(log.wall_clock[visits])), 1.0)
    asked = np.array([7, -1, 3])
    np.testing.assert_array_equal(activity.counts(cutoff, asked), np.where(asked[:, None] >= 0, every[asked], 0.0))
    earlier = log_from(rows[times < "2024-01-01"])
    table = sends_table(("7", "2024-01-02T10:00", 34, "explore", 0.5))
    past = [PastSends(cutoff, table)]
    _, habit, _ = sends_of_plans(log, "purchase", activity, past, CUTOFF)
    only = read_activity(earlier, "purchase", cutoff)
    row = np.array([earlier.customers.to_pylist().index("7")])
    learnt = only.habit(cutoff)
    assert (habit == only.habits(learnt, cutoff, row)).all()
    some = np.array([3, -1, 40, 3, 7, 12])
    at_once = only.habits(learnt, cutoff, some)
    monkeypatch.setattr("churnvalue.jobs.activity._FORETOLD_AT_ONCE", 2)
    np.testing.assert_allclose(only.habits(learnt, cutoff, some), at_once, rtol=1e-6)


def test_what_machines_made_is_found_in_parts_as_in_the_whole(log_from, monkeypatch):
    generator = np.random.default_rng(1)
    times = pd.Timestamp("2023-06-01") + pd.to_timedelta(generator.integers(0, 200 * 86_400, 3000), unit="s")
    rows = pd.DataFrame(
        {"customer_id": generator.integers(0, 40, 3000).astype(str), "kind": "visit", "event_time": times}
    )
    burst = rows.iloc[:30].assign(event_time=lambda t: t["event_time"] + pd.Timedelta(seconds=3))
    log = log_from(
        pd.concat([rows, burst, burst.assign(event_time=lambda t: t["event_time"] + pd.Timedelta(seconds=2))])
    )
    whole = read_activity(log, "purchase", CUTOFF)
    assert whole.made.sum() >= 30
    monkeypatch.setattr("churnvalue.timing.machine_made._AT_ONCE", 700)
    parts = read_activity(log, "purchase", CUTOFF)
    np.testing.assert_array_equal(parts.made, whole.made)
    assert parts.left_out == whole.left_out


def test_unsubscribing_is_counted_where_the_log_holds_enough(log_from):
    log = log_from(SMALL)
    assert leaving_rates(log, CUTOFF)[0] == ASSUMED_RATES
    assert "is an assumption" in leaving_rates(log, CUTOFF)[1]
    days = np.resize(np.arange(0, 40, 10), 4000)
    sent = pd.DataFrame({"customer_id": np.repeat(np.arange(1000), 4).astype(str), "kind": "message_sent"})
    sent["event_time"] = pd.Timestamp("2024-01-01") + pd.to_timedelta(days, unit="D")
    lost = sent.iloc[::4].head(8).assign(kind="unsubscribe")  # a day after their first message
    lost["event_time"] += pd.Timedelta(days=1)
    late = lost.assign(event_time=lost["event_time"] + pd.Timedelta(days=38))  # nine days after the last: of none
    rates, words = leaving_rates(log_from(pd.concat([sent, lost, late])), micros("2024-02-10"))
    # 8 of 4,000 with 2 assumed of 2,000 would be more than the next rate, 3 of 2,000: both are (8 + 2 + 3) / 8,000.
    assert rates[:2] == pytest.approx((0.001625, 0.001625))
    assert "0.16 % of messages" in words
    assert "4,000 messages" in words


def test_what_happened_is_cut_by_time(log_from):
    found = told(log_from(SMALL), "message_sent", micros("2024-02-02"), micros("2024-02-08"))
    assert found["channel"].tolist() == ["email", "push", "email"]
    assert str(found["event_time"].dtype) == "datetime64[us, UTC]"


def test_sends_are_read_from_folders_of_plans(tmp_path):
    table = sends_table(("a", "2024-02-02T09:00", 105, "exploit", 1.0))
    plan = pd.DataFrame({"customer_id": ["a"], "cutoff": pd.to_datetime(["2024-02-01"], utc=True)})
    for folder, tables in (("both", (plan, table)), ("old", (plan, table.drop(columns="eligible")))):
        with staged(tmp_path / folder, "plan") as stage:
            for name, one in zip(("plan.parquet", "sends.parquet"), tables, strict=True):
                stage.parquet(name, pa.Table.from_pandas(one, preserve_index=False))
    with staged(tmp_path / "measured", "measure") as stage:
        stage.json("measure.json", {})
    past, notes = read_past_sends([tmp_path / name for name in ("both", "old", "measured")])
    assert [one.cutoff for one in past] == [micros("2024-02-01")]
    assert past[0].sends["customer_id"].tolist() == ["a"]
    assert len(notes) == 2
    assert all("nothing is learned of hours there" in note for note in notes)


@pytest.fixture(scope="module")
def world(log_from):
    """A log of 3,000 customers with even activity who open e-mails of the evening far more often, and a plan's sends."""
    generator = np.random.default_rng(3)
    customers = np.array([f"c{i:04d}" for i in range(3000)])

    def drawn(start, n):
        who, slot = generator.choice(customers, n), generator.integers(8 * 7, 168, n)
        at = pd.Timestamp(start) + pd.to_timedelta(slot, unit="h")  # a Monday
        answers = generator.random(n) < np.where(slot % 24 >= 18, 0.5, 0.1)
        return who, slot, at, answers

    who, _, at, answers = drawn("2024-01-01", 6000)
    sent = pd.DataFrame({"customer_id": who, "kind": "message_sent", "event_time": at, "channel": "email"})
    opens = sent[answers].assign(kind="message_open", event_time=at[answers] + pd.Timedelta(seconds=1000))
    who, slot, at, answers = drawn("2024-02-05", 3000)
    planned = sends_table(*zip(who, at, slot, ["explore"] * 3000, [1 / 112] * 3000, strict=True))
    planned = planned.assign(eligible="0" * 14 + "f" * 28).drop_duplicates(["customer_id", "send_at"])
    own = pd.DataFrame({"customer_id": who, "kind": "message_open", "event_time": at, "channel": "email"})[answers]
    own["event_time"] += pd.Timedelta(seconds=1000)
    visits = pd.DataFrame({"customer_id": np.resize(customers[:300], 1500), "kind": "visit"})
    visits["event_time"] = pd.Timestamp("2023-12-01") + pd.to_timedelta(
        generator.integers(0, 45 * 86400, 1500), unit="s"
    )
    return pd.concat([sent, opens, own, visits]), planned, customers[:300]


def planned_moments(log, config, customers, past=()):
    plan = pd.DataFrame({"customer_id": customers, "action": np.resize(["voucher", "call", "none"], len(customers))})
    scores = pd.DataFrame({"customer_id": customers, "clv": 10.0, "p_return_7d": 0.3})
    return moments(log, config, plan, scores, CUTOFF, past)


def configured(tmp_path, **timing):
    actions = [{"id": "voucher", "contact_cost": 1.0}, {"id": "call", "contact_cost": 4.0, "channel": "call"}]
    raw = {
        "events": [{"source": "x.csv", "columns": {"customer_id": "a", "event_time": "b"}}],
        "retention": {"actions": actions},
    }
    return parse_config({**raw, "timing": {"explore": 0.0, **timing}}, tmp_path)


def test_the_evidence_rises_from_activity_to_rates_to_an_experiment(world, log_from, tmp_path):
    rows, sends, customers = world
    config = configured(tmp_path)
    quiet, notes = planned_moments(log_from(rows[rows["kind"] == "visit"]), config, customers)
    assert set(quiet.sends["evidence"]) == {"activity"}
    assert quiet.sends["p_response"].isna().all()
    assert "email: the hours follow activity; no past send tells of response." in notes

    log = log_from(rows)
    counted, notes = planned_moments(log, config, customers)
    by_email = counted.sends["channel"] == "email"
    assert set(counted.sends.loc[by_email, "evidence"]) == {"rates"}
    assert set(counted.sends.loc[~by_email, "evidence"]) == {"activity"}
    assert (counted.sends.loc[by_email, "slot"] % 24).between(18, 20).mean() > 0.95
    assert counted.sends["p_response"].isna().all()
    sent = len(sends_of_log(log, CUTOFF)[0].slot)
    assert any(note.startswith(f"email: the hours follow the answers counted in {sent:,} sends") for note in notes)

    drawn, notes = planned_moments(log, config, customers, [PastSends(micros("2024-02-05"), sends)])
    mine = drawn.sends[drawn.sends["channel"] == "email"]
    assert set(mine["evidence"]) == {"experiment"}
    assert (mine["slot"] % 24).between(18, 20).all()
    assert mine["p_response"].between(0.3, 0.7).all()
    assert (mine["p_slot"] < 0.1).all()
    found = int(sends["customer_id"].isin(log.customers.to_pylist()).sum())
    assert any(note.startswith(f"email: the hours follow response, from {found:,} sends") for note in notes)
    assert f"{len(sends) - found:,} past sends are not learned from: the log does not know the customer." in notes
    assert any("Personal hours are not surely better" in note for note in notes)


def test_machines_answers_are_set_aside_and_counted(world, log_from):
    rows, _, _ = world
    quick = rows["kind"] == "message_open"
    rows = rows.assign(event_time=rows["event_time"] - pd.to_timedelta(np.where(quick, 998, 0), unit="s"))
    log = log_from(rows)
    response, _ = learn_response(log, "purchase", read_activity(log, "purchase", CUTOFF), (), CUTOFF)
    opened = sends_of_log(log, CUTOFF)[0].responded.sum()
    (words,) = said(response, ["email"])
    assert words.endswith(f"{opened:,} answers were set aside as made by machines.")
    assert "do not tell hours apart" in words


def test_personal_hours_are_said_to_be_chosen(log_from):
    generator = np.random.default_rng(8)
    customers, n = np.array([f"c{i:04d}" for i in range(1500)]), 4500
    peak = generator.choice([9, 13, 18], 1500)
    visits = pd.DataFrame({"customer_id": np.repeat(customers, 20), "kind": "visit"})
    hours = np.add.outer(peak, 24 * np.arange(20)) + generator.random((1500, 20))
    visits["event_time"] = pd.Timestamp("2023-12-01") + pd.to_timedelta((hours.ravel() * 3600).astype(int), unit="s")
    who, slot = np.resize(np.arange(1500), n), 9 + generator.integers(0, 10, n) + 24 * generator.integers(0, 5, n)
    at = pd.Timestamp("2024-01-01") + pd.to_timedelta(slot + 14 * 24 * np.repeat(np.arange(3), 1500), unit="h")
    answers = generator.random(n) < np.where(slot % 24 == peak[who], 0.7, 0.1)
    sends = sends_table(*zip(customers[who], at, slot, ["explore"] * n, [1 / 50] * n, strict=True))
    sends["eligible"] = "007fe0" * 5 + "0" * 12  # from 9 to 18 h on weekdays
    opens = pd.DataFrame({"customer_id": customers[who], "kind": "message_open", "event_time": at})[answers]
    opens["event_time"] += pd.Timedelta(seconds=1000)
    log = log_from(pd.concat([visits, opens]))
    activity = read_activity(log, "purchase", CUTOFF)
    response, _ = learn_response(log, "purchase", activity, [PastSends(micros("2024-01-01"), sends)], CUTOFF)
    (words,) = said(response, ["email"])
    assert "They are chosen by own activity: +" in words
    assert "than those best for all, on sends not learned from." in words


def test_a_log_of_days_tells_nothing_of_hours(log_from):
    log = log_from("""
        customer_id kind          event_time  channel
        a           message_sent  2024-02-01  email
        a           message_open  2024-02-01  email
    """)
    assert learn_response(log, "purchase", read_activity(log, "purchase", CUTOFF), (), CUTOFF) == (None, ())


def test_second_purchases_are_met_on_their_day(world, log_from, tmp_path):
    rows, _, customers = world
    log = log_from(rows[rows["kind"] == "visit"])
    plan = pd.DataFrame({"customer_id": customers, "action": "voucher"})
    scores = pd.DataFrame({"customer_id": customers, "clv": 10.0, "p_return_7d": 0.3, "second_purchase_day": 4.5})
    sends = moments(log, configured(tmp_path), plan, scores, CUTOFF)[0].sends
    assert ((sends["send_at"].astype("int64") - CUTOFF) // (24 * HOUR) == 4).mean() > 0.5
