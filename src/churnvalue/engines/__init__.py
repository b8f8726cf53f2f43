"""Engines map, check, fold and hand over events; they compute no feature."""

from contextlib import AbstractContextManager

from churnvalue.config import Config
from churnvalue.engines.duck import DuckEngine
from churnvalue.engines.limits import Whose
from churnvalue.events.log import EventLog
from churnvalue.events.stream import LogStream


def read_log(config: Config, as_of: int | None = None, whose: Whose = 1.0) -> EventLog:
    """Return the log of a configuration, read by its engine; see ``open_log``."""
    with open_log(config, as_of, whose) as stream:
        return stream.whole()


def open_log(config: Config, as_of: int | None = None, whose: Whose = 1.0) -> AbstractContextManager[LogStream]:
    """Give the log of a configuration as its engine hands it over; with ``as_of`` only what was known before it.

    ``whose``: a share of the customers, drawn by a digest of their ids and so the same on every engine and every day; or ids.
    """
    if config.engine == "spark":
        # Imported here because PySpark is an extra, which no other engine needs.
        from churnvalue.engines.spark import SparkEngine

        return SparkEngine(config).open(as_of, whose)
    return DuckEngine(config.folder).open(config, as_of, whose)


def read_columns(config: Config, source: str) -> dict[str, str]:
    """Return name and type of each column of a source, as the engine of a configuration sees it."""
    if config.engine == "spark":
        from churnvalue.engines.spark import SparkEngine

        return SparkEngine(config).columns(source)
    return DuckEngine(config.folder).columns(source)
