import pytest

from churnvalue.evaluation.recalibration import PRIOR_SD, recalibration


def measured(ratio, se, factor=1.0, evidence="assumption"):
    return {"actions": {"call": {"ratio": ratio, "se": se, "factor": factor, "evidence": evidence}}}


def call(*measurements):
    return recalibration(measurements)["call"]["assumption"]


def test_precision_decides_between_nothing_learnt_and_what_was_measured():
    assert call(measured(0.4, PRIOR_SD))["factor"] == pytest.approx(0.7)
    assert call(measured(0.4, 0.01))["factor"] == pytest.approx(0.4, abs=0.001)
    assert call(measured(0.4, 50.0)) == pytest.approx({"factor": 1.0, "se": PRIOR_SD}, abs=0.001)


def test_measurements_add_up():
    both = call(measured(0.4, 0.5), measured(0.7, 0.5))
    assert both["factor"] == pytest.approx((1 + 0.4 + 0.7) / 3)
    assert both["se"] == pytest.approx(0.5 / 3**0.5)


def test_a_factor_already_applied_is_not_applied_again():
    # Effects had been halved and held: of the first assumption one half is true.
    assert call(measured(1.0, 0.001, factor=0.5))["factor"] == pytest.approx(0.5, abs=0.001)


def test_each_kind_of_evidence_has_its_own_factor():
    both = recalibration([measured(0.4, PRIOR_SD), measured(0.8, PRIOR_SD, evidence="experiment")])["call"]
    assert both["assumption"]["factor"] == pytest.approx(0.7)
    assert both["experiment"]["factor"] == pytest.approx(0.9)


def test_what_was_not_measured_is_left_out():
    assert recalibration([]) == {}
    assert recalibration([{}, measured(None, None), measured(1.0, 0.0)]) == {}
