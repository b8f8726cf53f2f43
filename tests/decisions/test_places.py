import pandas as pd

from churnvalue.decisions.places import places

LOG = """
customer_id event_time
b           2024-01-01
00123       2024-01-01
a           2024-01-01
"""


def test_places_by_hand(log_from):
    log = log_from(LOG)
    assert log.customers.to_pylist() == ["00123", "a", "b"]
    asked = pd.Series(["b", "123", None, "00123", "b"], index=[9, 8, 7, 6, 5])
    assert places(log, asked).tolist() == [2, -1, -1, 0, 2]
    assert places(log, pd.concat([pd.Series(["a"]), pd.Series(["z"])])).tolist() == [1, -1]
    assert places(log, pd.Index([], dtype="str")).tolist() == []
