import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from churnvalue.explain import DRIVER
from churnvalue.report.reasons import flatten, leaving_groups, strengths, themes_by_tier

SILENT, SPEND, LOYAL = "days_since_last_purchase", "amount_total_purchase", "repeat_days_purchase"
SILENCE, MONEY, BACK = "silence since the last purchase", "how much they spend", "how often and how long they came back"


def one(feature, effect):
    return {"feature": feature, "value": 1.0, "effect": effect, "text": feature}


LISTS = [
    [one(SILENT, 0.6), one(SPEND, 0.4)],  # a: silence, and money two thirds as strong
    [one(SILENT, 0.8), one(SPEND, 0.2)],  # b: silence alone
    None,  # c: not known
    [one(LOYAL, -0.5)],  # d: nothing speaks for leaving
    [one(SILENT, 0.4), one(LOYAL, -0.5)],  # e: silence alone
]
SCORES = pd.DataFrame(
    {
        "p_churn": [0.9, 0.8, 0.7, 0.6, 0.5],
        "clv": [10.0, 20.0, 40.0, 80.0, np.nan],
        "tier": ["top", "top", "rest", "rest", "rest"],
    }
)


def drivers(lists=LISTS):
    return pd.Series(lists, dtype=object)


def test_drivers_are_laid_end_to_end():
    found = flatten(drivers())
    assert found.names == [SPEND, SILENT, LOYAL]
    assert list(found.row) == [0, 0, 1, 1, 3, 4, 4]
    assert list(found.feature) == [1, 0, 1, 0, 2, 1, 2]
    assert list(found.effect) == [600_000, 400_000, 800_000, 200_000, -500_000, 400_000, -500_000]
    assert found.known == 4


def test_drivers_of_several_chunks_are_those_of_one():
    chunks = pa.chunked_array([pa.array(LISTS[:2], pa.list_(DRIVER)), pa.array(LISTS[2:], pa.list_(DRIVER))])
    found, whole = flatten(pd.Series(chunks, dtype=pd.ArrowDtype(chunks.type))), flatten(drivers())
    for name in ("row", "feature", "effect"):
        assert list(getattr(found, name)) == list(getattr(whole, name))
    assert (found.names, found.known) == (whole.names, whole.known)


@pytest.mark.parametrize("lists", [[], [None, None], [[], None]])
def test_without_drivers_there_are_no_reasons(lists):
    found = flatten(drivers(lists))
    assert (found.known, strengths(found)) == (0, {})
    assert themes_by_tier(found, pd.Series(["top"] * len(lists)), ["top"]) == []
    assert leaving_groups(found, np.full(len(lists), 0.9), np.full(len(lists), 1.0)) == []


def test_strength_counts_both_ways():
    assert strengths(flatten(drivers())) == {SPEND: pytest.approx(0.6), SILENT: 1.8, LOYAL: 1.0}


def test_themes_are_parts_of_what_speaks_for_leaving():
    silence, money = themes_by_tier(flatten(drivers()), SCORES["tier"], ["top", "rest"])
    assert (silence.name, money.name) == (SILENCE, MONEY)
    assert silence.share == pytest.approx(0.75)  # .6 + .8 + .4 of 2.4; what speaks for staying does not count
    assert silence.by_tier == [pytest.approx(0.7), 1.0]  # 1.4 of 2.0 and .4 of .4
    assert money.by_tier == [pytest.approx(0.3), 0.0]


def test_a_tier_in_which_nothing_speaks_for_leaving_has_no_parts():
    (silence, _) = themes_by_tier(flatten(drivers(LISTS[:4])), SCORES["tier"][:4], ["top", "rest"])
    assert silence.by_tier[1] is None


def test_likely_leavers_are_grouped_by_what_speaks_for_their_leaving():
    alone, both, others = leaving_groups(flatten(drivers()), *(SCORES[name].to_numpy() for name in ("p_churn", "clv")))
    assert (alone.themes, alone.customers, alone.share) == ((SILENCE,), 2, 0.5)  # b and e of a, b, d, e
    assert alone.p_churn == pytest.approx(0.65)
    assert alone.clv == 20.0  # what e is worth is not known
    assert alone.typical == 4  # of .4 and .8 the lower is the middle
    assert (both.themes, both.customers, both.typical) == ((SILENCE, MONEY), 1, 0)
    assert (others.themes, others.customers, others.typical) == ((), 1, None)


def test_those_who_will_rather_stay_are_in_no_group():
    risk = np.array([0.9, 0.49, 0.49, 0.49, 0.49])
    (only,) = leaving_groups(flatten(drivers()), risk, SCORES["clv"].to_numpy())
    assert only.customers == 1


def test_groups_are_the_same_for_rows_in_any_order():
    rng = np.random.default_rng(4)
    lists = [[one(name, float(rng.normal())) for name in (SILENT, SPEND, LOYAL)] for _ in range(200)]
    risk, clv = rng.random(200), rng.integers(0, 99, 200).astype(float)
    order = rng.permutation(200)
    plain = leaving_groups(flatten(drivers(lists)), risk, clv)
    mixed = leaving_groups(flatten(drivers([lists[i] for i in order])), risk[order], clv[order])
    assert [(g.themes, g.customers, g.clv) for g in plain] == [(g.themes, g.customers, g.clv) for g in mixed]
    assert sum(group.customers for group in plain) == (risk >= 0.5).sum()
