"""A Spark for tests: small, one for all of them, and spared what pays only for queries that run for long."""

from collections.abc import Iterator
from pathlib import Path

import pytest

SPARK = {
    "master": "local[2]",
    "conf": {
        "spark.sql.shuffle.partitions": "2",
        "spark.driver.memory": "512m",
        # As Spark does by itself, said because the Spark that runs already may have been started otherwise.
        "spark.sql.adaptive.enabled": "true",
        "spark.sql.codegen.wholeStage": "true",
        # The virtual machine compiles without optimising, which takes it longer than all that the tests compute.
        "spark.driver.extraJavaOptions": "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC",
        "spark.python.daemon.module": "warm_daemon",
        "spark.executorEnv.PYTHONPATH": str(Path(__file__).parent),
    },
}


@pytest.fixture(scope="session")
def spark_ends() -> Iterator[None]:
    """Spark ends with the tests at the latest."""
    yield
    from pyspark.sql import SparkSession

    if session := SparkSession.getActiveSession():
        session.stop()
