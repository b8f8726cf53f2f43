"""Ids, times, kinds and amounts of a source as they come, good and bad, read through the engine."""

from collections.abc import Callable
from datetime import date
from typing import Any
from uuid import UUID

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from churnvalue import clock
from churnvalue.config import parse_config
from churnvalue.engines.duck import DuckEngine
from churnvalue.errors import ConfigError, SourceError
from churnvalue.events.account import Account
from churnvalue.events.log import EventLog

NOON = "2011-06-01T12:00"
ALL = {"max_quarantined": 1.0}
LogFrom = Callable[..., EventLog]


@pytest.fixture
def parquet(tmp_path_factory: pytest.TempPathFactory) -> LogFrom:
    """A function that writes typed columns to Parquet and returns the log read from it."""

    def read(columns: dict[str, Any], *, timezone: str | None = "UTC", **mapped: str) -> EventLog:
        folder = tmp_path_factory.mktemp("typed")
        pq.write_table(pa.table(columns), folder / "typed.parquet")
        source = {"source": "typed.parquet", "timezone": timezone, "columns": mapped}
        return DuckEngine(folder).read(parse_config({"events": [source], "checks": ALL}, folder))

    return read


def ids(parquet: LogFrom, values: Any) -> list[str]:
    """The ids of a log with an event for each of ``values``, sorted."""
    return parquet({"customer_id": values, "event_time": [NOON] * len(values)}).customers.to_pylist()


def times(log: EventLog) -> list[str]:
    """The event times in UTC, in the order of the log."""
    return [clock.moment(int(time)).isoformat().removesuffix("+00:00") for time in log.event_time]


# --- ids ---


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (["00123", "123"], ["00123", "123"]),
        ([9007199254740993, 9007199254740992], ["9007199254740992", "9007199254740993"]),  # 2^53 + 1
        (pa.array([2**64 - 1], pa.uint64()), ["18446744073709551615"]),
        (pa.array([-1, 0], pa.int8()), ["-1", "0"]),
        ([17850.0, 13047.0], ["13047", "17850"]),
        ([-0.0, 2.0], ["0", "2"]),
        (["Ünïcode", "名前", "😀", "a\u0301"], ["Ünïcode", "a\u0301", "名前", "😀"]),
        ([" 12", "12", "12 "], [" 12", "12", "12 "]),  # not ours to repair
        (["a'b", 'a"b', "a;b", "a\\b", "a,b", "a\nb"], ["a\nb", 'a"b', "a'b", "a,b", "a;b", "a\\b"]),
        (["NULL", "nan", "None"], ["NULL", "None", "nan"]),
    ],
)
def test_ids_survive_as_text(parquet: LogFrom, values: Any, expected: list[str]) -> None:
    assert ids(parquet, values) == sorted(expected)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ([1.5, 2.0], "float64 with parts of ones"),
        (pa.array(["1.50", "2.00"]).cast(pa.decimal128(9, 2)), "decimal.* with parts of ones"),
        ([9007199254740992.0, 1.0], "beyond 2\\^53"),
        ([float("inf"), 1.0], "beyond 2\\^53"),
        ([True, False], "is boolean"),
        ([[1], [2]], "is array"),
        ([{"id": 1}, {"id": 2}], "is struct"),
        ([b"a", b"b"], "is binary"),
        ([date(2011, 1, 1), date(2011, 1, 2)], "is date"),
    ],
)
def test_ids_of_another_type_are_refused(parquet: LogFrom, values: Any, message: str) -> None:
    with pytest.raises(SourceError, match=f"customer_id .* must be text or whole numbers, but .*{message}"):
        ids(parquet, values)


def test_missing_and_blank_ids_are_quarantined(parquet: LogFrom) -> None:
    log = parquet({"customer_id": [None, "", "  ", "a"], "event_time": [NOON] * 4})
    assert log.customers.to_pylist() == ["a"]
    assert log.account.quarantined == {"no customer id": 3}


def test_nan_among_whole_numbers_is_no_id(parquet: LogFrom) -> None:
    log = parquet({"customer_id": pa.array([1.0, float("nan"), None], pa.float64()), "event_time": [NOON] * 3})
    assert log.customers.to_pylist() == ["1"]
    assert log.account.quarantined == {"no customer id": 2}


def test_uuids_are_text(tmp_path_factory: pytest.TempPathFactory, parquet: LogFrom) -> None:
    one = "0b8bfa0e-3f0c-4f3a-9a52-0d6d3f6f3c55"
    assert ids(parquet, [str(UUID(one))]) == [one]


def test_decimals_without_a_part_of_ones_are_whole_numbers(parquet: LogFrom) -> None:
    # Money-typed ids of a data base must meet the "12" of another source.
    assert ids(parquet, pa.array([12, 7], pa.int64()).cast(pa.decimal128(21, 2))) == ["12", "7"]
    assert ids(parquet, pa.array(["9" * 36 + ".00"]).cast(pa.decimal128(38, 2))) == ["9" * 36]


# --- times ---


@pytest.mark.parametrize(
    ("timezone", "expected"),
    [
        ("UTC", {"2011-06-01": "2011-06-01T00:00:00", "1900-01-01": "1900-01-01T00:00:00"}),  # dates alone
        (
            "UTC",
            {
                "2011-06-01T12:00:00": "2011-06-01T12:00:00",
                "2011-06-01 12:00": "2011-06-01T12:00:00",
                "2011-06-01": "2011-06-01T00:00:00",
                " 2011-06-01 ": "2011-06-01T00:00:00",
                "2011-06-01T12:00:00.123456": "2011-06-01T12:00:00.123456",
                "2099-12-31T23:59:59": "2099-12-31T23:59:59",
                "1969-12-31T23:59:59.999999": "1969-12-31T23:59:59.999999",
            },
        ),
        (
            None,
            {
                "2011-06-01T12:00:00Z": "2011-06-01T12:00:00",
                "2011-06-01 12:00:00-0530": "2011-06-01T17:30:00",
                "2011-06-01 12:00:00+00": "2011-06-01T12:00:00",  # as PostgreSQL and DuckDB write it
            },
        ),
        (
            "America/New_York",  # what a time states comes first
            {
                "2011-06-01T12:00:00Z": "2011-06-01T12:00:00",
                "2011-06-01 12:00:00+01:00": "2011-06-01T11:00:00",
                "2011-06-01 12:00:00+00": "2011-06-01T12:00:00",
                "2011-06-01 12:00:00-05": "2011-06-01T17:00:00",
                "2011-06-01 12:00:00 UTC": "2011-06-01T12:00:00",
                "2011-06-01 12:00:00 +0100": "2011-06-01T11:00:00",
                "2011-06-01 12:00:00 Europe/London": "2011-06-01T11:00:00",
            },
        ),
        ("Europe/London", {"2011-06-01T12:00:00Z": "2011-06-01T12:00:00"}),
        (
            "Europe/London",
            {
                "2011-06-01T12:00:00": "2011-06-01T11:00:00",
                "2012-02-29T12:00:00": "2012-02-29T12:00:00",
                # Clocks forward at 01:00 on March 27th, back at 02:00 on October 30th.
                "2011-03-27T00:59:59": "2011-03-27T00:59:59",
                "2011-03-27T01:30:00": "2011-03-27T01:00:00",  # never stood on a clock: the change
                "2011-03-27T02:00:00": "2011-03-27T01:00:00",
                "2011-10-30T00:59:59": "2011-10-29T23:59:59",
                "2011-10-30T01:30:00": "2011-10-30T00:30:00",  # stood twice: the earlier
                "2011-10-30T02:00:00": "2011-10-30T02:00:00",
            },
        ),
    ],
)
def test_times_as_text(log_from: LogFrom, timezone: str | None, expected: dict[str, str]) -> None:
    rows = pd.DataFrame({"customer_id": [f"c{number}" for number in range(len(expected))], "event_time": [*expected]})
    read = times(log_from(rows, source={"timezone": timezone}))
    assert dict(zip(expected, read, strict=True)) == expected


@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
@pytest.mark.parametrize(
    ("zone", "expected"), [(None, "2011-06-01T16:00:00"), ("Europe/London", "2011-06-01T12:00:00")]
)
def test_typed_times(parquet: LogFrom, unit: str, zone: str | None, expected: str) -> None:
    # Naive ones are read by the declared clock of New York; aware ones say themselves what they are.
    typed = pa.array([pd.Timestamp(NOON)]).cast(pa.timestamp(unit)).cast(pa.timestamp(unit, tz=zone))
    log = parquet({"customer_id": ["a"], "event_time": typed}, timezone="America/New_York")
    assert times(log) == [expected]


def test_dates_are_midnights(parquet: LogFrom) -> None:
    assert times(parquet({"customer_id": ["a"], "event_time": [date(2011, 6, 1)]})) == ["2011-06-01T00:00:00"]


@pytest.mark.parametrize("text", ["2011-06-01", "2011-06-01T12:00"])
def test_naive_times_need_a_declared_clock(log_from: LogFrom, text: str) -> None:
    rows = pd.DataFrame({"customer_id": ["a"], "event_time": [text]})
    with pytest.raises(SourceError, match=r"has no UTC offset, so its clock must be declared\. Add timezone"):
        log_from(rows, source={"timezone": None})


def test_naive_and_aware_times_do_not_mix(log_from: LogFrom) -> None:
    rows = pd.DataFrame({"customer_id": ["a", "b"], "event_time": ["2011-06-01T12:00", "2011-06-01T12:00Z"]})
    with pytest.raises(SourceError, match="all with or all without a UTC offset, but both came"):
        log_from(rows)


def test_unreadable_text_among_aware_times_is_quarantined(log_from: LogFrom) -> None:
    read = ["", "n/a", "2011-02-29T12:00Z", "2011-06-01T12:00Z", "2011-06-01T13:00Z"]
    log = log_from(pd.DataFrame({"customer_id": list("abcde"), "event_time": read}), ending=".parquet", checks=ALL)
    assert log.account.quarantined == {"no readable time": 3}
    assert log.customers.to_pylist() == ["d", "e"]


@pytest.mark.parametrize("timezone", ["UTC", "Europe/London"])
def test_times_out_of_reach_are_quarantined(log_from: LogFrom, timezone: str) -> None:
    endless = ["0001-01-01", "9999-12-31T23:59:59.999999", "infinity", "-infinity"]
    outside = ["1899-12-31T23:59:59", "2100-01-01"]
    rows = pd.DataFrame({"event_time": [*endless, *outside, None, NOON]})
    rows["customer_id"] = rows.index.astype(str)
    log = log_from(rows, source={"timezone": timezone}, checks=ALL)
    assert log.account.quarantined == {"no readable time": 1, "time outside 1900 to 2099": 6}
    assert log.customers.to_pylist() == ["7"]


@pytest.mark.parametrize("ending", [".csv", ".parquet"])
def test_text_that_is_no_time_is_quarantined(log_from: LogFrom, ending: str) -> None:
    texts = ["2011-02-29", "soon", "01/02/2011", "1307000000", "2011-06-01 12:00:00 PM"]
    rows = pd.DataFrame({"customer_id": list("abcdef"), "event_time": [*texts, NOON]})
    log = log_from(rows, ending=ending, checks=ALL)
    assert log.account.quarantined == {"no readable time": 5}
    assert log.customers.to_pylist() == ["f"]


def test_endless_typed_times_are_quarantined(parquet: LogFrom) -> None:
    far = pa.array([2**63 - 1, -(2**63) + 1, 0], pa.int64()).cast(pa.timestamp("us"))
    log = parquet({"customer_id": ["a", "b", "c"], "event_time": far}, timezone="Europe/London")
    assert log.account.quarantined == {"time outside 1900 to 2099": 2}


def test_a_format_reads_text_that_is_not_iso(log_from: LogFrom) -> None:
    rows = pd.DataFrame({"customer_id": ["a", "b"], "event_time": ["31/12/2011 08:26", "12/31/2011 08:26"]})
    log = log_from(rows, source={"time_format": "%d/%m/%Y %H:%M", "timezone": "Europe/London"})
    assert times(log) == ["2011-12-31T08:26:00"]
    assert log.account.quarantined == {"no readable time": 1}


def test_a_format_may_hold_the_offset(log_from: LogFrom) -> None:
    rows = pd.DataFrame({"customer_id": ["a"], "event_time": ["31/12/2011 08:26 +0100"]})
    log = log_from(rows, source={"time_format": "%d/%m/%Y %H:%M %z", "timezone": "America/New_York"})
    assert times(log) == ["2011-12-31T07:26:00"]


@pytest.mark.parametrize("values", [[15_000], [1.5], [True]])
def test_times_of_another_type_are_refused(parquet: LogFrom, values: list[Any]) -> None:
    with pytest.raises(SourceError, match=r"event_time .* must be times, but the column is .*\. Map a column of times"):
        parquet({"customer_id": ["a"], "event_time": values})


# --- when a row was known ---


def test_known_at_is_the_event_time_where_there_is_none_and_never_before_it(log_from: LogFrom, events_of: Any) -> None:
    log = log_from("""
    customer_id event_time        known_at
    a           2011-06-01T12:00  -
    b           2011-06-01T12:00  2011-06-03T12:00
    c           2011-06-01T12:00  2011-05-01T12:00
    """)
    assert events_of(log).known_at.tolist() == ["2011-06-01T12:00", "2011-06-03T12:00", "2011-06-01T12:00"]


@pytest.mark.parametrize("ending", [".csv", ".parquet"])
def test_what_is_not_known_yet_is_not_known_at_once(log_from: LogFrom, ending: str) -> None:
    known_at = ["infinity", "9999-12-31", "2300-01-01", "unknown", "  ", "-infinity", None]
    rows = pd.DataFrame({"customer_id": list("abcdefg"), "event_time": [NOON] * 7, "known_at": known_at})
    log = log_from(rows, ending=ending, as_of="2011-07-01", checks=ALL)
    assert log.customers.to_pylist() == ["e", "f", "g"]
    unreadable = {"no readable time of knowledge (known_at)": 1}
    assert log.account == Account(read=7, kept=3, later=3, quarantined=unreadable)


# --- kinds ---


def test_kinds_from_a_column(log_from: LogFrom) -> None:
    rows = pd.DataFrame(
        {"customer_id": list("abcd"), "event_time": [NOON] * 4, "kind": ["visit", None, "  ", "purchase"]}
    )
    log = log_from(rows, ending=".parquet")
    assert log.kind.names == ("purchase", "visit")
    assert log.account.quarantined == {"no kind of event": 2}


def test_a_missing_column_names_a_near_match(log_from: LogFrom) -> None:
    rows = pd.DataFrame({"CustomerID": ["a"], "event_time": [NOON]})
    with pytest.raises(
        SourceError, match=r"must have the column 'customer_id' for customer_id.* Did you mean 'CustomerID'\?"
    ):
        log_from(rows)


@pytest.mark.parametrize("part", ["event_time", "known_at", "order_id", "category", "channel", "campaign"])
def test_every_missing_column_is_named_with_its_part(log_from: LogFrom, part: str) -> None:
    rows = pd.DataFrame({"customer_id": ["a"], "event_time": [NOON]})
    with pytest.raises(SourceError, match=f"must have the column 'absent' for {part}, but has no such column"):
        log_from(rows, source={"columns": {part: "absent"}})


@pytest.mark.parametrize("part", ["amount", "quantity"])
def test_a_missing_number_is_named(log_from: LogFrom, part: str) -> None:
    rows = pd.DataFrame({"customer_id": ["a"], "event_time": [NOON], "Price": [1.0]})
    with pytest.raises(SourceError, match=r"needs a column 'Pricee', which is missing\. Did you mean 'Price'\?"):
        log_from(rows, source={"columns": {part: "Pricee"}})


# --- amounts ---


@pytest.mark.parametrize("ending", [".csv", ".parquet"])
def test_amounts_that_are_no_money_are_quarantined(log_from: LogFrom, ending: str) -> None:
    amounts = ["nan", "inf", "-inf", "1e308", "-1e13", "1e12", "-1e12", "", " 5 ", None]
    rows = pd.DataFrame({"customer_id": list("abcdefghij"), "event_time": [NOON] * 10, "amount": amounts})
    log = log_from(rows, ending=ending, checks=ALL)
    assert log.account.quarantined == {"amount is not a finite number": 3, "amount beyond a trillion": 2}
    assert log.customers.to_pylist() == ["f", "g", "h", "i", "j"]
    assert log.amount.tolist()[:2] == [1e12, -1e12]
    assert log.amount.tolist()[3] == 5.0


def test_typed_amounts_that_are_no_money_are_quarantined(parquet: LogFrom) -> None:
    amounts = pa.array([float("nan"), float("inf"), 1e308, 1.0, None], pa.float64())
    log = parquet({"customer_id": list("abcde"), "event_time": [NOON] * 5, "n": amounts}, amount="n", quantity="n")
    assert log.account.quarantined == {"amount is not a finite number": 2, "amount beyond a trillion": 1}


def test_nan_is_found_in_a_file_whose_statistics_leave_it_out(parquet: LogFrom) -> None:
    amounts = pa.array([float("nan"), 2.0, 1.0], pa.float64())  # the file says: from 1 to 2
    log = parquet({"customer_id": list("abc"), "event_time": [NOON] * 3, "n": amounts}, amount="n")
    assert log.account.quarantined == {"amount is not a finite number": 1}
    log = parquet({"customer_id": amounts, "event_time": [NOON] * 3})
    assert log.account.quarantined == {"no customer id": 1}


def test_quantities_that_are_no_numbers_are_quarantined(parquet: LogFrom) -> None:
    quantities = pa.array([float("nan"), float("inf"), 1e308, 1.0, None], pa.float64())
    log = parquet({"customer_id": list("abcde"), "event_time": [NOON] * 5, "n": quantities}, quantity="n")
    assert log.account.quarantined == {"quantity is not a number below a trillion": 3}


@pytest.mark.parametrize("text", ["1,50", "1.234,50", "£5", "5 EUR", "n/a", "--"])
def test_amounts_in_other_words_are_refused_and_shown(log_from: LogFrom, text: str) -> None:
    rows = pd.DataFrame({"customer_id": ["a", "b"], "event_time": [NOON] * 2, "amount": ["1.50", text]})
    with pytest.raises(SourceError, match=f"amount .* must be numbers such as 1.50, but '{text}' came"):
        log_from(rows)


@pytest.mark.parametrize("values", [[True], [date(2011, 1, 1)], [[1.0]]])
def test_amounts_of_another_type_are_refused(parquet: LogFrom, values: list[Any]) -> None:
    with pytest.raises(SourceError, match=r"amount of typed\.parquet must be numbers, but"):
        parquet({"customer_id": ["a"], "event_time": [NOON], "n": values}, amount="n")


@pytest.mark.parametrize("ending", [".csv", ".parquet"])
@pytest.mark.parametrize(
    ("amount", "expected"),
    [("Quantity * Price", 5.0), ("Quantity + Price", 4.5), ("-Price", -2.5), ("Quantity * Price - 1", 4.0), ("7", 7.0)],
)
def test_arithmetic_over_columns_is_the_same_in_every_format(
    log_from: LogFrom, ending: str, amount: str, expected: float
) -> None:
    rows = pd.DataFrame({"customer_id": ["a"], "event_time": [NOON], "Quantity": [2], "Price": [2.5]})
    assert log_from(rows, ending=ending, source={"columns": {"amount": amount}}).amount.tolist() == [expected]


def test_text_columns_do_not_join_where_numbers_add(parquet: LogFrom) -> None:
    log = parquet({"customer_id": ["a"], "event_time": [NOON], "x": ["2"], "y": ["3"]}, amount="x + y")
    assert log.amount.tolist() == [5.0]


def test_arithmetic_does_not_overflow_the_integers_of_the_source(parquet: LogFrom) -> None:
    pence = pa.array([100_000], pa.int32())
    log = parquet({"customer_id": ["a"], "event_time": [NOON], "q": pence, "pence": pence}, amount="q * pence / 100")
    assert log.amount.tolist() == [1e8]


def test_division_by_zero_is_no_amount(parquet: LogFrom) -> None:
    columns = {"customer_id": ["a", "b", "c"], "event_time": [NOON] * 3, "x": [1, 0, 4], "y": [0, 0, 2]}
    log = parquet(columns, amount="x / y")
    assert log.customers.to_pylist() == ["c"]
    assert log.account.quarantined == {"amount is not a finite number": 2}


def test_decimal_amounts(parquet: LogFrom) -> None:
    price = pa.array(["1.10", "2.20"]).cast(pa.decimal128(10, 2))
    log = parquet({"customer_id": ["a", "b"], "event_time": [NOON] * 2, "q": [2, 3], "p": price}, amount="q * p")
    assert log.amount.tolist() == pytest.approx([2.2, 6.6])


# --- names of columns ---


@pytest.mark.parametrize(
    "name",
    ['"); DROP TABLE x; --', "a b", 'a"b', "a'b", "select", "a.b", "Größe", "a\nb", "%s", "{x}", "$1", "x" * 300],
)
def test_columns_may_have_any_name(parquet: LogFrom, name: str) -> None:
    log = parquet(
        {f"id {name}": ["a"], f"at {name}": [NOON], name: [2.5]},
        customer_id=f"id {name}",
        event_time=f"at {name}",
        amount=name,
        category=name,
    )
    assert log.customers.to_pylist() == ["a"]
    assert log.amount.tolist() == [2.5]
    assert log.categories.names == ("2.5",)


def test_a_zone_that_is_none_names_itself(log_from: LogFrom) -> None:
    rows = pd.DataFrame({"customer_id": ["a"], "event_time": [NOON], "tz": ["Mars/Base"]})
    with pytest.raises(ConfigError, match="IANA name such as 'Europe/London', but 'Mars/Base' came"):
        log_from(rows, timing={"timezone": {"column": "tz"}})
