"""The same features for Spark: the text of one grouped pass, CASE over kinds inside every aggregate."""

from benchmarks.speed_features import WINDOWS
from benchmarks.speed_log import CATEGORIES, KINDS
from churnvalue.clock import DAY

_PACK, _BITS = 3, 20  # counts to an integer, bits of a count
_OTHERS = [kind for kind in KINDS if kind != "purchase"]
_ALL: tuple[int | None, ...] = (*WINDOWS, None)


def spark_sql(table: str, cutoff: int) -> str:
    """Return the query of all features at a cutoff, of the log as a table or view; the session's time zone must be UTC."""
    numbers = f"array_position(array({', '.join(map(repr, CATEGORIES))}), category) - 1"
    day = cutoff // DAY
    return f"""
WITH events AS (
  SELECT customer_id, t, CAST(t DIV {DAY} AS INT) d, event_type k, amount, CAST(g AS INT) g
  FROM (SELECT *, unix_micros(CAST(ts AS TIMESTAMP)) t, {numbers} g FROM {table}) WHERE t < {cutoff}
), grouped AS (
  SELECT customer_id, {", ".join([*_of_purchases(day), *_of_others(day)])} FROM events GROUP BY customer_id
), days AS (
  SELECT *, size(dd) dn, element_at(dd, -1) - element_at(dd, 1) reach,
    transform(slice(dd, 2, greatest(size(dd) - 1, 0)), (x, i) -> CAST(x - element_at(dd, i + 1) AS DOUBLE)) gap
  FROM (SELECT *, array_sort(listed) dd FROM grouped WHERE n_365 > 0)
), gaps AS (
  SELECT *, reach / nullif(dn - 1, 0) gap_mean, aggregate(gap, CAST(0 AS DOUBLE), (a, x) -> a + x * x) squares FROM days
)
SELECT customer_id, {", ".join(f"{value} AS {name}" for name, value in _columns(cutoff).items())} FROM gaps"""


def _when(kind: str, value: str, day: int, w: int | None = None) -> str:
    return f"CASE WHEN k = '{kind}'{'' if w is None else f' AND d >= {day - w}'} THEN {value} END"


def _at(w: int | None) -> str:
    return "" if w is None else f"_{w}"


def _of_purchases(day: int) -> list[str]:
    def bought(value: str, w: int | None = None) -> str:
        return _when("purchase", value, day, w)

    hour, bit = f"(t % {DAY}) DIV {DAY // 24}", "shiftleft(1, g)"
    parts = [f"min({bought('t')}) first_t", f"max({bought('t')}) last_t", f"collect_set({bought('d')}) listed",
             f"max_by({bought('amount')}, {bought('t')}) newest", f"min_by({bought('amount')}, {bought('t')}) oldest",
             f"count(CASE WHEN k = 'purchase' AND {hour} BETWEEN 6 AND 11 THEN 1 END) morning",
             f"count(CASE WHEN k = 'purchase' AND {hour} >= 18 THEN 1 END) evening",
             "count(CASE WHEN k = 'purchase' AND (d + 3) % 7 >= 5 THEN 1 END) weekend"]  # fmt: skip
    for w in _ALL:
        parts += [f"count({bought('1', w)}) n{_at(w)}", f"sum({bought('amount', w)}) a{_at(w)}",
                  f"count({bought('amount', w)}) known{_at(w)}", f"max({bought('amount', w)}) most{_at(w)}",
                  f"bit_or({bought(bit, w)}) cats{_at(w)}"]  # fmt: skip
    for pack in range(-(-len(CATEGORIES) // _PACK)):
        one = f"shiftleft(CAST(1 AS BIGINT), g % {_PACK} * {_BITS})"
        parts += [f"sum(CASE WHEN k = 'purchase' AND g DIV {_PACK} = {pack} THEN {one} END) pack{pack}"]
    return parts


def _of_others(day: int) -> list[str]:
    parts = [f"collect_set({_when('visit', 'd', day, 365)}) seen"]
    for kind in _OTHERS:
        parts += [f"max({_when(kind, 't', day)}) last_{kind}"]
        parts += [f"count({_when(kind, '1', day, w)}) {kind}{_at(w)}" for w in _ALL]
    return parts + [f"coalesce(sum({_when('return', 'amount', day, w)}), 0) back{_at(w)}" for w in (90, 365, None)]


def _columns(cutoff: int) -> dict[str, str]:
    def age(time: str) -> str:
        return f"(({cutoff} - {time}) / {DAY}D)"

    def newer(days: str, w: int) -> str:
        return f"coalesce(size(filter({days}, x -> x >= {cutoff // DAY - w})), 0)"

    packs = [
        f"shiftright(coalesce(pack{i // _PACK}, 0), {i % _PACK * _BITS}) & {2**_BITS - 1}"
        for i in range(len(CATEGORIES))
    ]
    variance = "((dn - 1) * squares - reach * reach) / ((dn - 1) * (dn - 2))"
    columns = {f"days_since_last_{kind}": age(f"last_{kind}") for kind in _OTHERS}
    columns |= {
        "days_since_last_purchase": age("last_t"), "days_since_first_purchase": age("first_t"),
        "days_first_to_last_purchase": f"(last_t - first_t) / {DAY}D", "repeat_days_purchase": "dn - 1",
        "event_rate_purchase": f"n / greatest({age('first_t')}, 30) * 365",
        "amount_last_purchase": "newest", "amount_first_purchase": "oldest", "gap_mean_purchase": "gap_mean",
        "gap_sd_purchase": f"CASE WHEN dn > 2 THEN sqrt(greatest({variance}, 0)) END",
        "gap_min_purchase": "array_min(gap)", "gap_last_purchase": "CASE WHEN dn > 1 THEN element_at(gap, -1) END",
        "gap_last_to_mean_purchase": "CASE WHEN dn > 1 THEN element_at(gap, -1) END / gap_mean",
        "silence_to_gap_purchase": f"{age('last_t')} / gap_mean",
        "hour_share_purchase_6_12": "morning / n", "hour_share_purchase_18_24": "evening / n",
        "weekend_share_purchase": "weekend / n", "returned_amount_share": "0 - back / nullif(a, 0)",
        "top_category_share_purchase": f"greatest({', '.join(packs)}) / n",
    }  # fmt: skip
    columns |= {f"active_days_visit_{w}d": newer("seen", w) for w in WINDOWS[1:]}
    columns |= {f"pace_purchase_{w}d": f"n_{w} / {w} / (n / greatest({age('first_t')}, {w}))" for w in (30, 90)}
    for w in _ALL:
        at = _at(w)
        windowed = {f"event_count_{kind}": f"{kind}{at}" for kind in _OTHERS}
        windowed |= {"event_count_purchase": f"n{at}", "amount_total_purchase": f"coalesce(a{at}, 0)",
                     "active_days_purchase": "dn" if w is None else newer("dd", w)}  # fmt: skip
        if w != 7:
            windowed["amount_mean_purchase"] = f"a{at} / nullif(known{at}, 0)"
            windowed["distinct_categories_purchase"] = f"coalesce(bit_count(cats{at}), 0)"
        if w not in (7, 30):
            windowed |= {"amount_max_purchase": f"most{at}", "amount_total_return": f"back{at}"}
        if w in (365, None):
            windowed |= {f"{kind}_share": f"{kind}{at} / n{at}" for kind in ("return", "ticket")}
        columns |= {name + ("" if w is None else f"_{w}d"): sql for name, sql in windowed.items()}
    return columns
