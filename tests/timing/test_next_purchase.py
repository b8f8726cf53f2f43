import json
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
import pytest

from churnvalue import clock
from churnvalue.config import Population
from churnvalue.errors import HistoryError
from churnvalue.events.log import EventLog
from churnvalue.timing import next_purchase_learning
from churnvalue.timing.next_purchase import AFT, BUYING, TREES, NextPurchase, inputs
from churnvalue.timing.next_purchase_learning import fit_next_purchase
from churnvalue.timing.survival_metrics import concordance, restricted_mean
from churnvalue.timing.waits import Waits, level_cutoffs, waits

WHO = Population(kind="purchase", active_days=3650)
CUTOFFS = ("2023-06-01", "2023-07-20", "2023-09-15")
NOW, HORIZON = "2023-11-20", 45


@dataclass(frozen=True)
class Made:
    """What a model is fitted to, and what came after."""

    learning: Waits
    beside: Waits
    test: Waits

    def fit(self) -> NextPurchase:
        return fit_next_purchase(self.learning, self.beside, self.test.frame, "purchase", seed=5)


def events(customers: int, gap_days: Callable[[np.random.Generator], float], days: int = 400) -> pd.DataFrame:
    """A year of purchases from 2023-01-01 on, one draw of a gap a purchase; half of the customers stop one day."""
    generator = np.random.default_rng(11)
    rows = []
    for number in range(customers):
        rate = generator.gamma(2.0, 0.5)
        time, stop = generator.uniform(0, 150), generator.choice([generator.uniform(0, days), days])
        while True:
            rows.append((f"c{number:04d}", pd.Timestamp("2023-01-01") + pd.Timedelta(days=time), 10.0))
            time += gap_days(generator) / max(rate, 0.05)
            if time > stop:
                break
    frame = pd.DataFrame(rows, columns=["customer_id", "event_time", "amount"])
    return frame.assign(event_time=frame["event_time"].astype("datetime64[us]").dt.floor("s"))


def material(log_from: Callable[..., EventLog], rows: pd.DataFrame) -> Made:
    rows = pd.concat([rows, rows.iloc[:1].assign(customer_id="late", event_time=pd.Timestamp("2024-02-01T12:00"))])
    full, log = log_from(rows, ending=".parquet"), log_from(rows, ending=".parquet", as_of=NOW)
    cutoffs, now = [clock.micros(cutoff) for cutoff in CUTOFFS], clock.micros(NOW)
    beside = level_cutoffs(log, cutoffs, now, HORIZON)
    return Made(
        waits(log, inputs("purchase"), cutoffs, WHO, "purchase", HORIZON),
        waits(log, inputs("purchase"), beside, WHO, "purchase", HORIZON),
        waits(full, inputs("purchase"), [now], WHO, "purchase", HORIZON),
    )


@pytest.fixture(scope="module")
def made(log_from: Callable[..., EventLog]) -> Made:
    return material(log_from, events(450, lambda generator: generator.exponential(25.0)))


@pytest.fixture(scope="module")
def fitted(made: Made) -> NextPurchase:
    """A model as it is learnt."""
    return made.fit()


@pytest.fixture(scope="module")
def everyone(made: Made) -> NextPurchase:
    """A model in which all three members speak."""
    learner = next_purchase_learning._Learner("purchase", (0, 1, 3, 7, 14, 30, 45), 5)
    return next_purchase_learning._fit(learner, made.learning, (BUYING, AFT, TREES)).with_buying(made.test.frame)


def test_p_return_grows_with_the_days_and_stays_a_probability(made, everyone):
    days = [0, 0.5, 1, 2.5, 7, 14, 30, 44.9, 45, 45.1, 90, 365]
    chance = np.column_stack([everyone.p_return(made.test.frame, ahead) for ahead in days])
    assert (chance[:, 0] == 0).all()
    assert (chance <= 1).all()
    assert (np.diff(chance, axis=1) >= 0).all()
    assert np.isfinite(chance).all()


def test_curve_hazard_and_chance_are_one(made, everyone):
    frame = made.test.frame
    curve, hazard = everyone.survival(frame), everyone.hazard(frame)
    assert curve.shape == (len(frame), HORIZON + 1)
    assert np.cumprod(1 - hazard, axis=1) == pytest.approx(curve[:, 1:])
    for ahead in (7, 14, 30, 45):
        assert 1 - everyone.p_return(frame, ahead) == pytest.approx(curve[:, ahead])


def test_quantiles_turn_the_curve_round(made, everyone):
    frame, shares = made.test.frame.iloc[:40], [0.0, 0.1, 0.5, 0.9, 1.0]
    found = everyone.quantiles(frame, shares)
    assert (np.diff(found, axis=1) >= 0).all()
    assert found[:, 0] == pytest.approx(0)
    assert found[:, -1] == pytest.approx(HORIZON)
    for row in (0, 20):
        one = frame.iloc[[row]]
        for place, share in enumerate(shares):
            reached = everyone.p_return(one, float(found[row, place])) / everyone.p_return(one, HORIZON)
            assert reached[0] == pytest.approx(share, abs=1e-9)


def test_what_cannot_be_asked_is_refused(made, everyone):
    with pytest.raises(HistoryError, match="at least 0, but -1 came"):
        everyone.p_return(made.test.frame, -1)
    with pytest.raises(HistoryError, match="Shares must lie in 0 to 1"):
        everyone.quantiles(made.test.frame, [1.5])


def test_ranks_waits_that_it_has_not_seen(made, fitted):
    model, test = fitted, made.test
    assert set(model.members) <= {BUYING, AFT, TREES}
    assert "least deviance" in model.note
    found = concordance(test.days, test.observed, restricted_mean(model.survival(test.frame)))
    assert found > 0.7
    for ahead in (7, 14, 30):
        returned = (test.observed & (test.days < ahead)).mean()
        assert model.p_return(test.frame, ahead).mean() == pytest.approx(returned, rel=0.3)


def test_the_order_of_rows_changes_nothing(made, fitted):
    def turned(one: Waits) -> Waits:
        return Waits(one.frame.iloc[::-1], one.days[::-1], one.observed[::-1])

    model = fitted
    again = Made(turned(made.learning), turned(made.beside), turned(made.test)).fit()
    assert again.parameters() == model.parameters()
    backwards = made.test.frame.iloc[::-1]
    assert (model.p_return(backwards, 14)[::-1] == model.p_return(made.test.frame, 14)).all()


def test_lives_as_json_and_the_text_of_its_trees(made, everyone):
    text = json.dumps(everyone.parameters(), allow_nan=False)
    again = NextPurchase.from_parameters(json.loads(text), everyone.trees.trees)
    assert (again.survival(made.test.frame) == everyone.survival(made.test.frame)).all()
    small = replace(everyone, aft=None, trees=None, members=(BUYING,))
    read = NextPurchase.from_parameters(json.loads(json.dumps(small.parameters())), None)
    assert (read.survival(made.test.frame) == small.survival(made.test.frame)).all()


def test_second_purchase_day_is_for_customers_of_one_day_alone(made, everyone):
    found = everyone.second_purchase_day(made.test.frame)
    once = made.test.frame["active_days_purchase"].to_numpy() == 1
    assert (np.isnan(found) == ~once).all()
    assert set(found[once]) <= set(everyone.edges[:-1])
    late = replace(everyone, levels=(0.0, 0.0, 0.0, 0.0, 9.0, 0.0))
    assert set(late.second_purchase_day(made.test.frame)[once]) == {14.0}  # the bin of days 14 to 30


def test_a_longer_silence_is_scored_anew(made, everyone):
    one = made.test.frame.iloc[:50]
    silent = one.assign(
        days_since_last_purchase=one["days_since_last_purchase"] + 60,
        days_since_first_purchase=one["days_since_first_purchase"] + 60,
    )
    assert everyone.p_return(silent, 14).mean() < everyone.p_return(one, 14).mean()


def test_closed_weekdays_have_almost_no_hazard(log_from):
    rows = events(150, lambda generator: generator.exponential(20.0))
    open_days = rows[rows["event_time"].dt.day_of_week != 6]  # never on Sunday
    found = material(log_from, open_days)
    model = found.fit()
    assert model.weekdays[6] < 0.3  # drawn to an even week, as the returns are few
    assert sum(model.weekdays) == pytest.approx(7)
    # The cutoff is a Monday: its seventh day is a Sunday.
    hazard = model.hazard(found.test.frame).mean(axis=0)
    assert hazard[6] < 0.4 * hazard[:6].mean()


@pytest.mark.parametrize(
    "rows",
    [
        events(200, lambda generator: 30.0),
        events(200, lambda generator: 4000.0),
        events(40, lambda generator: generator.exponential(25.0)),
        events(200, lambda generator: generator.exponential(25.0)).assign(
            event_time=lambda rows: rows["event_time"].dt.floor("D")
        ),
    ],
    ids=["constant gaps", "few come back", "few customers", "whole days"],
)
def test_thin_and_odd_logs_stay_finite(log_from, rows):
    found = material(log_from, rows)
    model = found.fit()
    frame = found.test.frame
    assert model.note
    for values in (model.survival(frame), model.hazard(frame), model.quantiles(frame, [0.1, 0.5, 0.9])):
        assert np.isfinite(values).all()
    assert np.isfinite(model.p_return(frame, 365)).all()
    if found.learning.observed.sum() < 100:
        assert model.members == (BUYING,)
        assert model.note.startswith("buy-till-you-die alone: ")


def test_without_an_earlier_window_to_choose_on_it_falls_back_and_says_so(made):
    newest = made.learning.at(made.learning.cutoffs[-1:])
    model = fit_next_purchase(newest, made.beside, made.test.frame, "purchase", seed=5)
    assert model.members == (BUYING,)
    assert "1 past windows, none after another has closed" in model.note
    assert np.isfinite(model.survival(made.test.frame)).all()


def test_levels_follow_the_newest_closed_windows(made, fitted):
    # Nobody came back in the newest week: the first days fall, what has not closed since does not.
    week = made.beside.at(made.beside.cutoffs[-1:])
    quiet = Waits(week.frame, np.full(len(week.days), 7.0), np.zeros(len(week.days), dtype=bool))
    rest = made.beside.at(made.beside.cutoffs[:-1])
    changed = Waits(
        pd.concat([rest.frame, quiet.frame]),
        np.concatenate([rest.days, quiet.days]),
        np.concatenate([rest.observed, quiet.observed]),
    )
    before, after = fitted, fit_next_purchase(made.learning, changed, made.test.frame, "purchase", seed=5)
    assert after.members == before.members
    assert after.levels[0] < before.levels[0] - 0.05
    assert after.levels[-1] == before.levels[-1]
