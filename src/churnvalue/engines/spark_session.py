"""One Spark session, and the files and tables that it opens.

Text is read as times and numbers by DuckDB on every engine, here within the executors: no two parsers agree on odd text.
"""

import os
import re
import sys
import warnings
from collections.abc import Collection
from importlib.util import find_spec
from itertools import count
from pathlib import Path
from typing import Any

import ibis
import ibis.expr.datatypes as dt
import ibis.expr.types as ir
import pyarrow as pa
import pyarrow.parquet as pq
from ibis.common.exceptions import IbisTypeError

from churnvalue.config import Spark
from churnvalue.engines.files import file_format, matching
from churnvalue.engines.spark_dialect import NUMBER, TIME, sql
from churnvalue.engines.spark_parquet import of_nanoseconds, read_parquet
from churnvalue.engines.spark_text import by_duckdb, sniffed
from churnvalue.errors import ConfigError, SourceError, near_match

_TABLE = "spark://"
_CSV = {"header": True, "multiLine": True, "mode": "FAILFAST", "escape": '"'}
_LOCAL = {
    "spark.driver.bindAddress": "127.0.0.1",
    "spark.driver.host": "127.0.0.1",
}
_QUIET = {
    "spark.ui.enabled": "false",
    "spark.ui.showConsoleProgress": "false",
    "spark.driver.maxResultSize": "0",  # scores of millions of customers come to the driver
}
_MEANING = {
    "spark.sql.session.timeZone": "UTC",
    "spark.sql.ansi.enabled": "true",  # what cannot be computed is an error, never a null
    "spark.sql.caseSensitive": "true",
    "spark.sql.csv.parser.columnPruning.enabled": "false",  # a broken row is one whatever columns are asked for
    "spark.sql.parquet.outputTimestampType": "TIMESTAMP_MICROS",
    "spark.sql.legacy.parquet.nanosAsLong": "true",  # Spark holds no nanoseconds, and refuses to read them
    "spark.sql.execution.arrow.maxRecordsPerBatch": "100000",
    "spark.sql.execution.arrow.maxBytesPerBatch": "2147483647",  # less is reckoned anew for every row, which costs more than it
}


@ibis.udf.scalar.builtin(  # type: ignore[untyped-decorator]
    name="unix_micros", signature=((dt.Timestamp("UTC"),), dt.int64)
)
def _unix_micros(time: Any) -> Any: ...


class SparkSources:
    """A session of its own in the Spark that runs already, or else in one started by ``settings``.

    Sources with relative paths start at ``folder``. Spark goes on until the process ends.
    """

    def __init__(self, folder: Path, settings: Spark) -> None:
        self._folder = folder
        self._session = _session(settings)
        self._views = count()
        self._register(NUMBER, "try_cast(text AS DOUBLE)", "double")
        self._register(TIME, "try_cast(text AS TIMESTAMPTZ)", "timestamp")

    @property
    def partitions(self) -> int:
        """How many parts events are shuffled into."""
        return int(self._session.conf.get("spark.sql.shuffle.partitions"))

    def to_micros(self, time: ir.TimestampValue) -> ir.IntegerValue:
        """Microseconds since 1970 of a timestamp."""
        return _unix_micros(time.cast("timestamp('UTC')"))

    def parse_time(self, text: ir.StringValue, time_format: str) -> ir.TimestampValue:
        """Timestamp of a text, null where it does not follow the format; with a zone if the format has ``%z``."""
        aware = "%z" in time_format
        name = f"{TIME}_{time_format.encode().hex()}"
        quoted = time_format.replace("'", "''")
        parsed = f"try_strptime(text, '{quoted}')"
        self._register(name, parsed if aware else f"{parsed} AT TIME ZONE 'UTC'", "timestamp")

        def parse(text: Any) -> Any: ...

        kind = dt.Timestamp("UTC") if aware else dt.timestamp
        return ibis.udf.scalar.builtin(parse, name=name, signature=((dt.string,), kind))(text)

    def scalar(self, value: ir.Value) -> Any:
        """Compute one value now."""
        return self.arrow(value.name("value").as_table())["value"][0].as_py()

    def arrow(self, table: ir.Table) -> pa.Table:
        """Compute a table now, in the memory of the driver."""
        return self.frame(table).toArrow()

    def frame(self, table: ir.Table) -> Any:
        """Return a table as a DataFrame of Spark, which computes nothing yet."""
        return self._session.sql(sql(table))

    def open(self, source: str, columns: Collection[str] | None = None) -> ir.Table:  # noqa: ARG002 – Spark prunes by itself
        """Return a source as a table.

        Parquet or CSV by a file or glob that driver and executors see, or by the URL of a store that Spark reads (``s3a://…``,
        ``hdfs://…``); or ``spark://catalog.schema.table``, whatever name Spark knows a table by.

        Raises:
            SourceError: If there is no such source or it cannot be read.
        """
        from pyspark.errors import PySparkException

        try:
            frame, naive = self._opened(source)
        except PySparkException as error:
            raise SourceError(f"{source} must be readable, but: {said(error)}") from error
        view = f"churnvalue_source_{next(self._views)}"
        frame.createOrReplaceTempView(view)
        kinds = {field.name: _kind(field.dataType) for field in frame.schema.fields}
        return ibis.table(kinds | dict.fromkeys(naive, dt.timestamp), name=view)

    def _opened(self, source: str) -> tuple[Any, frozenset[str]]:
        """Return a source as a DataFrame, and which of its instants are times without a zone, held as if they were of UTC."""
        if source.startswith(_TABLE):
            return self._table(source.removeprefix(_TABLE)), frozenset()
        if "://" in source:
            kind = file_format([Path(source)], source)
            separator = "\t" if ".tsv" in Path(source).suffixes else ","
            if kind == "csv":
                return self._session.read.options(**_CSV, sep=separator, enforceSchema=False).csv(source), frozenset()
            return read_parquet(self._session, source)
        paths = matching(self._folder, source)
        hidden = [path.name for path in paths if path.name.startswith(("_", "."))]
        if hidden:
            raise SourceError(f"Spark reads no file whose name starts with _ or ., but {hidden[0]} came. Rename it.")
        if file_format(paths, source) != "parquet":
            return self._csv(paths), frozenset()
        frame, naive = read_parquet(self._session, *map(_url, paths))
        return of_nanoseconds(frame, naive, pq.read_schema(paths[0]))

    def _table(self, name: str) -> Any:
        if not self._session.catalog.tableExists(name):
            tables = [table.name for table in self._session.catalog.listTables()]
            raise SourceError(f"Spark must know the table '{name}', but does not.{near_match(name, tables)}")
        return self._session.table(name)

    def _csv(self, paths: list[Path]) -> Any:
        """Return CSV files, each by its own header; DuckDB tells how they are written, so that both engines read the same."""
        from pyspark.sql.types import StringType, StructField, StructType

        alike: dict[tuple[str, str, tuple[str, ...]], list[Path]] = {}
        for path in paths:
            alike.setdefault(sniffed(path), []).append(path)
        frames = []
        for (separator, quote, names), files in alike.items():
            schema = StructType([StructField(name, StringType()) for name in names])
            reader = self._session.read.schema(schema).options(**_CSV, sep=separator, quote=quote)
            frames.append(reader.csv([_url(path) for path in files]))
        whole = frames[0]
        for frame in frames[1:]:
            whole = whole.unionByName(frame, allowMissingColumns=True)
        return whole

    def _register(self, name: str, expression: str, kind: str) -> None:
        from pyspark.sql import functions as F  # noqa: N812 – as Spark's own documents do

        self._session.udf.register(name, F.arrow_udf(by_duckdb(expression), kind))


def _session(settings: Spark) -> Any:
    if find_spec("pyspark") is None:
        raise ConfigError('engine = "spark" needs PySpark, which is not installed: pip install "churnvalue[spark]"')
    # It warns of pandas 3 again and again, of which nothing is used here: data goes by Arrow.
    warnings.filterwarnings("ignore", "PySpark does not yet fully support pandas", FutureWarning)
    from pyspark.errors import PySparkException
    from pyspark.sql import SparkSession

    running = SparkSession.getActiveSession()
    if running is None:
        os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
        own = _LOCAL if settings.master.startswith("local") else {}
        if own:
            os.environ.setdefault("SPARK_LOCAL_IP", _LOCAL["spark.driver.host"])
        builder = SparkSession.builder.appName("churnvalue").master(settings.master)
        for key, value in {**_QUIET, **own, **settings.conf}.items():
            builder = builder.config(key, value)
        try:
            running = builder.getOrCreate()
        except (PySparkException, RuntimeError) as error:
            raise ConfigError(
                f'engine = "spark" needs Java 17 or later and the master {settings.master}, but: {said(error)}'
            ) from error
        running.sparkContext.setLogLevel("FATAL")  # what goes wrong is raised, what is tried again is nobody's business
    # What is set here must not change what the same Spark does for others.
    session = running.newSession()
    ibis.pyspark.connect(session)  # without it Ibis lacks its options for Spark
    for key, value in {**settings.conf, **_MEANING}.items():
        if key in _MEANING or session.conf.isModifiable(key):
            session.conf.set(key, value)
    return session


def _kind(spark: Any) -> dt.DataType:
    """Return Ibis's type of a column; unknown where it has none, which matters only if the column plays a part."""
    from ibis.backends.pyspark.datatypes import PySparkType

    if spark.typeName() == "timestamp":
        return dt.Timestamp("UTC")  # an instant, which Ibis takes for a local time
    try:
        return PySparkType.to_ibis(spark)
    except (NotImplementedError, IbisTypeError):
        return dt.unknown


def _url(path: Path) -> str:
    r"""Return the path of a file for Spark, which takes every path for a glob.

    >>> _url(Path("/data/a[1].csv"))
    'file:///data/a\\[1\\].csv'
    """
    return "file://" + re.sub(r"([\\{}\[\]*?])", r"\\\1", str(path.absolute()))


def said(error: BaseException) -> str:
    """Return the one line of an error that tells: the last of a worker's traceback, else the first."""
    lines = [line.strip() for line in str(error).split("JVM stacktrace")[0].splitlines() if line.strip()]
    return next((lines[-1] for line in lines if line.startswith("Traceback")), lines[0] if lines else repr(error))
