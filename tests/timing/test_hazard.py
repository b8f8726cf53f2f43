import numpy as np
import pandas as pd
import pytest

from churnvalue.timing.hazard import HazardTrees, bin_edges, periods
from churnvalue.timing.waits import Waits


def frame_of(size: int, seed: int = 0) -> pd.DataFrame:
    generator = np.random.default_rng(seed)
    index = pd.MultiIndex.from_product(
        [[f"c{i:04d}" for i in range(size)], [pd.Timestamp("2024-05-01", tz="UTC")]], names=["customer_id", "cutoff"]
    )
    gap = np.where(generator.random(size) < 0.3, np.nan, generator.uniform(1, 40, size))
    return pd.DataFrame({"days_since_last_buy": generator.uniform(0, 90, size), "gap_mean_buy": gap}, index=index)


@pytest.mark.parametrize("horizon", [1, 2, 7, 14, 31, 60, 90, 365])
def test_edges_rise_from_0_to_the_horizon(horizon):
    edges = bin_edges(horizon)
    assert edges[0] == 0
    assert edges[-1] == horizon
    assert (np.diff(edges) > 0).all()
    assert len(edges) <= 15


def test_bins_of_about_ten():
    assert bin_edges(60) == (0, 1, 3, 7, 10, 14, 21, 30, 45, 60)


def test_periods_by_hand():
    waits = Waits(frame_of(4), np.array([0.0, 3.0, 3.0, 2.0]), np.array([True, True, False, False]))
    found = periods(waits, (0, 1, 3, 7))
    # Back at once: one bin. On day 3: all three. Followed for 3 days: two whole bins. For 2 days: one.
    assert found.rows.tolist() == [0, 1, 1, 1, 2, 2, 3]
    assert found.bins.tolist() == [0, 0, 1, 2, 0, 1, 0]
    assert found.returned.tolist() == [1, 0, 0, 1, 0, 0, 0]


def test_trees_correct_the_hazard_that_they_are_given():
    size, edges = 3000, (0, 1, 3, 7)
    frame = frame_of(size)
    generator = np.random.default_rng(1)
    often = frame["days_since_last_buy"].to_numpy() < 30
    wait = np.floor(generator.exponential(1 / np.where(often, 0.2, 0.02)))
    waits = Waits(frame, np.minimum(wait, 7), wait < 7)
    flat = np.tile(np.array([0.06, 0.12, 0.24]), (size, 1))
    trees = HazardTrees.fit(waits, flat, edges, "buy", seed=3)
    first = trees.hazard(frame, flat)[:, 0]
    assert first[often].mean() > 2.5 * first[~often].mean()
    again = HazardTrees.fit(waits, flat, edges, "buy", seed=3)
    assert again.trees == trees.trees


def test_trees_that_learnt_nothing_change_nothing_but_the_level():
    waits = Waits(frame_of(50), np.full(50, 7.0), np.zeros(50, dtype=bool))
    base = np.tile(np.array([0.1, 0.2, 0.3]), (50, 1))
    found = HazardTrees.fit(waits, base, (0, 1, 3, 7), "buy", seed=3).hazard(waits.frame, base)
    assert np.isfinite(found).all()
    assert (found > 0).all()
    assert found == pytest.approx(base)  # 50 rows are too few for a split
