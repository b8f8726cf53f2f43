"""What people read of a value."""

import re
from typing import Any

import pytest

from churnvalue.features import expand, families
from churnvalue.features.sentences import Sentence, noun, number

NAN = float("nan")
GIVEN: dict[str, Any] = {"kind": "purchase", "days": 30, "first_hour": 6, "end_hour": 12, "weekday": 2}
GIVEN |= {"first_days": 7, "end_days": 14}


def say(value: float, **entry: Any) -> str:
    """The sentence of one feature."""
    [one] = expand([entry])
    return one.say(value)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (1234.5, "1,234"),
        (1234567.0, "1,234,567"),
        (100.4, "100"),
        (12.0, "12"),
        (12.34, "12.3"),
        (1.234, "1.23"),
        (0.1234, "0.123"),
        (0.0, "0"),
        (-3.0, "-3"),
        (-1234.5, "-1,234"),
        (99.97, "100"),
        (9.999, "10"),
        (0.00001234, "0.0000123"),
        (-0.0, "0"),
    ],
)
def test_number(value: float, expected: str) -> None:
    assert number(value) == expected


@pytest.mark.parametrize(
    ("kind", "count", "expected"),
    [
        ("purchase", 1, "purchase"),
        ("purchase", 2, "purchases"),
        ("purchase", None, "purchases"),
        ("purchase", 0, "purchases"),
        ("message_open", 1, "message opened"),
        ("message_sent", 2, "messages received"),
        ("gift_card", 2, "gift cards"),
    ],
)
def test_noun(kind: str, count: float | None, expected: str) -> None:
    assert noun(kind, count) == expected


@pytest.mark.parametrize(
    ("value", "entry", "expected"),
    [
        (41.0, {"use": "days_since_last", "kind": "purchase"}, "last purchase 41 days ago"),
        (1.0, {"use": "days_since_last", "kind": "purchase"}, "last purchase 1 day ago"),
        (2.1, {"use": "days_since_last", "kind": "purchase"}, "last purchase 2.1 days ago"),
        (0.1, {"use": "days_since_last", "kind": "purchase"}, "last purchase 0.1 days ago"),
        (11.0, {"use": "gap_mean", "kind": "visit"}, "a visit every 11 days on average"),
        (NAN, {"use": "days_since_last", "kind": "visit"}, "no visits so far"),
        (0.0, {"use": "event_count", "kind": "purchase", "days": 30}, "no purchases in the last 30 days"),
        (1.0, {"use": "event_count", "kind": "purchase"}, "1 purchase so far"),
        (3.0, {"use": "event_count", "kind": "message_open"}, "3 messages opened so far"),
        (
            0.5,
            {"use": "count_trend", "kind": "visit", "days": 30},
            "50 % fewer visits in the last 30 days than in the 30 before",
        ),
        (
            1.0,
            {"use": "count_trend", "kind": "visit", "days": 30},
            "as many visits in the last 30 days as in the 30 before",
        ),
        (
            1.004,
            {"use": "count_trend", "kind": "visit", "days": 30},
            "as many visits in the last 30 days as in the 30 before",
        ),
        (
            2.5,
            {"use": "amount_trend", "kind": "purchase", "days": 7},
            "spent 150 % more in the last 7 days than in the 7 before",
        ),
        (0.25, {"use": "open_rate", "days": 90}, "opened 25 % of the messages in the last 90 days"),
        (1.0, {"use": "distinct_categories", "kind": "purchase"}, "1 category so far"),
        (1.0, {"use": "return_share"}, "1 return for every purchase so far"),
        (0.25, {"use": "open_rate"}, "opened 25 % of the messages so far"),
        (3.0, {"use": "active_days", "kind": "visit"}, "visit on 3 days so far"),
        (
            2.0,
            {"use": "event_count_between", "kind": "visit", "first_days": 7, "end_days": 14},
            "2 visits from 14 to 7 days ago",
        ),
        (
            NAN,
            {"use": "same_season_count", "kind": "visit", "days": 30},
            "no visits a year ago or earlier",
        ),
        (
            0.5,
            {"use": "past_renewal", "kind": "visit", "days": 30},
            "50 % of the earlier spans of 30 days held a visit",
        ),
        (3.0, {"use": "active_days", "kind": "visit", "days": 7}, "visit on 3 days in the last 7 days"),
    ],
)
def test_sentences(value: float, entry: dict[str, Any], expected: str) -> None:
    assert say(value, **entry) == expected


@pytest.mark.parametrize("days", [30, 1, "all"])
@pytest.mark.parametrize("name", list(families()))
def test_every_family_speaks_plainly(name: str, days: int | str) -> None:
    parameters = families()[name].parameters
    if days == "all" and "days" in parameters and parameters["days"].default is not None:
        pytest.skip("needs a number of days")
    [one] = expand([{"use": name, **{p: days if p == "days" else GIVEN[p] for p in parameters}}])
    said = [one.title, *(one.say(value) for value in (NAN, 0.0, 0.5, 1.0, 1.0001, 2.1, 21.1, 12345.6, -1.0))]
    assert [text for text in said if not text or text != text.strip()] == []
    assert [text for text in said if re.search(r"None|nan|[{}]|  |_", text)] == []
    assert [text for text in said if re.search(r"\.\d* (day|line|unit|return|ticket|category|purchase)\b", text)] == []


def test_words_of_the_user_are_no_templates() -> None:
    assert Sentence("{value} {things}").say(2.0, {"kind": "{days} %s"}) == "2 {days} %ss"


def test_values_without_a_sentence_of_their_own_fall_back() -> None:
    sentence = Sentence("{value} days")
    assert sentence.say(0.0, {}) == "0 days"
    assert sentence.say(NAN, {}) == "not known: – days"
    assert Sentence("as ever", less="{percent} less", more="{percent} more").say(0.0, {}) == "100 % less"
