from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from churnvalue.config import parse_config
from churnvalue.engines import read_log
from churnvalue.events.log import EventLog
from churnvalue.jobs.season import Seasons

CUSTOMERS, DAYS, BUSY = 400, 900, range(270, 360)  # days of the year with three times the purchases
FIRST = pd.Timestamp("2022-01-01", tz="UTC")


@pytest.fixture(scope="module")
def log(tmp_path_factory) -> EventLog:
    """Customers who never leave and buy by the season."""
    generator = np.random.default_rng(11)
    day = np.arange(DAYS)
    rate = np.where(np.isin(day % 365, BUSY), 0.06, 0.02)
    who, when = np.nonzero(generator.random((CUSTOMERS, DAYS)) < rate)
    folder: Path = tmp_path_factory.mktemp("season")
    events = pd.DataFrame(
        {
            "customer_id": [f"c{number:03d}" for number in who],
            "event_time": FIRST + pd.to_timedelta(when, unit="D") + pd.Timedelta(hours=9),
            "amount": 10.0,
        }
    )
    events.to_parquet(folder / "events.parquet")
    config = parse_config(
        {"events": [{"source": "events.parquet", "timezone": "UTC", "columns": {"amount": "amount"}}]}, folder
    )
    return read_log(config)


@pytest.fixture
def seasons(log) -> Seasons:
    config = parse_config({"events": [{"source": "x"}]}, Path())
    return Seasons(log, config.population, config.outcome)


def at(day: int) -> pd.Timestamp:
    return FIRST + pd.Timedelta(days=day)


def test_rises_into_the_busy_season_and_falls_after_it(seasons):
    into = seasons.shift("orders", at(365 + 270), at(365 + 180))
    out = seasons.shift("orders", at(365 + 360), at(365 + 270))
    assert 0.4 < into < 1.2  # at most 0.7 of log 3; some of the season had shown before it
    assert out < -0.4
    assert seasons.shift("churn", at(365 + 270), at(365 + 180)) < 0  # busy customers leave less
    assert seasons.shift("spend", at(365 + 270), at(365 + 180)) == pytest.approx(into, abs=0.1)


def test_says_nothing_without_a_year_before(seasons):
    assert seasons.shift("orders", at(400), at(310)) == 0.0  # a year earlier lies within the first two months


def test_uses_no_outcome_that_is_still_open(log):
    config = parse_config({"events": [{"source": "x"}], "outcome": {"horizon_days": 380}}, Path())
    seasons = Seasons(log, config.population, config.outcome)
    assert seasons.shift("orders", at(635), at(545)) == 0.0
