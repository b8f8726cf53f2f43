"""What a customer does from the cutoff to the horizon."""

from collections.abc import Callable
from typing import Any

import pytest

from churnvalue import targets
from churnvalue.events.log import EventLog
from churnvalue.views import Future

LOG = """
customer_id event_time        kind     amount
ann         2011-04-10T23:59  purchase 999      # before the cutoff
ann         2011-04-11T00:00  purchase 10       # at it: the first instant of the horizon
ann         2011-04-20T23:59  purchase 20
ann         2011-04-21T00:00  purchase 999      # at its end: outside
bob         2011-04-12T12:00  visit    -        # no purchase
bob         2011-04-12T12:00  return   -5
cyd         2011-04-12T12:00  purchase -        # of unknown worth
dan         2011-04-01T12:00  purchase 5        # gone
eve         2011-04-12T12:00  purchase 30
eve         2011-04-12T12:00  purchase 40
"""


@pytest.mark.parametrize(
    ("name", "kind", "expected"),
    [
        ("churned", "purchase", [0.0, 1.0, 0.0, 1.0, 0.0]),
        ("orders", "purchase", [2.0, 0.0, 1.0, 0.0, 2.0]),
        ("spend", "purchase", [30.0, 0.0, 0.0, 0.0, 70.0]),  # 10 + 20; 30 + 40
        ("churned", "visit", [1.0, 0.0, 1.0, 1.0, 1.0]),
        ("spend", "return", [0.0, 0.0, 0.0, 0.0, 0.0]),  # never below 0
        ("churned", "never_seen", [1.0, 1.0, 1.0, 1.0, 1.0]),
    ],
)
def test_targets(
    name: str, kind: str, expected: list[float], log_from: Callable[..., EventLog], values_in: Any
) -> None:
    column = getattr(targets, name)(Future(), kind)
    values = values_in(log_from(LOG), {name: column}, "2011-04-11", "2011-04-21")
    assert values.index.tolist() == ["ann", "bob", "cyd", "dan", "eve"]
    assert values[name].tolist() == expected


def test_every_target_is_a_function_of_a_future() -> None:
    assert all(callable(getattr(targets, name)) for name in targets.NAMES)
