"""What is said of a column that a source lacks."""

from pathlib import Path

import pytest

from churnvalue import read_log
from churnvalue.config import parse_config
from churnvalue.errors import SourceError
from churnvalue.events.source import instead


@pytest.mark.parametrize(
    "columns", [["jane", "2024-01-01"], ["joe", "01/02/2024 10:30"], ["00017", "jim"], ["jane", "joe", "-1.5"]]
)
def test_names_that_read_like_data_are_not_shown(columns: list[str]) -> None:
    said = instead("event_time", columns)
    assert "seems to have no header" in said
    assert not any(column in said for column in columns)


@pytest.mark.parametrize("columns", [["custommer", "time"], ["2nd customer", "column0"], ["order-2024", "v1.2"]])
def test_names_that_read_like_names_are_near_matches(columns: list[str]) -> None:
    assert "header" not in instead("customer", columns)


@pytest.mark.parametrize(("sign", "named"), [(";", "';'"), ("|", "'|'"), ("\t", "tabs"), (",", "','")])
def test_the_separator_is_named_where_all_is_one_column(sign: str, named: str) -> None:
    assert f" It was not split at {named}, for not every row" in instead("time", [sign.join(["customer", "time"])])


def test_a_headerless_file_shows_nobody(tmp_path: Path) -> None:
    (tmp_path / "log.csv").write_text("jane@example.org,2024-01-01T10:00,1.5\njoe,2024-01-02T10:00,2\n")
    with pytest.raises(SourceError, match=r"log\.csv must have the column 'event_time' .* no header") as error:
        read_log(parse_config({"events": [{"source": "log.csv"}]}, tmp_path))
    assert "jane" not in str(error.value)


@pytest.mark.parametrize("rows", ["a\nb;2024;x;y;z\nc;1\n", "a;2024-01-01;1,5;x\nb;2024-01-01;2,5\n"])
def test_a_ragged_file_names_its_separator(tmp_path: Path, rows: str) -> None:
    (tmp_path / "log.csv").write_text(f"customer_id;event_time;amount\n{rows}", encoding="utf-8")
    with pytest.raises(SourceError, match="It was not split at ';'") as error:
        read_log(parse_config({"events": [{"source": "log.csv"}]}, tmp_path))
    assert "2024" not in str(error.value)
