"""Faults 12 to 22: ids, amounts and times that are not what they seem."""

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from zoneinfo import ZoneInfo

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from churnvalue import clock, read_log
from churnvalue.config import parse_config
from churnvalue.errors import SourceError
from churnvalue.events.log import EventLog

Read = Callable[..., EventLog]
HEADER = "customer_id,event_time,amount\n"
NOON = "2024-01-01T12:00"


def rows(*amounts: str) -> str:
    """A row for each amount, of customers a, b, c …"""
    return HEADER + "".join(f"{chr(97 + i)},{NOON},{amount}\n" for i, amount in enumerate(amounts))


def test_fault_12_rows_without_an_id_are_quarantined_up_to_the_limit(read: Read) -> None:
    log = read(HEADER + f",{NOON},1\n   ,{NOON},1\na,{NOON},1\nb,{NOON},1\n")
    assert log.account.quarantined == {"no customer id": 2}
    assert (log.account.read, log.account.kept) == (4, 2)
    with pytest.raises(
        SourceError, match=r"At most 50% of the rows may be unusable, but 2 of 3 are \(most: no customer id"
    ):
        read(HEADER + f",{NOON},1\n,{NOON},1\na,{NOON},1\n")


@pytest.mark.parametrize("ending", [".csv", ".parquet"])
def test_fault_13_ids_are_kept_as_the_text_they_are(read: Read, ending: str) -> None:
    ids = ["00123", "123", "9007199254740993", "9007199254740992", " 7", "7 ", "7", "Åsa", "名前", "1e5", "0x1F", "-0"]
    table = pd.DataFrame({"customer_id": ids, "event_time": pd.Timestamp(NOON), "amount": 1.0})
    assert read(table, ending=ending).customers.to_pylist() == sorted(ids)


def test_fault_13_whole_numbers_beyond_2_53_stay_apart(read: Read) -> None:
    ids = [2**53, 2**53 + 1, 123]
    table = pd.DataFrame({"customer_id": ids, "event_time": pd.Timestamp(NOON), "amount": 1.0})
    assert read(table, ending=".parquet").customers.to_pylist() == sorted(map(str, ids))


def test_fault_13_files_of_one_source_that_store_ids_differently(tmp_path: Path) -> None:
    times = pa.array([pd.Timestamp(NOON)])
    pq.write_table(pa.table({"customer_id": [123.0], "event_time": times}), tmp_path / "1.parquet")
    pq.write_table(pa.table({"customer_id": ["123"], "event_time": times}), tmp_path / "2.parquet")
    try:
        log = read_log(parse_config({"events": [{"source": "*.parquet", "timezone": "UTC"}]}, tmp_path))
    except SourceError:
        return  # refusing is as good
    assert log.customers.to_pylist() == ["123"]


def test_fault_14_amounts_that_are_no_finite_numbers_are_quarantined(read: Read) -> None:
    log = read(rows("nan", "inf", "-Infinity", "1", "2", "3", ""))
    assert log.account.quarantined == {"amount is not a finite number": 3}
    assert log.amount.tolist()[:3] == [1.0, 2.0, 3.0]
    assert (log.account.kept, log.account.read) == (4, 7)


def test_fault_15_amounts_beyond_a_trillion_are_quarantined(read: Read) -> None:
    log = read(rows("1e308", "-1e308", "1000000000000.1", "1e12", "5", "6"))
    assert log.account.quarantined == {"amount beyond a trillion": 3}
    assert log.amount.tolist() == [1e12, 5.0, 6.0]


def test_fault_16_amounts_below_zero_are_returns(read: Read) -> None:
    log = read(HEADER + f"a,{NOON},20\na,2024-01-02T12:00,-20\nb,{NOON},0\n")
    assert [log.kind.names[code] for code in log.kind.codes] == ["purchase", "return", "purchase"]
    assert log.amount.tolist() == [20.0, -20.0, 0.0]
    renamed = read(HEADER + f"a,{NOON},-20\n", negative_kind="refund")
    assert renamed.kinds == {"refund": 1}


def test_fault_17_mixed_currencies_are_refused_unless_declared(read: Read) -> None:
    table = f"customer_id,event_time,amount,currency\na,{NOON},1,EUR\nb,{NOON},2,USD\n"
    with pytest.raises(SourceError, match="EUR, USD"):
        read(table, columns={"amount": "amount", "currency": "currency"})


@pytest.mark.parametrize("amount", ["1,50", "1.234,50", "1 234.50", "$5", "5 EUR", "ten"])
def test_fault_18_amounts_in_another_notation_name_value_and_file(read: Read, amount: str) -> None:
    with pytest.raises(SourceError, match=r"amount of log_0\.csv must be numbers such as 1\.50, but .* came") as error:
        read(rows("2.00", f'"{amount}"'))
    assert f"'{amount}'" in str(error.value)
    assert "\n" not in str(error.value)


def test_fault_18_the_error_shows_no_more_than_the_start_of_a_value(read: Read) -> None:
    with pytest.raises(SourceError, match="amount") as error:
        read(rows("jane.doe.of.gateshead@example.org"))
    assert "example.org" not in str(error.value)


@pytest.mark.parametrize("ending", [".csv", ".parquet"])
def test_fault_19_times_beyond_1900_to_2099_are_quarantined(read: Read, ending: str) -> None:
    good = ["1900-01-01", "2099-12-31T23:59:59", "2024-01-01T12:00", "2024-01-02T12:00", "2024-01-03T12:00"]
    bad = ["0001-01-01", "9999-12-31", "1899-12-31T23:59:59", "2100-01-01"]
    if ending == ".csv":
        bad += ["infinity"]
        log = read(HEADER + "".join(f"{time[:10]},{time},1\n" for time in good + bad))
    else:
        days = pa.array([datetime.fromisoformat(time) for time in good + bad], pa.timestamp("us"))
        sink = pa.BufferOutputStream()
        table = {"customer_id": [time[:10] for time in good + bad], "event_time": days, "amount": [1.0] * len(days)}
        pq.write_table(pa.table(table), sink)
        log = read(sink.getvalue().to_pybytes(), ending=ending)
    assert log.account.quarantined == {"time outside 1900 to 2099": len(bad)}
    assert log.customers.to_pylist() == sorted(time[:10] for time in good)


@pytest.mark.parametrize("time", ["2024-01-01T12:00Z", "2024-01-01T12:00+02:00", "2024-01-01 12:00 Europe/Paris"])
def test_fault_20_naive_and_aware_times_in_one_column_are_refused(read: Read, time: str) -> None:
    with pytest.raises(SourceError, match="must be all with or all without a UTC offset, but both came"):
        read(HEADER + f"a,{NOON},1\nb,{time},1\n")


def test_fault_20_naive_and_aware_files_of_one_source(tmp_path: Path) -> None:
    for name, zone in (("1", None), ("2", "UTC")):
        times = pa.array([pd.Timestamp("2024-07-01T12:00")], pa.timestamp("us", tz=zone))
        pq.write_table(pa.table({"customer_id": [name], "event_time": times}), tmp_path / f"{name}.parquet")
    source = {"source": "*.parquet", "timezone": "America/New_York"}
    with pytest.raises(SourceError, match="offset"):
        read_log(parse_config({"events": [source]}, tmp_path))


QUICK = settings(max_examples=5, deadline=None, derandomize=True, phases=[Phase.generate])  # shrinking reads many files
ZONES = st.sampled_from(["Europe/London", "America/New_York", "Australia/Lord_Howe", "America/Sao_Paulo"])
MINUTES = st.lists(st.integers(0, 60 * 24 * 366 - 1), min_size=1, max_size=40)


def is_skipped(wall: datetime, tz: ZoneInfo) -> bool:
    """Whether clocks were set forward over a wall-clock time."""
    return wall.replace(tzinfo=tz).astimezone(UTC).astimezone(tz).replace(tzinfo=None, fold=0) != wall


@QUICK
@given(zone=ZONES, year=st.integers(1990, 2036), minutes=MINUTES)
def test_fault_21_wall_clocks_become_utc_also_on_the_days_of_change(
    tmp_path_factory: pytest.TempPathFactory, zone: str, year: int, minutes: list[int]
) -> None:
    # Python's own zones are the oracle: of two equal wall-clock times the first.
    tz, new_year = ZoneInfo(zone), datetime(year, 1, 1)
    days = [new_year + timedelta(days=day) for day in range(365)]
    changed = [a for a, b in pairwise(days) if a.replace(tzinfo=tz).utcoffset() != b.replace(tzinfo=tz).utcoffset()]
    near = {day + timedelta(minutes=minute) for day in changed for minute in range(0, 24 * 60, 15)}
    walls = sorted(near | {new_year + timedelta(minutes=minute) for minute in minutes})
    folder = tmp_path_factory.mktemp("zones")
    ids = [wall.isoformat() for wall in walls]
    pq.write_table(
        pa.table({"customer_id": ids, "event_time": pa.array(walls, pa.timestamp("us"))}), folder / "l.parquet"
    )
    log = read_log(parse_config({"events": [{"source": "l.parquet", "timezone": zone}]}, folder))
    found = dict(zip(log.customers.to_pylist(), log.event_time.tolist(), strict=True))
    times = [found[name] for name in ids]
    assert times == sorted(times)  # never reordered
    known = [(found[wall.isoformat()], wall) for wall in walls if not is_skipped(wall, tz)]
    assert [time for time, _ in known] == [clock.micros(wall.replace(tzinfo=tz).astimezone(UTC)) for _, wall in known]


@QUICK
@given(dates=st.lists(st.dates(date(1996, 2, 27), date(2032, 3, 2)), min_size=1, max_size=30))
def test_fault_22_leap_days_and_ends_of_months_are_days_like_any_other(
    tmp_path_factory: pytest.TempPathFactory, dates: list[date]
) -> None:
    days = sorted({*map(str, dates), "2000-02-29", "2024-02-29", "2023-02-28", "2023-12-31"})
    wrong = ["1900-02-29", "2023-02-29", "2023-04-31"]
    folder = tmp_path_factory.mktemp("days")
    text = "customer_id,event_time\n" + "".join(f"{day},{day}\n" for day in [*days, *wrong])
    (folder / "l.csv").write_text(text, encoding="utf-8")
    checks = {"max_quarantined": 0.9}
    log = read_log(parse_config({"events": [{"source": "l.csv", "timezone": "UTC"}], "checks": checks}, folder))
    assert log.account.quarantined == {"no readable time": len(wrong)}
    found = [(clock.moment(int(time)) - datetime(1970, 1, 1, tzinfo=UTC)).days for time in log.event_time]
    assert log.customers.to_pylist() == days
    assert found == [datetime.fromisoformat(day).toordinal() - datetime(1970, 1, 1).toordinal() for day in days]
    assert log.observed_until == clock.micros(days[-1]) + clock.DAY
