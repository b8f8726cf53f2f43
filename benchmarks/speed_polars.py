"""Polars, streaming: one grouping for plain aggregates, one for days (gaps come from their sorted list), one for categories."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from benchmarks.speed_features import WINDOWS
from benchmarks.speed_log import CATEGORIES, KINDS
from benchmarks.speed_measured import needs
from churnvalue.clock import DAY

_OTHERS = [kind for kind in KINDS if kind != "purchase"]
_ALL: tuple[int | None, ...] = (*WINDOWS, None)


@needs("polars")
def polars_streaming(log: Path, cutoffs: Sequence[int]) -> Iterator[Any]:
    """Yield the features at each cutoff; for several the events are read and made narrow once, and stay in memory."""
    import polars as pl

    time = pl.col("ts").dt.epoch("us")
    columns = {"c": pl.col("customer_id"), "t": time, "d": (time // DAY).cast(pl.Int32), "amount": pl.col("amount"),
               "k": pl.col("event_type").cast(pl.Enum(list(KINDS))).to_physical(),
               "g": pl.col("category").cast(pl.Enum(CATEGORIES)).to_physical()}  # fmt: skip
    events = pl.scan_parquet(log).select(**columns)
    if len(cutoffs) > 1:
        events = events.filter(pl.col("t") < max(cutoffs)).collect(engine="streaming").lazy()
    for cutoff in cutoffs:
        yield _features(pl, events.filter(pl.col("t") < cutoff), cutoff).collect(engine="streaming")


def _features(pl: Any, events: Any, cutoff: int) -> Any:
    day = cutoff // DAY
    bought = events.filter(pl.col("k") == 0)
    by_day = bought.group_by("c", "d").agg().group_by("c").agg(pl.col("d"))
    by_category = bought.group_by("c", "g").agg(pl.len().alias("lines"), pl.col("d").max())
    categories = by_category.group_by("c").agg(
        pl.col("lines").max(),
        pl.len().cast(pl.Int64).alias("distinct_categories_purchase"),
        *((pl.col("d") >= day - w).sum().alias(f"distinct_categories_purchase_{w}d") for w in WINDOWS[1:]),
    )
    visits = events.filter((pl.col("k") == 1) & (pl.col("d") >= day - 365)).group_by("c", "d").agg()
    seen = visits.group_by("c").agg(
        *((pl.col("d") >= day - w).sum().alias(f"active_days_visit_{w}d") for w in WINDOWS[1:])
    )
    others = events.filter(pl.col("k") != 0).group_by("c").agg(_of_others(pl, day))
    who = bought.group_by("c").agg(_of_purchases(pl, day)).filter(pl.col("event_count_purchase_365d") > 0)
    joined = who
    for part in (by_day, categories, others, seen):
        joined = joined.join(part, on="c", how="left")
    return _derived(pl, joined, cutoff)


def _of_purchases(pl: Any, day: int) -> list[Any]:
    amount, hour = pl.col("amount"), pl.col("t") % DAY // (DAY // 24)
    parts = [pl.col("t").min().alias("first"), pl.col("t").max().alias("last"), amount.count().alias("known"),
             amount.sort_by("t").last().alias("amount_last_purchase"), amount.sort_by("t").first().alias("amount_first_purchase"),
             ((hour >= 6) & (hour < 12)).sum().alias("morning"), (hour >= 18).sum().alias("evening"),
             ((pl.col("d") + 3) % 7 >= 5).sum().alias("weekend")]  # fmt: skip
    for w in _ALL:
        inside = pl.lit(value=True) if w is None else pl.col("d") >= day - w
        money = amount if w is None else pl.when(inside).then(amount)
        end = "" if w is None else f"_{w}d"
        parts += [(pl.len().cast(pl.Int64) if w is None else inside.sum()).alias(f"event_count_purchase{end}"),
                  money.sum().alias(f"amount_total_purchase{end}")]  # fmt: skip
        parts += [money.count().alias(f"known{end}")] if w not in (7, None) else []
        parts += [money.max().alias(f"amount_max_purchase{end}")] if w not in (7, 30) else []
    return parts


def _of_others(pl: Any, day: int) -> list[Any]:
    parts = []
    for code, kind in enumerate(KINDS):
        if kind == "purchase":
            continue
        of_kind = pl.col("k") == code
        parts += [pl.when(of_kind).then(pl.col("t")).max().alias(f"last_{kind}")]
        for w in _ALL:
            end, inside = ("", of_kind) if w is None else (f"_{w}d", of_kind & (pl.col("d") >= day - w))
            parts += [inside.sum().alias(f"event_count_{kind}{end}")]
            if kind == "return" and w not in (7, 30):
                parts += [pl.when(inside).then(pl.col("amount")).sum().alias(f"amount_total_return{end}")]
    return parts


def _derived(pl: Any, joined: Any, cutoff: int) -> Any:
    """Return the named columns, arithmetic over the aggregates."""
    n, total, dd = pl.col("event_count_purchase"), pl.col("amount_total_purchase"), pl.col("dd")
    first, last = ((cutoff - pl.col(name)) / DAY for name in ("first", "last"))
    zeros = [f"event_count_{k}{e}" for k in _OTHERS for e in ("", *(f"_{w}d" for w in WINDOWS))]
    zeros += [f"amount_total_return{e}" for e in ("", "_90d", "_365d")] + [
        f"active_days_visit_{w}d" for w in WINDOWS[1:]
    ]
    table = joined.with_columns(pl.col(zeros).fill_null(0), dd=pl.col("d").list.sort())
    table = table.with_columns(
        gap=dd.list.diff(null_behavior="drop").cast(pl.List(pl.Float64)), dn=dd.list.len().cast(pl.Int64)
    )
    gap = pl.col("gap").list
    made = {f"days_since_last_{kind}": (cutoff - pl.col(f"last_{kind}")) / DAY for kind in _OTHERS}
    made |= {"days_since_last_purchase": last, "days_since_first_purchase": first, "days_first_to_last_purchase": first - last,
             "repeat_days_purchase": pl.col("dn") - 1, "event_rate_purchase": n / pl.max_horizontal(first, 30.0) * 365,
             "gap_mean_purchase": gap.mean(), "gap_sd_purchase": gap.std(), "gap_min_purchase": gap.min(),
             "gap_last_purchase": gap.last(), "gap_last_to_mean_purchase": gap.last() / gap.mean(),
             "silence_to_gap_purchase": last / gap.mean(), "hour_share_purchase_6_12": pl.col("morning") / n,
             "hour_share_purchase_18_24": pl.col("evening") / n, "weekend_share_purchase": pl.col("weekend") / n,
             "returned_amount_share": 0 - pl.col("amount_total_return") / total,
             "top_category_share_purchase": pl.col("lines") / n, "active_days_purchase": pl.col("dn"),
             "amount_mean_purchase": total / pl.col("known")}  # fmt: skip
    for w in WINDOWS:
        later = pl.element() >= cutoff // DAY - w
        made[f"active_days_purchase_{w}d"] = dd.list.eval(later.sum()).list.first()
        if w > 7:
            known = pl.col(f"known_{w}d")
            made[f"amount_mean_purchase_{w}d"] = pl.when(known > 0).then(pl.col(f"amount_total_purchase_{w}d") / known)
    for w in (30, 90):
        made[f"pace_purchase_{w}d"] = (
            pl.col(f"event_count_purchase_{w}d") / w / (n / pl.max_horizontal(first, float(w)))
        )
    for kind in ("return", "ticket"):
        made |= {
            f"{kind}_share{e}": pl.col(f"event_count_{kind}{e}") / pl.col(f"event_count_purchase{e}")
            for e in ("", "_365d")
        }
    kept = r"^(c|event_count_.*|amount_(total|max|last|first)_.*|distinct_.*|active_days_visit_.*)$"
    return table.select(pl.col(kept), **made).rename({"c": "customer_id"})
