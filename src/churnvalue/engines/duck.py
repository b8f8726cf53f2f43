"""DuckDB: the embedded engine. Reads the sources of a configuration in this process, out of core where memory ends."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import duckdb
import ibis
import pyarrow as pa

from churnvalue.config import Config
from churnvalue.engines.limits import Whose
from churnvalue.engines.preparing import prepare
from churnvalue.engines.session import Session, first_line
from churnvalue.errors import SourceError
from churnvalue.events.log import EventLog
from churnvalue.events.stream import LogStream


class DuckEngine:
    """Hands over events with DuckDB."""

    def __init__(self, folder: Path) -> None:
        """Sources with relative paths start at ``folder``."""
        self._folder = folder

    def columns(self, source: str) -> dict[str, str]:
        """Return name and type of each column of a source."""
        with Session(self._folder) as session:
            return {name: str(kind) for name, kind in session.open(source).schema().items()}

    def values(self, source: str, column: str, most: int) -> list[str]:
        """Return distinct values of a column as text, at most ``most`` of them, last first; blank ones left out."""
        with Session(self._folder) as session:
            texts = session.open(source)[column].cast("string").strip().nullif("").name("value")
            table = (
                texts.as_table().distinct().filter(lambda t: t.value.notnull()).order_by(ibis.desc("value")).limit(most)
            )
            return [str(value) for value in session.arrow(table)["value"].to_pylist()]

    def seen(self, source: str, column: str, time: str) -> tuple[int, int]:
        """Return how many values a column has, and how many pairs of a value and a day; the day is as it is written."""
        with Session(self._folder) as session:
            table = session.open(source)
            pairs = table.select(value=table[column].cast("string"), day=table[time].cast("string").substr(0, 10))
            pairs = pairs.filter(pairs.value.notnull()).distinct()
            found = session.arrow(pairs.agg(values=pairs.value.nunique(), pairs=pairs.count())).to_pylist()[0]
            return int(found["values"]), int(found["pairs"])

    def read(self, config: Config, as_of: int | None = None, whose: Whose = 1.0) -> EventLog:
        """Return the whole log of a configuration; see ``open``."""
        with self.open(config, as_of, whose) as stream:
            return stream.whole()

    @contextmanager
    def open(self, config: Config, as_of: int | None = None, whose: Whose = 1.0) -> Iterator[LogStream]:
        """Give the log of all sources of ``config``; with ``as_of`` only what had happened and was known before it.

        Args:
            config: Sources and how they are mapped.
            as_of: Microseconds UTC.
            whose: A share of the customers, or their ids.

        Raises:
            SourceError: If a source is missing, unreadable, lacks a column, or too many of its rows cannot be used.
        """
        with Session(self._folder) as session:
            with _named_errors():
                prepared = prepare(config, session, as_of, whose)
                facts = prepared.facts(*session.number_customers(prepared.ids))

            def batches() -> Iterator[pa.RecordBatch]:
                with _named_errors():
                    yield from session.coded(prepared.events, prepared.names)

            yield LogStream(facts, batches)


@contextmanager
def _named_errors() -> Iterator[None]:
    """Turn what DuckDB says into one line."""
    try:
        yield
    except (duckdb.Error, pa.ArrowException, UnicodeDecodeError) as error:
        raise SourceError(f"The sources must be readable, but: {first_line(error)}") from error
