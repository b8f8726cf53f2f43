import numpy as np
import pytest

from churnvalue.config import Outcome
from churnvalue.evaluation.baselines import NAMES, baseline_features, baselines
from churnvalue.models.bg_nbd import BGNBD
from churnvalue.models.buy_till_you_die import summary
from churnvalue.models.gamma_gamma import GammaGamma
from churnvalue.models.pareto_nbd import ParetoNBD

CUTOFF = "2024-03-01"
OUTCOME = Outcome(horizon_days=30)


@pytest.fixture(scope="module")
def frame(log_from, features_at):
    log = log_from(
        """
        customer_id  event_time  amount
        a            2024-01-05  10
        a            2024-02-05  20  # 25 days before the cutoff
        a            2024-02-20  5
        b            2024-01-10  40
        b            2024-01-31  60  # 30 days before it: not in the last window's first moment, but on it
        c            2023-11-01  9
        c            2023-11-20  9
        d            2024-02-28  70
        """
    )
    entries = [{"use": feature.use, **dict(feature.parameters)} for feature in baseline_features(OUTCOME)]
    return features_at(log, entries, CUTOFF)


def test_simple_baselines_by_hand(frame):
    made = baselines(frame, OUTCOME)
    assert tuple(made) == NAMES
    assert frame.index.tolist() == ["a", "b", "c", "d"]
    assert made["zero"].orders.tolist() == made["zero"].spend.tolist() == [0, 0, 0, 0]
    assert made["last_window"].orders.tolist() == [2, 1, 0, 1]  # 30 days before 1 March 2024 is 31 January
    assert made["last_window"].spend.tolist() == [25, 60, 0, 70]
    assert made["last_window"].risk.tolist() == [-2, -1, 0, -1]
    assert made["recency"].risk.tolist() == [10, 30, 102, 2]
    assert made["zero"].risk is None
    assert made["recency"].p_churn is None


@pytest.mark.parametrize(("name", "estimator"), [("bg_nbd", BGNBD), ("pareto_nbd", ParetoNBD)])
def test_buy_till_you_die_learns_from_histories_alone(frame, name, estimator):
    rfm = summary(frame, "purchase")
    model = estimator().fit(rfm)
    made = baselines(frame, OUTCOME)[name]
    expected = model.expected_purchases(rfm, 30)
    np.testing.assert_allclose(made.p_churn, model.p_no_purchase(rfm, 30))
    np.testing.assert_allclose(made.orders, expected)  # one order a day in this log
    np.testing.assert_allclose(made.spend, expected * GammaGamma().fit(rfm).expected_amount(rfm))
    assert (made.risk == made.p_churn).all()
    assert (made.orders >= 1 - made.p_churn).all()


def test_without_amounts_no_money_is_foretold_by_histories(frame):
    columns = [name for name in frame if "amount" in name]
    made = baselines(frame.assign(**dict.fromkeys(columns, np.nan)), OUTCOME)
    assert made["bg_nbd"].spend is None
    assert made["pareto_nbd"].spend is None
    assert made["pareto_nbd"].orders is not None
