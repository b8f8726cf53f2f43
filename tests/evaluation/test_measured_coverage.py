"""A small run of the benchmark: intervals of measured plans hold the truth about as often as they say."""

import pytest
from benchmarks.retention_measurement import Scenario, coverage, on_coverage, on_size


@pytest.fixture(scope="module")
def covered():
    return coverage(Scenario(250, 0.2), range(40))


@pytest.mark.parametrize("name", ["stay", "kept", "profit", "optimism ratio", "plan against none, dr"])
def test_about_95_percent_of_intervals_hold_the_truth(covered, name):
    share, count, error, se = covered[name]
    assert count >= 38
    assert 0.82 <= share <= 1.0
    assert abs(error) < 0.7 * se  # no bias that 40 plans would show


def test_results_are_rows_of_the_benchmark():
    rows = [*on_size(), *on_coverage(range(2), [Scenario(120, 0.2)])]
    assert {row.rival_name for row in rows} == {"published", "allowed"}
    assert all(row.ours == row.rival for row in rows if row.rival_name == "published")
    assert all(row.versions and row.better == "lower" for row in rows)
