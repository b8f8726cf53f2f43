import pytest

from churnvalue.report.plan_notes import Notes, sorted_notes


def test_notes_are_sorted_by_what_they_are_about():
    found = sorted_notes(
        [
            "Experiment spring: 900 customers.",
            "call: no experiment; 30% is assumed.",
            "If actions keep half as many they earn 7.25, if twice as many 20.5; 63% hold. An action pays at 86%.",
            "What to offer next goes by recent buyers.",
            "voucher: of no action in this plan.",
        ],
        ["call", "mail"],
    )
    assert found.effects == [("Experiment", "spring: 900 customers."), ("call", "No experiment; 30% is assumed.")]
    assert found.doubts == [
        "If actions keep half as many they earn 7.25, if twice as many 20.5.",
        "63% hold.",
        "An action pays at 86%.",
    ]
    assert found.offers == ["Goes by recent buyers."]
    assert found.others == ["voucher: of no action in this plan."]


@pytest.mark.parametrize("odd", [None, "text", 3, {}])
def test_what_is_no_list_of_notes_says_nothing(odd):
    assert sorted_notes(odd, ["call"]) == Notes()
