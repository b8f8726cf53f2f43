"""Learning from a sample of the customers: the same ones every day, and how sure that leaves the numbers."""

from pathlib import Path

import pytest

from churnvalue.config import parse_config
from churnvalue.engines import read_log
from churnvalue.jobs.sampling import Sample, read_to_learn

CUSTOMERS = 3_000


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """A log of one purchase a customer."""
    made = tmp_path_factory.mktemp("sampled")
    rows = "\n".join(f"c{i},2011-06-{1 + i % 28:02d}T12:00,{i % 7}.5" for i in range(CUSTOMERS))
    (made / "log.csv").write_text("customer_id,event_time,amount\n" + rows + "\n", encoding="utf-8")
    return made


def configured(folder: Path, most: int):
    source = {"source": "log.csv", "timezone": "UTC", "columns": {"amount": "amount"}}
    return parse_config({"events": [source], "training": {"most_customers": most}}, folder)


def test_no_more_than_asked_for_are_drawn_and_the_same_ones_every_day(folder: Path) -> None:
    log, sample = read_to_learn(configured(folder, 1_000), None)
    assert sample == Sample(len(log.customers), CUSTOMERS)
    assert abs(sample.customers - 1_000) < 4 * (CUSTOMERS * 1 / 3 * 2 / 3) ** 0.5
    earlier = read_log(configured(folder, 1_000), 1_307_880_000_000_000, 1 / 3)  # 2011-06-12T12:00
    assert set(earlier.customers.to_pylist()) <= set(log.customers.to_pylist())
    twice = read_log(configured(folder, 1_000), None, 2 / 3)
    assert set(log.customers.to_pylist()) <= set(twice.customers.to_pylist())


def test_few_enough_are_all_learnt_from(folder: Path) -> None:
    log, sample = read_to_learn(configured(folder, CUSTOMERS), None)
    assert (len(log.customers), sample) == (CUSTOMERS, None)


def test_the_stated_error() -> None:
    sample = Sample(customers=10_000, of=40_000)
    assert sample.error == pytest.approx(
        1.96 * 0.5 / 100 * 0.75**0.5
    )  # half a point less for a quarter that is all there is
    assert Sample(customers=5, of=5).error == 0
    assert "10,000 of 40,000" in sample.says()
    assert "±0.85 points" in sample.says()
    assert sample.scaled({"customers": 10, "spend": 2.5, "days": 90}) == {"customers": 40, "spend": 10.0, "days": 90}


def test_some_customers_by_their_ids(folder: Path) -> None:
    log = read_log(configured(folder, CUSTOMERS), None, frozenset({"c7", "c12", "nobody"}))
    assert log.customers.to_pylist() == ["c12", "c7"]
    assert log.account.read == 2
