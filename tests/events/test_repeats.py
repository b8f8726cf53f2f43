"""Events with ids: each once, as it was last known."""

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from churnvalue import clock, read_log
from churnvalue.config import parse_config
from churnvalue.errors import ConfigError, SourceError
from churnvalue.events.log import EventLog

HEADER = "id,customer_id,event_time,known,amount,order\n"
COLUMNS = {"event_id": "id", "known_at": "known", "amount": "amount"}
# A sale of 5 on 1 January, said to be one of 7 on 1 February, and to be b's on 1 March.
CORRECTED = [
    "1,a,2024-01-01T10:00,2024-01-01T10:00,5,o",
    "1,a,2024-01-01T10:00,2024-02-01T10:00,7,o",
    "1,b,2024-01-01T10:00,2024-03-01T10:00,7,o",
    "2,a,2024-01-02T10:00,2024-01-02T10:00,1,p",
]


def read(folder: Path, rows: list[str], as_of: str | None = None, **source: Any) -> EventLog:
    """The log of some rows."""
    (folder / "log.csv").write_text(HEADER + "".join(f"{row}\n" for row in rows), encoding="utf-8")
    entry = {"source": "log.csv", "timezone": "UTC", "columns": COLUMNS, **source}
    return read_log(parse_config({"events": [entry]}, folder), None if as_of is None else clock.micros(as_of))


def sales(log: EventLog) -> list[tuple[str, float]]:
    """Customer and amount of each event."""
    ids = [log.customers[i].as_py() for i in range(len(log.customers)) for _ in range(log.start[i + 1] - log.start[i])]
    return list(zip(ids, log.amount.tolist(), strict=True))


@pytest.mark.parametrize(
    ("as_of", "expected", "duplicates"),
    [
        ("2024-01-15", [("a", 5.0), ("a", 1.0)], 0),
        ("2024-02-15", [("a", 7.0), ("a", 1.0)], 1),
        (None, [("a", 1.0), ("b", 7.0)], 2),
    ],
)
@pytest.mark.parametrize("order", [{}, {"order_id": "order"}])
def test_the_row_known_last_counts_as_of_any_date(
    tmp_path: Path, as_of: str | None, expected: list[tuple[str, float]], duplicates: int, order: dict[str, str]
) -> None:
    log = read(tmp_path, CORRECTED, as_of, repeated="latest", columns=COLUMNS | order)
    assert sales(log) == expected
    assert log.account.duplicates == duplicates
    assert log.account.read == log.account.kept + duplicates + log.account.later


def test_rows_that_differ_are_refused_unless_the_last_is_asked_for(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r'An event_id of log\.csv must .* but 1 are those .* repeated = "latest"'):
        read(tmp_path, CORRECTED)
    assert sales(read(tmp_path, CORRECTED, "2024-01-15")) == [("a", 5.0), ("a", 1.0)]  # by then nothing was corrected


@pytest.mark.parametrize("columns", [COLUMNS, COLUMNS | {"order_id": "order"}])
def test_ids_tell_repetitions_from_equal_events(tmp_path: Path, columns: dict[str, str]) -> None:
    twins = ["1,a,2024-01-01T10:00,,5,o", "1,a,2024-01-01T10:00,,5,o", "2,a,2024-01-01T10:00,,5,o"]
    log = read(tmp_path, twins, columns=columns)
    assert (sum(log.amount), log.account.kept, log.account.duplicates) == (10.0, 2, 1)


def test_rows_without_an_id_are_events_of_their_own(tmp_path: Path) -> None:
    rows = [",a,2024-01-01T10:00,,5,o", " ,a,2024-01-02T10:00,,6,o", "3,a,2024-01-03T10:00,,7,o"]
    assert sales(read(tmp_path, rows, repeated="latest")) == [("a", 5.0), ("a", 6.0), ("a", 7.0)]


@settings(max_examples=4, deadline=None, derandomize=True)
@given(st.permutations([*CORRECTED, "1,b,2024-01-01T10:00,2024-03-01T10:00,6,o", CORRECTED[0]]))
def test_the_order_of_rows_changes_nothing(tmp_path_factory: pytest.TempPathFactory, rows: list[str]) -> None:
    # Of two rows known on 1 March the one with the greater amount counts.
    assert sales(read(tmp_path_factory.mktemp("log"), rows, repeated="latest")) == [("a", 1.0), ("b", 7.0)]


def test_what_repeats_must_have_an_id() -> None:
    with pytest.raises(ConfigError, match=r"repeated' of the configuration does not fit: needs columns\.event_id"):
        parse_config({"events": [{"source": "log.csv", "repeated": "latest"}]}, Path())
