"""Reasons that nobody asked for are found later: for the planned, and for who is asked for. And chunks change nothing."""

import pandas as pd
import pyarrow.parquet as pq
import pytest
from small_shop import AS_OF_DATE

from churnvalue.errors import OutputError
from churnvalue.events.stream import LogStream
from churnvalue.jobs.outputs import REASONS, SCORES
from churnvalue.jobs.plan import plan
from churnvalue.jobs.report import explain_customer, write_report
from churnvalue.jobs.score import score


@pytest.fixture(scope="module")
def silent(shop, tmp_path_factory):
    """A folder with scores that hold no reasons, and their plan."""
    folder = tmp_path_factory.mktemp("silent")
    scores = score(shop.config, AS_OF_DATE, folder, reasons="none")
    return folder, scores, plan(shop.config, folder, folder)


def test_without_reasons_everything_else_is_the_same(shop, silent):
    _, scores, planned = silent
    assert scores["drivers"].isna().all()
    columns = [name for name in scores if name not in ("drivers", "spend_drivers")]
    pd.testing.assert_frame_equal(scores[columns], shop.scores[columns])
    pd.testing.assert_frame_equal(planned.plan, shop.plan.plan)


def test_the_planned_are_explained_as_scoring_would_have(shop, silent):
    folder, _, planned = silent
    found = pq.read_table(folder / REASONS).to_pandas().set_index("customer_id")
    asked = planned.plan.loc[planned.plan["planned_action"] != "none", "customer_id"]
    assert sorted(found.index) == sorted(asked)
    told = shop.scores.set_index("customer_id")
    for customer in found.index:
        for column in ("drivers", "spend_drivers"):
            assert str(found.loc[customer, column]) == str(told.loc[customer, column])
    assert any("Reasons were found for" in note for note in planned.notes)
    assert not (shop.out / REASONS).exists()  # where scores hold them nothing is found twice


def test_one_customer_is_explained_when_asked_for(shop, silent):
    folder, scores, _ = silent
    customer = scores["customer_id"].iloc[5]
    assert explain_customer(customer, folder, shop.config) == explain_customer(customer, shop.out)
    assert "Why they may leave" not in explain_customer(customer, folder)
    manifest = (folder / "manifest.json").read_text()
    (folder / "manifest.json").write_text(manifest.replace('"churn": 1', '"churn": 7'))
    with pytest.raises(OutputError, match="Score again"):
        explain_customer(customer, folder, shop.config)
    (folder / "manifest.json").write_text(manifest)


def test_the_report_shows_the_reasons_of_the_planned(shop, silent, tmp_path):
    folder, _, _ = silent
    page = write_report(shop.config, folder, folder, tmp_path).read_text()
    first = pq.read_table(folder / REASONS)["drivers"][0].as_py()[0]["text"]
    assert first in page


def test_ranges_of_customers_give_the_bytes_of_all_at_once(shop, tmp_path, monkeypatch):
    whole = LogStream.chunks
    monkeypatch.setattr(LogStream, "chunks", lambda stream, events=700: whole(stream, events))
    scores = score(shop.config, AS_OF_DATE, tmp_path, with_features=True)
    pd.testing.assert_frame_equal(scores, shop.scores, check_exact=True)
    for name in (SCORES, "features.parquet"):
        assert (tmp_path / name).read_bytes() == (shop.out / name).read_bytes()
