import json

import numpy as np
import pandas as pd
import pytest

from churnvalue.timing.waits import Waits
from churnvalue.timing.weibull_aft import WeibullAFT

COLUMNS = (
    "active_days_buy", "days_since_last_buy", "days_since_first_buy", "gap_mean_buy", "amount_total_buy",
    "event_count_buy_30d", "event_count_buy_90d",
)  # fmt: skip


def waits_of(size: int, seed: int = 0, shape: float = 1.0) -> Waits:
    """Waits of scale 20 × days since the last purchase / 10, followed for 60 days; all else is constant."""
    generator = np.random.default_rng(seed)
    index = pd.MultiIndex.from_product(
        [[f"c{i:05d}" for i in range(size)], [pd.Timestamp("2024-05-01", tz="UTC")]], names=["customer_id", "cutoff"]
    )
    frame = pd.DataFrame(1.0, index=index, columns=list(COLUMNS))
    frame["gap_mean_buy"] = np.nan
    frame["days_since_last_buy"] = generator.choice([5.0, 50.0], size)
    scale = 2 * frame["days_since_last_buy"].to_numpy()
    time = scale * generator.exponential(size=size) ** (1 / shape)
    return Waits(frame, np.minimum(np.floor(time), 60.0), time < 60)


@pytest.mark.parametrize("shape", [0.6, 1.0, 1.6])
def test_recovers_shape_and_scales(shape):
    waits = waits_of(20_000, shape=shape)
    model = WeibullAFT.fit(waits, "buy")
    # Waits are known to the day, which hides how many of the shortest there are.
    assert np.exp(model.log_shape) == pytest.approx(shape, rel=0.12)
    # At its own scale a Weibull has a cumulative hazard of 1.
    for silence, scale in ((5.0, 10.0), (50.0, 100.0)):
        one = waits.frame[waits.frame["days_since_last_buy"] == silence].iloc[:1]
        assert model.cumulative_hazard(one, [scale])[0, 0] == pytest.approx(1.0, rel=0.15)


def test_hazard_rises_and_starts_at_0():
    waits = waits_of(500)
    hazard = WeibullAFT.fit(waits, "buy").cumulative_hazard(waits.frame, [0, 1, 7, 365])
    assert (hazard[:, 0] == 0).all()
    assert (np.diff(hazard, axis=1) > 0).all()


@pytest.mark.parametrize("observed", [True, False])
def test_stays_finite_where_all_or_none_come_back(observed):
    waits = waits_of(40)
    same = Waits(waits.frame, np.full(40, 3.0 if observed else 60.0), np.full(40, observed))
    assert np.isfinite(WeibullAFT.fit(same, "buy").cumulative_hazard(waits.frame, [0, 1, 60])).all()


def test_lives_as_json():
    waits = waits_of(300)
    model = WeibullAFT.fit(waits, "buy")
    assert WeibullAFT.from_parameters(json.loads(json.dumps(model.parameters()))) == model
