"""``write_report`` on folders as other commands leave them."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from churnvalue.config import parse_config
from churnvalue.errors import OutputError
from churnvalue.evaluation.baselines import Prediction
from churnvalue.evaluation.measurement import OURS, Evaluation
from churnvalue.frames import TrainingFrame
from churnvalue.jobs.report import write_report
from churnvalue.jobs.summary import _last_period, _thresholds
from churnvalue.report.page import render
from churnvalue.storage import staged

CONFIG = {"project": "shop", "events": [{"source": "events.parquet", "kind": "purchase"}]}


@pytest.fixture
def config(tmp_path):
    return parse_config(CONFIG, tmp_path)


def table(frame):
    return pa.Table.from_pandas(frame, preserve_index=False)


def write(folder, data, newer):
    """Write scores and plan; ``newer`` adds what older versions did not write."""
    with staged(folder, "score", cutoff="2011-09-01", horizon_days=90, has_amounts=True) as stage:
        stage.parquet("scores.parquet", table(data.scores))
    facts = {"budget": 5000.0} | ({"notes": data.facts["notes"]} if newer else {})
    with staged(folder, "plan", cutoff="2011-09-01", **facts) as stage:
        for name in ("plan", "sends", "curve", *(["portfolios"] if newer else [])):
            stage.parquet(f"{name}.parquet", table(getattr(data, name)))
    if newer:
        with staged(folder, "measure") as stage:
            stage.json("measure.json", data.measured)


@pytest.mark.parametrize("newer", [True, False])
def test_the_page_holds_what_the_folders_hold(config, make_report, tmp_path, newer):
    folder, data = tmp_path / "run", make_report(50)
    write(folder, data, newer)
    page = write_report(config, folder, folder).read_text(encoding="utf-8")
    first = data.scores.sort_values("clv").iloc[-1]
    assert first["customer_id"] in page
    assert first["drivers"][0]["text"] in page
    assert "Why customers leave" in page
    assert ("Tiers, year on year" in page) == newer
    assert ("The plan worked" in page) == newer
    assert ("Not measured yet" in page) != newer
    assert ("What each effect rests on" in page) == newer


def test_folders_read_in_part_make_the_page_of_the_whole(config, make_report, tmp_path):
    folder, data = tmp_path / "run", make_report(400)
    write(folder, data, newer=True)
    page = write_report(config, folder, folder).read_text(encoding="utf-8")
    said = {"budget": 5000.0, "notes": data.facts["notes"], "plan_cutoff": "2011-09-01", "capacities": {"email": None}}
    facts = {"cutoff": "2011-09-01", "horizon_days": 90, "has_amounts": True}
    assert page == render(replace(data, training=None, facts=facts | said))


def test_tables_that_lack_columns_make_a_page(config, make_report, tmp_path):
    folder, data = tmp_path / "run", make_report(30)
    data = replace(data, scores=data.scores.drop(columns="drivers"), plan=data.plan.drop(columns="planned_action"))
    write(folder, data, newer=True)
    assert "Why customers leave" not in write_report(config, folder, folder).read_text(encoding="utf-8")


def test_training_tells_who_left_above_each_risk_and_what_the_last_period_brought():
    targets = pd.DataFrame(
        {"churned": [True, False, True, True], "orders": [0.0, 2.0, 0.0, 0.0], "spend": [0, 9.5, 0, 0]}
    )
    risk = np.array([0.99, 0.6, 0.5, 0.05])
    cutoff = pd.Timestamp("2011-06-01", tz="UTC")
    evaluation = Evaluation(cutoff, targets, {OURS: Prediction(risk=risk, p_churn=risk)})
    told = {row["p_churn"]: (row["customers"], row["leavers"]) for row in _thresholds(evaluation)}
    assert (told[0.0], told[0.5], told[0.6], told[0.98]) == ((4, 3), (3, 2), (2, 1), (1, 1))
    index = pd.MultiIndex.from_product([["a", "b", "c", "d"], [cutoff]], names=["customer_id", "cutoff"])
    newest = TrainingFrame(pd.DataFrame(index=index), targets.set_index(index))
    period = {"from": "2011-06-01", "to": "2011-08-30", "days": 90, "customers": 4, "churned": 3.0}
    assert _last_period(newest, 90) == period | {"orders": 2.0, "spend": 9.5}


def test_scores_alone_make_a_page(config, make_report, tmp_path):
    folder, out = tmp_path / "run", tmp_path / "page"
    write(folder, make_report(30), newer=False)
    page = write_report(config, folder, out=out)
    assert page == out / "report.html"
    assert "The plan" not in page.read_text(encoding="utf-8")


def test_a_folder_without_a_plan_is_refused(config, make_report, tmp_path):
    with staged(tmp_path / "run", "score") as stage:
        stage.parquet("scores.parquet", table(make_report(10).scores))
    with pytest.raises(OutputError, match=r"plan\.parquet"):
        write_report(config, tmp_path / "run", tmp_path / "run")
