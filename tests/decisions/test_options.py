import numpy as np
import pandas as pd
import pytest

from churnvalue.config import Action, Retention, ServiceLevel
from churnvalue.decisions.candidates import Known, candidates
from churnvalue.decisions.options import options

CALL = Action(id="call", contact_cost=4.0, save_rate=(6.0, 14.0))
DEAR = Action(id="dear", contact_cost=900.0)
BETTER = ServiceLevel(id="better", tiers=("steady",), cost_factor=2.0, save_rate=(10.0, 10.0))
NEVER = ServiceLevel(id="never", tiers=("elite",), cost_factor=2.0, save_rate=(10.0, 10.0))


def customers(cost_to_serve, actions=(CALL, DEAR), levels=(NEVER, BETTER)):
    table = pd.DataFrame({"customer_id": ["a", "b"], "p_churn": 0.5, "clv": [70.0, -1.0], "tier": "steady"})
    table = table.assign(cutoff=pd.Timestamp("2024-01-01", tz="UTC"), cost_to_serve=cost_to_serve)
    return candidates(table, Retention(actions=actions, service_levels=levels), Known())


def test_pairs_that_somebody_may_have_by_hand():
    found = options(customers(10.0), np.array([False, False]))
    # Of V = 140 a call keeps .5 · .3, the level half: 21 - 4; 35 - 10; both: 35 - 10 + 10.5 - 4.
    assert list(zip(found.level.tolist(), found.action.tolist(), strict=True)) == [(-1, 0), (1, -1), (1, 0)]
    assert found.profit[0] == pytest.approx([17.0, 25.0, 31.5])
    assert found.cost[0].tolist() == [4.0, 10.0, 14.0]
    assert found.profit[1] == pytest.approx([-np.inf, 0.25 * -2.0 - 10.0, -np.inf])
    assert found.uses.tolist() == [[1, 0, 0, 0], [0, 0, 0, 1], [1, 0, 0, 1]]


def test_those_apart_have_no_action_and_come_once_more_with_all():
    together, apart = (options(customers(10.0), np.array([one, False])) for one in (False, True))
    assert apart.profit[0].tolist() == [-np.inf, together.profit[0, 1], -np.inf]
    assert apart.profit[1:].tolist() == [*together.profit[1:].tolist(), together.profit[0].tolist()]
    assert apart.cost.tolist() == [*together.cost.tolist(), together.cost[0].tolist()]


def test_nobody_may_have_anything():
    assert options(customers(np.nan, actions=(DEAR,)), np.array([True, False])).profit.shape == (3, 0)
