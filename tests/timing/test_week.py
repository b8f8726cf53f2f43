import numpy as np
import pytest

from churnvalue.errors import DefinitionError, HistoryError
from churnvalue.timing.week import (
    SLOTS,
    TO_DAYS,
    TO_HOURS,
    best_window,
    by_day,
    by_hour,
    captured,
    checked_counts,
    circle_kernel,
    common_distribution,
    content_keys,
    week_kernel,
)


def test_kernel_goes_round_the_week():
    kernel = week_kernel(1.0, 0.5)
    assert kernel.sum(axis=1) == pytest.approx(np.ones(SLOTS))
    assert kernel[0, 167] == pytest.approx(kernel[0, 1])  # Sunday 23:00 and Monday 01:00 are as near
    assert kernel[0, 24] == pytest.approx(0.5 * kernel[0, 0])  # the same hour of the next day
    assert week_kernel(0.0, 0.0) == pytest.approx(np.eye(SLOTS))


def test_kernel_goes_round_a_circle():
    kernel = circle_kernel(24, 1.0)
    assert kernel.sum(axis=1) == pytest.approx(np.ones(24))
    assert kernel[0, 23] == pytest.approx(kernel[0, 1])
    assert kernel[0, 1] / kernel[0, 0] == pytest.approx(np.exp(-0.5))
    assert circle_kernel(7, 0.0) == pytest.approx(np.eye(7))


def test_hours_and_days_of_a_week():
    week = np.zeros((1, SLOTS))
    week[0, [9, 33, 34]] = [1, 2, 4]  # Monday 9:00, Tuesday 9:00 and 10:00
    assert by_hour(week)[0, [9, 10]].tolist() == [3, 4]
    assert by_day(week)[0].tolist() == [1, 6, 0, 0, 0, 0, 0]
    assert (week @ TO_HOURS == by_hour(week)).all()
    assert (week @ TO_DAYS == by_day(week)).all()


def test_common_of_nothing_is_uniform_and_of_much_is_what_was_seen():
    assert common_distribution(np.zeros(SLOTS)) == pytest.approx(np.full(SLOTS, 1 / SLOTS))
    total = np.random.default_rng(0).integers(1, 2000, SLOTS).astype(float)
    common = common_distribution(total)
    assert common.sum() == pytest.approx(1)
    assert common == pytest.approx((total + 0.5) / (total.sum() + 84))  # neighbours are unlike: nothing is smoothed


def test_best_window_passes_midnight_and_captures():
    probability = np.zeros((1, SLOTS))
    probability[0, [23, 24, 49]] = [0.3, 0.4, 0.3]  # 23:00, Tuesday 00:00, Wednesday 01:00
    counts = np.zeros((1, SLOTS))
    counts[0, [0, 1, 12, 47]] = 1  # 00:00, 01:00, noon, 23:00
    assert best_window(probability).tolist() == [23]
    assert captured(probability, counts).tolist() == [0.75]
    assert np.isnan(captured(probability, np.zeros((1, SLOTS)))).all()


def test_counts_are_checked():
    with pytest.raises(DefinitionError, match=r"must have the shape \(customers, 168\), but \(2, 24\) came"):
        checked_counts(np.ones((2, 24)))
    for wrong in (-1.0, np.nan, np.inf):
        with pytest.raises(HistoryError, match="at least 0"):
            checked_counts(np.full((1, SLOTS), wrong))


def test_keys_follow_the_content_alone():
    table = np.random.default_rng(1).poisson(0.1, (500, SLOTS)).astype(float)
    keys = content_keys(table)
    assert (content_keys(table[::-1]) == keys[::-1]).all()
    assert len(np.unique(keys)) == len(np.unique(table, axis=0))
