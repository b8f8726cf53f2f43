import math
import runpy
import socket
import sys
from datetime import UTC, date, datetime
from pathlib import Path
from types import SimpleNamespace

import duckdb
import pyarrow as pa
import pytest

import churnvalue
from churnvalue.engines.postgres import Snapshots, connected, quoted
from churnvalue.errors import SourceError
from postgres_server import Server

LAST = datetime(9999, 12, 31, 23, 59, 59, 999999)
HOSTILE = [
    'a"; DROP TABLE victims; --',
    "with.dots.and spaces",
    "Größe 고객",
    "it's",
    "a#b",
    "$1",
    "%s",
    "public.victims",
    "x" * 63,
]


@pytest.fixture
def sources(postgres: Server) -> Server:
    """The server, with an empty schema of its own in the place of what earlier tests left."""
    postgres.run("DROP SCHEMA IF EXISTS public CASCADE", "CREATE SCHEMA public", "DROP SCHEMA IF EXISTS sales CASCADE")
    return postgres


def read(server: Server, table: str, **options: object) -> pa.Table:
    with Snapshots() as snapshots:
        return snapshots.read_batches(f"{server.uri()}#{table}", **options).read_all()  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def typed(postgres: Server) -> pa.Table:
    """A table with one row and a column for each expression of ``TYPES``."""
    postgres.run(
        "CREATE SCHEMA types",
        "CREATE TYPE types.kind AS ENUM ('leap')",
        "CREATE DOMAIN types.digits AS numeric(18, 0)",
        "CREATE DOMAIN types.order_number AS types.digits CHECK (VALUE > 0)",
        f"CREATE TABLE types.all AS SELECT {', '.join(f'{sql} AS c{i}' for i, (sql, *_) in enumerate(TYPES))}",
    )
    return read(postgres, "types.all")


TYPES = [
    ("'é'::text", "é", "string"),
    ("'é'::varchar(3)", "é", "string"),
    ("'ab'::char(4)", "ab", "string"),
    ("'00000000-0000-0000-0000-000000000001'::uuid", "00000000-0000-0000-0000-000000000001", "string"),
    ("2::smallint", 2, "int16"),
    ("-3::int", -3, "int32"),
    ("9007199254740993::bigint", 9007199254740993, "int64"),
    ("true", True, "bool"),
    ("0.1::float8", 0.1, "double"),
    ("0.5::real", 0.5, "float"),
    ("12.50::money", 12.5, "double"),
    ("'[1, {\"a\": null}]'::json", '[1, {"a": null}]', "string"),
    ("'{\"a\":1}'::jsonb", '{"a": 1}', "string"),
    ("'leap'::types.kind", "leap", "string"),
    ("'2024-02-29'::date", date(2024, 2, 29), "date32[day]"),
    ("'2024-02-29 12:00:00.000001'::timestamp", datetime(2024, 2, 29, 12, 0, 0, 1), "timestamp[us]"),
    ("'2024-01-01 09:00+09'::timestamptz", datetime(2024, 1, 1, tzinfo=UTC), "timestamp[us, tz=UTC]"),
    ("'infinity'::timestamp", LAST, "timestamp[us]"),
    ("'-infinity'::timestamptz", datetime(1, 1, 1, tzinfo=UTC), "timestamp[us, tz=UTC]"),
    ("'infinity'::date", date(9999, 12, 31), "date32[day]"),
    ("'294276-12-31'::timestamp", LAST, "timestamp[us]"),
    ("'4713-01-01 BC'::date", date(1, 1, 1), "date32[day]"),
    ("null::timestamptz", None, "timestamp[us, tz=UTC]"),
    ("0.1::numeric(12, 2)", 0.1, "double"),
    ("123456789012345.678::numeric", 123456789012345.678, "double"),
    ("'1e400'::numeric", math.inf, "double"),
    ("'-1e400'::numeric", -math.inf, "double"),
    ("'1e-400'::numeric", 0.0, "double"),
    ("null::numeric", None, "double"),
    ("'NaN'::numeric", "nan", "double"),
    ("'NaN'::numeric(5, 0)", "nan", "double"),
    ("999999999999999::numeric(15, 0)", 999999999999999.0, "double"),
    ("9007199254740993::numeric(16, 0)", "9007199254740993", "string"),
    ("9007199254740993::types.order_number", "9007199254740993", "string"),
]


@pytest.mark.parametrize(("place", "expected", "kind"), [(i, *rest) for i, (_, *rest) in enumerate(TYPES)])
def test_each_type_has_its_counterpart(typed: pa.Table, place: int, expected: object, kind: str) -> None:
    found = typed[f"c{place}"][0].as_py()
    assert ("nan" if found != found else found, str(typed.schema.field(place).type)) == (expected, kind)


def test_a_type_without_counterpart_is_named_and_may_be_left_out(sources: Server) -> None:
    sources.run("CREATE TABLE orders (id int, tags text[])", "INSERT INTO orders VALUES (1, '{a}')")
    with pytest.raises(SourceError, match=r"public.orders must have .*'tags' is text\[\]\. Read a view"):
        read(sources, "orders")
    assert read(sources, "orders", columns=["id", "absent"]).to_pylist() == [{"id": 1}]


def test_a_table_comes_in_chunks_of_bounded_size(sources: Server) -> None:
    sources.run("CREATE TABLE long AS SELECT g AS id, repeat('x', 90) AS filler FROM generate_series(1, 20000) g")
    with Snapshots() as snapshots:
        sizes = [
            (chunk.num_rows, chunk.nbytes)
            for chunk in snapshots.read_batches(f"{sources.uri()}#long", chunk_bytes=100_000)
        ]
    assert sum(rows for rows, _ in sizes) == 20_000
    assert len(sizes) >= 18  # of 98 bytes a row
    assert max(size for _, size in sizes) < 150_000


def test_an_empty_table_has_its_columns(sources: Server) -> None:
    sources.run("CREATE TABLE empty (id text, at timestamptz)")
    table = read(sources, "empty")
    assert (table.num_rows, table.column_names) == (0, ["id", "at"])


def test_no_name_is_read_as_sql(sources: Server) -> None:
    names = [quoted(name) for name in HOSTILE]
    sources.run("CREATE TABLE victims (id int)", *[f"CREATE TABLE {name} AS SELECT 'kept' AS {name}" for name in names])
    with Snapshots() as snapshots:
        for name in HOSTILE:
            for spelt in (name, f"public.{name}"):
                table = snapshots.read_batches(f"{sources.uri()}#{spelt}").read_all()
                assert table.to_pylist() == [{name: "kept"}]
        assert snapshots.read_batches(f"{sources.uri()}#victims").read_all().num_rows == 0


def test_a_name_is_quoted_whole() -> None:
    assert quoted('a"; DROP TABLE b; --') == '"a""; DROP TABLE b; --"'


def test_a_table_is_found_by_schema_and_the_visible_one_without(sources: Server) -> None:
    sources.run(
        "CREATE SCHEMA sales",
        "CREATE TABLE sales.orders AS SELECT 'sales' AS place",
        "CREATE TABLE orders AS SELECT 'public' AS place",
        "CREATE MATERIALIZED VIEW sales.kept AS SELECT 'kept' AS place",
    )
    places = [read(sources, name)["place"][0].as_py() for name in ("orders", "sales.orders", "sales.kept")]
    assert places == ["public", "sales", "kept"]


@pytest.mark.parametrize(("asked", "near"), [("Orders", "orders"), ("sales.visit", "sales.visits")])
def test_a_missing_table_is_told_with_a_near_match(sources: Server, asked: str, near: str) -> None:
    sources.run("CREATE TABLE orders (id int)", "CREATE SCHEMA sales", "CREATE TABLE sales.visits (id int)")
    with pytest.raises(SourceError, match=f"must have the table '{asked}', .* Did you mean '{near}'"):
        read(sources, asked)


def test_all_is_read_as_it_was_when_first_asked(sources: Server) -> None:
    sources.run("CREATE TABLE orders AS SELECT 1 AS id", "CREATE TABLE visits AS SELECT 1 AS id")
    with Snapshots() as snapshots:
        orders, visits = (f"{sources.uri()}#{name}" for name in ("orders", "visits"))
        before = snapshots.read_batches(orders).read_all()
        sources.run("INSERT INTO orders VALUES (2)", "INSERT INTO visits VALUES (2)")
        assert snapshots.read_batches(orders).read_all() == before
        assert snapshots.read_batches(visits).read_all().num_rows == 1
    assert read(sources, "orders").num_rows == 2


def test_nothing_can_be_written_through_a_source(sources: Server) -> None:
    sources.run("CREATE SEQUENCE counter", "CREATE VIEW writes AS SELECT nextval('counter') AS id")
    with pytest.raises(pa.ArrowInvalid, match="cannot execute nextval"):
        read(sources, "writes")


def test_chunks_land_in_duckdb_and_a_lost_server_is_an_error_there(sources: Server) -> None:
    sources.run("CREATE TABLE orders AS SELECT g AS id, repeat('x', 90) AS f FROM generate_series(1, 200000) g")
    with duckdb.connect() as target, Snapshots() as snapshots:
        target.register("batches", snapshots.read_batches(f"{sources.uri()}#orders"))
        target.execute("CREATE TEMP TABLE landed AS SELECT * FROM batches")
        assert target.execute("SELECT count(*), sum(id) FROM landed").fetchall() == [(200_000, 20_000_100_000)]
        target.register("batches", snapshots.read_batches(f"{sources.uri()}#orders", chunk_bytes=100_000))
        sources.run(
            "SELECT pg_terminate_backend(pid)::text FROM pg_stat_activity WHERE query LIKE 'COPY%' AND pid <> pg_backend_pid()"
        )
        with pytest.raises(duckdb.Error, match=r"(?i)terminat|closed|connection"):
            target.execute("CREATE TEMP TABLE lost AS SELECT * FROM batches")


def test_text_is_utf8_whatever_the_database_is_in(postgres: Server) -> None:
    postgres.run("CREATE DATABASE latin ENCODING 'LATIN1' TEMPLATE template0")
    with postgres.connected("latin") as cursor:
        cursor.execute("CREATE TABLE names AS SELECT chr(233) AS name")
        cursor.execute("COMMIT")
    with Snapshots() as snapshots:
        names = snapshots.read_batches(f"{postgres.uri(database='latin')}#names").read_all()
    assert names["name"].to_pylist() == ["é"]


def test_the_password_comes_from_the_address_the_environment_or_a_file(
    postgres: Server, monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> None:
    def user(uri: str) -> object:
        with connected(uri, SourceError) as connection, connection.cursor() as cursor:
            cursor.execute("SELECT current_user::text")
            return cursor.fetchone()

    assert user(postgres.uri("locked:s3cr%23t")) == ("locked",)
    assert user(postgres.uri("locked:s3cr#t")) == ("locked",)
    with monkeypatch.context() as patch:
        patch.setenv("PGPASSWORD", "s3cr#t")
        assert user(postgres.uri("locked")) == ("locked",)
    passwords = tmp_path_factory.mktemp("home") / "pgpass"
    passwords.write_text("*:*:*:locked:s3cr#t\n")
    passwords.chmod(0o600)
    monkeypatch.setenv("PGPASSFILE", str(passwords))
    assert user(postgres.uri("locked")) == ("locked",)


@pytest.mark.parametrize(
    "address", ["locked:wr0ng@", "locked:wr0ng#@", "locked:wr0ng?@", "locked:a@wr0ng@", "locked:a/wr0ng@"]
)
def test_a_wrong_password_is_refused_and_not_named(postgres: Server, address: str) -> None:
    uri = postgres.uri().replace("churn@", address)
    with pytest.raises(SourceError, match=r"postgresql://locked:\*\*\*@") as caught, Snapshots() as snapshots:
        snapshots.read_batches(f"{uri}#orders")
    assert "wr0ng" not in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "uri",
    [
        "postgresql://u:s3cret/db",
        "postgresql://u:s3%zzcret@/db",
        "postgresql:///db?pasword=s3cret",
        "mysql://u:s3cret@h/db",
    ],
)
def test_an_address_that_cannot_be_read_is_told_without_what_may_be_a_password(postgres: Server, uri: str) -> None:
    with pytest.raises(SourceError, match="%XX") as caught, connected(uri, SourceError):
        pass
    assert "s3" not in str(caught.value).replace("postgresql://u:s3cret/db", "").replace(uri, "")


def test_a_source_must_name_its_table() -> None:
    with (
        pytest.raises(SourceError, match=r"name a table as in .* but postgresql://u:\*\*\*@h/db came"),
        Snapshots() as s,
    ):
        s.read_batches("postgresql://u:s3cret@h/db")


def test_a_server_that_is_not_there_or_silent_is_told_in_one_line(postgres: Server) -> None:
    with (
        pytest.raises(SourceError, match="No such file or directory"),
        connected("postgresql:///x?host=/nowhere", SourceError),
    ):
        pass
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        uri = f"postgresql://u:s3cret@127.0.0.1:{silent.getsockname()[1]}/db?connect_timeout=2"
        with pytest.raises(SourceError, match=r"u:\*\*\*@.* timeout expired$"), connected(uri, SourceError):
            pass


@pytest.mark.parametrize(
    ("uri", "end"), [("postgresql://h/d", "&connect_timeout=7"), ("postgresql://h/d?connect_timeout=3", "=UTF8")]
)
def test_waiting_for_a_server_is_bounded(monkeypatch: pytest.MonkeyPatch, uri: str, end: str) -> None:
    asked: list[str] = []

    def refuse(uri: str) -> None:
        asked.append(uri)
        raise OSError("stop here")

    monkeypatch.setitem(sys.modules, "adbc_driver_postgresql.dbapi", SimpleNamespace(Error=OSError, connect=refuse))  # type: ignore[arg-type]
    monkeypatch.setitem(sys.modules, "adbc_driver_postgresql", SimpleNamespace())  # type: ignore[arg-type]
    with pytest.raises(SourceError, match="stop here"), connected(uri, SourceError):
        pass
    assert asked[0].endswith(end)


def test_a_missing_driver_is_told_with_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "adbc_driver_postgresql.dbapi", None)
    with (
        pytest.raises(SourceError, match=r"Install it: pip install 'churnvalue\[postgres\]'"),
        Snapshots() as snapshots,
    ):
        snapshots.read_batches("postgresql://h/db#orders")


@pytest.mark.parametrize("layer", ["engines", "storage"])
def test_the_driver_is_not_imported_before_an_address_is_opened(monkeypatch: pytest.MonkeyPatch, layer: str) -> None:
    monkeypatch.setitem(sys.modules, "adbc_driver_postgresql", None)
    monkeypatch.setitem(sys.modules, "adbc_driver_manager", None)
    assert "connected" in runpy.run_path(str(Path(churnvalue.__file__).parent / layer / "postgres.py"))
