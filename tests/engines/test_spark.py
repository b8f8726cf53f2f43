"""Spark hands over what DuckDB hands over, and its executors say what one machine says, bit for bit."""

import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import fields
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import small_spark
from churnvalue import clock
from churnvalue.config import Config, parse_config
from churnvalue.engines import open_log, read_log
from churnvalue.engines.session import Session
from churnvalue.errors import ConfigError, SourceError
from churnvalue.events.log import Coded, EventLog
from churnvalue.events.mapping import map_source
from churnvalue.events.source import Source
from churnvalue.features import expand, families
from churnvalue.frames import described
from churnvalue.jobs.feature_table import Describe, write_features

pyspark = pytest.importorskip("pyspark", reason="PySpark is not installed: pip install 'churnvalue[spark]'")
if shutil.which("java") is None:
    pytest.skip("there is no Java", allow_module_level=True)

pytestmark = pytest.mark.usefixtures("spark_ends")
CUTOFF = "2020-04-05"
# Planning and compiling take most of the time of tiny logs; one test does both as Spark does by itself.
QUICK = {"spark.sql.adaptive.enabled": "false", "spark.sql.codegen.wholeStage": "false"}
SPARK = {**small_spark.SPARK, "conf": {**small_spark.SPARK["conf"], **QUICK}}
CHOICES: dict[str, list[Any]] = {
    "kind": ["purchase", "return", "never_seen"],
    "days": [1, 30],
    "first_days": [0],
    "end_days": [10],
    "first_hour": [0, 7],
    "end_hour": [24],
    "weekday": [0, 6],
}

TIMES = [
    "2020-03-29 00:59:59.999999", "2020-03-29 01:00:00", "2020-03-29 01:30", "2020-03-29T02:00:00", "2020-10-25 01:30:00",
    "2020-2-3", "2020/02/03 4:05", "  2020-03-01 00:00:00 ", "1969-12-31 23:59:59.5", "2020", "2020-03", "2020-02-30",
    "20200301", "12:30", "nonsense", "", "   ", None, "1700-01-01", "2500-01-01", "infinity", "epoch", "0001-01-01 BC",
    "2020-03-01 25:00", "2020-03-01 24:00", "2020-03-01T10:00:00.1234567", "294247-01-10", "２０２０-03-01",
]  # fmt: skip
OFFSETS = ["2020-03-29T00:59:59Z", "2020-03-29 10:00:00 +0900", "2020-03-29 10:00:00-05", "2020-03-29 10:00:00+05:30"]
NUMBERS = [
    "1.5",
    " 2 ",
    "-0.0",
    "+3",
    ".5",
    "5.",
    "1e5",
    "1E-3",
    "nan",
    "NaN",
    "inf",
    "-Infinity",
    "1e308",
    None,
    "",
    " \t",
    "1e13",
]
ODD_NUMBERS = ["1d", "1.0f", "0x1p3", "1_000", "1,5", "٣"]
IDS = [
    "00123",
    "9007199254740993",
    "a",
    "A",
    "é",
    "e\u0301",
    "고객",
    "😀",
    "\ue000",
    " x ",
    "tab\t",
    "",
    "  ",
    None,
    "O'Neil`s",
]


def orders() -> pd.DataFrame:
    """Lines of orders over the change to summer time, as text, in London's time; some twice, some broken."""
    rng = np.random.default_rng(5)
    rows = 240
    start = datetime(2020, 3, 25)
    times = [start + timedelta(minutes=30 * int(step)) for step in rng.integers(0, 400, rows)]
    frame = pd.DataFrame(
        {
            "cust": rng.choice([one for one in IDS if one is not None], rows),
            "at": [f"{time:%d/%m/%Y %H:%M}" for time in times],
            "no": [f"o{number}" if number % 5 else None for number in rng.integers(0, 60, rows)],
            "unit price": rng.choice(["1.10", "2.25", "-0.75", "1e3", "", "1000000000000"], rows),
            "Quantity": rng.choice(["1", "2", "3", "0"], rows),
            "per": rng.choice(["1", "3", "0"], rows, p=[0.6, 0.37, 0.03]),
            "article": rng.choice(["tea", "cake, big", 'say "so"', "line\nbreak", " ", "고객"], rows),
            "shop": rng.choice(["web", "store", ""], rows),
        }
    )
    frame.loc[3, "at"], frame.loc[4, "cust"] = "31/02/2020 10:00", None
    return pd.concat([frame, frame.sample(40, random_state=1)], ignore_index=True)


def events() -> pd.DataFrame:
    """Rows of many kinds with zones and late knowledge, some of them repeated; times as nanoseconds."""
    rng = np.random.default_rng(6)
    rows = 400
    at = pd.to_datetime("2020-03-20", utc=True) + pd.to_timedelta(rng.integers(0, 72 * 16, rows) * 20, unit="min")
    late = pd.to_timedelta(np.where(rng.random(rows) < 0.2, 9, 0), unit="D")
    frame = pd.DataFrame(
        {
            "customer_id": rng.choice(["00123", "a", "é", "고객", "only here", "skewed"], rows, p=[0.1] * 5 + [0.5]),
            "event_time": at.as_unit("ns"),
            "known_at": (at + late).tz_localize(None).as_unit("us"),
            "what": rng.choice(["purchase", "return", "ticket", "message_sent", "message_open", "message_click"], rows),
            "amount": rng.choice([1.0, 2.5, -1.0, np.nan, 0.1], rows).astype("float32"),
            "tz": rng.choice(["Asia/Seoul", "America/New_York", None], rows, p=[0.1, 0.1, 0.8]),
            "campaign": rng.choice(["c1", None], rows),
        }
    )
    return pd.concat([frame, frame.sample(60, random_state=2)], ignore_index=True)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The hostile log: orders in two CSV files with columns in another order, other events in Parquet."""
    home = tmp_path_factory.mktemp("spark")
    lines = orders()
    lines.iloc[:150].to_csv(home / "orders [1].csv", index=False)
    lines.iloc[150:, ::-1].drop(columns="shop").to_csv(home / "orders [2].csv", index=False, sep=";")
    events().to_parquet(home / "events.parquet", index=False)
    return home


def config(folder: Path, engine: str, **sections: Any) -> Config:
    columns = {"customer_id": "cust", "event_time": "at", "order_id": "no", "category": "article", "channel": "shop"}
    amount = {"amount": '"unit price" * Quantity / per', "quantity": "Quantity"}
    sources = [
        {
            "source": "orders*.csv",
            "timezone": "Europe/London",
            "time_format": "%d/%m/%Y %H:%M",
            "columns": {**columns, **amount},
        },
        {
            "source": "events.parquet",
            "kind": {"column": "what"},
            "timezone": "UTC",
            "columns": {"known_at": "known_at", "amount": "amount", "campaign": "campaign"},
        },
    ]
    raw = {"events": sources, "timing": {"timezone": {"column": "tz"}}, **sections}
    return parse_config({"spark": SPARK, "engine": engine, **raw}, folder)


def same(one: EventLog, other: EventLog) -> None:
    for part in fields(EventLog):
        left, right = getattr(one, part.name), getattr(other, part.name)
        if isinstance(left, Coded):
            assert left.names == right.names, part.name
            left, right = left.codes, right.codes
        if isinstance(left, np.ndarray):
            np.testing.assert_array_equal(left, right, err_msg=part.name)
        else:
            assert left == right, part.name


def test_the_account_and_every_feature_of_the_hostile_log_are_the_same(folder):
    cutoff = clock.micros(CUTOFF)
    entries = []
    for family, declared in families().items():
        entry = {"use": family, **{name: CHOICES[name] for name in declared.parameters}}
        if "days" in declared.parameters and declared.parameters["days"].default is None:
            entry["days"] = [*CHOICES["days"], "all"]
        entries.append(entry)
    local = config(folder, "duckdb")
    describe = Describe(expand(entries), local.population, cutoff)
    assert {feature.use for feature in describe.features} == set(families())
    whole = read_log(local)
    assert whole.account.refused > 5
    assert whole.account.duplicates > 0
    with open_log(config(folder, "spark")) as stream:
        told = pa.concat_tables(stream.each(describe))
        assert stream.account == whole.account
    expected = described(whole, describe.features, cutoff, describe.who)
    assert told["customer_id"].to_pylist() == expected.index.get_level_values("customer_id").to_list()
    for name in expected:
        np.testing.assert_array_equal(told[name].to_numpy(), expected[name].to_numpy(), err_msg=name)


def test_the_log_of_a_share_of_the_customers_as_it_was_known_is_the_same(folder):
    cutoff = clock.micros("2020-04-03")
    one, other = (read_log(config(folder, engine), cutoff, 0.6) for engine in ("duckdb", "spark"))
    assert 5 < len(one.customers) < len(read_log(config(folder, "duckdb")).customers)
    assert one.account.duplicates > 0
    assert one.account.later > 0
    same(other, one)


def test_executors_write_features_of_more_partitions_than_customers(tmp_path, monkeypatch):
    at = pd.Timestamp("2020-04-01", tz="UTC")
    rows = pd.DataFrame(
        {"customer_id": [1, 1, 2], "event_time": [at, at - pd.Timedelta("1h"), at], "amount": [1, 2, 3]}
    )
    pq.write_table(pa.Table.from_pandas(rows, preserve_index=False), tmp_path / "events.parquet")
    spread = {**SPARK, "conf": {"spark.sql.shuffle.partitions": "4", **dict.fromkeys(QUICK, "true")}}
    raw = {"events": [{"source": "events.parquet", "columns": {"amount": "amount"}}], "spark": spread}
    with open_log(parse_config({**raw, "engine": "spark"}, tmp_path)) as stream:
        assert stream.whole().amount.tolist() == [2.0, 1.0, 3.0]
    features = expand([{"use": "amount_total", "kind": "purchase", "days": [30]}])
    write_features(parse_config({**raw, "engine": "spark"}, tmp_path), features, CUTOFF, str(tmp_path / "features"))
    written = pq.read_table(tmp_path / "features").sort_by("customer_id").to_pylist()
    assert [list(row.values()) for row in written] == [
        ["1", datetime(2020, 4, 5, tzinfo=UTC), 3.0],
        ["2", datetime(2020, 4, 5, tzinfo=UTC), 3.0],
    ]
    monkeypatch.setattr("churnvalue.engines.spark.SparkTables.shared_folder", lambda *_: None)  # as with s3a://
    write_features(parse_config({**raw, "engine": "spark"}, tmp_path), features, CUTOFF, str(tmp_path / "by_spark"))
    assert pq.read_table(tmp_path / "by_spark").sort_by("customer_id").to_pylist() == written
    with pytest.raises(ConfigError, match='engine = "spark", but the engine is duckdb'):
        write_features(parse_config(raw, tmp_path), features, CUTOFF, str(tmp_path / "features"))


def mapped(session: Any, table: pd.DataFrame, settings: dict[str, Any], folder: Path) -> list[dict[str, Any]]:
    """What a source of one row a text becomes, in the order of the rows; a column ``row`` is its order id."""
    path = folder / "odd.parquet"
    table.assign(row=[f"{number:03d}" for number in range(len(table))]).to_parquet(path, index=False)
    raw = {"source": "odd.parquet", "columns": {"order_id": "row", **settings.pop("columns", {})}, **settings}
    source = parse_config({"events": [raw]}, folder).events[0]
    rows = map_source(Source(session.open("odd.parquet"), "odd.parquet", source), session)
    return session.arrow(rows).sort_by("order_id").to_pylist()


@pytest.fixture(scope="module")
def sessions(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, tuple[Any, Any]]]:
    """Both engines, opening sources in a folder."""
    from churnvalue.config import Spark
    from churnvalue.engines.spark_session import SparkSources

    folder = tmp_path_factory.mktemp("odd")
    with Session(folder) as duck:
        yield folder, (duck, SparkSources(folder, Spark(**SPARK)))


def both(sessions, table: pd.DataFrame, **settings: Any) -> list[dict[str, Any]]:
    folder, engines = sessions
    one, other = (mapped(session, table, dict(settings), folder) for session in engines)
    assert [repr(row) for row in other] == [repr(row) for row in one]
    return one


def test_odd_times_and_numbers_are_read_alike(sessions):
    size = len(TIMES)
    table = pd.DataFrame(
        {
            "customer_id": (IDS * 2)[:size],
            "event_time": TIMES,
            "known_at": (TIMES[::-1]),
            "amount": (NUMBERS * 2)[:size],
            "quantity": (NUMBERS[3:] * 2)[:size],
        }
    )
    columns = {"amount": "amount / quantity", "quantity": "quantity", "known_at": "known_at"}
    rows = both(sessions, table, timezone="Europe/London", columns=columns)
    assert len({row["reason"] for row in rows}) > 3


def test_times_that_state_their_offset_are_read_alike(sessions):
    table = pd.DataFrame({"customer_id": "a", "event_time": OFFSETS})
    rows = both(sessions, table)
    assert rows[1]["event_time"] == clock.micros("2020-03-29T01:00:00Z")


@pytest.mark.parametrize("text", ODD_NUMBERS)
def test_texts_that_are_no_numbers_are_refused_or_read_alike(sessions, text):
    table = pd.DataFrame({"customer_id": ["a"], "event_time": ["2020-01-01"], "amount": [text]})
    folder, engines = sessions
    said = []
    for session in engines:
        try:
            settings = {"timezone": "UTC", "columns": {"amount": "amount"}}
            said.append(mapped(session, table, settings, folder)[0]["amount"])
        except SourceError as error:
            said.append(str(error))
    assert said[0] == said[1]


def test_types_are_mapped_alike(sessions):
    table = pd.DataFrame(
        {
            "customer_id": np.array([1.0, 2.0, np.nan]),
            "event_time": pd.to_datetime(["2020-01-01 10:00:00.123456789", "1960-06-01 00:00:00.000000500", None]),
            "amount": np.array([0.1, np.inf, np.nan], dtype="float32"),
            "quantity": np.array([1, 2, 3], dtype="uint64"),
        }
    )
    rows = both(sessions, table, timezone="UTC", columns={"amount": "amount", "quantity": "quantity / 0"})
    assert [row["customer_id"] for row in rows] == ["1", "2", None]
    assert rows[1]["reason"] == "amount is not a finite number"


def test_a_table_that_spark_knows_is_a_source(sessions):
    folder, (_, spark) = sessions
    path = folder / "known.parquet"
    pd.DataFrame({"customer_id": ["a"], "event_time": ["2020-01-01"]}).to_parquet(path)
    spark.frame(spark.open("known.parquet")).createOrReplaceGlobalTempView("orders")
    assert spark.arrow(spark.open("spark://global_temp.orders")).num_rows == 1
    with pytest.raises(SourceError, match="Spark must know the table 'nowhere'"):
        spark.open("spark://nowhere")


def test_a_file_that_spark_would_leave_out_silently_is_refused(sessions):
    folder, (_, spark) = sessions
    pd.DataFrame({"customer_id": ["a"]}).to_csv(folder / "_hidden.csv")
    with pytest.raises(SourceError, match="starts with _ or"):
        spark.open("_hidden.csv")


def test_what_spark_says_becomes_one_line(folder, tmp_path):
    rows = "".join(f"a,2020-01-01 00:{second % 60:02d}\n" for second in range(30_000))
    (tmp_path / "events.csv").write_text(f"customer_id,event_time\n{rows}a,2020-01-01,1\n", encoding="utf-8")
    raw = {"events": [{"source": "events.csv", "timezone": "UTC"}], "spark": SPARK, "engine": "spark"}
    with pytest.raises(SourceError, match="must be readable") as caught:
        read_log(parse_config(raw, tmp_path))
    assert "\n" not in str(caught.value)


def test_sums_of_an_order_outgrow_no_number(tmp_path):
    rows = pd.DataFrame(
        {"customer_id": "a", "event_time": "2020-01-01", "amount": [9e11 + i for i in range(12)], "no": "1"}
    )
    rows.to_parquet(tmp_path / "events.parquet")
    columns = {"amount": "amount", "order_id": "no"}
    raw = {"events": [{"source": "events.parquet", "timezone": "UTC", "columns": columns}], "spark": SPARK}
    one, other = (read_log(parse_config({**raw, "engine": engine}, tmp_path)) for engine in ("duckdb", "spark"))
    assert one.amount.tolist() == [12 * 9e11 + 66]
    same(other, one)


def test_nothing_of_spark_is_imported_by_other_engines():
    code = "import sys, churnvalue.engines, churnvalue.cli; assert not {'pyspark', 'py4j'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)
