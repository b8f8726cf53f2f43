import re

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from churnvalue.report import numbers
from churnvalue.report.numbers import DASH

WRITERS = [numbers.count, numbers.percent, numbers.money, numbers.score, numbers.short]


@pytest.mark.parametrize(
    ("write", "value", "text"),
    [
        (numbers.count, 1234567.4, "1,234,567"),
        (numbers.count, -0.2, "0"),
        (numbers.count, -1500, "−1,500"),
        (numbers.percent, 0.1 + 0.2, "30.0%"),
        (numbers.percent, 0.00001, "<0.1%"),
        (numbers.percent, 0.99999, ">99.9%"),
        (numbers.percent, 1, "100%"),
        (numbers.percent, -0.125, "−12.5%"),
        (numbers.money, 99.996, "100"),
        (numbers.money, 1.005, "1.00"),
        (numbers.money, 9_999_999, "9,999,999"),
        (numbers.money, 12_345_678.0, "12.3\N{NO-BREAK SPACE}M"),
        (numbers.money, -0.001, "0.00"),
        (numbers.score, 0.30000001, "0.300"),
        (numbers.score, 1210.94, "1,211"),
        (numbers.short, 1e6, "1\N{NO-BREAK SPACE}M"),
        (numbers.short, 999_999, "1\N{NO-BREAK SPACE}M"),
        (numbers.short, 2e15, "2,000,000\N{NO-BREAK SPACE}G"),
        (numbers.day, pd.Timestamp("2011-09-01", tz="UTC"), "2011-09-01"),
        (numbers.day, "2011-09-01T06:00:00Z", "2011-09-01"),
        (numbers.minute, "2011-09-05T10:00:00+01:00", "2011-09-05 10:00"),
        (numbers.day, "some day", "some day"),
    ],
)
def test_numbers_are_written_as_people_read_them(write, value, text):
    assert write(value) == text


@pytest.mark.parametrize("value", [None, float("nan"), np.inf, True, "12", [1]])
@pytest.mark.parametrize("write", [numbers.count, numbers.percent, numbers.money, numbers.score, numbers.short])
def test_what_is_no_number_is_a_dash(write, value):
    assert write(value) == DASH


@pytest.mark.parametrize("value", [None, float("nan"), pd.NaT, 20110901, True])
def test_what_is_no_time_is_a_dash(value):
    assert numbers.day(value) == DASH


def test_a_currency_sign_stands_before_the_amount_and_a_code_apart():
    assert numbers.money(-1234.56, "£") == "−£1,235"
    assert numbers.money(3.5, "EUR") == "EUR\N{NO-BREAK SPACE}3.50"


def test_only_pairs_of_numbers_are_points():
    table = [{"x": 1, "y": 2.5}, {"x": 1}, {"x": None, "y": 2}, "noise", {"x": 3, "y": float("nan")}]
    assert numbers.points(table, "x", "y") == [(1.0, 2.5)]
    assert numbers.points(None, "x", "y") == numbers.points({"x": 1}, "x", "y") == []


@settings(max_examples=50, deadline=None)
@given(st.floats(allow_nan=False, allow_infinity=False, width=32))
def test_no_number_shows_the_noise_of_floating_point(value):
    for write in WRITERS:
        decimals = re.sub(r"e.*|[^\d]", "", write(value).partition(".")[2])
        assert len(decimals.lstrip("0")) <= 3
