"""What every registered family must keep, over small logs whose times fall on the boundaries.

Events stand on whole and half days, so that they fall exactly on the cutoff and exactly on the edge of a window. The oracle
is SQL written by hand over the lines of the source: it shares nothing with the package but the names of the columns.
"""

from collections.abc import Callable
from typing import Any

import duckdb
import numpy as np
import pandas as pd
import pytest
from hypothesis import Phase, assume, given, settings
from hypothesis import strategies as st

from churnvalue.events.log import EventLog
from churnvalue.features import expand, families

# Every example reads a log, which takes long however short the log is: so few logs, each of many customers. A failing one
# is shown as it was drawn: to shrink it would take minutes.
SOME = settings(max_examples=6, deadline=None, derandomize=True, phases=[Phase.explicit, Phase.generate])
START = pd.Timestamp("2011-03-01")  # New York changes its clocks on March 13
CUTOFF = pd.Timestamp("2011-03-21")
ZONE = "America/New_York"
KINDS = ("purchase", "purchase", "purchase", "return", "ticket", "message_sent", "message_open", "message_click")
COLUMNS = ["customer_id", "event_time", "known_at", "kind", "order_id", "amount", "quantity", "category"]

CHOICES: dict[str, list[Any]] = {
    "kind": ["purchase", "return", "never_seen"],
    "days": [1, 5, 10],
    "first_days": [0, 1],
    "end_days": [5, 10],
    "first_hour": [0, 7],
    "end_hour": [8, 24],
    "weekday": [0, 3, 6],
}


def entries(family: str) -> list[dict[str, Any]]:
    """Definition entries that try a family with several parameters."""
    parameters = families()[family].parameters
    entry: dict[str, Any] = {"use": family, **{name: CHOICES[name] for name in parameters}}
    if "days" in parameters and parameters["days"].default is None:
        entry["days"] = [*CHOICES["days"], "all"]
    return [entry]


EVERYTHING = [entry for family in families() for entry in entries(family)]

YEAR_AGO = f"(TIMESTAMP '{CUTOFF}' - INTERVAL 365 DAY)"

# Of a customer's visible events `e`: {is} holds those of the kind, {recent} those of the last {days} days.
OF_KIND = "e.kind = '{kind}'"
RECENT = OF_KIND + " AND {recent}"
COUNT = f"count(*) FILTER ({RECENT})"
SEASON = OF_KIND + f" AND e.event_time >= {YEAR_AGO} AND e.event_time < {YEAR_AGO} + INTERVAL {{days}} DAY"
WAS_HERE = f"min(e.event_time) FILTER ({OF_KIND}) <= {YEAR_AGO}"
SPAN = (
    "({days} * 86400e6)"  # microseconds of {days}; the first of a customer's spans begins at the cutoff and goes back
)
SPANS = f"floor((epoch_us(TIMESTAMP '{CUTOFF}') - epoch_us(e.first_time)) / {SPAN})"
IN_SPAN = f"floor((epoch_us(TIMESTAMP '{CUTOFF}') - epoch_us(e.event_time) - 1) / {SPAN})"
AGE = f"(epoch_us(TIMESTAMP '{CUTOFF}') - epoch_us({{}}(e.event_time) FILTER ({OF_KIND}))) / 86400e6"
BEFORE = OF_KIND + f" AND e.event_time >= TIMESTAMP '{CUTOFF}' - INTERVAL (2 * {{days}}) DAY AND NOT {{recent}}"
MENTIONS = f"flatten(list(e.categories) FILTER ({RECENT}))"
IN_ORDER = "ORDER BY e.event_time {0}, e.known_at {0}, e.amount {0}"
PER = "count(*) FILTER (e.kind = '{}' AND {{recent}}) / nullif(count(*) FILTER (e.kind = '{}' AND {{recent}}), 0)"
SHARE = f"count(*) FILTER ({OF_KIND} AND {{}}) / nullif(count(*) FILTER ({OF_KIND}), 0)"

ORACLES: dict[str, str] = {
    "days_since_last": AGE.format("max", kind="{kind}"),
    "days_since_first": AGE.format("min", kind="{kind}"),
    "days_first_to_last": f"{AGE.format('min', kind='{kind}')} - {AGE.format('max', kind='{kind}')}",
    "event_count": COUNT,
    "event_count_between": f"count(*) FILTER ({OF_KIND} AND e.event_time < TIMESTAMP '{CUTOFF}' - INTERVAL {{first_days}} DAY"
    f" AND e.event_time >= TIMESTAMP '{CUTOFF}' - INTERVAL {{end_days}} DAY)",
    "same_season_count": f"CASE WHEN {WAS_HERE} THEN count(*) FILTER ({SEASON}) END",
    "same_season_amount": f"CASE WHEN {WAS_HERE} THEN coalesce(sum(e.amount) FILTER ({SEASON}), 0) END",
    "past_renewal": f"count(DISTINCT {IN_SPAN}) FILTER ({OF_KIND} AND {IN_SPAN} < {SPANS})"
    f" / nullif(any_value({SPANS}) FILTER ({OF_KIND}), 0)",
    "active_days": f"count(DISTINCT e.day) FILTER ({RECENT})",
    "repeat_days": f"greatest(count(DISTINCT e.day) FILTER ({OF_KIND}) - 1, 0)",
    "event_rate": f"365 * count(*) FILTER ({OF_KIND}) / CASE WHEN {AGE.format('min', kind='{kind}')} < 30 THEN 30"
    f" ELSE {AGE.format('min', kind='{kind}')} END",
    "gap_mean": f"any_value(e.gap_mean) FILTER ({OF_KIND})",
    "gap_sd": f"any_value(e.gap_sd) FILTER ({OF_KIND})",
    "gap_recent": f"any_value(e.gap_recent) FILTER ({OF_KIND})",
    "gap_last": f"any_value(e.gap_last) FILTER ({OF_KIND})",
    "gap_min": f"any_value(e.gap_min) FILTER ({OF_KIND})",
    "gap_last_to_mean": f"any_value(e.gap_last / e.gap_mean) FILTER ({OF_KIND})",
    "silence_to_gap": f"{AGE.format('max', kind='{kind}')} / any_value(e.gap_mean) FILTER ({OF_KIND})",
    "count_trend": f"{COUNT} / nullif(count(*) FILTER ({BEFORE}), 0)",
    "amount_trend": f"coalesce(sum(e.amount) FILTER ({RECENT}), 0)"
    f" / CASE WHEN sum(e.amount) FILTER ({BEFORE}) > 1e-6 THEN sum(e.amount) FILTER ({BEFORE}) END",
    "pace": f"({COUNT} / {{days}}) / (count(*) FILTER ({OF_KIND}) / nullif(greatest({AGE.format('min', kind='{kind}')}, {{days}})"
    f" * least(count(*) FILTER ({OF_KIND}), 1), 0))",
    "amount_total": f"coalesce(sum(e.amount) FILTER ({RECENT}), 0)",
    "amount_mean": f"avg(e.amount) FILTER ({RECENT})",
    "amount_max": f"max(e.amount) FILTER ({RECENT})",
    "amount_last": f"first(e.amount {IN_ORDER.format('DESC')}) FILTER ({OF_KIND} AND e.amount IS NOT NULL)",
    "amount_first": f"first(e.amount {IN_ORDER.format('ASC')}) FILTER ({OF_KIND} AND e.amount IS NOT NULL)",
    "repeat_amount_mean": f"coalesce(sum(e.amount) FILTER ({OF_KIND} AND e.day > e.first_day), 0)"
    f" / nullif(count(DISTINCT e.day) FILTER ({OF_KIND} AND e.day > e.first_day), 0)",
    "lines_mean": f"avg(e.lines) FILTER ({RECENT})",
    "quantity_mean": f"avg(e.quantity) FILTER ({RECENT})",
    "unit_price": f"coalesce(sum(e.amount) FILTER ({OF_KIND}), 0) / nullif(sum(e.quantity) FILTER ({OF_KIND}), 0)",
    "distinct_categories": f"coalesce(list_unique({MENTIONS}), 0)",
    "top_category_share": f"list_max(map_values(list_histogram({MENTIONS}))) / len({MENTIONS})",
    "hour_share": SHARE.format("hour(e.wall_clock) >= {first_hour} AND hour(e.wall_clock) < {end_hour}", kind="{kind}"),
    "weekend_share": SHARE.format("isodow(e.day) IN (6, 7)", kind="{kind}"),
    "weekday_share": SHARE.format("isodow(e.day) = {weekday} + 1", kind="{kind}"),
    "return_share": PER.format("return", "purchase"),
    "returned_amount_share": "coalesce(sum(-e.amount) FILTER (e.kind = 'return' AND {recent}), 0)"
    " / nullif(sum(e.amount) FILTER (e.kind = 'purchase' AND {recent}), 0)",
    "ticket_share": PER.format("ticket", "purchase"),
    "open_rate": PER.format("message_open", "message_sent"),
    "click_rate": PER.format("message_click", "message_sent"),
}

EVENTS = f"""
WITH line AS (
    SELECT DISTINCT * REPLACE (greatest(coalesce(known_at, event_time), event_time) AS known_at) FROM lines
), event AS (
    SELECT customer_id, kind, min(event_time) AS event_time, max(known_at) AS known_at, sum(amount) AS amount,
        sum(quantity) AS quantity, count(*) AS lines, list(DISTINCT category) FILTER (category IS NOT NULL) AS categories
    FROM line WHERE order_id IS NOT NULL
    GROUP BY customer_id, kind, order_id, CAST(line.event_time AS DATE), CAST(line.known_at AS DATE)
    UNION ALL
    SELECT customer_id, kind, event_time, known_at, amount, quantity, 1,
        CASE WHEN category IS NOT NULL THEN [category] END
    FROM line WHERE order_id IS NULL
), visible AS (
    SELECT * REPLACE (CASE WHEN kind = 'purchase' AND amount < 0 THEN 'return' ELSE kind END AS kind),
        (event_time AT TIME ZONE 'UTC') AT TIME ZONE '{ZONE}' AS wall_clock, CAST(wall_clock AS DATE) AS day
    FROM event WHERE event_time < TIMESTAMP '{CUTOFF}' AND known_at < TIMESTAMP '{CUTOFF}'
), active AS (
    SELECT customer_id, kind, day, day - lag(day) OVER (PARTITION BY customer_id, kind ORDER BY day) AS gap,
        pow(2, 1 - row_number() OVER (PARTITION BY customer_id, kind ORDER BY day DESC)) AS weight
    FROM (SELECT DISTINCT customer_id, kind, day FROM visible)
), rhythm AS (
    SELECT customer_id, kind, min(day) AS first_day, avg(gap) AS gap_mean, stddev_samp(gap) AS gap_sd,
        first(gap ORDER BY day DESC) AS gap_last, min(gap) AS gap_min,
        sum(gap * weight) / sum(weight) FILTER (gap IS NOT NULL) AS gap_recent
    FROM active GROUP BY customer_id, kind
)
SELECT c.customer_id, {{expressions}}
FROM (SELECT DISTINCT customer_id FROM lines) c
LEFT JOIN (
    SELECT *, min(event_time) OVER (PARTITION BY customer_id, kind) AS first_time
    FROM visible JOIN rhythm USING (customer_id, kind)
) e ON e.customer_id = c.customer_id
GROUP BY c.customer_id ORDER BY c.customer_id
"""


def by_sql(lines: pd.DataFrame) -> pd.DataFrame:
    """Every feature of EVERYTHING at the cutoff, by hand-written SQL."""
    expressions = []
    for feature in expand(EVERYTHING):
        words: dict[str, Any] = dict(feature.parameters)
        days = words.get("days")
        words["recent"] = f"e.event_time >= TIMESTAMP '{CUTOFF}' - INTERVAL {days} DAY" if days else "true"
        expressions.append(f'CAST({ORACLES[feature.use].format(**words)} AS DOUBLE) AS "{feature.name}"')
    with duckdb.connect() as connection:
        connection.execute("SET threads = 1")
        connection.execute(
            "CREATE TABLE lines (customer_id TEXT, event_time TIMESTAMP, known_at TIMESTAMP, kind TEXT, order_id TEXT,"
            " amount DOUBLE, quantity DOUBLE, category TEXT)"
        )
        rows = [[None if pd.isna(cell) else cell for cell in row] for row in lines[COLUMNS].itertuples(index=False)]
        connection.executemany("INSERT INTO lines VALUES (?, ?, ?, ?, ?, ?, ?, ?)", rows)
        return connection.execute(EVENTS.format(expressions=", ".join(expressions))).df().set_index("customer_id")


# Half days from START: a year before the cutoff (-690) and the edges of its windows, the first days, the edges of the
# windows (20, 30 and 38), the cutoff (40), and what comes after it.
HALF_DAYS = st.sampled_from(
    [-691, -690, -689, -688, -681, -680, 0, 1, 2, 3, 12, 19, 20, 21, 29, 30, 31, 37, 38, 39, 40, 41, 50]
)
ORDERS = st.tuples(
    st.sampled_from("abcdefgh"),
    st.sampled_from(KINDS),
    HALF_DAYS,
    st.sampled_from([None, None, 0, 1, 2, 20]),  # known so many half days late
    st.booleans(),  # with an order id
)
LINES = st.tuples(
    st.sampled_from([0, 0, 0, 1, 2]),  # half days after the first line of the order
    st.sampled_from([2.5, 10.0, 0.1, 0.0, -5.0, None]),
    st.sampled_from([1.0, 3.0, None]),
    st.sampled_from(["x", "y", "z", None]),
)


@st.composite
def logs(draw: st.DrawFn, spread: bool = False) -> pd.DataFrame:
    """Lines of orders and single events; with ``spread`` the lines of an order may lie a day apart."""
    rows = []
    for number in range(draw(st.integers(1, 90))):
        customer, kind, start, late, named = draw(ORDERS)
        for later, amount, quantity, category in draw(st.lists(LINES, min_size=1, max_size=3)):
            time = START + pd.Timedelta(hours=12 * (start + spread * later))
            known_at = None if late is None else time + pd.Timedelta(hours=12 * late)
            rows.append((customer, time, known_at, kind, f"o{number}" if named else None, amount, quantity, category))
    return pd.DataFrame(rows, columns=COLUMNS)


@pytest.fixture(scope="session")
def read(log_from: Callable[..., EventLog]) -> Callable[[pd.DataFrame], EventLog]:
    """A function that reads lines through Parquet, with the customers' clock in New York.

    An event that is no midnight comes with them: a source of midnights alone would be one of days, on no clock.
    """
    noon = pd.DataFrame([["noon", START + pd.Timedelta(hours=12), None, "visit", *[None] * 4]], columns=COLUMNS)

    def from_lines(lines: pd.DataFrame) -> EventLog:
        typed = pd.concat([lines.astype(object), noon.astype(object)])
        typed = typed.astype({"event_time": "datetime64[us]", "known_at": "datetime64[us]"})
        typed = typed.astype({"amount": "float64", "quantity": "float64"})
        return log_from(typed, ending=".parquet", timing={"timezone": ZONE})

    return from_lines


@pytest.fixture(scope="session")
def described(
    read: Callable[[pd.DataFrame], EventLog], features_at: Callable[..., pd.DataFrame]
) -> Callable[[pd.DataFrame], pd.DataFrame]:
    """A function that computes every feature at the cutoff, of every customer of the lines."""
    return lambda lines: features_at(read(lines), EVERYTHING, str(CUTOFF)).drop("noon")


def past_of(lines: pd.DataFrame) -> pd.Series:
    """Whether each line had happened and was known before the cutoff."""
    known_at = lines.known_at.astype("datetime64[us]").fillna(lines.event_time)
    return (lines.event_time < CUTOFF) & (known_at < CUTOFF)


def same_bytes(left: pd.DataFrame, right: pd.DataFrame) -> bool:
    """Whether two frames hold the same customers, columns and bytes."""
    return (
        left.index.equals(right.index)
        and left.columns.equals(right.columns)
        and left.to_numpy().tobytes() == right.to_numpy().tobytes()
    )


def differing(left: pd.DataFrame, right: pd.DataFrame) -> dict[str, tuple[list[float], list[float]]]:
    """The columns in which two frames differ by more than rounding, with both their values."""
    return {
        name: (left[name].tolist(), right[name].tolist())
        for name in left
        if not np.allclose(left[name], right[name], rtol=1e-9, atol=1e-9, equal_nan=True)
    }


def test_every_family_has_an_oracle_and_choices() -> None:
    assert sorted(ORACLES) == sorted(families())
    assert {name for family in families().values() for name in family.parameters} == set(CHOICES)


@SOME
@given(lines=logs(spread=True))
def test_agrees_with_sql(lines: pd.DataFrame, described: Callable[[pd.DataFrame], pd.DataFrame]) -> None:
    ours, oracle = described(lines), by_sql(lines)
    assert ours.index.equals(oracle.index.astype(ours.index.dtype))
    assert differing(ours, oracle) == {}


@SOME
@given(lines=logs(spread=True), how=st.sampled_from(["as drawn", "other", "later", "at the cutoff"]))
def test_blind_to_what_was_not_known_before_the_cutoff(
    lines: pd.DataFrame, how: str, described: Callable[[pd.DataFrame], pd.DataFrame]
) -> None:
    past = lines[past_of(lines)]
    future = lines[~past_of(lines)]
    at_cutoff = past.assign(event_time=CUTOFF, order_id=None)
    known_at_cutoff = past.assign(known_at=CUTOFF, order_id=None)
    changed = {
        "as drawn": future,
        "other": future.assign(kind="purchase", category="new", amount=1e6, quantity=1e6),
        "later": future.assign(event_time=future.event_time + pd.Timedelta(days=400), known_at=None),
        "at the cutoff": pd.concat([future, at_cutoff, known_at_cutoff]),
    }[how]
    assume(len(past))
    blind = described(past)
    assert same_bytes(blind, described(pd.concat([past, changed])).loc[blind.index])


@SOME
@given(lines=logs(spread=True), data=st.data())
def test_row_order_does_not_matter(
    lines: pd.DataFrame, data: st.DataObject, described: Callable[[pd.DataFrame], pd.DataFrame]
) -> None:
    shuffled = lines.iloc[data.draw(st.permutations(range(len(lines))))]
    assert same_bytes(described(lines), described(shuffled))


@SOME
@given(lines=logs(spread=True))
def test_one_customer_does_not_affect_another(
    lines: pd.DataFrame, described: Callable[[pd.DataFrame], pd.DataFrame]
) -> None:
    together = described(lines)
    alone = described(lines[lines.customer_id == lines.customer_id[0]])
    assert same_bytes(alone, together.loc[alone.index])


@pytest.mark.parametrize(
    ("event_time", "known_at", "seen"),
    [
        ("2011-03-20T23:59:59.999999", None, 1.0),
        ("2011-03-21T00:00", None, 0.0),  # at the cutoff
        ("2011-03-20T00:00", "2011-03-20T23:59:59.999999", 1.0),
        ("2011-03-20T00:00", "2011-03-21T00:00", 0.0),  # known at the cutoff
        ("2011-03-16T00:00", None, 1.0),  # exactly five days before: inside
        ("2011-03-15T23:59:59.999999", None, 0.0),
    ],
)
def test_boundaries(
    event_time: str,
    known_at: str | None,
    seen: float,
    log_from: Callable[..., EventLog],
    features_at: Callable[..., pd.DataFrame],
) -> None:
    rows = pd.DataFrame(
        {"customer_id": ["a", "b"], "event_time": [event_time, "2011-03-01T12:00"], "known_at": [known_at, None]}
    )
    features = features_at(log_from(rows), [{"use": "event_count", "kind": "purchase", "days": 5}], str(CUTOFF))
    assert features.loc["a", "event_count_purchase_5d"] == seen
