import numpy as np
import pandas as pd
import pytest

from churnvalue.evaluation.drift_domain import tell_apart


def frame(customers, seed, cutoff, shift=0.0):
    rng = np.random.default_rng(seed)
    index = pd.MultiIndex.from_product([[f"{i:05d}" for i in range(customers)], [pd.Timestamp(cutoff, tz="UTC")]])
    index.names = ["customer_id", "cutoff"]
    values = {"count": rng.poisson(1.0 + shift, customers), "amount": rng.lognormal(3, 1, customers)}
    return pd.DataFrame(values, index=index).assign(fixed=np.arange(customers) % 7)


@pytest.fixture(scope="module")
def then():
    return frame(2000, 1, "2024-01-01")


def test_what_has_not_moved_cannot_be_told_apart(then):
    found = tell_apart(then, frame(2000, 2, "2024-04-01"), seed=7)
    assert abs(found.auc - 0.5) < 3 * found.error
    assert found.customers == 2000


def test_rows_that_stand_in_both_frames_are_neither_learnt_by_heart(then):
    again = then.rename(index={pd.Timestamp("2024-01-01", tz="UTC"): pd.Timestamp("2024-04-01", tz="UTC")}, level=1)
    assert tell_apart(then, again, seed=7).auc == pytest.approx(0.5, abs=0.02)


def test_what_has_moved_is_told_and_named_in_any_order_of_rows(then):
    now = frame(1500, 2, "2024-04-01", shift=2.0)
    found = tell_apart(then, now, seed=7)
    assert found.auc > 0.5 + 10 * found.error
    assert found.strongest[0] == "count"
    assert tell_apart(then.sample(frac=1, random_state=1), now.sample(frac=1, random_state=2), seed=7) == found


def test_the_standard_error_is_that_of_hanley_and_mcneil(then):
    found = tell_apart(then, then, seed=7)
    # At an area of one half both conditional areas are 1/3: (1/4 + 2 (n - 1) / 12) / n² = 1 / (6 n) + 1 / (12 n²)
    assert found.error == pytest.approx(np.sqrt(1 / (6 * 2000)), rel=0.05)


def test_too_few_customers_tell_nothing(then):
    assert tell_apart(then, then[:199], seed=7) is None
    assert tell_apart(then[["count"]], then[["amount"]], seed=7) is None
