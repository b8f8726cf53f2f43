"""What must hold of all rows together."""

from pathlib import Path
from typing import Any

import pytest

from churnvalue import clock, read_log
from churnvalue.config import parse_config
from churnvalue.engines.requirements import require_few, require_one_currency
from churnvalue.errors import SourceError
from churnvalue.events.log import EventLog

HEADER = "customer_id,event_time,amount,currency,channel\n"


def read(folder: Path, *files: str, as_of: str | None = None, **columns: str) -> EventLog:
    """The log of some files."""
    for number, rows in enumerate(files):
        (folder / f"{number}.csv").write_text(HEADER + rows, encoding="utf-8")
    parts = {"amount": "amount", **columns}
    sources: list[dict[str, Any]] = [
        {"source": f"{number}.csv", "timezone": "UTC", "columns": parts} for number in range(len(files))
    ]
    return read_log(parse_config({"events": sources}, folder), as_of and clock.micros(as_of))


def test_one_currency_however_it_is_written(tmp_path: Path) -> None:
    log = read(tmp_path, "a,2024-01-01,1,EUR,\nb,2024-01-01,2,eur ,\nc,2024-01-01,3,,\n", currency="currency")
    assert log.amount.tolist() == [1.0, 2.0, 3.0]


def test_currencies_of_all_sources_are_compared_as_far_as_they_are_known(tmp_path: Path) -> None:
    files = ["a,2024-01-01,1,EUR,\n", "b,2024-03-01,2,USD,\n"]
    with pytest.raises(SourceError, match=r"must be of one currency, but 2 came: EUR, USD\. Convert them"):
        read(tmp_path, *files, currency="currency")
    assert read(tmp_path, *files, currency="currency", as_of="2024-02-01").amount.tolist() == [1.0]
    assert read(tmp_path, *files).amount.tolist() == [1.0, 2.0]


def test_five_currencies_are_named() -> None:
    with pytest.raises(SourceError, match="but 6 came: A, B, C, D, E, …"):
        require_one_currency("FEDCBA")


def test_more_channels_than_codes_are_refused(tmp_path: Path) -> None:
    rows = [f"{i % 9},2024-01-01,1,EUR,channel {i}\n" for i in range(32_768)]
    assert len(read(tmp_path, "".join(rows[1:]), channel="channel").channel.names) == 32_767
    with pytest.raises(SourceError, match=r"32,767 different values of channel .* 32,768 came\. Map columns\.channel"):
        read(tmp_path, "".join(rows), channel="channel")


def test_categories_have_more_codes() -> None:
    require_few({"category": range(100_000), "kind": ("purchase",)})  # type: ignore[dict-item]
