import pytest

from churnvalue.evaluation.recalibration import PRIOR_SD, recalibration


def measured(ratio, se, factor=1.0):
    return {"actions": {"call": {"ratio": ratio, "se": se, "factor": factor}}}


def test_precision_decides_between_nothing_learnt_and_what_was_measured():
    assert recalibration([measured(0.4, PRIOR_SD)])["call"]["factor"] == pytest.approx(0.7)
    assert recalibration([measured(0.4, 0.01)])["call"]["factor"] == pytest.approx(0.4, abs=0.001)
    assert recalibration([measured(0.4, 50.0)])["call"] == pytest.approx({"factor": 1.0, "se": PRIOR_SD}, abs=0.001)


def test_measurements_add_up():
    both = recalibration([measured(0.4, 0.5), measured(0.7, 0.5)])["call"]
    assert both["factor"] == pytest.approx((1 + 0.4 + 0.7) / 3)
    assert both["se"] == pytest.approx(0.5 / 3**0.5)


def test_a_factor_already_applied_is_not_applied_again():
    # Effects had been halved and held: of the first assumption one half is true.
    assert recalibration([measured(1.0, 0.001, factor=0.5)])["call"]["factor"] == pytest.approx(0.5, abs=0.001)


def test_what_was_not_measured_is_left_out():
    assert recalibration([]) == {}
    assert recalibration([{}, measured(None, None), measured(1.0, 0.0)]) == {}
