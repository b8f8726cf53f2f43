import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize_scalar
from scipy.special import expit, logit

from churnvalue.models.calibration import level
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
