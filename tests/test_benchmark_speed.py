"""The made log is as declared, and every rival computes the very features that churnvalue computes."""

import math
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from sqlglot import transpile

# Benchmarks are no part of the installed package.
sys.path.insert(0, str(Path(__file__).parents[1]))

from benchmarks import speed_duckdb, speed_log
from benchmarks.speed_features import features
from benchmarks.speed_measured import Cost, NotInstalled, measured, missing, needs
from benchmarks.speed_rivals import FEATURE_RIVALS
from benchmarks.speed_spark import spark_sql

from churnvalue.config import read_config
from churnvalue.engines import read_log
from churnvalue.frames import feature_frame

EVENTS, CUSTOMERS = 20_000, 700
CUTOFFS = speed_log.cutoffs(2)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("speed") / "log.parquet"
    speed_log.write_log(path, EVENTS, CUSTOMERS, seed=3)
    return path


@pytest.fixture(scope="module")
def ours(made: Path) -> list[pd.DataFrame]:
    speed_log.write_config(made.with_suffix(".toml"), made)
    config = read_config(made.with_suffix(".toml"))
    log = read_log(config)
    assert len(log) == EVENTS
    return [feature_frame(log, features(), cutoff, config.population).droplevel("cutoff") for cutoff in CUTOFFS]


def require_same(theirs: pd.DataFrame, ours: pd.DataFrame) -> None:
    theirs = theirs.set_index("customer_id")
    assert len(theirs) == len(ours) > 200
    assert set(theirs) == set(ours)
    theirs = theirs.loc[ours.index, list(ours)].astype("float64")
    counts = [name for name in ours if name.startswith(("event_count", "active_days", "distinct", "repeat_days"))]
    np.testing.assert_array_equal(theirs[counts], ours[counts])
    np.testing.assert_allclose(theirs, ours, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("rival", FEATURE_RIVALS.values(), ids=FEATURE_RIVALS)
def test_a_rival_computes_the_same_features(rival: Callable[..., Any], made: Path, ours: list[pd.DataFrame]) -> None:
    if lacking := missing(rival):
        pytest.skip(f"{', '.join(lacking)} not installed")
    for frame, table in zip(ours, rival(made, CUTOFFS), strict=True):
        require_same(table if isinstance(table, pd.DataFrame) else table.to_pandas(), frame)


def test_the_text_for_spark_means_the_same(made: Path, ours: list[pd.DataFrame]) -> None:
    """In DuckDB's own words; there a lambda counts from 1, not 0."""
    spoken = transpile(spark_sql("log", CUTOFFS[1]), read="spark", write="duckdb")[0]
    assert "i + 1" in spoken
    with duckdb.connect() as session:
        session.execute(f"CREATE VIEW log AS FROM '{made}'")
        require_same(session.sql(spoken.replace("i + 1", "i").replace("TIMESTAMPTZ", "TIMESTAMP")).df(), ours[1])


def test_shards_hold_every_customer_once(made: Path, ours: list[pd.DataFrame]) -> None:
    shards = [shard.to_pandas() for shard in speed_duckdb.sharded_sql(made, CUTOFFS[:1], shards=3)]
    assert len(shards) == 3
    together = pd.concat(shards).set_index("customer_id")
    pd.testing.assert_series_equal(
        together["gap_sd_purchase"].sort_index(), ours[0]["gap_sd_purchase"].sort_index(), check_index_type=False
    )


def test_the_floors_see_every_event(made: Path) -> None:
    assert speed_duckdb.sort(made).num_rows == EVENTS
    (floor,) = speed_duckdb.scan(made, CUTOFFS[:1])
    before = pc.less(pq.read_table(made)["ts"].cast(pa.int64()), CUTOFFS[0])
    assert pc.sum(floor.column(1)).as_py() == pc.sum(before).as_py()


def test_a_log_is_the_same_each_time_and_others_for_others(made: Path, tmp_path: Path) -> None:
    for name, seed in (("again", 3), ("other", 4)):
        speed_log.write_log(tmp_path / name, EVENTS, CUSTOMERS, seed)
    assert (tmp_path / "again").read_bytes() == made.read_bytes()
    assert not pq.read_table(tmp_path / "other").equals(pq.read_table(made))


def test_a_log_is_as_declared(made: Path) -> None:
    log = pq.read_table(made).to_pandas()
    assert len(log) == EVENTS
    assert log["customer_id"].str.fullmatch(r"C\d{9}").all()
    assert log["ts"].is_monotonic_increasing
    assert (log["ts"].dt.microsecond == 0).all()
    assert not log.duplicated(["customer_id", "ts"]).any()
    shares = log["event_type"].value_counts(normalize=True)
    for kind, share in speed_log.KINDS.items():
        assert shares[kind] == pytest.approx(share, abs=4 * np.sqrt(share * (1 - share) / EVENTS))
    paid = log.groupby("event_type")["amount"]
    assert (paid.count()[["visit", "message_sent", "ticket"]] == 0).all()
    assert paid.min()["purchase"] > 0 > paid.max()["return"]
    assert (log["channel"].nunique(), log["category"].nunique()) == (4, 20)
    by_category = log["category"].value_counts(normalize=True)
    assert by_category.iloc[0] / by_category.iloc[1] == pytest.approx(2.0, abs=0.2)  # Zipf
    span = log["ts"].max() - log["ts"].min()
    assert 729 <= span.days <= 730


def test_those_long_silent_are_gone_more_often(made: Path) -> None:
    log = pq.read_table(made, columns=["customer_id", "ts"]).to_pandas()
    cutoff = pd.Timestamp(CUTOFFS[0], unit="us")
    last = log[log["ts"] < cutoff].groupby("customer_id")["ts"].max()
    returned = last.index.isin(log.loc[log["ts"] >= cutoff, "customer_id"])
    recent = (cutoff - last).dt.days < 30
    assert returned[recent].mean() > returned[~recent].mean() + 0.3


def test_slices_follow_each_other_in_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(speed_log, "SLICE", 900)
    speed_log.write_log(tmp_path / "log", 2_000, 50, seed=1, text_ids=False)
    log = pq.read_table(tmp_path / "log")
    assert len(log) == 2_000
    assert log["customer_id"].type == pa.int64()
    assert np.all(np.diff(log["ts"].cast(pa.int64()).to_numpy()) >= 0)


def test_too_many_events_for_the_customers_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="1 customers have room for"):
        speed_log.write_log(tmp_path / "log", 10**7, 1, seed=1)


@needs("no_such_package")
def impossible() -> None:
    raise AssertionError


def test_a_call_is_measured_in_its_own_process() -> None:
    cost = measured(np.ones, 200 * 2**17, repeat=1)  # 200 MB
    assert isinstance(cost, Cost)
    assert cost.value == 200 * 2**17
    assert cost.peak_mb.median > 200
    assert 0 < cost.cpu_seconds.low <= cost.cpu_seconds.high
    assert measured(impossible) == NotInstalled(("no_such_package",))
    with pytest.raises(RuntimeError, match="math domain error"):
        measured(math.sqrt, -1.0, repeat=1)
