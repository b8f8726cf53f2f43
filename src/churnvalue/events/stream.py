"""A log as it comes from an engine: whole, or a range of customers at a time, so that memory stays bounded."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import replace
from tempfile import TemporaryFile
from typing import IO, TypeVar

import numpy as np
import pyarrow as pa

from churnvalue.events.account import Account
from churnvalue.events.assembly import assemble, concatenated
from churnvalue.events.handover import Batches, Facts
from churnvalue.events.log import EventLog

EVENTS_A_CHUNK = 8_000_000  # about 40 bytes each while they are put in order
_ROWS_AT_ONCE = 500_000  # to be spread over the files

Said = TypeVar("Said")


class LogStream:
    """The events of an engine with the facts of all of them; it can be gone through as often as wanted.

    ``account`` says what became of every row, once all events were seen.
    """

    def __init__(self, facts: Facts, batches: Batches) -> None:
        self.facts = facts
        self._batches = batches
        self._kept: int | None = None

    @property
    def account(self) -> Account:
        """What became of every row; before the events were gone through, repeated rows count as kept."""
        found = self.facts.account
        kept = found.kept if self._kept is None else self._kept
        return replace(found, kept=kept, duplicates=found.duplicates + found.kept - kept)

    def whole(self) -> EventLog:
        """Return the log of all customers."""
        # Where the place of every event is known, the log grows in place; else it is put together from chunks.
        events = EVENTS_A_CHUNK if self.facts.events is None else max(1, self.facts.rows)
        return replace(concatenated(self.chunks(events)), account=self.account)

    def chunks(self, events: int = EVENTS_A_CHUNK) -> Iterator[EventLog]:
        """Give logs of ranges of customers, in the order of their ids, of about ``events`` each.

        Where there is more than one, rows wait on disk until their range is due. Codes mean the same in all of them, and
        ``observed_until`` is that of the whole log.
        """
        customers, kept = len(self.facts.customers), 0
        many = max(1, min(customers, -(-self.facts.rows // events)))
        with ExitStack() as stack:
            for first, end, batches in self._ranges(-(-customers // many), stack):
                log = assemble(batches, self.facts, first, end)
                kept += int(log.lines.sum())
                yield log
        self._kept = kept

    def each(self, function: Callable[[EventLog], Said]) -> Iterator[Said]:
        """Give what a function says of each chunk, in their order; an engine may take the function to the events instead."""
        yield from map(function, self.chunks())

    def _ranges(self, width: int, stack: ExitStack) -> Iterator[tuple[int, int, Iterable[pa.RecordBatch]]]:
        """Give the rows of each range of ``width`` customers; the last one may have fewer."""
        customers = len(self.facts.customers)
        if width >= customers:
            yield 0, customers, self._batches()
            return
        starts = range(0, customers, width)
        # Files without a name: nothing of them is left behind, however this process ends.
        files = [stack.enter_context(TemporaryFile()) for _ in starts]  # noqa: SIM115 – the stack closes them
        _spread(self._batches(), width, files)
        for first, file in zip(starts, files, strict=True):
            file.seek(0)
            with pa.ipc.open_stream(file) as reader:
                yield first, min(first + width, customers), reader
            file.close()


def _spread(batches: Iterator[pa.RecordBatch], width: int, files: Sequence[IO[bytes]]) -> None:
    """Write each row to the file of its range of ``width`` customers."""
    with ExitStack() as stack:
        writers: list[pa.RecordBatchStreamWriter] = []
        for events in _gathered(batches):
            writers = writers or [stack.enter_context(pa.ipc.new_stream(file, events.schema)) for file in files]
            place = events["customer"].to_numpy() // width
            # Numbers of one byte are sorted by counting.
            rows = np.argsort(place.astype(np.uint8 if len(files) < 256 else np.uint16), kind="stable")
            in_order = events.take(pa.array(rows)).combine_chunks()
            bounds = np.concatenate(([0], np.cumsum(np.bincount(place, minlength=len(files)))))
            for writer, start, end in zip(writers, bounds[:-1], bounds[1:], strict=True):
                if end > start:
                    writer.write_table(in_order.slice(start, end - start))


def _gathered(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.Table]:
    """Give batches together, so that what goes to each of many files is not too little to be worth a write."""
    held: list[pa.RecordBatch] = []
    rows = 0
    for batch in batches:
        held.append(batch)
        rows += len(batch)
        if rows >= _ROWS_AT_ONCE:
            yield pa.Table.from_batches(held).combine_chunks()
            held, rows = [], 0
    if held:
        yield pa.Table.from_batches(held).combine_chunks()
