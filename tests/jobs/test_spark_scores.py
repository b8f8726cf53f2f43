"""Scores of the small shop, made by Spark's executors, are those of one machine, bit for bit."""

import pickle
import shutil

import pandas as pd
import pyarrow.parquet as pq
import pytest
from small_shop import AS_OF_DATE

from churnvalue.jobs.champions import load_champions
from churnvalue.jobs.score import score
from churnvalue.storage import read_manifest
from small_spark import SPARK


def test_champions_travel_as_text(shop):
    champions = load_champions(shop.config)
    sent = pickle.dumps(champions)
    assert b"Booster" not in sent
    arrived = pickle.loads(sent)
    assert arrived.versions == champions.versions
    features = pd.read_parquet(shop.out / "features.parquet").set_index(["customer_id", "cutoff"])
    pd.testing.assert_frame_equal(arrived.predict(features), champions.predict(features), check_exact=True)


@pytest.mark.skipif(shutil.which("java") is None, reason="there is no Java")
def test_scores_are_the_same(shop, tmp_path):
    pytest.importorskip("pyspark", reason="PySpark is not installed: pip install 'churnvalue[spark]'")
    from pyspark.sql import SparkSession

    try:
        score(shop.changed(engine="spark", spark=SPARK), AS_OF_DATE, tmp_path, with_features=True)
    finally:
        SparkSession.getActiveSession().stop()
    for file in ("scores.parquet", "features.parquet"):
        assert pq.read_table(tmp_path / file).equals(pq.read_table(shop.out / file)), file
    here, there = (read_manifest(folder)["facts"]["score"] for folder in (tmp_path, shop.out))
    assert here == there
