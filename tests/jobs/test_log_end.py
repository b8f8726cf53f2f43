"""The end of a log that a slip of the pen has moved."""

from pathlib import Path

import pandas as pd
import pytest

from churnvalue import read_log
from churnvalue.config import parse_config
from churnvalue.jobs.log_end import far_end


def told(folder: Path, days: int, *others: str, observed_until: str | None = None) -> str:
    """What is said of an event a day from 2024 on, and others."""
    times = [str(day.date()) for day in pd.date_range("2024-01-01", periods=days)]
    pd.DataFrame({"customer_id": "a", "event_time": [*times, *others]}).to_csv(folder / "log.csv", index=False)
    sources = [{"source": "log.csv", "timezone": "UTC"}]
    config = parse_config(
        {"events": sources, "observed_until": observed_until, "outcome": {"horizon_days": 30}}, folder
    )
    return far_end(read_log(config), config)


def test_one_event_far_beyond_all_others_is_told_with_what_bounds_it(tmp_path: Path) -> None:
    said = told(tmp_path, 60, "2060-03-01")
    assert said.startswith("the last event, 2060-03-01, lies 13,150 days after 99.9% of all")  # 29 February to 1 March
    assert said.endswith('observed_until = "2024-03-01"')
    assert told(tmp_path, 60, "2060-03-01", observed_until="2024-03-01") == ""


@pytest.mark.parametrize(("last", "far"), [("2024-03-30", False), ("2024-03-31", True)])  # 29 February + 30 days
def test_a_horizon_of_silence_may_be(tmp_path: Path, last: str, far: bool) -> None:
    assert bool(told(tmp_path, 60, last)) is far
