import numpy as np
import pandas as pd
import pytest

from churnvalue.effects.support import leaving_share, only, redeemed_shares, too_little
from churnvalue.effects.trial import make_trial
from churnvalue.errors import ExperimentError


def small(**changes):
    X = pd.DataFrame({"x": [1.0, 2.0, 3.0, 4.0]}, index=pd.Index(list("abca"), name="customer_id"))
    given = {"X": X, "arm": [0, 1, 1, 0], "outcome": [0, 1, 1, 1], "propensity": None, **changes}
    return make_trial(**given)


def test_rows_stand_in_an_order_of_their_own_and_say_where_they_came_from():
    first = small()
    backwards = make_trial(
        pd.DataFrame({"x": [4.0, 3.0, 2.0, 1.0]}, index=pd.Index(list("acba"), name="customer_id")),
        [0, 1, 1, 0],
        [1, 1, 1, 0],
        None,
    )
    assert first.X.equals(backwards.X)
    assert first.outcome.tolist() == backwards.outcome.tolist()
    assert np.array([1.0, 2.0, 3.0, 4.0])[first.position].tolist() == first.X["x"].tolist()
    assert first.propensity.tolist() == [0.5] * 4  # the arms' shares


def test_a_customer_stays_in_one_fold():
    index = pd.MultiIndex.from_product([[f"c{i}" for i in range(500)], [1, 2]], names=["customer_id", "cutoff"])
    trial = make_trial(pd.DataFrame({"x": 0.0}, index=index), np.tile([0, 1], 500), np.zeros(1000), None)
    folds = pd.Series(trial.folds(5)).groupby(trial.customers)
    assert folds.nunique().max() == 1
    assert np.bincount(trial.folds(5)).min() > 120
    assert (trial.folds(5) != trial.folds(5, salt=1)).mean() > 0.5


def test_effective_size_is_of_customers_by_weight():
    trial = small(arm=[0, 1, 1, 0], propensity=[0.5, 0.5, 0.25, 0.5])
    assert trial.effective_size(1) == pytest.approx(36 / 20)  # (2 + 4)² / (4 + 16)
    assert trial.effective_size(0) == pytest.approx(1.0)  # both rows are of customer a


def test_what_does_not_fit_together_is_refused():
    with pytest.raises(ExperimentError, match="4 rows, but 4 arms and 3 known outcomes"):
        small(outcome=[0, 1, np.nan, 1])
    with pytest.raises(ExperimentError, match=r"the arms are \[1\]"):
        small(arm=[1, 1, 1, 1])
    with pytest.raises(ExperimentError, match=r"must be numbers, but \['word'\]"):
        small(X=pd.DataFrame({"word": list("wxyz")}))


@pytest.mark.parametrize("propensity", [[0.5, 0.5, 0.0, 0.5], [0.5, 1.0, 0.5, 0.5], [0.5, np.nan, 0.5, 0.5], [0.5]])
def test_without_a_choice_nothing_can_be_compared(propensity):
    with pytest.raises(ExperimentError, match="above 0 and below 1"):
        small(propensity=propensity)


def test_sizes_of_arms_must_match_their_propensities():
    n = 10_000
    X = pd.DataFrame({"x": np.zeros(n)})
    arm = (np.arange(n) < 5_200) * 1
    with pytest.raises(ExperimentError, match=r"arm 0 has 4,800 rows and about 5,000 are due|arm 1 has 5,200 rows"):
        make_trial(X, arm, np.zeros(n), np.full(n, 0.5))
    with pytest.raises(ExperimentError, match=r"arm 'none' has 1 rows and about 2,500 are due \(p < 1e-15\)"):
        make_trial(X, (np.arange(n) > 0) * 1, np.zeros(n), np.full(n, 0.25), ("none", "voucher"))
    assert make_trial(X, arm, np.zeros(n), np.where(arm == 1, 0.52, 0.48)).count == 1
    # By chance: 5,050 of 10,000 is one standard deviation off.
    assert make_trial(X, (np.arange(n) < 5_050) * 1, np.zeros(n), np.full(n, 0.5)).count == 1


def test_an_experiment_that_says_too_little_says_why():
    n = 400
    X = pd.DataFrame({"x": np.zeros(n)}, index=pd.RangeIndex(n, name="customer_id"))
    arm = np.repeat([0, 1, 2], [200, 150, 50])
    trial = make_trial(X, arm, np.tile([0, 1], 200), None)
    assert too_little(trial, 1) == ""
    assert too_little(trial, 2) == "50 effective customers with the action, 100 needed"
    assert too_little(make_trial(X, arm, np.zeros(n), None), 1) == "0 of the rarer outcome, 10 needed"
    kept = only(trial, [1])
    assert kept.count == 1
    assert np.bincount(kept.arm + 1).tolist() == [50, 200, 150]


def test_shares_are_weighted_by_propensity():
    trial = small(propensity=[0.5, 0.5, 0.25, 0.25])
    # control: a stayed with weight 4, a left with weight 2
    assert leaving_share(trial) == pytest.approx(2 / 6)
    redeemed = np.array([np.nan, 1.0, 0.0, np.nan])[trial.position]
    assert redeemed_shares(redeemed, trial) == pytest.approx([2 / 6])
    assert np.isnan(redeemed_shares(np.full(4, np.nan), trial)).all()
