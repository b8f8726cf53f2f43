import pytest

from churnvalue.report.measured import measured


def test_the_measurement_is_read(make_report):
    found = measured(make_report(20).measured)
    assert found.verdict == [
        "The plan worked: staying changed by +8.0 points (+3.0 to +13.0).",
        "It earned 1,900.25 after costs.",
    ]
    whole, elite = found.groups  # by evidence there is but one, which is the whole
    assert (whole.by, whole.treated, whole.held_out, whole.promised_stay) == ("all", 380, 20, 0.11)
    assert (whole.stay.sign, whole.profit.sign) == (1, 0)  # .08 ± .05; 1900 ± 3400
    assert (elite.by, elite.name) == ("tier", "elite")
    assert (found.ratio.held_out, found.ratio.customers, found.ratio.fits) == (20, 400, True)
    assert (found.given, found.done) == (380, 371)


def test_policies_are_those_of_the_first_outcome_but_the_plan(make_report):
    found = measured(make_report(20).measured)
    assert (found.outcome, [policy.name for policy in found.policies]) == ("kept", ["none", "call for all"])
    assert found.policies[0].plan_more.sign == 1
    assert (found.policies[1].plan_more.value, found.policies[1].plan_more.note) == (None, "too few customers")


def test_two_kinds_of_evidence_are_told_apart(make_report):
    file = make_report(20).measured
    groups = file["value"]["groups"]
    more = [*groups, groups[-1] | {"name": "experiment"}]
    found = measured(file | {"value": file["value"] | {"groups": more}})
    assert [group.name for group in found.groups if group.by == "evidence"] == ["assumption", "experiment"]


def test_a_hold_out_that_chance_does_not_explain(make_report):
    file = make_report(20).measured
    ratio = file["value"]["sample_ratio"] | {"p_value": 1e-6}
    assert not measured(file | {"value": file["value"] | {"sample_ratio": ratio}}).ratio.fits


def test_nothing_was_measured():
    assert measured(None) is None
    assert measured({}) is None


@pytest.mark.parametrize("odd", [None, "text", 3, [], {}, [None], {"groups": 3, "policies": [{}], "sample_ratio": 1}])
def test_odd_contents_are_left_out(make_report, odd):
    file = make_report(20).measured
    for key in file:
        measured(file | {key: odd})
