"""What an executor does with its share of the events: cut between customers, code, put in order. Knows nothing of Spark."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from churnvalue.events.assembly import assemble
from churnvalue.events.handover import Facts
from churnvalue.events.log import MISSING, EventLog

EVENTS_A_CHUNK = 1_000_000  # about 200 bytes each while they are text


@dataclass(frozen=True)
class Chunk:
    """All events of some ``customers``, coded as ``events.handover`` says; ``customer`` is the place in them."""

    customers: pa.StringArray
    events: pa.Table

    def log(self, facts: Facts) -> EventLog:
        """Return the log of these customers; ``facts`` are those of the whole log."""
        return assemble(self.events.to_batches(), replace(facts, customers=self.customers))


def chunks(
    batches: Iterable[pa.RecordBatch], names: Mapping[str, Sequence[str]], events: int = EVENTS_A_CHUNK
) -> Iterator[Chunk]:
    """Give the events of a partition, sorted by ``customer_id``, in chunks of whole customers.

    A chunk holds at most ``events`` and a batch more, or all of one customer who has more than that.
    """
    closed: list[pa.RecordBatch] = []  # of customers whose last event was seen
    current: list[pa.RecordBatch] = []  # of the one who may go on
    for batch in batches:
        if not len(batch):
            continue
        ids = batch["customer_id"]
        start = _first_of_last(ids)
        if start or (current and current[-1]["customer_id"][-1].as_py() != ids[-1].as_py()):
            closed += [*current, batch.slice(0, start)]
            current = []
            if sum(map(len, closed)) >= events:
                yield _coded(closed, names)
                closed = []
        current.append(batch.slice(start))
    if closed or current:
        yield _coded([*closed, *current], names)


def _first_of_last(ids: pa.Array) -> int:
    """Return where the events of the last customer of a batch begin."""
    return len(ids) - int(pc.sum(pc.equal(ids, ids[-1])).as_py())


def _coded(batches: Sequence[pa.RecordBatch], names: Mapping[str, Sequence[str]]) -> Chunk:
    table = pa.Table.from_batches(batches).combine_chunks()
    ids = table["customer_id"].combine_chunks().cast(pa.string())
    first = np.ones(len(ids), dtype=np.bool_)
    first[1:] = pc.not_equal(ids[1:], ids[:-1]).to_numpy(zero_copy_only=False)
    columns = {"customer": pa.array(np.cumsum(first) - 1, pa.int32())}
    for name in table.column_names:
        values = table[name].combine_chunks()
        if name == "categories":
            codes = _codes(values.flatten(), names["category"], pa.int32())
            lengths = pc.fill_null(pc.list_value_length(values), 0).to_numpy(zero_copy_only=False)
            offsets = pa.array(np.concatenate(([0], np.cumsum(lengths))), pa.int32())
            columns[name] = pa.ListArray.from_arrays(offsets, codes)
        elif name in names:
            columns[name] = _codes(values, names[name], pa.int32() if name == "category" else pa.int16())
        elif name != "customer_id":
            columns[name] = values
    return Chunk(ids.filter(pa.array(first)), pa.table(columns))


def _codes(values: pa.Array, names: Sequence[str], kind: pa.DataType) -> pa.Array:
    found = pc.index_in(values.cast(pa.string()), pa.array(names, pa.string()))
    return pc.fill_null(found, MISSING).cast(kind)
