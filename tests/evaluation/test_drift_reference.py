import json

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from churnvalue.errors import RegistryError
from churnvalue.evaluation.drift_reference import Reference, binned, counted


def column(values):
    return pd.Series(values, name="x", dtype=float)


def test_bins_hold_their_upper_edge_and_the_first_count_is_of_the_missing():
    values = np.array([np.nan, -np.inf, 0.0, 1.0, 1.5, 2.0, 3.0, np.inf, np.nan])
    # missing: 2; x <= 1: -inf, 0, 1; 1 < x <= 2: 1.5, 2; above: 3, inf
    assert counted(values, (1.0, 2.0)).tolist() == [2, 3, 2, 2]


def test_equal_counts_where_values_differ():
    found = binned(column(np.arange(1, 601)), "x", steady=True)
    assert found.edges == (60, 120, 180, 240, 300, 360, 420, 480, 540)
    assert found.counts == (0, *[60] * 10)


def test_what_many_share_has_a_bin_of_its_own_with_one_below_it():
    found = binned(column([0.0] * 900 + [5.0] * 50 + [np.nan] * 50), "x", steady=True)
    assert found.edges == (-1e-6, 0.0)
    assert found.counts == (50, 0, 900, 50)
    assert found.missing == 0.05
    assert found.count(column([-1.0, 0.0, 7.0])).tolist() == [0, 1, 1, 1]


def test_edges_are_rounded_so_that_none_is_the_value_of_one_customer():
    found = binned(column([1234.567 + 10 * i for i in range(600)]), "x", steady=True)
    assert all(edge == float(f"{edge:.4g}") for edge in found.edges)


def test_few_customers_have_few_bins():
    assert len(binned(column(range(90)), "x", steady=True).counts) == 4  # missing and three of 30 each


def test_a_column_without_any_value():
    found = binned(column([np.nan] * 40), "x", steady=True)
    assert (found.edges, found.counts, found.missing) == ((), (40, 0), 1.0)
    assert found.count(column([1.0, np.nan])).tolist() == [1, 1]


@settings(max_examples=30, deadline=None)
@given(st.lists(st.sampled_from([0.0, 1.0, 1.0, 2.5, 1e6, -3.0, np.nan]), min_size=1, max_size=200), st.randoms())
def test_everyone_is_counted_once_in_any_order(values, random):
    found = binned(column(values), "x", steady=False)
    assert found.customers == len(values)
    assert list(found.edges) == sorted(set(found.edges))
    assert found.count(column(values)).tolist() == list(found.counts)
    shuffled = random.sample(values, len(values))
    assert binned(column(shuffled), "x", steady=False) == found


def test_the_text_of_a_reference_reads_back_and_another_format_is_refused():
    one = binned(column(range(100)), "days", steady=True)
    reference = Reference(cutoff=5, customers=100, quarantined=0.25, features=(one,), scores=(one,))
    assert Reference.read(reference.text()) == reference
    newer = json.loads(reference.text()) | {"format": 2}
    with pytest.raises(RegistryError, match="must be of format 1, but this one is of format 2"):
        Reference.read(json.dumps(newer))
