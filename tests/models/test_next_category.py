import numpy as np
import pandas as pd
import pytest

from churnvalue import clock
from churnvalue.models.next_category import (
    BEST_SELLING,
    CO_BUYING,
    OWN,
    TAKE_UP,
    NextCategory,
    bought,
    hits,
    learn,
    top_category,
)

LOG = """
customer_id event_time  known_at    kind      category
a           2024-01-01  2024-01-01  purchase  tea
a           2024-01-20  2024-01-20  purchase  tea
a           2024-02-10  2024-02-10  purchase  cake
b           2024-01-02  2024-01-02  purchase  tea
b           2024-02-11  2024-02-11  visit     cake
b           2024-02-12  2024-02-12  purchase  cake
c           2024-01-03  2024-01-03  purchase  soap
c           2024-02-13  2024-02-13  purchase  soap
d           2024-02-14  2024-03-05  purchase  soap
d           2024-02-15  2024-02-15  purchase  -
"""
CUTOFF = clock.micros("2024-03-01")
DAYS = 30  # recent is from 2024-01-31 on


@pytest.fixture(scope="module")
def log(log_from):
    return log_from(LOG, source={"columns": {n: n for n in ("customer_id", "event_time", "known_at", "category")}})


def test_what_was_bought_and_known(log):
    found = bought(log, "purchase", clock.before(CUTOFF), CUTOFF)
    assert log.categories.names == ("cake", "soap", "tea")
    assert found.toarray().tolist() == [[1, 0, 2], [1, 0, 1], [0, 2, 0], [0, 0, 0]]  # d's soap is known later
    assert top_category(log, "purchase", CUTOFF).tolist() == [2, 0, 1, -1]  # b's tie goes by name
    assert bought(log, "rental", clock.before(CUTOFF), CUTOFF).sum() == 0


def test_the_rates_by_hand(log):
    basis = learn(log, "purchase", CUTOFF, DAYS)
    names = [log.categories.names[code] for code in basis.shown]
    assert names == ["cake", "soap"]  # nobody bought tea lately
    assert basis.popular.tolist() == pytest.approx([2 / 3, 1 / 3])
    assert basis.taken_up.tolist() == pytest.approx([2 / 3, 0.0])  # of a, b, c and of a, b who had none
    assert basis.again.tolist() == [0.0, 1.0]  # c bought soap again
    # One recent buyer had soap and not cake, and did not take it up; 20 more are taken to be like all.
    assert basis.share[1, 0] == pytest.approx(20 * (2 / 3) / 21)
    assert basis.likeness.tolist() == [[0.0, 0.0], [0.0, 0.0]]  # cake and soap have no buyer in common


def test_suggestions(log):
    basis = learn(log, "purchase", CUTOFF, DAYS)
    everyone = np.arange(5)  # the last stands for who is not known
    by_take_up = basis.ranked(everyone, TAKE_UP, new=True, places=3)
    assert by_take_up.tolist() == [[1, -1], [1, -1], [0, -1], [0, 1], [0, 1]]
    assert basis.ranked(everyone, OWN, new=False, places=1).ravel().tolist() == [0, 0, 1, 0, 0]


def test_prediction_of_a_short_log_goes_by_popularity(log):
    model = NextCategory(horizon_days=DAYS).fit(log, CUTOFF)
    assert model.method_ == TAKE_UP
    assert "co-buying did not beat recent take-up, by +0.000 ± 0.000 hits" in model.says_
    young = NextCategory(horizon_days=60).fit(log, CUTOFF)
    assert young.says_.endswith("no past cutoff is there to compare anything else with it.")
    found = model.predict(["c", "a", "nobody"])
    assert found["customer_id"].tolist() == ["c", "a", "nobody"]
    assert found["next_category"].tolist() == ["cake", "soap", "cake"]
    assert found["share"].tolist() == pytest.approx([20 * (2 / 3) / 21, 0.0, 2 / 3])
    assert found["is_new"].tolist() == [True] * 3


def test_who_has_bought_everything_is_offered_what_they_buy_most(log_from):
    log = log_from("""
customer_id event_time  category
a           2024-01-01  tea
a           2024-02-10  cake
a           2024-02-11  tea
b           2024-02-12  cake
""")
    found = NextCategory(horizon_days=DAYS).fit(log, CUTOFF).predict(["a", "b"])
    assert found["next_category"].tolist() == ["tea", "tea"]
    assert found["is_new"].tolist() == [False, True]
    assert found["share"].iloc[0] == 1.0  # the one who had tea bought it again


def test_without_categories_nothing_is_said(log_from):
    log = log_from("customer_id event_time\na 2024-01-01\nb 2024-02-20")
    model = NextCategory(horizon_days=DAYS).fit(log, CUTOFF)
    found = model.predict(["a", "b"])
    assert found["next_category"].isna().all()
    assert found["share"].isna().all()
    assert model.says_ == "No recent purchase names a category, so nothing can be said of what to offer next."
    assert top_category(log, "purchase", CUTOFF).tolist() == [-1, -1]
    assert hits(log, "purchase", CUTOFF, DAYS).empty


def shop(seed, *, pairs):
    """Buyers of 12 categories over 400 days; with ``pairs`` whoever buys an even one goes on to the odd one after it."""
    rng = np.random.default_rng(seed)
    rows = []
    for customer in range(500):
        first = int(rng.integers(0, 6)) * 2
        days = np.sort(rng.integers(0, 400, 4))
        liked = [first, first + 1] if pairs else [first, int(rng.integers(0, 12))]
        rows += [(f"c{customer:03d}", day, f"k{liked[i > 1]:02d}") for i, day in enumerate(days)]
    log = pd.DataFrame(rows, columns=["customer_id", "event_time", "category"])
    return log.assign(event_time=pd.Timestamp("2024-01-01") + pd.to_timedelta(log["event_time"], unit="D"))


def test_co_buying_is_used_where_it_won_and_only_there(log_from):
    cutoff = clock.micros("2024-12-01")
    paired, mixed = (
        NextCategory().fit(log_from(shop(1, pairs=pairs), ending=".parquet"), cutoff) for pairs in (True, False)
    )
    assert paired.method_ == CO_BUYING
    assert paired.gain_ > 0.3 > 10 * paired.error_
    assert "co-buying beat" in paired.says_
    assert mixed.method_ in (TAKE_UP, BEST_SELLING)
    assert "did not beat" in mixed.says_


def test_hits_by_hand(log):
    # In March d's soap becomes known, but happened before; nobody buys anything.
    assert hits(log, "purchase", CUTOFF, DAYS).empty
    # As of January 31 no purchase is recent but those of January: tea (a, b), soap (c). Then a and b buy cake.
    found = hits(log, "purchase", clock.micros("2024-01-31"), 31)
    new = found[found["wanted"] == "new"]
    assert sorted(new["customer"].unique()) == [0, 1]
    assert not new[["hit_1", "hit_3", "hit_5"]].any(axis=None)  # nobody had bought cake yet
    own = found[(found["wanted"] == "any") & (found["method"] == OWN)].set_index("customer")["hit_1"]
    assert own.to_dict() == {0: 0.0, 1: 0.0, 2: 1.0}


def test_the_future_and_the_order_of_rows_have_no_say(log_from):
    rows = shop(2, pairs=True)
    cutoff = pd.Timestamp("2024-10-01")
    past = rows[rows["event_time"] < cutoff]
    other = rows[rows["event_time"] >= cutoff].assign(category="k99")
    ids = sorted(past["customer_id"].unique())
    said = []
    for each in (rows, pd.concat([other, past]).sample(frac=1, random_state=1)):
        model = NextCategory().fit(log_from(each, ending=".parquet"), clock.micros(cutoff.to_pydatetime()))
        said.append((model.says_, model.predict(ids)))
    assert said[0][0] == said[1][0]
    pd.testing.assert_frame_equal(said[0][1], said[1][1])
