"""``write_report`` on folders as other commands leave them."""

import pyarrow as pa
import pytest

from churnvalue.config import parse_config
from churnvalue.errors import OutputError
from churnvalue.jobs.report import write_report
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
