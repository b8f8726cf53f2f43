import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from churnvalue.effects.encoding import Encoder

TABLE = pd.DataFrame({"a": [1.0, 2.0, np.nan, 3.0], "same": 7.0, "none": np.nan})


def test_gaps_get_the_median_and_a_column_of_their_own():
    made = Encoder().fit(TABLE).transform(TABLE)
    assert made.shape == (4, 2)  # a, where a is missing; what does not vary is left out
    assert made[2, 0] == pytest.approx(0.0)  # the median 2 is also the mean
    assert made[:, 1] == pytest.approx(np.array([-1, -1, 3, -1]) / np.sqrt(3))


def test_heavy_tails_are_cut_and_straightened():
    money = np.random.default_rng(0).lognormal(3, 1.5, 5000)
    money[0] = 1e12
    table = pd.DataFrame({"money": money, "even": np.arange(5000.0)})
    encoder = Encoder().fit(table)
    assert encoder.log_.tolist() == [True, False]
    assert np.abs(encoder.transform(table)).max() < 4
    new = encoder.transform(pd.DataFrame({"money": [1e30, 0.0], "even": [np.inf, np.nan]}))
    assert np.isfinite(new).all()


def test_a_rare_flag_is_kept():
    flag = pd.DataFrame({"flag": (np.arange(1000) == 5) * 1.0})
    assert Encoder().fit(flag).transform(flag).shape == (1000, 1)


@given(st.lists(st.one_of(st.none(), st.integers(-5, 5)), min_size=1, max_size=12))
@settings(max_examples=40, deadline=None)
def test_what_comes_out_is_finite_and_standard(values):
    table = pd.DataFrame({"v": np.array(values, dtype=np.float64)})
    made = Encoder().fit(table).transform(table)
    assert np.isfinite(made).all()
    assert made.mean(axis=0) == pytest.approx(np.zeros(made.shape[1]), abs=1e-9)
    assert made.std(axis=0) == pytest.approx(np.ones(made.shape[1]))
