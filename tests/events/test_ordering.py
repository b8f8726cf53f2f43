"""Places: whatever the order and the pieces in which events come, they lie as a plain sort would lay them."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from churnvalue.errors import SourceError
from churnvalue.events.ordering import Ordered, Places

ALL = frozenset({0})


def rows(seed: int, many: int, customers: int, times: int) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    return {
        "customer": rng.integers(0, customers, many).astype(np.int32),
        "event_time": rng.integers(0, times, many),
        "kind": rng.integers(0, 3, many).astype(np.int16),
        "amount": np.where(rng.random(many) < 0.3, np.nan, rng.normal(size=many).round(1)),
        "days_only": rng.random(many) < 0.5,
    }


def placed(
    columns: dict[str, np.ndarray], customers: int, piece: int, repeated: frozenset[int] = frozenset()
) -> Ordered:
    places = Places(np.bincount(columns["customer"], minlength=customers))
    for first in range(0, len(columns["customer"]), piece):
        places.put({name: values[first : first + piece] for name, values in columns.items()})
    return places.ordered(repeated)


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 10_000), many=st.integers(1, 300), customers=st.integers(1, 5), piece=st.integers(1, 60))
def test_events_lie_as_a_sort_by_every_column_lays_them(seed: int, many: int, customers: int, piece: int) -> None:
    columns = rows(seed, many, customers, times=100)  # some customers have more events than are sorted by insertion
    by = ["customer", "event_time", *sorted(columns.keys() - {"customer", "event_time"})]
    expected = np.lexsort([columns[name] for name in reversed(by)])
    found = placed(columns, customers, piece)
    for name, values in found.columns.items():
        np.testing.assert_array_equal(values, columns[name][expected], err_msg=name)
        assert values.dtype == columns[name].dtype
    np.testing.assert_array_equal(np.diff(found.start), np.bincount(columns["customer"], minlength=customers))


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 10_000), many=st.integers(1, 200))
def test_what_repeats_in_every_column_is_left_out_of_repeated_sources_alone(seed: int, many: int) -> None:
    columns = rows(seed, many, customers=2, times=4) | {"source": np.random.default_rng(seed).integers(0, 2, many)}
    found = placed(columns, 2, 50, repeated=frozenset({1}))
    table = list(zip(*(np.nan_to_num(values, nan=-9.0).tolist() for values in columns.values()), strict=True))
    own = [row for row in table if row[-1] == 0]
    assert found.start[-1] == len(own) + len({row for row in table if row[-1] == 1})
    assert np.sum(found.columns["source"] == 0) == len(own)


def test_the_place_of_a_list_says_nothing_of_order_or_sameness() -> None:
    columns = {"customer": np.zeros(3, np.int32), "event_time": np.zeros(3, np.int64), "mention": np.array([2, 0, 1])}
    places = Places(np.array([3]))
    places.put(columns)
    assert len(places.ordered(ALL, "mention").columns["mention"]) == 1


def test_an_event_too_many_is_refused() -> None:
    with pytest.raises(SourceError, match="must not change while they are read"):
        Places(np.array([2, 0]), first=7).put({"customer": np.array([7, 8], np.int32), "event_time": np.array([1, 2])})


def test_an_event_too_few_is_refused() -> None:
    places = Places(np.array([1, 2]), first=7)
    places.put({"customer": np.array([7, 8], np.int32), "event_time": np.array([1, 2])})
    with pytest.raises(SourceError, match="must not change while they are read"):
        places.ordered(ALL)
