"""Publication into a real server; what happens in the middle of one is seen while a lock holds it there."""

import json
import math
import multiprocessing
import os
import signal
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, date, datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from churnvalue.clock import micros
from churnvalue.config import Config, masked, parse_config
from churnvalue.config.databases import Sink
from churnvalue.errors import ConfigError, OutputError
from churnvalue.storage.postgres import Edition, Output, publish_tables
from postgres_server import Server

MAY, JUNE = (Edition("shop", "score", micros(f"2024-{month}-01"), {"churn": 3}) for month in ("05", "06"))
DRIVER = pa.struct([("feature", pa.string()), ("value", pa.float64())])


@pytest.fixture
def sink(postgres: Server) -> Sink:
    """A schema that does not exist yet."""
    postgres.run("DROP SCHEMA IF EXISTS results CASCADE")
    return Sink(uri=postgres.uri(), schema="results")


@pytest.fixture
def scores(tmp_path: Path) -> Callable[..., Output]:
    """A function that writes a small table to a file."""

    def write(table: str = "scores", **columns: object) -> Output:
        path = tmp_path / f"{table}[{len(list(tmp_path.iterdir()))}].parquet"
        pq.write_table(pa.table({"customer_id": ["00123", "é"], **columns}), path)
        return Output(table, path, "0" * 64)

    return write


def rows(server: Server, table: str = "scores", columns: str = "*") -> list[dict[str, object]]:
    return server.run(f"SELECT {columns} FROM results.{table} ORDER BY project, cutoff, {2 if table == 'runs' else 3}")


def test_every_type_arrives(postgres: Server, sink: Sink, tmp_path: Path) -> None:
    table = pa.table(
        {
            "cutoff": pa.array([0, 0, 0], pa.timestamp("us", tz="UTC")),  # the edition's counts
            "customer_id": pa.array(["00123", "9007199254740993", 'a"\t\\N'], pa.large_string()),
            "p": [0.1, math.nan, math.inf],
            "orders": pa.array([2**53 + 1, None, -1]),
            "yes": [True, None, False],
            "at": pa.array([datetime(2024, 2, 29, 23, tzinfo=UTC), None, None], pa.timestamp("ns", tz="Asia/Seoul")),
            "local": pa.array([datetime(2024, 2, 29, 23, 0, 0, 1), None, None]),
            "day": [date(2024, 2, 29), None, None],
            "band": pa.array(["low", None, "low"]).dictionary_encode(),
            "drivers": pa.array(
                [[{"feature": 'é"', "value": 0.1}, {"feature": None, "value": math.nan}], None, []], pa.list_(DRIVER)
            ),
            "nothing": pa.nulls(3),
        }
    )  # fmt: skip
    path = tmp_path / "scores.parquet"
    pq.write_table(table, path)
    assert publish_tables(sink, MAY, [Output("scores", path, "")]) == {"scores": 3}
    first, second, third = rows(postgres)
    assert first | {"drivers": json.loads(str(first["drivers"]))} == {
        "project": "shop",
        "cutoff": datetime(2024, 5, 1, tzinfo=UTC),
        "customer_id": "00123",
        "p": 0.1,
        "orders": 2**53 + 1,
        "yes": True,
        "at": datetime(2024, 2, 29, 23, tzinfo=UTC),
        "local": datetime(2024, 2, 29, 23, 0, 0, 1),
        "day": date(2024, 2, 29),
        "band": "low",
        "drivers": [{"feature": 'é"', "value": 0.1}, {"feature": None, "value": None}],
        "nothing": None,
    }
    assert isinstance(second["p"], float)
    assert math.isnan(second["p"])
    assert (second["drivers"], third["drivers"], third["p"], third["customer_id"]) == (None, "[]", math.inf, 'a"\t\\N')
    kinds = postgres.run(
        "SELECT string_agg(format_type(atttypid, atttypmod), ', ' ORDER BY attnum) AS kinds FROM pg_attribute"
        " WHERE attrelid = 'results.scores'::regclass AND attnum > 0"
    )[0]["kinds"]
    assert kinds == (
        "text, timestamp with time zone, text, double precision, bigint, boolean, timestamp with time zone,"
        " timestamp without time zone, date, text, jsonb, text"
    )


def test_a_cutoff_is_replaced_and_others_stay(postgres: Server, sink: Sink, scores: Callable[..., Output]) -> None:
    other = Edition("other", "score", MAY.cutoff, {})
    for edition in (MAY, JUNE, other):
        publish_tables(sink, edition, [scores(p=[0.1, 0.2])])
    before = rows(postgres), rows(postgres, "runs", "project, cutoff, command, table_name, rows, sha256")
    publish_tables(sink, MAY, [scores(p=[0.1, 0.2])])
    assert (rows(postgres), rows(postgres, "runs", "project, cutoff, command, table_name, rows, sha256")) == before
    publish_tables(sink, JUNE, [scores(p=[0.3, 0.4])])
    assert [row["p"] for row in rows(postgres)] == [0.1, 0.2, 0.1, 0.2, 0.3, 0.4]  # other's of May, May's, June's


def test_runs_says_what_was_published(postgres: Server, sink: Sink, scores: Callable[..., Output]) -> None:
    publish_tables(sink, MAY, [scores(), scores("sends")])
    stated = "command, table_name, rows, sha256, model_versions::text AS models, published_at <= now() AS past"
    expected = {"command": "score", "rows": 2, "sha256": "0" * 64, "models": '{"churn": 3}', "past": True}
    assert postgres.run(f"SELECT {stated} FROM results.runs ORDER BY table_name") == [
        expected | {"table_name": "scores"},
        expected | {"table_name": "sends"},
    ]


def test_new_columns_are_added_and_old_ones_stay(postgres: Server, sink: Sink, scores: Callable[..., Output]) -> None:
    publish_tables(sink, MAY, [scores(old=[1.0, 2.0])])
    publish_tables(sink, JUNE, [scores(new=["a", "b"], old=pa.nulls(2))])
    assert [(row["old"], row["new"]) for row in rows(postgres)] == [(1.0, None), (2.0, None), (None, "a"), (None, "b")]


@pytest.mark.parametrize(
    ("made", "message"),
    [
        ("CREATE TABLE results.sends (customer_id text)", r"Table 'sends' of schema 'results' must be one that churnvalue made"),
        (
            "CREATE TABLE results.sends (project text, cutoff timestamptz, customer_id bigint)",
            r"Column 'customer_id' of results.sends must be text, but is bigint",
        ),
        ("CREATE VIEW results.sends AS SELECT ''::text AS project, now() AS cutoff, ''::text AS customer_id", "cannot"),
    ],
)  # fmt: skip
def test_what_is_not_ours_is_left_alone_and_nothing_is_published(
    postgres: Server, sink: Sink, scores: Callable[..., Output], made: str, message: str
) -> None:
    publish_tables(sink, MAY, [scores(p=[0.1, 0.2])])
    before = rows(postgres), rows(postgres, "runs")
    postgres.run(made)
    with pytest.raises(OutputError, match=message):
        publish_tables(sink, MAY, [scores(p=[0.3, 0.4]), scores("sends")])
    assert (rows(postgres), rows(postgres, "runs")) == before


def test_a_column_of_no_known_type_is_named(sink: Sink, scores: Callable[..., Output]) -> None:
    with pytest.raises(OutputError, match=r"'image' of scores is binary"):
        publish_tables(sink, MAY, [scores(image=[b"1", b"2"])])


def test_no_name_is_read_as_sql(postgres: Server, tmp_path: Path) -> None:
    schema, column = 'x"; DROP SCHEMA public; --고', "a\"b'; {}%s $1"
    path = tmp_path / "it's [a] file*.parquet"
    pq.write_table(pa.table({column: [{column: 1.5}]}), path)
    sink = Sink(uri=postgres.uri(), schema=schema)
    for _ in range(2):
        assert publish_tables(sink, Edition("p'; --", "score", 0, {}), [Output('t"', path, "")]) == {'t"': 1}
    found = postgres.run('SELECT * FROM "x""; DROP SCHEMA public; --고"."t"""')
    assert [(row["project"], json.loads(row[column])) for row in found] == [("p'; --", {column: 1.5})]


@contextmanager
def held(server: Server) -> Iterator[Callable[[], None]]:
    """Hold every publication after it has copied its tables and before it commits; the function waits until one is there."""

    def wait() -> None:
        waiting = "SELECT count(*) AS n FROM pg_locks WHERE NOT granted AND relation = 'results.runs'::regclass"
        deadline = time.monotonic() + 30
        while not server.run(waiting)[0]["n"]:
            assert time.monotonic() < deadline
            time.sleep(0.01)

    with server.connected() as cursor:
        cursor.execute("LOCK TABLE results.runs IN ACCESS EXCLUSIVE MODE")
        yield wait


def test_readers_see_the_old_rows_until_all_new_ones_are_there(
    postgres: Server, sink: Sink, scores: Callable[..., Output]
) -> None:
    publish_tables(sink, MAY, [scores(p=[0.1, 0.2]), scores("sends", p=[0.1, 0.2])])
    both = "SELECT a.p, b.p AS q FROM results.scores a JOIN results.sends b USING (customer_id) ORDER BY customer_id"
    old, new = [{"p": 0.1, "q": 0.1}, {"p": 0.2, "q": 0.2}], [{"p": 0.3, "q": 0.3}, {"p": 0.4, "q": 0.4}]
    with ThreadPoolExecutor(1) as pool, postgres.connected() as reader:
        reader.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        reader.execute(both)
        assert reader.fetch_arrow_table().to_pylist() == old
        with held(postgres) as wait:
            publishing = pool.submit(publish_tables, sink, MAY, [scores(p=[0.3, 0.4]), scores("sends", p=[0.3, 0.4])])
            wait()
            assert postgres.run(both) == old
            with pytest.raises(OutputError, match=r"Only one process at a time may publish to schema 'results', but"):
                publish_tables(sink, JUNE, [scores()])
        assert publishing.result(timeout=30) == {"scores": 2, "sends": 2}
        assert postgres.run(both) == new
        reader.execute(both)
        assert reader.fetch_arrow_table().to_pylist() == old  # a report that was begun before ends as it began


def test_a_kill_in_the_middle_leaves_the_old_rows_and_no_trace(
    postgres: Server, sink: Sink, scores: Callable[..., Output]
) -> None:
    publish_tables(sink, MAY, [scores(p=[0.1, 0.2])])
    before = rows(postgres), rows(postgres, "runs")
    changed = scores(p=[0.3, 0.4], new=["a", "b"])
    with held(postgres) as wait:
        publisher = multiprocessing.get_context("fork").Process(target=publish_tables, args=(sink, MAY, [changed]))
        publisher.start()
        wait()
        os.kill(publisher.pid or 0, signal.SIGKILL)
        publisher.join()
    assert publisher.exitcode == -signal.SIGKILL
    assert (rows(postgres), rows(postgres, "runs")) == before
    while postgres.run("SELECT count(*) AS n FROM pg_locks WHERE locktype = 'advisory'")[0]["n"]:
        time.sleep(0.01)  # the server has yet to notice
    assert publish_tables(sink, MAY, [changed]) == {"scores": 2}
    assert [row["p"] for row in rows(postgres)] == [0.3, 0.4]


def test_who_may_not_write_is_told_so_without_the_password(postgres: Server, scores: Callable[..., Output]) -> None:
    sink = Sink(uri=postgres.uri("locked:s3cr%23t"), schema="results2")
    with pytest.raises(OutputError, match=r"locked:\*\*\*@.* permission denied for database") as caught:
        publish_tables(sink, MAY, [scores()])
    assert "s3cr" not in str(caught.value)


def configured(**keys: object) -> Config:
    return parse_config({"events": [{"source": "a.csv"}], **keys}, Path())


def test_the_sink_is_absent_by_default_and_never_shows_its_password() -> None:
    assert configured().sink is None
    config = configured(sink={"uri": "postgresql://u:s3cret@h/db"})
    assert config.sink is not None
    assert config.sink.schema_name == "churnvalue"
    assert config.sink.uri.get_secret_value() == "postgresql://u:s3cret@h/db"
    assert "s3cret" not in f"{config} {config!r} {config.model_dump_json()}"


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"sink": "postgresql://u:s3cret@h/db"}, r"'sink' of the configuration does not fit"),
        ({"sink": {"uri": "postgresql://u:s3cret@h/db", "shema": "x"}}, r"'shema' in \[sink\].* Did you mean 'schema'"),
        ({"sink": {"uri": "postgresql://u:s3cret@h/db", "schema": "é" * 32}}, r"'sink.schema' .* at most 63 bytes"),
        ({"sink": {"schema": "x"}}, r"must have 'sink.uri'"),
    ],
)
def test_a_sink_that_does_not_fit_is_told_by_key_without_the_password(keys: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError, match=message) as caught:
        configured(**keys)
    assert "s3cret" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("postgresql://shop@db/sales#orders", "postgresql://shop@db/sales#orders"),
        ("a postgres://u:p@h/db b", "a postgres://u:***@h/db b"),
        ("postgresql://u:p@ss/w#rd@h:1/db#orders", "postgresql://u:***@h:1/db#orders"),
        ("postgresql://h/db?user=u&password=p#&sslpassword=q&a=b", "postgresql://h/db?user=u&password=***&sslpassword=***&a=b"),
        ("duckdb:///shop.duckdb#orders", "duckdb:///shop.duckdb#orders"),
    ],
)  # fmt: skip
def test_passwords_are_masked(text: str, shown: str) -> None:
    assert masked(text) == shown
