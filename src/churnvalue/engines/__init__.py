"""Engines map, check, fold and sort events and hand them over as Arrow; they compute no feature."""

from churnvalue.config import Config
from churnvalue.engines.duck import DuckEngine
from churnvalue.events.log import EventLog


def read_log(config: Config, as_of: int | None = None) -> EventLog:
    """Return the log of a configuration, read by its engine; with ``as_of`` only what was known before it."""
    return DuckEngine(config.folder).read(config, as_of)
