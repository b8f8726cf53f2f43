import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize_scalar
from scipy.special import expit, logit

from churnvalue.models.calibration import foretold_level, level
from made_customers import make_features, make_targets

links = st.lists(st.floats(-3, 3), min_size=2, max_size=30)
quick = settings(max_examples=50, deadline=None)


@pytest.fixture(scope="module")
def later(base):
    features = make_features(300, seed=21)
    targets = make_targets(features, seed=22)
    return {name: model.on_link(features) for name, model in base.links.items()}, targets


@given(links, st.floats(0.01, 0.99))
@quick
def test_probabilities_add_up_to_what_happened(on_link, share):
    actual = np.full(len(on_link), share)
    assert expit(np.array(on_link) + level(np.array(on_link), actual, "logit")).mean() == pytest.approx(share)


@given(links, st.floats(0.01, 1000))
@quick
def test_the_level_of_amounts_has_a_closed_form(on_link, mean):
    on_link, actual = np.array(on_link), np.full(len(on_link), mean)
    expected = np.log(mean / np.exp(on_link).mean())
    if abs(expected) < 9.9:
        assert level(on_link, actual, "log") == pytest.approx(expected, abs=1e-9)


def test_by_hand():
    assert level(np.zeros(4), np.array([1.0, 0.0, 0.0, 0.0]), "logit") == pytest.approx(logit(0.25))
    assert level(np.log([2.0, 4.0]), np.array([10.0, 2.0]), "log") == pytest.approx(np.log(2))  # 6 instead of 3


def test_the_level_of_probabilities_is_the_likeliest(later):
    # The shift that makes the means equal is the maximum-likelihood one: its score is the sum of the residuals.
    on_link, left = later[0]["churn"], later[1]["churned"].to_numpy()

    def loss(shift):
        return np.mean(np.logaddexp(0, on_link + shift) - left * (on_link + shift))

    likeliest = minimize_scalar(loss, bounds=(-5, 5), method="bounded", options={"xatol": 1e-10}).x
    assert level(on_link, left, "logit") == pytest.approx(likeliest, abs=1e-5)


def test_an_earlier_level_is_replaced_not_added_to(later):
    on_link, left = later[0]["churn"], later[1]["churned"].to_numpy()
    assert level(on_link + 3.0, left, "logit") + 3.0 == pytest.approx(level(on_link, left, "logit"))


@pytest.mark.parametrize(
    ("link", "value"), [("logit", 0.0), ("logit", 1.0), ("log", 0.0), ("log", 1e12), ("logit", 1e-12)]
)
def test_what_no_level_can_reach_gets_none(link, value):
    assert level(np.array([-1.0, 0.5]), np.full(2, value), link) == 0.0


def test_nobody_gives_no_level():
    assert level(np.zeros(0), np.zeros(0), "logit") == 0.0


def test_windows_that_agree_teach_their_level():
    # Half the newest, half the mean: 0.5 * 0.4 + 0.5 * 0.3
    found = foretold_level(np.array([0.2, 0.4]), alone=np.array([0.1, 0.1]), neutral=-1.0, independent=2.0)
    assert found == pytest.approx(0.35)


def test_windows_that_disagree_leave_the_word_to_buy_till_you_die():
    # Variance 0.18 over two windows is 0.09 = 0.3^2: half the way from the neutral level.
    needed, alone = np.array([0.0, 0.4]), np.array([0.3, -0.3])
    assert foretold_level(needed, alone, neutral=-1.0, independent=2.0) == pytest.approx(-1.0 + 0.5 * 1.3)


@given(st.lists(st.tuples(st.floats(-3, 3), st.floats(-3, 3)), min_size=1, max_size=8), st.floats(-3, 3))
@quick
def test_the_level_lies_between_the_windows_and_buy_till_you_die(windows, neutral):
    needed, alone = np.array(windows).T
    found = foretold_level(needed, alone, neutral, independent=1.0)
    measured = 0.5 * needed[-1] + 0.5 * needed.mean()
    assert min(measured, neutral) - 1e-12 <= found <= max(measured, neutral) + 1e-12
    assert abs(found - measured) >= abs(foretold_level(needed, alone, neutral, independent=3.0) - measured) - 1e-12


def test_a_single_window_is_believed():
    assert foretold_level(np.array([0.7]), np.array([-2.0]), neutral=0.0, independent=1.0) == pytest.approx(0.7)
