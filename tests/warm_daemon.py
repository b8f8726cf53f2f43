"""Spark's daemon of Python workers, which has what they need before it forks them: imports cost each of them a second."""

from pyspark.daemon import manager

import churnvalue.engines.spark
import churnvalue.jobs.feature_table
import churnvalue.jobs.scoring  # noqa: F401

if __name__ == "__main__":
    manager()
