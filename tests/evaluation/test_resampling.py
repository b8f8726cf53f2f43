import numpy as np
import pytest

from churnvalue.evaluation import metrics
from churnvalue.evaluation.resampling import FAST


@pytest.mark.parametrize("name", sorted(FAST))
def test_agrees_with_the_plain_metric_on_every_draw(name):
    generator = np.random.default_rng(3)
    actual = generator.integers(0, 2, 60).astype(float)
    predicted = np.round(generator.normal(size=60), 1)  # rounded, so that there are ties
    rows = generator.integers(0, 60, (25, 60))
    counts = np.array([np.bincount(row, minlength=60) for row in rows])
    plain = [getattr(metrics, name)(actual[row], predicted[row]) for row in rows]
    np.testing.assert_allclose(FAST[name](actual, predicted, counts), plain, rtol=1e-12)


def test_is_undefined_where_the_plain_metric_is():
    counts = np.ones((1, 3), dtype=np.int64)
    assert np.isnan(FAST["auc"](np.ones(3), np.arange(3.0), counts)).all()
    assert np.isnan(FAST["normalised_gini"](np.zeros(3), np.arange(3.0), counts)).all()
