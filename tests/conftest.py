"""Small logs written as text tables and read the real way: a file, a configuration, the engine."""

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")  # read when libraries start: the other cores are busy with other tests

from collections.abc import Callable, Mapping, Sequence
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from xdist.remote import Producer
from xdist.scheduler import LoadFileScheduling

from churnvalue import clock
from churnvalue.config import EventColumns, parse_config
from churnvalue.engines.duck import DuckEngine
from churnvalue.events.log import EventLog
from churnvalue.features import expand
from churnvalue.sweep import compile_measures, sweep
from churnvalue.views import Column, evaluate, measures
from postgres_server import postgres as postgres
from small_spark import spark_ends as spark_ends

# Files that need the same expensive fixture: one worker runs them all, so that it is built once.
TOGETHER = {
    "shop": (
        "test_spark",
        "test_spark_scores",
        "test_main_job",
        "test_hard_plans",
        "test_score",
        "test_drift_job",
        "test_realised",
        "test_belongs",
        "test_later_reasons",
        "test_columns",
        "test_spoken_korean",
    ),
    "faults": ("test_faults_of_models", "test_faults_of_processes", "test_faults_of_registry", "test_hostile_log"),
}
# Files that take longest, longest first; the others are short.
LONGEST = (
    *TOGETHER["shop"],
    *TOGETHER["faults"],
    "test_next_purchase",
    "test_learning",
    "test_pipelines",
    "test_contract",
    "test_cli",
    "test_tracking",
)


class Together(LoadFileScheduling):
    """Hands each worker whole files, or files that belong together."""

    def _split_scope(self, nodeid: str) -> str:
        file = Path(super()._split_scope(nodeid)).stem
        return next((name for name, files in TOGETHER.items() if file in files), file)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> Together:
    return Together(config, log)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    place = {name: number for number, name in enumerate(LONGEST)}
    items.sort(key=lambda item: place.get(item.path.stem, len(place)))


def parse_table(text: str) -> pd.DataFrame:
    """Return the rows of an aligned text table, all as text; ``-`` is null, what follows ``#`` a remark."""
    header, *rows = [line.split("#")[0].split() for line in text.strip().splitlines()]
    for row in rows:
        assert len(row) == len(header), f"{row} does not fit {header}"
    cells = [[None if cell == "-" else cell for cell in row] for row in rows]
    return pd.DataFrame(cells, columns=header, dtype=object)


def _write(rows: pd.DataFrame, path: Path) -> None:
    if path.suffix == ".parquet":
        rows.to_parquet(path, index=False)
    else:
        rows.to_csv(path, index=False)


@pytest.fixture(scope="session")
def table() -> Callable[[str], pd.DataFrame]:
    """The parser of text tables."""
    return parse_table


@pytest.fixture(scope="session")
def log_from(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., EventLog]:
    """A function that writes rows to a file and returns the log which the engine reads from it.

    Columns named as the parts of an event play that part; a column ``kind`` is the kind. Naive times are UTC. ``source``
    overrides keys of the ``[[events]]`` entry; further keywords are sections of the configuration.
    """
    folder = tmp_path_factory.mktemp("logs")
    numbers = count()

    def read(
        rows: str | pd.DataFrame,
        *,
        as_of: str | None = None,
        ending: str = ".csv",
        source: Mapping[str, Any] | None = None,
        **sections: Any,
    ) -> EventLog:
        frame = parse_table(rows) if isinstance(rows, str) else rows
        path = folder / f"log_{next(numbers)}{ending}"
        _write(frame, path)
        events = {
            "source": path.name,
            "timezone": "UTC",
            "kind": {"column": "kind"} if "kind" in frame else "purchase",
            "columns": {name: name for name in EventColumns.model_fields if name in frame},
        }
        config = parse_config({"events": [events | dict(source or {})], **sections}, folder)
        return DuckEngine(folder).read(config, None if as_of is None else clock.micros(as_of))

    return read


@pytest.fixture(scope="session")
def events_of() -> Callable[[EventLog], pd.DataFrame]:
    """A function that spells a log out: one row an event, times as ISO text in UTC, categories as text."""

    def spell(log: EventLog) -> pd.DataFrame:
        mentioned = np.split(log.categories.codes, log.category_start[1:-1])
        return pd.DataFrame(
            {
                "customer_id": np.repeat(log.customers.to_pylist(), np.diff(log.start)),
                "event_time": [clock.moment(int(time)).strftime("%Y-%m-%dT%H:%M") for time in log.event_time],
                "known_at": [clock.moment(int(time)).strftime("%Y-%m-%dT%H:%M") for time in log.known_at],
                "kind": [log.kind.names[code] for code in log.kind.codes],
                "amount": log.amount,
                "quantity": log.quantity,
                "lines": log.lines,
                "categories": [" ".join(log.categories.names[c] for c in codes if c >= 0) for codes in mentioned],
            }
        )

    return spell


def compute(log: EventLog, columns: Mapping[str, Column], span: clock.Span, known_before: int) -> pd.DataFrame:
    """Return the values of expressions for every customer of a log, indexed by customer."""
    program = compile_measures(measures(list(columns.values())), log)
    measured = sweep(log, program, span, known_before)
    customers = log.customers.to_pylist()
    values = {name: np.broadcast_to(evaluate(c, measured), len(customers)) for name, c in columns.items()}
    return pd.DataFrame(values, index=pd.Index(customers, name="customer_id"))


@pytest.fixture(scope="session")
def values_in() -> Callable[..., pd.DataFrame]:
    """A function that computes expressions over a span of a log; all that is in the log counts as known."""

    def over(log: EventLog, columns: Mapping[str, Column], start: str | None, end: str) -> pd.DataFrame:
        span = clock.Span(clock.BEGINNING if start is None else clock.micros(start), clock.micros(end))
        return compute(log, columns, span, clock.END)

    return over


@pytest.fixture(scope="session")
def features_at() -> Callable[..., pd.DataFrame]:
    """A function that computes the features of definition entries for every customer of a log at a cutoff."""

    def at(log: EventLog, entries: Sequence[Mapping[str, Any]], cutoff: str) -> pd.DataFrame:
        time = clock.micros(cutoff)
        columns = {feature.name: feature.column() for feature in expand(entries)}
        return compute(log, columns, clock.before(time), time)

    return at
