"""Spark: the engine beyond one machine. Events are shuffled by customer once; what is said of each is said by the executors.

A partition after the shuffle is a chunk of customers.

The same mapping, the same order of events, the same sweep and models as on one machine, so that the numbers are the same.
"""

import pickle
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from churnvalue.config import Config
from churnvalue.engines.limits import Whose
from churnvalue.engines.preparing import prepare
from churnvalue.engines.spark_chunks import EVENTS_A_CHUNK, Chunk, blocks, joined
from churnvalue.engines.spark_session import SparkSources, said
from churnvalue.errors import SourceError
from churnvalue.events.handover import Facts
from churnvalue.events.log import EventLog
from churnvalue.events.stream import LogStream

Said = TypeVar("Said")


class SparkEngine:
    """Hands over events with Spark, or goes to them with what is asked of them."""

    def __init__(self, config: Config) -> None:
        self._config = config

    def _session(self) -> SparkSources:
        return SparkSources(self._config.folder, self._config.spark)

    def columns(self, source: str) -> dict[str, str]:
        """Return name and type of each column of a source."""
        session = self._session()
        with _named_errors():
            table = session.open(source)
        return {name: str(kind) for name, kind in table.schema().items()}

    @contextmanager
    def open(self, as_of: int | None = None, whose: Whose = 1.0) -> Iterator["SparkStream"]:
        """Give the log of the configuration; with ``as_of`` only what had happened and was known before it.

        ``whose``: a share of the customers, drawn by a digest of their ids; or ids.

        Raises:
            SourceError: If a source is missing, unreadable, lacks a column, or too many of its rows cannot be used.
        """
        session = self._session()
        with _named_errors():
            prepared = prepare(self._config, session, as_of, whose)
            ids = session.arrow(prepared.ids.distinct())["customer_id"].combine_chunks().cast(pa.string())
            facts = prepared.facts(ids.take(pc.sort_indices(ids)))
            many = _many(facts, session.partitions)
            stream = SparkStream(facts, _ranges(session.frame(prepared.events), facts.customers, many), many)
        yield stream

    @contextmanager
    def tables(self, as_of: int | None = None) -> Iterator["SparkTables"]:
        """Give the executors' side of the log alone, for what never comes to the driver; see ``open``."""
        session = self._session()
        with _named_errors():
            prepared = prepare(self._config, session, as_of)
            facts = prepared.facts(pa.array([], pa.string()))
            many = _many(facts, session.partitions)
            tables = SparkTables(facts, session.frame(prepared.events), many)
        yield tables


class SparkTables:
    """Events on the executors, chunk by chunk. ``facts`` name no customers."""

    def __init__(self, facts: Facts, events: Any, chunks: int) -> None:
        """Take events of so many ``chunks``, with the number of their ``chunk`` or to be drawn into them by customer."""
        self.facts = facts
        spread = events.mapInArrow(_Blocks(facts.names, chunks), "chunk int, block binary")
        self._chunks = spread.repartitionById(chunks, "chunk")

    def write(self, function: Callable[[EventLog], pa.Table], schema: pa.Schema, folder: str) -> None:
        """Write the tables that a function returns for the logs of chunks to a folder of Parquet, by the executors."""
        from pyspark.sql.pandas.types import from_arrow_schema

        with _named_errors():
            rows = self._chunks.mapInArrow(_Work(self.facts, _Tables(function, schema)), from_arrow_schema(schema))
            rows.write.mode("overwrite").parquet(folder)

    def each(self, function: Callable[[EventLog], Said]) -> list[Said]:
        """Return what a function says of the log of each chunk, in their order."""
        with _named_errors():
            return [pickle.loads(row["answer"]) for row in self.answers(_OfLog(function)).collect()]

    def shared_folder(self, folder: str) -> Path | None:
        """Return the path of what Spark takes for a folder; None if it is of a store that only Spark writes to."""
        context = self._chunks.sparkSession.sparkContext
        path = context._jvm.org.apache.hadoop.fs.Path(folder)
        with _named_errors():
            system = path.getFileSystem(context._jsc.hadoopConfiguration())
            return Path(system.makeQualified(path).toUri().getPath()) if system.getScheme() == "file" else None

    def answers(self, function: Callable[[Chunk, Facts], Said]) -> Any:
        """Return a DataFrame with what a function returns for each chunk, pickled, in a column ``answer``."""
        return self._chunks.mapInArrow(_Work(self.facts, _Pickled(function)), "answer binary")


class SparkStream(LogStream):
    """The events of Spark as every engine hands them over, and a way to ask the executors instead."""

    def __init__(self, facts: Facts, events: Any, chunks: int) -> None:
        super().__init__(facts, self._to_driver)
        self._tables = SparkTables(replace(facts, customers=facts.customers[:0]), events, chunks)

    def each(self, function: Callable[[EventLog], Said]) -> Iterator[Said]:
        """Give what a function says of the log of each chunk, in the order of customers; it goes to the executors."""
        kept = 0
        for seen, answer in self._tables.each(_Told(function)):
            kept += seen
            yield answer
        self._kept = kept

    def _to_driver(self) -> Iterator[pa.RecordBatch]:
        """Give the events a partition at a time, coded by the executors."""
        place = pd.Index(self.facts.customers.to_pandas())
        with _named_errors():
            for row in self._tables.answers(_untold).toLocalIterator():
                chunk: Chunk = pickle.loads(row["answer"])
                customers = place.get_indexer(chunk.customers.to_pandas()).astype(np.int32)
                own = pa.array(customers[chunk.events["customer"].to_numpy()])
                yield from chunk.events.set_column(0, "customer", own).to_batches()


def _many(facts: Facts, partitions: int) -> int:
    """Return how many chunks there are: one in each partition of the shuffle, more where they would be too large."""
    return max(partitions, -(-facts.rows // EVENTS_A_CHUNK))


def _ranges(events: Any, customers: pa.StringArray, chunks: int) -> Any:
    """Return events with the number of their ``chunk``: a range of customers, in the order of their ids."""
    from pyspark.sql import functions as F  # noqa: N812 – as Spark's own documents do

    places = np.linspace(0, len(customers), chunks + 1).astype(np.int64)[1:-1]
    edges = sorted(set(customers.take(pa.array(places)).to_pylist()))

    def among(first: int, end: int) -> Any:
        """Return how many edges a customer is not before, of whom that is ``first`` to ``end``."""
        if first == end:
            return F.lit(first)
        middle = (first + end) // 2
        return F.when(F.col("customer_id") < edges[middle], among(first, middle)).otherwise(among(middle + 1, end))

    return events.withColumn("chunk", among(0, len(edges)))


@dataclass(frozen=True)
class _Blocks:
    """What a task does with the events that it reads."""

    names: Mapping[str, Sequence[str]]
    chunks: int

    def __call__(self, batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        return blocks(batches, self.names, self.chunks)


@dataclass(frozen=True)
class _Work:
    """What a task does with the blocks of its chunk."""

    facts: Facts
    answer: Callable[[Chunk, Facts], pa.RecordBatch]

    def __call__(self, batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        chunk = joined(batches)
        if chunk is not None:
            yield self.answer(chunk, self.facts)


@dataclass(frozen=True)
class _Pickled:
    function: Callable[[Chunk, Facts], Any]

    def __call__(self, chunk: Chunk, facts: Facts) -> pa.RecordBatch:
        answer = pickle.dumps(self.function(chunk, facts), protocol=pickle.HIGHEST_PROTOCOL)
        return pa.record_batch({"answer": pa.array([answer], pa.binary())})


@dataclass(frozen=True)
class _Tables:
    function: Callable[[EventLog], pa.Table]
    schema: pa.Schema

    def __call__(self, chunk: Chunk, facts: Facts) -> pa.RecordBatch:
        table = self.function(chunk.log(facts)).cast(self.schema).combine_chunks()
        return next(iter(table.to_batches()), pa.RecordBatch.from_pylist([], self.schema))


@dataclass(frozen=True)
class _OfLog:
    function: Callable[[EventLog], Any]

    def __call__(self, chunk: Chunk, facts: Facts) -> Any:
        return self.function(chunk.log(facts))


@dataclass(frozen=True)
class _Told:
    """How many rows of a log are no repeated delivery, and what a function says of it."""

    function: Callable[[EventLog], Any]

    def __call__(self, log: EventLog) -> tuple[int, Any]:
        return int(log.lines.sum()), self.function(log)


def _untold(chunk: Chunk, facts: Facts) -> Chunk:  # noqa: ARG001 – facts stay on the driver
    return chunk


@contextmanager
def _named_errors() -> Iterator[None]:
    """Turn what Spark says into one line."""
    from py4j.protocol import Py4JError
    from pyspark.errors import PySparkException

    try:
        yield
    except (PySparkException, Py4JError, pa.ArrowException) as error:
        raise SourceError(f"The sources must be readable, but: {said(error)}") from error
