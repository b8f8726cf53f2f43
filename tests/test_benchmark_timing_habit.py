import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

# Benchmarks are no part of the installed package.
sys.path.insert(0, str(Path(__file__).parents[1]))

from benchmarks.timing_habit import joint_nats, orders, origin

LINES = pd.DataFrame(
    [
        ("1", "100", "2011-01-03 09:10", 1, 2.0, "United Kingdom"),
        ("1", "100", "2011-01-03 09:10", 2, 2.0, "United Kingdom"),  # a line of the same invoice
        ("1", "101", "2011-01-03 09:50", 1, 2.0, "United Kingdom"),  # within the same hour
        ("1", "C102", "2011-01-04 09:00", 1, 2.0, "United Kingdom"),  # cancelled
        ("1", "103", "2011-03-01 14:00", 1, 2.0, "United Kingdom"),
        ("2", "104", "2011-01-05 00:00", 1, 2.0, "France"),
        ("2", "105", "2011-01-05 10:00", 1, 0.0, "France"),  # a gift
        (None, "106", "2011-01-05 10:00", 1, 1.0, "France"),
    ],
    columns=["CustomerID", "Invoice", "InvoiceDate", "Quantity", "Price", "Country"],
).astype({"InvoiceDate": "datetime64[us]"})


def test_an_origin_knows_what_was_before_it():
    table = orders(LINES)
    assert table["customer"].tolist() == [1, 2, 1]
    given = origin(table, "2011-02-28")  # a Monday
    assert given.ids.tolist() == [1, 2]
    assert np.argwhere(given.counts).tolist() == [[0, 9], [1, 48]]
    assert given.earlier.sum() == 0
    assert given.segment.tolist() == [1, 0]
    assert given.next_at.tolist() == [24 + 14, -1]
    assert given.next_slot[0] == 24 + 14
    assert np.argwhere(given.later).tolist() == [[0, 38]]
    assert given.rfm.iloc[0].tolist() == [0.0, 0.0, 56.0]


def test_joint_probabilities_add_up():
    given = origin(orders(LINES), "2011-02-28")
    random = np.random.default_rng(0)
    hazards, week = random.random((2, 14)) / 20, random.dirichlet(np.ones(168), 2)
    one = np.arange(336)
    each = [np.exp(-joint_nats(_at(given, [hour, hour]), hazards, week, first_slot=0)) for hour in one]
    none = np.exp(-joint_nats(_at(given, [-1, 400]), hazards, week, first_slot=0))
    assert np.sum(each, axis=0) + none == pytest.approx([1.0, 1.0])


def _at(given, hours):
    return type(given)(**{**vars(given), "next_at": np.array(hours)})
