import pandas as pd
from hypothesis import given, settings
from hypothesis import strategies as st

from churnvalue.evaluation.folds import ForwardFold, forward_folds


def days(*numbers):
    return tuple(pd.Timestamp("2024-01-01", tz="UTC") + pd.Timedelta(days=number) for number in numbers)


def test_by_hand():
    # Outcomes of 30 days: that of day 0 has closed on day 30, not on day 29.
    first, early, late, last = days(0, 29, 30, 60)
    assert forward_folds([late, first, last, early], 30) == [
        ForwardFold((first,), late),
        ForwardFold((first, early, late), last),
    ]


def test_cutoffs_closer_than_the_horizon_make_no_fold():
    assert forward_folds(days(0, 10, 29), 30) == []
    assert forward_folds([], 30) == []


@given(st.lists(st.integers(0, 400), max_size=12, unique=True), st.integers(1, 90))
@settings(deadline=None)
def test_no_fold_learns_from_an_open_outcome_and_none_that_is_possible_is_left_out(numbers, horizon_days):
    cutoffs = days(*numbers)
    horizon = pd.Timedelta(days=horizon_days)
    folds = forward_folds(cutoffs, horizon_days)
    for fold in folds:
        assert fold.train
        assert all(cutoff + horizon <= fold.test for cutoff in fold.train)
        assert set(fold.train) == {cutoff for cutoff in cutoffs if cutoff + horizon <= fold.test}
        assert list(fold.train) == sorted(fold.train)
    tests = [fold.test for fold in folds]
    assert tests == sorted(cutoff for cutoff in cutoffs if any(other + horizon <= cutoff for other in cutoffs))
