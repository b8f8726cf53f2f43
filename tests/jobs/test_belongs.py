"""Folders that do not belong together are refused; what a plan cannot know is said."""

import numpy as np
import pandas as pd
import pytest
from small_shop import AS_OF

from churnvalue import clock
from churnvalue.effects.action_effects import ActionEffects
from churnvalue.engines import read_log
from churnvalue.errors import OutputError
from churnvalue.jobs.belongs import doubts, require_known_before, require_project, require_same_scores, strangers
from churnvalue.jobs.happened import carried_out
from churnvalue.jobs.knowledge import applied, known
from churnvalue.jobs.verdict import no_lesson
from churnvalue.storage import read_parquet

CUTOFF = clock.micros("2024-12-01")
FACTORS = {"call": {"assumption": {"factor": 0.5, "se": 0.1}}, "voucher": {"assumption": {"factor": 0.7, "se": 0.2}}}


def test_another_project_is_refused(tmp_path):
    require_project({}, "shop", tmp_path)
    require_project({"project": "shop"}, "shop", tmp_path)
    with pytest.raises(OutputError, match="must be of project 'shop', but is of 'mall'"):
        require_project({"project": "mall"}, "shop", tmp_path)


def test_what_was_measured_after_the_cutoff_is_refused(tmp_path):
    require_known_before({"as_of": "2024-12-01"}, CUTOFF, tmp_path)
    with pytest.raises(OutputError, match=r"as of 2024-12-01 00:01 UTC\. Measure it anew with --as-of 2024-12-01"):
        require_known_before({"as_of": "2024-12-01 00:01 UTC"}, CUTOFF, tmp_path)


def test_plan_and_scores_must_be_of_one_cutoff(tmp_path):
    scores = pd.DataFrame({"cutoff": [AS_OF]})
    require_same_scores(scores, scores, tmp_path)
    with pytest.raises(OutputError, match="whose cutoff is 2024-12-01, but the cutoff of the plan is 2024-11-30"):
        require_same_scores(scores, scores - pd.Timedelta(days=1), tmp_path)


def test_strangers_and_a_log_that_ends_early_are_told(shop):
    log = read_log(shop.config)
    scores = pd.DataFrame({"customer_id": ["x", log.customers[0].as_py()]})
    assert strangers(scores["customer_id"], log) == 1
    assert doubts(scores.iloc[1:], log, log.observed_until) == ()
    late, unknown = doubts(scores, log, log.observed_until + 5 * clock.DAY)
    assert "in the 5 days between is not known" in late
    assert unknown.startswith("1 of 2 scored customers are not in the log")


def test_a_factor_is_for_the_evidence_that_was_measured():
    none = np.zeros((2, 2))
    evidence = np.array(["assumption", "experiment"])
    effects = ActionEffects(("call", "voucher"), none, none, none, np.zeros(2), evidence, ())
    assert applied(effects, FACTORS) == {"call": {"factor": 0.5, "se": 0.1}}
    assert applied(None, FACTORS) == {}


def test_nothing_is_learnt_of_what_was_not_seen_or_done(shop):
    class Value:
        sample_ratio = None

    assert no_lesson(Value, None, 30.0, 30) == no_lesson(Value, 5, 30.0, 30) == ""
    assert no_lesson(Value, 0, 30.0, 30) == "none of its actions was carried out"
    assert no_lesson(Value, 5, 1 / 24, 30) == "only 0.04 of 30 days have been observed"
    assert no_lesson(Value, 5, 29.999, 30) == "only 29.99 of 30 days have been observed"


@pytest.fixture
def contacts_of(shop, known_log, tmp_path):
    """A function that returns what a plan knows of the shop with these contacts."""
    scores = read_parquet(shop.out, "scores.parquet").drop_columns(["drivers", "spend_drivers"]).to_pandas()

    def learnt(rows, factors=None):
        rows.to_parquet(tmp_path / "contacts.parquet", index=False)
        columns = {name: name for name in ("cost", "redeemed", "experiment")}
        config = shop.changed(contacts={"source": str(tmp_path / "contacts.parquet"), "columns": columns})
        return known(config, known_log, scores, CUTOFF, factors or {})

    drawn = pd.DataFrame(
        {
            "customer_id": scores["customer_id"],
            "event_time": AS_OF - pd.Timedelta(days=60),
            "action": np.where(np.arange(len(scores)) % 2, "voucher", "control"),
            "cost": 2.5,
            "redeemed": np.arange(len(scores)) % 4 == 1,
            "experiment": "autumn",
        }
    )
    return drawn, learnt


def test_the_larger_of_two_experiments_is_used_and_the_other_named(contacts_of):
    drawn, learnt = contacts_of
    smaller = drawn.iloc[::2].assign(experiment="spring")
    smaller["action"] = np.where(np.arange(len(smaller)) % 2, "voucher", "control")
    found = learnt(pd.concat([drawn, smaller]), FACTORS)
    assert "Experiment spring is not used for voucher: a larger one was." in found.notes
    assert any(
        note.startswith("call: past plans were measured, so its effects are multiplied by 0.50") for note in found.notes
    )
    assert any("rested on an assumption; now they rest on an experiment" in note for note in found.notes)


def test_what_contacts_really_cost_is_told(contacts_of):
    drawn, learnt = contacts_of
    note = next(note for note in learnt(drawn).notes if note.startswith("voucher: ") and "cost 2.50" in note)
    assert "50% of" in note
    assert note.endswith("used instead of the configured 30%.")
    few = next(note for note in learnt(drawn.iloc[:20]).notes if "were redeemed" in note)
    assert few.endswith("of 10 offers were redeemed, too few (100 needed) to replace the configured 30%.")


def test_an_empty_source_of_contacts_is_told(contacts_of):
    drawn, learnt = contacts_of
    assert any("holds no row: all effects are assumed" in note for note in learnt(drawn.iloc[:0]).notes)


def test_actions_are_the_plans_not_those_of_today():
    plan = pd.DataFrame(
        {"customer_id": ["a", "b"], "action": ["letter", "none"], "group": ["exploit", "holdout"], "cost": [2.0, 0.0]}
    )

    class Contacts:
        frame = pd.DataFrame({"customer_id": ["a"], "event_time": [AS_OF], "action": ["letter"], "cost": [np.nan]})

    found = carried_out(plan, Contacts, clock.after(CUTOFF, 30))
    assert (found.shares.done, found.shares.cost) == (1, 2.0)
    later = carried_out(plan, Contacts, clock.after(CUTOFF + clock.DAY, 30))
    assert (later.shares.done, later.shares.cost, later.spent.tolist()) == (0, 0.0, [0.0, 0.0])
