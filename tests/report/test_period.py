import pytest

from churnvalue.report.period import last_period


def test_the_last_period_is_compared_only_if_it_is_as_long_as_the_horizon():
    told = {"from": "2011-03-01", "to": "2011-05-30", "days": 90, "customers": 7, "spend": 50.0}
    found = last_period(told, 40.0, 90)
    assert (found.begin, found.end, found.customers, found.spend) == ("2011-03-01", "2011-05-30", 7.0, 50.0)
    assert found.change == pytest.approx(-0.2)  # 40 against 50
    assert last_period(told, 40.0, 30) is None
    assert last_period(told | {"spend": 0.0}, 40.0, 90) is None
    assert last_period(None, 40.0, 90) is None
