import pandas as pd
import pytest

from churnvalue.report.send_week import calendar


def test_messages_are_counted_by_hour_of_the_week():
    times = ["2011-09-05T10:00:00+01:00", "2011-09-05T10:00:00+01:00", "2011-09-11T23:00:00+01:00"]
    sends = pd.DataFrame(
        {"customer_id": ["a", "b", "b"], "channel": ["email", "email", "sms"], "slot": [10, 10, 167]}
    ).assign(send_at_local=times)
    found = calendar(sends, {})
    assert (found.messages, found.customers) == (3, 2)
    assert found.hours[0][10] == 2  # Monday, ten o'clock
    assert found.hours[6][23] == 1  # Sunday, the last hour
    assert found.weekdays == [2, 0, 0, 0, 0, 0, 1]
    assert found.channels == [("email", 2), ("sms", 1)]
    assert (found.first, found.last) == ("2011-09-05", "2011-09-11")
    assert (found.evidence, found.explored, found.responses, found.unsent) == ({}, 0, None, [])


def test_messages_without_an_hour_are_counted_by_reason():
    sends = pd.DataFrame(
        {
            "customer_id": ["a", "b", "c", "d"],
            "channel": "email",
            "slot": pd.array([3, None, None, None], dtype="Int64"),
            "send_at_local": ["2011-09-05T03:00:00+01:00", None, None, None],
            "reason": ["the most of all allowed", "not sent: full", "not sent: full", None],
            "evidence": ["experiment", "activity", "activity", "activity"],
            "group": ["explore", "exploit", "holdout", "exploit"],
            "p_response": [0.25, None, None, None],
        }
    )
    found = calendar(sends, {})
    assert (found.messages, found.customers, found.channels) == (1, 1, [("email", 1)])
    assert found.unsent == [("not sent: full", 2), ("no reason is given", 1)]
    assert (found.evidence, found.explored) == ({"experiment": 1}, 1)
    assert found.responses == pytest.approx(0.25)


def test_a_week_in_which_nothing_is_sent():
    sends = pd.DataFrame(
        {"customer_id": ["a"], "channel": ["sms"], "slot": [None], "send_at_local": [None], "reason": ["full"]}
    )
    found = calendar(sends, {})
    assert (found.messages, found.first, found.unsent) == (0, "", [("full", 1)])
    assert found.weekdays == [0] * 7


def test_the_busiest_hour_of_each_channel_stands_beside_its_capacity():
    times = pd.to_datetime(
        ["2011-09-05T09:00Z", "2011-09-05T09:30Z", "2011-09-06T09:00Z", "2011-09-05T10:00Z"], format="ISO8601"
    )
    sends = pd.DataFrame({"customer_id": list("abcd"), "channel": ["email"] * 3 + ["sms"], "slot": [10, 10, 34, 11]})
    sends = sends.assign(send_at=times, send_at_local="2011-09-05T10:00:00+01:00")
    email, sms = calendar(sends, {"email": 8, "sms": None}).peaks
    assert (email.channel, email.messages, email.most, email.capacity) == ("email", 3, 2, 8.0)
    assert email.hour == pd.Timestamp("2011-09-05T09:00Z")
    assert (sms.messages, sms.most, sms.capacity) == (1, 1, None)
