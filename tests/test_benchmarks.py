import json
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

# Benchmarks are no part of the installed package.
sys.path.insert(0, str(Path(__file__).parents[1]))

from benchmarks import claims, prediction
from benchmarks.comparison import MEASURES, coverage, paired_differences
from benchmarks.origins import Origin
from benchmarks.resources import run_command, tiled
from benchmarks.results_table import FOLDER, Result, load, readme, replaced, save, shortcomings, tables, write_readme

from churnvalue.evaluation.baselines import Prediction
from churnvalue.evaluation.measurement import OURS
from churnvalue.evaluation.metrics import normalised_gini, paired_bootstrap

KEYS = {
    "claim", "data", "metric", "ours", "rival", "rival_name", "difference_low", "difference_high", "better", "seconds",
    "peak_mb", "versions", "seed",
}  # fmt: skip


def result(metric, ours, rival, rival_name, better, bounds=(None, None), **changes):
    given = {"claim": "Ranks spend", "data": "A made log", "seconds": 61.6, "peak_mb": 512.0, "seed": 7}
    given |= {"versions": {"python": "3.11.0", "churnvalue": "0.1.0"}, **changes}
    return Result(
        metric=metric,
        ours=ours,
        rival=rival,
        rival_name=rival_name,
        better=better,
        difference_low=bounds[0],
        difference_high=bounds[1],
        **given,
    )


MADE = [
    result("Gini", 0.7, 0.65, "pareto_nbd", "higher", (0.02, 0.08)),
    result("Gini", 0.7, 0.72, "target", "higher"),
    result("log-loss", 0.40, 0.39, "pareto_nbd", "lower", (0.004, 0.015), note="at each: ours 0.400"),
    result("AUC", 0.771, 0.772, "pareto_nbd", "higher", (-0.01, 0.01)),
    result("Spearman", 0.4, None, "zero", "higher"),
    result("wall s", 90.0, 180.0, "allowed", "lower", claim="Time", data="CDNOW"),
]


def test_results_are_kept_as_the_agreed_rows(tmp_path):
    save(MADE, tmp_path / "made.json")
    rows = json.loads((tmp_path / "made.json").read_text("utf-8"))
    assert [set(row) - {"note"} for row in rows] == [KEYS] * len(MADE)
    assert load(tmp_path / "made.json") == MADE


def test_a_table_has_metrics_down_and_rivals_across():
    lines = tables(MADE).splitlines()
    assert "| metric | better | ours | pareto_nbd | target | zero |" in lines
    assert "| Gini | higher | 0.7 | ▲ 0.65 (+0.02 … +0.08) | 0.72 | – |" in lines
    assert "| log-loss | lower | 0.4 | ▼ 0.39 (+0.004 … +0.015) | – | – |" in lines
    assert "| AUC | higher | 0.771 | 0.772 (-0.01 … +0.01) | – | – |" in lines
    assert "- log-loss: at each: ours 0.400" in lines
    assert "A made log. 62 s of work, at most 512 MB so far in this run." in lines


def test_a_claim_made_anew_takes_the_place_of_the_old_one():
    anew = [result("Gini", 0.8, 0.65, "pareto_nbd", "higher"), result("Gini", 0.1, 0.2, "zero", "higher", claim="New")]
    assert replaced(MADE, anew) == [anew[0], MADE[-1], anew[1]]


def test_the_readme_says_where_ours_falls_short(tmp_path):
    assert shortcomings(MADE) == [
        "- **worse beyond noise** · Ranks spend · pareto_nbd: log-loss 0.4 against 0.39",
        "- **short** · Ranks spend · target: Gini 0.7 against 0.72",
        "- **short** · Ranks spend · pareto_nbd: AUC 0.771 against 0.772 (within noise)",
    ]
    text = readme({"made": MADE}, {"made": "What is measured."})
    assert "## made\n\nWhat is measured.\n\nSeed 7. Versions: churnvalue 0.1.0, python 3.11.0." in text
    assert "nowhere in these tables" in readme({"made": MADE[:1]})
    (tmp_path / "results").mkdir()
    save(MADE, tmp_path / "results" / "made.json")
    assert write_readme(tmp_path).read_text("utf-8") == readme({"made": MADE})


def test_the_readme_in_the_repository_is_the_one_of_its_results(tmp_path):
    found = sorted((FOLDER / "results").glob("*.json"))
    if not found:
        pytest.skip("no full run has been kept yet")
    (tmp_path / "results").mkdir()
    for path in found:
        save(load(path), tmp_path / "results" / path.name)
    assert write_readme(tmp_path).read_text("utf-8") == (FOLDER / "README.md").read_text("utf-8")


def origin(seed, size=300):
    generator = np.random.default_rng(seed)
    spend = np.where(generator.random(size) < 0.4, generator.lognormal(3, 1, size), 0.0)
    ids = pd.Index([f"c{number:04d}" for number in range(size)], name="customer_id")
    actual = pd.DataFrame({"churned": (spend == 0) * 1.0, "orders": (spend > 0) * 1.0, "spend": spend}, index=ids)
    said = {
        OURS: Prediction(spend=spend + generator.normal(0, 5, size)),
        "pareto_nbd": Prediction(spend=spend + generator.normal(0, 40, size)),
        "recency": Prediction(risk=-spend),
    }
    return Origin("2024-01-01", 90, actual, said, pd.DataFrame(index=ids), 1.0)


def test_paired_differences_agree_with_the_packages_own_bootstrap():
    one = origin(seed=1)
    found = paired_differences(MEASURES["Gini"], [one], seed=3, draws=300)
    assert set(found) == {"pareto_nbd"}  # recency says nothing of spend
    expected = paired_bootstrap(
        normalised_gini, one.actual["spend"], one.predictions[OURS].spend, one.predictions["pareto_nbd"].spend, seed=3
    )
    difference = found["pareto_nbd"]
    assert difference.ours - difference.rival == pytest.approx(expected[0])
    assert (difference.low, difference.high) == pytest.approx(expected[1:], abs=0.04)


def test_several_origins_count_as_their_mean():
    both = paired_differences(MEASURES["Gini"], [origin(1), origin(2)], seed=3, draws=20)["pareto_nbd"]
    each = [paired_differences(MEASURES["Gini"], [origin(s)], seed=3, draws=1)["pareto_nbd"] for s in (1, 2)]
    assert both.ours == pytest.approx((each[0].ours + each[1].ours) / 2)
    assert both.low <= both.ours - both.rival <= both.high


def test_coverage_of_customers_who_mostly_spend_nothing():
    # Counted: 0 lies in [0, 5] and 3 does, 9 does not, and 0 is below [1, 8].
    found = coverage(
        np.array([0.0, 3.0, 9.0, 0.0]),
        np.array([0.8, 0.5, 0.5, 0.05]),
        np.array([0.0, 0.0, 0.0, 1.0]),
        np.array([5.0, 5.0, 5.0, 8.0]),
    )
    assert (found.inside, found.above, found.below) == (0.5, 0.25, 0.25)
    # Randomised: of [0, .8] an eighth is below .1; of [0, .05] all of it is.
    assert found.randomised_below == pytest.approx((0.125 + 1) / 4)
    assert found.randomised_above == pytest.approx(1 / 4)
    assert found.randomised_inside == pytest.approx((0.875 + 1) / 4)
    assert found.due == pytest.approx((0.9 + 0.9 + 0.9 + 0.8) / 4)


def test_randomised_coverage_of_a_true_model_is_80_percent():
    generator = np.random.default_rng(5)
    p_zero = generator.uniform(0, 1, 40_000)
    place = generator.random(40_000)

    def quantile(at):
        return np.where(at <= p_zero, 0.0, 10 * (at - p_zero) / (1 - p_zero))

    found = coverage(quantile(place), p_zero, quantile(np.full(40_000, 0.1)), quantile(np.full(40_000, 0.9)))
    assert found.randomised_inside == pytest.approx(0.8, abs=0.01)
    assert found.inside == pytest.approx(found.due, abs=0.01)


def test_tiled_customers_stay_possible():
    rfm = pd.DataFrame({"frequency": [0.0, 3.0], "recency": [0.0, 40.0], "age": [10.0, 40.0], "amount": [np.nan, 5.0]})
    many = tiled(rfm, 101, seed=1)
    assert len(many) == 101
    assert (many["recency"] <= many["age"]).all()
    assert (many.loc[many["frequency"] == 0, "recency"] == 0).all()


def test_a_command_that_fails_says_why(tmp_path):
    with pytest.raises(RuntimeError, match="No such command"):
        run_command(["trian"], tmp_path)


def test_a_small_benchmark_runs_through(tmp_path):
    effort = prediction.Effort(trials=1, draws=3, cdnow=(), retail=(), seeds=(1,), fits=1, commands=())
    made = prediction.on_simulated(Path(tmp_path), effort, customers=250, days=400)
    assert {row.rival_name for row in made} == {"zero", "last_window", "recency", "bg_nbd", "pareto_nbd", "lightgbm"}
    assert {row.metric for row in made} == set(claims.MAIN)
    assert all(row.ours is not None and row.seed == claims.SEED and row.versions for row in made)


def test_totals_and_coverage_are_held_against_what_is_allowed():
    one = origin(seed=1)
    ours = Prediction(p_churn=np.full(300, 0.6), spend=np.full(300, one.actual["spend"].mean() * 1.1))
    interval = pd.DataFrame({"spend_p10": 0.0, "spend_p90": 30.0}, index=one.actual.index)
    over = Origin("2024-01-01", 90, one.actual, {**one.predictions, OURS: ours}, interval, 1.0)
    found = {row.metric: row for row in claims.totals("c", "d", [over]) if row.rival_name == "allowed"}
    assert found["off on the mean origin"].ours == pytest.approx(0.1)
    assert found["off on the worst origin"].gain == pytest.approx(0.1)  # 20 % are allowed
    rows = claims.covering("c", "d", [over])
    assert len(rows) == 11
    assert {row.rival for row in rows} == {0.04}
