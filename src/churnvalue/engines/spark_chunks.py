"""What an executor does with its share of the events: spread them over chunks, put a chunk together. Knows nothing of Spark.

Events move as blocks: those of one chunk that a task came upon, coded, as one stream of Arrow. So a shuffle handles a few thousand
values instead of every event, and nobody sorts text.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numba
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from churnvalue.events.assembly import assemble
from churnvalue.events.handover import Facts
from churnvalue.events.log import MISSING, EventLog

EVENTS_A_CHUNK = 1_000_000  # about 200 bytes each while they are text
_SPREAD_AT_ONCE = 250_000  # events: blocks of more than half a megabyte are a burden to Java's collector of garbage


@dataclass(frozen=True)
class Chunk:
    """All events of some ``customers``, coded as ``events.handover`` says; ``customer`` is the place in them."""

    customers: pa.StringArray
    events: pa.Table

    def log(self, facts: Facts) -> EventLog:
        """Return the log of these customers; ``facts`` are those of the whole log."""
        return assemble(self.events.to_batches(), replace(facts, customers=self.customers))


def blocks(
    batches: Iterable[pa.RecordBatch], names: Mapping[str, Sequence[str]], chunks: int, events: int = _SPREAD_AT_ONCE
) -> Iterator[pa.RecordBatch]:
    """Give rows of ``chunk`` and ``block`` that hold the events of batches, in any order.

    Where they have no number of their ``chunk``, one of so many ``chunks`` is drawn by a digest of the customer. At least
    ``events``, if there are as many, are spread together.
    """
    held: list[pa.RecordBatch] = []
    for batch in batches:
        held.append(batch)
        if sum(map(len, held)) >= events:
            yield _spread(held, names, chunks)
            held = []
    if sum(map(len, held)):
        yield _spread(held, names, chunks)


def joined(batches: Iterable[pa.RecordBatch]) -> Chunk | None:
    """Return the chunk of which batches hold all blocks, in any order; None if there is none."""
    parts = [pa.ipc.open_stream(block.as_buffer()).read_all() for batch in batches for block in batch["block"]]
    if not parts:
        return None
    table = pa.concat_tables(parts).combine_chunks()
    ids = table["customer_id"].chunk(0).dictionary_encode()
    order = pc.sort_indices(ids.dictionary)
    place = np.empty(len(order), dtype=np.int32)
    place[order.to_numpy()] = np.arange(len(order), dtype=np.int32)
    return Chunk(ids.dictionary.take(order), table.set_column(0, "customer", pa.array(place[ids.indices.to_numpy()])))


def _spread(batches: Sequence[pa.RecordBatch], names: Mapping[str, Sequence[str]], chunks: int) -> pa.RecordBatch:
    table = pa.Table.from_batches(batches).combine_chunks()
    if "chunk" in table.column_names:
        chunk = table["chunk"].to_numpy()
        table = table.drop_columns("chunk")
    else:
        chunk = _drawn(table["customer_id"].chunk(0).cast(pa.string()), chunks)
    # Numbers of one or two bytes are sorted by counting.
    order = np.argsort(chunk.astype(np.min_scalar_type(chunk.max())), kind="stable")
    events = _coded(table, names).take(pa.array(order)).combine_chunks()
    end = np.cumsum(np.bincount(chunk))
    found = np.flatnonzero(np.diff(end, prepend=0))
    parts = [_bytes(events.slice(a, b - a)) for a, b in zip([0, *end[found[:-1]]], end[found], strict=True)]
    return pa.record_batch({"chunk": pa.array(found, pa.int32()), "block": pa.array(parts, pa.binary())})


def _drawn(ids: pa.StringArray, chunks: int) -> npt.NDArray[np.int32]:
    """Return the chunk of each customer: the same one wherever and whenever its events are read."""
    _, bounds, characters = ids.buffers()
    drawn = np.empty(len(ids), dtype=np.int32)
    offsets = np.frombuffer(bounds, dtype=np.int32, count=len(ids) + 1, offset=4 * ids.offset)
    _draw(offsets, np.frombuffer(characters, dtype=np.uint8), chunks, drawn)
    return drawn


@numba.njit(cache=True, nogil=True)
def _draw(offsets, characters, chunks, drawn):  # type: ignore[no-untyped-def]
    """Draw by the digest FNV-1a of 64 bits (RFC 9923)."""
    for i in range(len(drawn)):
        digest = np.uint64(14695981039346656037)
        for k in range(offsets[i], offsets[i + 1]):
            digest = (digest ^ np.uint64(characters[k])) * np.uint64(1099511628211)
        drawn[i] = (digest ^ (digest >> np.uint64(32))) % np.uint64(chunks)


def _bytes(events: pa.Table) -> bytes:
    sink = pa.BufferOutputStream()
    # Spark handles every byte several times: half as many are worth more than their compression costs.
    options = pa.ipc.IpcWriteOptions(compression="lz4", use_threads=False)
    with pa.ipc.new_stream(sink, events.schema, options=options) as writer:
        writer.write_table(events)
    return bytes(sink.getvalue())


def _coded(table: pa.Table, names: Mapping[str, Sequence[str]]) -> pa.Table:
    """Return events with codes in place of text; ``customer_id`` comes first and stays text."""
    columns = {"customer_id": table["customer_id"].cast(pa.string())}
    for name in table.column_names:
        values = table[name].chunk(0)
        if name == "categories":
            codes = _codes(values.flatten(), names["category"], pa.int32())
            lengths = pc.fill_null(pc.list_value_length(values), 0).to_numpy(zero_copy_only=False)
            offsets = pa.array(np.concatenate(([0], np.cumsum(lengths))), pa.int32())
            columns[name] = pa.ListArray.from_arrays(offsets, codes)
        elif name in names:
            columns[name] = _codes(values, names[name], pa.int32() if name == "category" else pa.int16())
        elif name != "customer_id":
            columns[name] = values
    return pa.table(columns)


def _codes(values: pa.Array, names: Sequence[str], kind: pa.DataType) -> pa.Array:
    found = pc.index_in(values.cast(pa.string()), pa.array(names, pa.string()))
    return pc.fill_null(found, MISSING).cast(kind)
