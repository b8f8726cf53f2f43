"""The features on Spark with two local cores: ours by the executors, and the same by one grouped pass of SQL, both to Parquet."""

import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from benchmarks.speed_features import features
from benchmarks.speed_measured import needs
from benchmarks.speed_spark import spark_sql

_CONF = {"spark.sql.shuffle.partitions": "8", "spark.driver.memory": "4g"}


@needs("pyspark", "numba", "pandas")
def our_features_on_spark(log: Path, cutoff: int) -> dict[str, list[float]]:
    """Return the seconds of writing our features, five times, with a session that is warm."""
    from churnvalue import clock
    from churnvalue.config import read_config
    from churnvalue.jobs.feature_table import write_features

    config = read_config(log.with_suffix(".toml"))
    spark = config.spark.model_copy(update={"master": "local[2]", "conf": _CONF})
    config = config.model_copy(update={"engine": "spark", "spark": spark})
    return _warm(lambda out: write_features(config, features(), clock.moment(cutoff).isoformat(), out))


@needs("pyspark")
def sql_on_spark(log: Path, cutoff: int) -> dict[str, list[float]]:
    """Return the seconds of writing the features of one grouped pass, five times, with a session that is warm."""
    from pyspark.sql import SparkSession

    builder = SparkSession.builder.master("local[2]").config("spark.ui.enabled", "false")
    for key, value in {**_CONF, "spark.sql.session.timeZone": "UTC", "spark.driver.bindAddress": "127.0.0.1"}.items():
        builder = builder.config(key, value)
    session = builder.getOrCreate()
    session.read.parquet(str(log)).createOrReplaceTempView("log")
    return _warm(lambda out: session.sql(spark_sql("log", cutoff)).write.mode("overwrite").parquet(out))


def _warm(write: Callable[[str], object]) -> dict[str, list[float]]:
    """Return the seconds of all runs but the first, in which workers start and Java compiles."""
    seconds = []
    with tempfile.TemporaryDirectory() as folder:
        for _ in range(6):
            start = time.perf_counter()
            write(f"{folder}/features")
            seconds.append(time.perf_counter() - start)
    return {"seconds": seconds[1:]}
