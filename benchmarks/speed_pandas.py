"""pandas: masks as columns, one grouping by sum, others by max and last; gaps by a shift over sorted days."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from benchmarks.speed_features import WINDOWS
from benchmarks.speed_log import KINDS
from benchmarks.speed_measured import needs
from churnvalue.clock import DAY

_OTHERS = [kind for kind in KINDS if kind != "purchase"]
_ALL: tuple[int | None, ...] = (*WINDOWS, None)


@needs("pandas", "numpy", "pyarrow")
def pandas_groups(log: Path, cutoffs: Sequence[int]) -> Iterator[Any]:
    """Yield the features at each cutoff; the events are read, coded and sorted by customer and time once."""
    import pandas as pd

    events = pd.read_parquet(log, columns=["customer_id", "ts", "event_type", "amount", "category"])
    codes, ids = pd.factorize(events["customer_id"], sort=True)
    times = events["ts"].astype("datetime64[us]").astype("int64")
    kinds = pd.Categorical(events["event_type"], categories=list(KINDS)).codes
    events = pd.DataFrame({"c": codes, "t": times, "d": times // DAY, "k": kinds, "amount": events["amount"],
                           "g": pd.factorize(events["category"])[0]}).sort_values(["c", "t"], ignore_index=True)  # fmt: skip
    for cutoff in cutoffs:
        frame = _features(pd, events[events["t"] < cutoff], cutoff)
        frame.insert(0, "customer_id", ids[frame.index])
        yield frame


def _features(pd: Any, events: Any, cutoff: int) -> Any:
    day = cutoff // DAY
    bought = events[events["k"] == 0]
    bought = bought[bought["c"].isin(bought.loc[bought["d"] >= day - 365, "c"].unique())]
    groups = bought.groupby("c")
    n, total = groups.size(), groups["amount"].sum()
    first, last = ((cutoff - times) / DAY for times in (groups["t"].first(), groups["t"].last()))
    days = bought.drop_duplicates(["c", "d"])
    gap = days["d"].diff().where(days["c"] == days["c"].shift()).groupby(days["c"])
    mean_gap, last_gap, dn = gap.mean(), gap.last(), days.groupby("c").size()
    categories = bought.groupby(["c", "g"])["d"].agg(["size", "max"])
    hour = bought["t"] % DAY // (DAY // 24)
    shares = pd.DataFrame({"hour_share_purchase_6_12": (hour >= 6) & (hour < 12), "hour_share_purchase_18_24": hour >= 18,
                           "weekend_share_purchase": (bought["d"] + 3) % 7 >= 5})  # fmt: skip
    made = {
        "days_since_last_purchase": last, "days_since_first_purchase": first, "days_first_to_last_purchase": first - last,
        "event_rate_purchase": n / first.clip(lower=30) * 365, "repeat_days_purchase": dn - 1,
        "amount_last_purchase": groups["amount"].last(), "amount_first_purchase": groups["amount"].first(),
        "gap_mean_purchase": mean_gap, "gap_sd_purchase": gap.std(), "gap_min_purchase": gap.min(), "gap_last_purchase": last_gap,
        "gap_last_to_mean_purchase": last_gap / mean_gap, "silence_to_gap_purchase": last / mean_gap,
        "top_category_share_purchase": categories["size"].groupby("c").max() / n,
    }  # fmt: skip
    made |= dict(shares.groupby(bought["c"]).mean().items())
    for w in _ALL:
        made |= _of_purchases(bought, days, categories, w, day)
    others = events[(events["k"] != 0) & events["c"].isin(n.index)]
    for code, kind in enumerate(KINDS):
        if kind != "purchase":
            made |= _of_kind(others[others["k"] == code], kind, cutoff, n.index)
    visits = others[(others["k"] == 1) & (others["d"] >= day - 365)].drop_duplicates(["c", "d"])
    for w in WINDOWS[1:]:
        made[f"active_days_visit_{w}d"] = _sizes(visits[visits["d"] >= day - w], n.index)
    for kind in ("return", "ticket"):
        made |= {
            f"{kind}_share{e}": made[f"event_count_{kind}{e}"] / made[f"event_count_purchase{e}"] for e in ("", "_365d")
        }
    for w in (30, 90):
        made[f"pace_purchase_{w}d"] = made[f"event_count_purchase_{w}d"] / w / (n / first.clip(lower=w))
    made["returned_amount_share"] = 0 - made["amount_total_return"] / total
    return pd.DataFrame(made, index=n.index)


def _of_purchases(bought: Any, days: Any, categories: Any, w: int | None, day: int) -> dict[str, Any]:
    end, since = ("", 0) if w is None else (f"_{w}d", day - w)
    inside, everyone = bought[bought["d"] >= since], bought["c"].unique()
    money = inside.groupby("c")["amount"]
    made = {f"event_count_purchase{end}": _sizes(inside, everyone),
            f"amount_total_purchase{end}": money.sum().reindex(everyone, fill_value=0.0),
            f"active_days_purchase{end}": _sizes(days[days["d"] >= since], everyone)}  # fmt: skip
    if w != 7:
        made[f"amount_mean_purchase{end}"] = money.mean()
        made[f"distinct_categories_purchase{end}"] = (categories["max"] >= since).groupby("c").sum()
    return made if w in (7, 30) else {**made, f"amount_max_purchase{end}": money.max()}


def _of_kind(events: Any, kind: str, cutoff: int, everyone: Any) -> dict[str, Any]:
    made = {f"days_since_last_{kind}": (cutoff - events.groupby("c")["t"].last()) / DAY}
    for w in _ALL:
        end, inside = ("", events) if w is None else (f"_{w}d", events[events["d"] >= cutoff // DAY - w])
        made[f"event_count_{kind}{end}"] = _sizes(inside, everyone)
        if kind == "return" and w not in (7, 30):
            made[f"amount_total_return{end}"] = inside.groupby("c")["amount"].sum().reindex(everyone, fill_value=0.0)
    return made


def _sizes(events: Any, everyone: Any) -> Any:
    return events.groupby("c").size().reindex(everyone, fill_value=0)
