"""Codes looked up by digest are those that a dictionary gives."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from churnvalue.engines.codes import Codes
from churnvalue.errors import SourceError

DIGESTS = st.integers(0, 2**64 - 1)


@settings(deadline=None)  # the first call compiles
@given(st.lists(DIGESTS | st.integers(0, 3), unique=True, max_size=40), st.integers(-1, 0), st.data())
def test_a_code_is_the_place_of_its_digest(known: list[int], first: int, data: st.DataObject) -> None:
    codes = Codes(np.array(known, dtype=np.uint64), first)
    asked = data.draw(st.lists(st.sampled_from(known))) if known else []
    assert codes.of(np.array(asked, dtype=np.uint64)).tolist() == [first + known.index(one) for one in asked]


@settings(deadline=None)  # the first call compiles
@given(st.lists(DIGESTS, unique=True, min_size=1, max_size=40))
def test_an_unknown_digest_is_never_taken_for_another(digests: list[int]) -> None:
    codes = Codes(np.array(digests[1:], dtype=np.uint64))
    with pytest.raises(SourceError, match="a text came that was not there before"):
        codes.of(np.array(digests, dtype=np.uint64))


def test_digests_that_fall_on_one_place_are_told_apart() -> None:
    multiples = np.arange(64, dtype=np.uint64) << np.uint64(58)  # alike in all bits but the upper six
    assert Codes(multiples).of(multiples[::-1]).tolist() == list(range(64))[::-1]
