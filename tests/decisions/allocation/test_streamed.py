import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from churnvalue.decisions.allocation import Limits, allocate_within
from churnvalue.decisions.allocation.streamed import OptionColumns, allocate_streamed
from churnvalue.errors import DefinitionError

COLUMNS = OptionColumns(("profit_a", "profit_b"), ("cost_a", "cost_b"), "key", "charged")


def customers(number, decimals):
    random = np.random.default_rng(7)
    cost = random.choice([1.0, 2.5, 40.0], (number, 2))
    profit = np.round(random.lognormal(1, 1, (number, 2)) * cost**0.8 - cost, decimals)
    profit[random.random((number, 2)) < 0.2] = -np.inf
    return profit, cost, random.permutation(number).astype(np.uint64), random.random(number) < 0.9


def kept(folder, profit, cost, key, charged):
    parts = {"key": key, "charged": charged}
    for option, name in enumerate("ab"):
        parts[f"profit_{name}"] = pa.array(profit[:, option], mask=np.isinf(profit[:, option]))
        parts[f"cost_{name}"] = cost[:, option]
    pq.write_table(pa.table(parts), folder / "customers.parquet")
    return lambda: pq.ParquetFile(folder / "customers.parquet").iter_batches(batch_size=777)


# Money rounded to a unit makes most customers equals of many others.
@pytest.mark.parametrize(("number", "decimals"), [(500, 6), (500, 0), (30_000, 6), (30_000, 0)])
def test_the_same_as_in_memory(tmp_path, number, decimals):
    profit, cost, key, charged = customers(number, decimals)
    read = kept(tmp_path, profit, cost, key, charged)
    for budget in (0.0, 30.0, number * 0.7, number * 50.0):
        whole = allocate_within(profit, cost, Limits(budget), key, charged)
        streamed = allocate_streamed(read, COLUMNS, budget)
        batches = list(streamed.batches())
        assert [batch.num_rows for batch in batches] == [batch.num_rows for batch in read()]
        assert pa.Table.from_batches(batches)["choice"].to_pylist() == whole.choice.tolist()
        assert (streamed.price, streamed.cost, streamed.profit) == (whole.price, whole.cost, whole.profit)
        assert streamed.bound == whole.bound
        assert streamed.curve.equals(whole.curve)


def test_nobody():
    streamed = allocate_streamed(lambda: [], OptionColumns(("p",), ("c",), "key"), 5.0)
    assert (list(streamed.batches()), streamed.profit) == ([], 0.0)


def test_what_is_read_must_be_the_same_again():
    batch = pa.record_batch({"p": [1.0, 2.0], "c": [1.0, 1.0], "key": [1, 2]})
    columns, readings = OptionColumns(("p",), ("c",), "key"), iter([[batch], [batch, batch], [batch]])
    with pytest.raises(DefinitionError, match="1 came first with 2 rows, then others"):
        allocate_streamed(lambda: next(readings), columns, 5.0)
    with pytest.raises(DefinitionError, match="budget must be finite"):
        allocate_streamed(lambda: [batch], columns, -1.0)
    with pytest.raises(DefinitionError, match="1 and 2 came"):
        allocate_streamed(lambda: [batch], OptionColumns(("p",), ("c", "c"), "key"), 1.0)
