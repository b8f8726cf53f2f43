"""The same features in hand-written SQL: the fastest found for DuckDB, and one grouped pass that Spark runs.

What was tried and kept for DuckDB: CASE inside aggregates, not FILTER; purchases and other kinds in passes of their own; days as a
sorted list in each customer and gaps by lambdas over it, not a window function; categories as bits and their counts three to
an integer, not a grouping of their own. Windows are compared by day: every cutoff is a midnight UTC. Counts of one category
must stay below a million.
"""

from benchmarks.speed_features import WINDOWS
from benchmarks.speed_log import CATEGORIES, KINDS
from churnvalue.clock import DAY, HOUR

_PACK, _BITS = 3, 20  # counts to an integer, bits of a count
_OTHERS = [kind for kind in KINDS if kind != "purchase"]
_ALL = ("", 0)  # what the columns of no window end in


def narrow_sql(source: str) -> str:
    """Return the query that makes events narrow: c (customer), t (microseconds), d (day), k, amount, g (category's number)."""
    day, number = "(ts::DATE - DATE '1970-01-01')::INT", f"enum_code(category::ENUM{CATEGORIES})::UTINYINT"
    return f"SELECT customer_id c, epoch_us(ts) t, {day} d, event_type k, amount, {number} g FROM {source}"


def features_sql(purchases: str, others: str, cutoff: int) -> str:
    """Return the query of all features of the population at a cutoff, of narrow purchases and narrow other events."""
    day = cutoff // DAY
    return f"""
WITH bought AS (
  SELECT c, {_of_purchases(day)} FROM {purchases} WHERE t < {cutoff} GROUP BY c HAVING max(d) >= {day - 365}
), sorted AS (
  SELECT *, list_sort(listed) s FROM bought
), days AS (
  SELECT *, list_filter(s, lambda x, i: i = 1 OR x > s[i - 1]) dd FROM sorted
), gaps AS (
  SELECT *, list_transform(dd[2:], lambda x, i: (x - dd[i])::DOUBLE) gap, len(dd) dn, dd[-1] - dd[1] reach FROM days
), other AS (
  SELECT c, {_of_others(day)} FROM {others} WHERE t < {cutoff} GROUP BY c
)
SELECT c AS customer_id, {_named(_columns(cutoff))} FROM gaps LEFT JOIN other USING (c)"""


def _of_purchases(day: int) -> str:
    bit, hour = "1::INT << g::INT", f"t % {DAY} // {HOUR}"
    parts = [
        "min(t) first_t, max(t) last_t, list(d) listed, arg_max(amount, t) newest, arg_min(amount, t) oldest",
        f"count(CASE WHEN {hour} BETWEEN 6 AND 11 THEN 1 END) morning, count(CASE WHEN {hour} >= 18 THEN 1 END) evening",
        "count(CASE WHEN (d + 3) % 7 >= 5 THEN 1 END) weekend, count(*) n, sum(amount) a, count(amount) known",
        f"max(amount) most, bit_or({bit}) cats",
    ]
    for w in WINDOWS:
        inside = f"CASE WHEN d >= {day - w} THEN"
        parts += [f"count({inside} 1 END) n{w}, sum({inside} amount END) a{w}, count({inside} amount END) known{w}"]
        parts += [f"bit_or({inside} {bit} END) cats{w}"] if w > 7 else []
        parts += [f"max({inside} amount END) most{w}"] if w > 30 else []
    for pack in range(-(-len(CATEGORIES) // _PACK)):
        one = f"1::BIGINT << (g % {_PACK} * {_BITS})"
        parts += [f"sum(CASE WHEN g // {_PACK} = {pack} THEN {one} END)::BIGINT pack{pack}"]
    return ", ".join(parts)


def _of_others(day: int) -> str:
    parts = []
    for kind in _OTHERS:
        parts += [
            f"count(CASE WHEN k = '{kind}' THEN 1 END) {kind}, max(CASE WHEN k = '{kind}' THEN t END) last_{kind}"
        ]
        parts += [f"count(CASE WHEN k = '{kind}' AND d >= {day - w} THEN 1 END) {kind}{w}" for w in WINDOWS]
    for w in (90, 365):
        parts += [f"sum(CASE WHEN k = 'return' AND d >= {day - w} THEN amount END) back{w}"]
    parts += ["sum(CASE WHEN k = 'return' THEN amount END) back"]
    seen = f"CASE WHEN k = 'visit' AND d >= {day - 365} THEN d END"
    return ", ".join([*parts, f"bitstring_agg({seen}, {day - 365}, {day - 1}) seen"])


def _columns(cutoff: int) -> dict[str, str]:
    """Return the expression of each feature over the aggregates."""
    mean_gap = "(reach / nullif(dn - 1, 0))"
    packs = [f"(pack{i // _PACK} >> {i % _PACK * _BITS} & {2**_BITS - 1})" for i in range(len(CATEGORIES))]
    squares = "(dn - 1) * list_dot_product(gap, gap) - reach::DOUBLE * reach"
    columns = {f"days_since_last_{kind}": _age(cutoff, f"last_{kind}") for kind in _OTHERS}
    columns |= {
        "days_since_last_purchase": _age(cutoff, "last_t"),
        "days_since_first_purchase": _age(cutoff, "first_t"),
        "days_first_to_last_purchase": f"(last_t - first_t) / {float(DAY)}",
        "repeat_days_purchase": "dn - 1",
        "event_rate_purchase": f"n / greatest({_age(cutoff, 'first_t')}, 30) * 365",
        "amount_last_purchase": "newest",
        "amount_first_purchase": "oldest",
        "gap_mean_purchase": mean_gap,
        "gap_sd_purchase": f"CASE WHEN dn > 2 THEN sqrt(greatest({squares}, 0) / ((dn - 1) * (dn - 2))) END",
        "gap_min_purchase": "list_min(gap)",
        "gap_last_purchase": "gap[-1]",
        "gap_last_to_mean_purchase": f"gap[-1] / {mean_gap}",
        "silence_to_gap_purchase": f"{_age(cutoff, 'last_t')} / {mean_gap}",
        "hour_share_purchase_6_12": "morning / n",
        "hour_share_purchase_18_24": "evening / n",
        "weekend_share_purchase": "weekend / n",
        "returned_amount_share": "0 - coalesce(back, 0) / nullif(a, 0)",
        "top_category_share_purchase": f"greatest({', '.join(packs)}) / n",
        "active_days_purchase": "dn",
        "active_days_visit_365d": "coalesce(bit_count(seen), 0)",
    }
    for w in (30, 90):
        newest = f"'{'0' * (365 - w)}{'1' * w}'::BIT"
        columns[f"active_days_visit_{w}d"] = f"coalesce(bit_count(seen & {newest}), 0)"
        columns[f"pace_purchase_{w}d"] = f"n{w} / {w} / (n / greatest({_age(cutoff, 'first_t')}, {w}))"
    for w in WINDOWS:
        columns[f"active_days_purchase_{w}d"] = f"len(list_filter(dd, lambda x: x >= {cutoff // DAY - w}))"
    for at, days in (_ALL, *((str(w), w) for w in WINDOWS)):
        columns |= _windowed(at, days)
    return columns


def _windowed(at: str, days: int) -> dict[str, str]:
    """Return what is a plain aggregate of a window, or of all events if ``days`` is 0."""
    columns = {"event_count_purchase": f"n{at}", "amount_total_purchase": f"coalesce(a{at}, 0)"}
    columns |= {f"event_count_{kind}": f"coalesce({kind}{at}, 0)" for kind in _OTHERS}
    if days != 7:
        columns["amount_mean_purchase"] = f"a{at} / nullif(known{at}, 0)"
        columns["distinct_categories_purchase"] = f"coalesce(bit_count(cats{at}), 0)"
    if days not in (7, 30):
        columns["amount_max_purchase"] = f"most{at}"
        columns["amount_total_return"] = f"coalesce(back{at}, 0)"
    if days in (0, 365):
        columns |= {f"{kind}_share": f"coalesce({kind}{at}, 0) / n{at}" for kind in ("return", "ticket")}
    return {name + (f"_{days}d" if days else ""): sql for name, sql in columns.items()}


def _age(cutoff: int, time: str) -> str:
    return f"(({cutoff} - {time}) / {float(DAY)})"


def _named(columns: dict[str, str]) -> str:
    return ", ".join(f"{value} AS {name}" for name, value in columns.items())
