import numpy as np
import pytest
from scipy.stats import beta

from churnvalue.effects.action_effects import ActionEffects, assumed, combine
from churnvalue.errors import DefinitionError

RATES = {"call": (6.0, 14.0), "voucher": (4.0, 16.0)}


def measured(actions=("voucher",), redemption=np.nan):
    stay = np.full((2, len(actions)), 0.07)
    return ActionEffects(
        actions, stay, stay - 0.01, stay + 0.01, np.full(len(actions), redemption), np.full(len(actions), "experiment"),
        tuple(f"{action}: measured." for action in actions),
    )  # fmt: skip


def test_assumed_effects_by_hand():
    found = assumed([0.5, np.nan], RATES, {"voucher": 0.3})
    assert found.actions == ("call", "voucher")
    assert found.stay[0] == pytest.approx([0.15, 0.1])  # .5 · 6/20, .5 · 4/20
    assert found.stay_p10[0, 0] == pytest.approx(0.5 * beta(6, 14).ppf(0.1))
    assert found.stay_p90[0, 1] == pytest.approx(0.5 * beta(4, 16).ppf(0.9))
    assert np.isnan(found.stay[1]).all()
    assert found.redemption.tolist() == [0.0, 0.3]
    assert found.evidence.tolist() == ["assumption", "assumption"]
    assert "30% on average" in found.notes[0]


def test_a_save_rate_needs_parameters_above_0():
    with pytest.raises(DefinitionError, match="two finite numbers above 0"):
        assumed([0.5], {"call": (0.0, 1.0)})


def test_each_action_comes_from_the_experiment_where_there_is_one():
    found = combine(measured(), assumed([0.5, 0.5], RATES, {"voucher": 0.3}))
    assert found.actions == ("call", "voucher")
    assert found.evidence.tolist() == ["assumption", "experiment"]
    assert found.stay[0] == pytest.approx([0.15, 0.07])
    assert found.redemption.tolist() == [0.0, 0.3]  # not observed, so assumed
    assert [note.split(":")[0] for note in found.notes] == ["voucher", "call"]


def test_what_is_only_measured_comes_last_and_an_observed_redemption_stands():
    found = combine(measured(("sms", "call"), 0.2), assumed([0.5, 0.5], RATES))
    assert found.actions == ("call", "voucher", "sms")
    assert found.redemption.tolist() == [0.2, 0.0, 0.2]
    assert found.evidence.tolist() == ["experiment", "assumption", "experiment"]


def test_nothing_measured_or_nothing_assumed():
    both = assumed([0.5, 0.5], RATES)
    assert combine(measured(()), both).stay.tolist() == both.stay.tolist()
    assert combine(measured(), assumed([0.5, 0.5], {})).actions == ("voucher",)


def test_both_must_describe_the_same_customers():
    with pytest.raises(DefinitionError, match="2 and 1 rows came"):
        combine(measured(), assumed([0.5], RATES))


def test_a_selection_keeps_its_own_notes():
    found = assumed([0.5], RATES).select(("voucher",))
    assert found.stay.shape == (1, 1)
    assert len(found.notes) == 1
