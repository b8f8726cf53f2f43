import numpy as np
import pytest
from scipy.stats import norm

from churnvalue.errors import ConfigError
from churnvalue.evaluation.experiment_size import customers_needed, size_experiment


@pytest.mark.parametrize(("rate", "thousands"), [(0.005, 312), (0.01, 155), (0.03, 51)])
def test_customers_that_show_a_rate_raised_by_a_tenth(rate, thousands):
    found = size_experiment(rate / 10, base_rate=rate)
    assert round(found.treated / 1000) == thousands
    assert found.treated == found.held_out


def test_money_by_hand():
    # (1.96 + .8416)² · 50² / 5² · 4 = 3139.6, half in either group
    assert size_experiment(5.0, sd=50.0).treated == 1570
    assert size_experiment(-5.0, sd=50.0).customers == 3140


def test_uneven_groups_need_more():
    even, uneven = size_experiment(1.0, sd=10.0), size_experiment(1.0, sd=10.0, share=0.9)
    assert uneven.customers == pytest.approx(even.customers * 0.25 / 0.09, abs=2)
    assert uneven.treated == pytest.approx(9 * uneven.held_out, abs=9)


def test_the_size_gives_the_power():
    found = size_experiment(0.05, base_rate=0.3, power=0.9)
    generator = np.random.default_rng(1)
    treated, held_out = (generator.binomial(found.treated, p, 4000) / found.treated for p in (0.35, 0.3))
    error = np.sqrt((treated * (1 - treated) + held_out * (1 - held_out)) / found.treated)
    assert np.mean((treated - held_out) / error > norm.ppf(0.975)) == pytest.approx(0.9, abs=0.03)


def test_customers_still_needed():
    # An error of .02 with 1,000 must fall to .01 / 2.8016 to show .01.
    assert customers_needed(0.01, 0.02, 1000) == 31396
    assert customers_needed(0.0, 0.02, 1000) is None
    assert customers_needed(0.01, 0.0, 1000) is None


@pytest.mark.parametrize(
    ("given", "match"),
    [
        ({"effect": 0.1}, "Either base_rate or sd must be given"),
        ({"effect": 0.1, "sd": 1.0, "base_rate": 0.5}, "Either base_rate or sd must be given"),
        ({"effect": 0.1, "base_rate": 1.0}, "'base_rate' must be above 0 and below 1, but 1 came"),
        ({"effect": 0.1, "sd": 1.0, "power": 1.5}, "'power' must be above 0 and below 1, but 1.5 came"),
        ({"effect": 0.0, "sd": 1.0}, "Effect and spread must be finite and not 0"),
        ({"effect": 1.0, "sd": float("nan")}, "Effect and spread must be finite and not 0"),
    ],
)
def test_sizes_that_cannot_be(given, match):
    with pytest.raises(ConfigError, match=match):
        size_experiment(**given)
