"""Scores, plan, report and explanation in Korean: words change, numbers do not."""

import json
import re

import pandas as pd
import pytest

from churnvalue.jobs.plan import plan
from churnvalue.jobs.report import explain_customer, write_report
from churnvalue.jobs.score import score
from churnvalue.language import language

AS_OF_DATE = "2024-12-01"
ENGLISH = re.compile(r"[A-Za-z]{2,}(?: [A-Za-z]{2,}){2,}")


@pytest.fixture(scope="module")
def korean(shop, tmp_path_factory):
    """The shop's configuration in Korean, the folder of its scores and plan, and the plan."""
    config, out = shop.config.model_copy(update={"language": "ko"}), tmp_path_factory.mktemp("korean")
    score(config, AS_OF_DATE, out)
    return config, out, plan(config, out, out)


def test_only_words_differ_from_the_english_scores(shop, korean):
    _config, out, _plan = korean
    found = pd.read_parquet(out / "scores.parquet")
    drivers = found.pop("drivers")
    english = shop.scores.drop(columns=["drivers", "spend_drivers", "previous_tier"])
    pd.testing.assert_frame_equal(found.drop(columns=["spend_drivers", "previous_tier"]), english)
    for own, other in zip(drivers, shop.scores["drivers"], strict=True):
        assert [(one["feature"], one["effect"]) for one in own] == [(one["feature"], one["effect"]) for one in other]
        assert all(re.search("[가-힣]", one["text"]) for one in own)


def test_only_words_differ_from_the_english_plan(shop, korean):
    _config, _out, found = korean
    pd.testing.assert_frame_equal(found.plan.drop(columns="reason"), shop.plan.plan.drop(columns="reason"))
    pd.testing.assert_frame_equal(found.sends.drop(columns="reason"), shop.plan.sends.drop(columns="reason"))
    assert len(found.notes) == len(shop.plan.notes)
    for text in (*found.plan["reason"], *found.sends["reason"], *found.notes):
        assert re.search("[가-힣]", text)
        assert not ENGLISH.search(text), text


def test_its_report_and_explanation_are_korean(shop, korean, tmp_path):
    config, out, _plan = korean
    page = write_report(config, out, out, tmp_path).read_text(encoding="utf-8")
    visible = re.sub(r"<(style|script)>.*?</\1>", "", page, flags=re.DOTALL)
    training = json.dumps(shop.training.summary)  # which was made in English
    said = {text for text in ENGLISH.findall(re.sub("<[^>]*>", "\n", visible)) if text not in training}
    assert said == {"churnvalue explain ID"}
    told = explain_customer(shop.scores["customer_id"].iloc[0], out, config)
    assert "이탈 확률" in told
    assert not ENGLISH.search(told), told
    assert language() == "en"
