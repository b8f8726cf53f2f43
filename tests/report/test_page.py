import base64
import hashlib
import re
from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import pandas as pd
import pytest

from churnvalue.report.page import ReportData, render

VOID = {"meta", "input", "br", "link", "img", "hr"}
HOSTILE = [
    "<script>alert(1)</script>",
    "=cmd()|' /C calc'!A0",
    '"><img src=x onerror=alert(1)>',
    "</script><!--",
    "{{ 7 * 7 }}",
    "&amp;",
    "\u202egnp.exe",
]


class Page(HTMLParser):
    """What stands in a page: its tags, ids, links and text; every element must be closed in order."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.text: list[str] = []
        self.feed(html)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text.append(data)

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.tags if name == tag]


@pytest.fixture(scope="module")
def full(make_report):
    return render(make_report(1200))


def test_the_page_is_well_formed_with_distinct_ids(full):
    page = Page(full)
    ids = [attributes["id"] for _, attributes in page.tags if "id" in attributes]
    assert len(ids) == len(set(ids))
    for _, attributes in page.tags:
        for key in ("aria-labelledby", "for", "aria-controls"):
            assert attributes.get(key, ids[0]) in ids
        if attributes.get("href", "").startswith("#"):
            assert attributes["href"][1:] in ids
    assert full.startswith("<!doctype html>")


def test_every_table_has_a_caption_and_every_picture_a_name(full):
    page = Page(full)
    assert len(page.all("table")) == len(page.all("caption")) >= 10
    assert all(one.get("aria-label") or one.get("aria-hidden") == "true" for one in page.all("svg"))
    # Concentration, map, budget, measured, calendar, calibration, lift, spend; bars only show what a cell beside them says.
    assert len([one for one in page.all("svg") if one.get("role") == "img"]) == 8


def test_nothing_is_fetched_and_only_the_one_script_may_run(full):
    assert not re.search(r"(?:https?:)?//[a-z]|@import|url\(", full)
    page = Page(full)
    assert not any("src" in attributes or tag in {"link", "img", "iframe"} for tag, attributes in page.tags)
    policy = next(a["content"] for a in page.all("meta") if a.get("http-equiv") == "Content-Security-Policy")
    own = [re.findall(rf"<{tag}>(.*?)</{tag}>", full, re.DOTALL) for tag in ("style", "script")]
    style, script = (base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() for (text,) in own)
    allowed = f"style-src 'sha256-{style}'; script-src 'sha256-{script}'"
    assert policy == f"default-src 'none'; {allowed}; base-uri 'none'; form-action 'none'"
    assert not any(name == "style" or name.startswith("on") for _, attributes in page.tags for name in attributes)


def test_the_same_data_in_any_order_give_the_same_bytes(make_report):
    data = make_report(700)
    rng = np.random.default_rng(3)

    def shuffled(table: pd.DataFrame) -> pd.DataFrame:
        return table.iloc[rng.permutation(len(table))].reset_index(drop=True)

    other = replace(
        data,
        scores=shuffled(data.scores),
        plan=shuffled(data.plan),
        sends=shuffled(data.sends),
        curve=shuffled(data.curve),
    )
    assert render(data) == render(data) == render(other)


def test_the_data_are_left_as_they_were(make_report):
    data = make_report(60)
    before = [table.copy(deep=True) for table in (data.scores, data.plan, data.sends, data.curve)]
    render(data)
    for old, new in zip(before, (data.scores, data.plan, data.sends, data.curve), strict=True):
        pd.testing.assert_frame_equal(old, new)


def test_hostile_text_is_shown_as_it_is(make_report):
    data = make_report(len(HOSTILE))
    scores = data.scores.assign(customer_id=HOSTILE, tier=HOSTILE, model_versions=HOSTILE[0])
    drivers = [[{"feature": text, "value": 1.0, "effect": 1.0, "text": text}] for text in HOSTILE]
    scores = scores.assign(drivers=pd.Series(drivers, dtype=object))
    plan = data.plan.assign(customer_id=HOSTILE, tier=HOSTILE, reason=HOSTILE, service_level=HOSTILE)
    plan = plan.assign(next_category=HOSTILE)
    sends = pd.DataFrame({"customer_id": HOSTILE, "channel": HOSTILE, "slot": 3, "send_at_local": HOSTILE})
    training = data.training | {"grade_text": HOSTILE[0], "gate": {"passed": False, "reasons": HOSTILE}}
    facts = data.facts | {"currency": HOSTILE[2], "cutoff": HOSTILE[0], "notes": HOSTILE, "portfolio_notes": HOSTILE}
    portfolios = data.portfolios.assign(tier=HOSTILE[0])
    measured = data.measured | {"verdict": HOSTILE[0], "notes": HOSTILE, "sends": {"words": HOSTILE[2]}}
    data = replace(data, portfolios=portfolios, measured=measured)
    html = render(
        replace(data, project=HOSTILE[0], scores=scores, plan=plan, sends=sends, training=training, facts=facts)
    )
    page = Page(html)
    assert len(page.all("script")) == 1
    assert page.all("img") == []
    for text in HOSTILE:
        assert text in page.text


def test_text_that_is_no_unicode_does_not_stop_the_page(make_report):
    data = make_report(20)
    render(replace(data, project="a\ud800b")).encode("utf-8")


def test_money_is_left_out_of_a_log_without_amounts(make_report):
    html = render(make_report(300, money=False))
    page = Page(html)
    text = " ".join(page.text)
    assert text.count("The log holds no amounts of money") == 1
    assert "Customer equity" not in text
    assert "Expected spend" not in text
    assert "Where the value lies" not in text
    assert "nan" not in text.lower().split()


def test_a_page_needs_nothing_but_scores(make_report):
    html = render(make_report(30, parts=False))
    Page(html)
    assert "No training report was given" in html
    assert "The plan" not in html
    assert "When messages go out" not in html


def test_a_page_of_nobody(make_report):
    data = make_report(30)
    scores, plan, sends, curve, tiers = (
        table.iloc[:0] for table in (data.scores, data.plan, data.sends, data.curve, data.portfolios)
    )
    html = render(ReportData("empty", scores, plan=plan, sends=sends, curve=curve, portfolios=tiers))
    Page(html)
    assert "There are no customers" in html


def test_any_key_may_be_absent(make_report):
    data = make_report(25)
    for key in data.training:
        Page(render(replace(data, training=without(data.training, key))))
    Page(render(replace(data, facts={})))


@pytest.mark.parametrize("odd", [None, "text", 3, [], {}, [None], {"a": None}, {"churn": {"metrics": 1}}])
def test_any_key_may_hold_something_odd(make_report, odd):
    data = make_report(25)
    Page(render(replace(data, training=dict.fromkeys(data.training, odd))))
    Page(render(replace(data, measured=dict.fromkeys(data.measured, odd))))
    Page(render(replace(data, facts=data.facts | {"notes": odd, "portfolio_notes": odd, "budget": odd})))
    Page(render(replace(data, training=data.training | {"log": dict.fromkeys(data.training["log"], odd)})))


def without(mapping: dict[str, object], key: str) -> dict[str, object]:
    return {name: value for name, value in mapping.items() if name != key}


def test_assumed_save_rates_are_said_plainly(make_report):
    data = make_report(300)
    assert "Save rates are assumptions" in render(data)
    assert "Save rates are assumptions" not in render(replace(data, plan=data.plan.assign(evidence="experiment")))


def test_the_plan_shows_what_it_rests_on_and_what_it_is_expected_to_earn(full):
    text = " ".join(" ".join(Page(full).text).split())
    for shown in (
        "Experiment spring: 900 customers from 2011-03-01. call No experiment; 30% of those",
        "they earn 5,284 instead of 14,835, if twice as many 33,936.",
        "The next 100 would earn",
        "An action pays 80%",
        "What to offer next Goes by recent buyers",
        "103 customers are left alone by [retention] exclude.",
        "Who was growable a year ago cannot be told.",
    ):
        assert shown in text


def test_a_measured_plan_is_shown_with_the_plan_it_is_of(make_report):
    data = make_report(60)
    text = render(data)
    assert "The plan worked: staying changed by +8.0 points" in text
    assert "This is the plan of 2011-06-01, an earlier one than that above," in text
    assert "20 of 400 customers were held out where about 21 should be" in text
    assert "Not measured yet" not in text
    assert "Not measured yet. Once 90 days have passed" in render(replace(data, measured=None))


def test_messages_without_an_hour_are_shown_with_the_reason(make_report):
    data = make_report(300)
    unsent = data.sends.assign(send_at_local=None, slot=pd.NA, reason="not sent: every allowed hour is full")
    text = render(replace(data, sends=unsent))
    assert "Messages without an hour, and why" in text
    assert "not sent: every allowed hour is full" in text
    assert "Planned messages by hour" not in text
    assert "Messages without an hour" not in render(data)


def test_folders_of_older_versions_have_fewer_sections(make_report):
    data = make_report(80)
    scores = data.scores.drop(columns=["p_below_zero", "cost_to_serve", "attainable", "previous_tier"])
    added = ["planned_action", "p_stay_change", "stake", "p_profit", "service_profit", "service_cost", "next_category"]
    facts = {key: data.facts[key] for key in ("cutoff", "horizon_days", "has_amounts", "budget")}
    old = replace(data, scores=scores, plan=data.plan.drop(columns=added), portfolios=None, measured=None, facts=facts)
    html = render(old)
    Page(html)
    for gone in ("Tiers, year on year", "What to offer next", "Within reach", "Chance to pay", "Extra cost"):
        assert gone not in html
        assert gone in render(data)
    assert "made by an earlier version" in html
    assert "made by an earlier version" not in render(data)


def test_todays_spend_stands_beside_the_last_period(full):
    text = words(full)
    assert "Last period’s spend £90,000 in the 90 days to 2011-08-30;" in text
    assert "2011-06-01 to 2011-08-30: what the 4,100 customers of its first day spent in it" in text


def test_reasons_are_shown_over_all_by_tier_and_by_group(full):
    text = words(full)
    for shown in ("What moves the risk most", "What speaks for leaving, by tier", "Groups of likely leavers"):
        assert shown in text
    assert "Single reasons are known for" not in text


def test_it_is_said_for_how_many_the_reasons_are_known(make_report):
    data = make_report(40)
    drivers = data.scores["drivers"].where(data.scores.index < 10, None)
    text = words(render(replace(data, scores=data.scores.assign(drivers=drivers))))
    assert "Single reasons are known for 10 of 40 customers." in text
    assert "Groups of likely leavers" not in words(render(replace(data, scores=data.scores.drop(columns="drivers"))))


def test_thresholds_tell_what_was_caught_and_what_that_would_earn(full, make_report):
    text = words(full)
    assert "50% 1,500 35% 1,100 61% 400" in text  # 1,500 of 4,312, 1,100 of 1,800
    assert "Cost and profit: had all of them got a" in text
    alone = words(render(replace(make_report(60), plan=None)))
    assert "50% 1,500 35% 1,100 61% 400 80% 300" in alone
    assert "Cost and profit" not in alone


def test_drift_is_shown_where_score_found_it(full, make_report):
    text = words(full)
    for shown in (
        "The customers have changed since the training.",
        "Today’s customers differ from those the models learnt from.",
        "reaches an AUC of 0.710",
        "25.0% are set aside now, against 20.0% in the training",
        "days since the first purchase 0.300 20% has moved",
        "Visits have stopped since 2011-08-01.",
    ):
        assert shown in text
    data = make_report(40)
    assert "Have the customers changed?" not in render(replace(data, facts=without(data.facts, "drift")))
    calm = render(replace(data, facts=data.facts | {"drift": {"status": "ok"}}))
    assert "stand on known ground" in calm
    assert "The customers have changed since" not in calm


def test_past_scores_are_shown_with_what_became_of_them(full):
    assert "2011-03-01 2011-06-01 Who leaves 1 AUC, ranking 0.780 0.763 4,050" in words(full)


def test_the_busiest_hour_is_shown_beside_the_capacity(full):
    assert re.search(r"2,000, <?\d+% used", words(full))


def test_every_section_says_from_which_files_it_is(full):
    sections = re.findall(r'<section id="(\w+)".*?</section>', full, re.DOTALL)
    silent = [s for s in re.findall(r"<section.*?</section>", full, re.DOTALL) if 'class="source"' not in s]
    assert len(sections) >= 12
    assert silent == []


def words(html: str) -> str:
    return " ".join(" ".join(Page(html).text).split())


def test_failed_checks_are_said_plainly(make_report):
    data = make_report(40)
    failed = data.training | {"promoted": False, "gate": {"passed": False, "reasons": ["too few leavers"]}}
    text = render(replace(data, training=failed))
    assert "did not pass every check" in text
    assert "They were not put to use." in text
    assert "too few leavers" in text


def test_lift_is_drawn_as_a_factor_where_it_is_one(make_report):
    data = make_report(40)
    assert "How many leavers are found" in render(data)
    lift = [{"share": 0.1, "model": 2.6, "recency": 2.0}, {"share": 1.0, "model": 1.0, "recency": 1.0}]
    assert "How much better than chance" in render(replace(data, training=data.training | {"lift": lift}))


def test_a_log_of_days_has_a_calendar_of_weekdays(make_report):
    data = make_report(300)
    by_day = render(replace(data, facts=data.facts | {"day_granularity": True}))
    assert "Planned messages by weekday" in by_day
    assert "Hour of the day" not in by_day


def test_a_huge_base_stays_a_small_page(make_report):
    small, huge = (len(render(make_report(customers)).encode()) for customers in (2_000, 50_000))
    assert huge < small + 24_000  # not half a byte a customer
    assert huge < 1_000_000


def test_no_number_shows_the_noise_of_floating_point(full):
    shown = re.sub(r"<(style|script|svg).*?</\1>", "", full, flags=re.DOTALL)
    assert not re.search(r"\d\.\d{4,}", shown)
    assert ">nan<" not in shown
