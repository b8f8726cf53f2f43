"""What a sound log must be read as, worked out row by row with pandas and Python's own times: no code of the engine."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pandas as pd

_EPOCH = datetime(1970, 1, 1)
_FIRST, _AFTER_LAST = datetime(1900, 1, 1), datetime(2100, 1, 1)
_NEVER = datetime(9999, 1, 1)


@dataclass(frozen=True)
class Expected:
    """The account of the rows, and of every customer the number of events and the sum of their amounts by kind."""

    read: int
    kept: int
    duplicates: int
    later: int
    quarantined: dict[str, int]
    events: dict[tuple[str, str], tuple[int, float]]

    @property
    def refused(self) -> bool:
        """Whether no event is left."""
        return self.kept == 0


def expected(rows: pd.DataFrame, raw: dict[str, Any], as_of: str | None) -> Expected:
    """Return what must come out of a sound log."""
    limit = datetime.fromisoformat(as_of) if as_of else _NEVER
    zone = raw["events"][0]["timezone"]
    mapped = _mapped(rows, zone)
    days_only = bool((mapped["midnight"] | ~_timely(mapped, limit)).all())
    if days_only and zone != "UTC":
        mapped = _mapped(rows, "UTC")
    timely = mapped[_timely(mapped, limit)]
    ordered = "order_id" in rows
    unique = timely if days_only and not ordered else timely.drop_duplicates()
    usable = mapped["reason"] == ""
    return Expected(
        read=len(rows),
        kept=len(unique),
        duplicates=len(timely) - len(unique),
        later=int(usable.sum()) - len(timely),
        quarantined=mapped.loc[~usable, "reason"].value_counts().to_dict(),
        events=_events(unique, ordered, days_only),
    )


def _timely(mapped: pd.DataFrame, limit: datetime) -> pd.Series:
    return (mapped["reason"] == "") & (mapped["time"] < limit) & (mapped["known"] < limit)


def _mapped(rows: pd.DataFrame, zone: str) -> pd.DataFrame:
    return pd.DataFrame([_row(row, zone) for row in rows.to_dict("records")]).astype({"time": object, "known": object})


def _row(row: dict[str, str], zone: str) -> dict[str, object]:
    customer, kind = row["customer_id"], row.get("kind", "purchase")
    written, amount = _time(row["event_time"]), float(row["amount"]) if row["amount"] else None
    time = None if written is None else _utc(written, zone)
    known: datetime | None = time
    if row.get("known_at", "").strip() and time is not None:
        stated = _time(row["known_at"])
        known = None if stated is None else max(time, _utc(stated, zone) if stated < _AFTER_LAST else _NEVER)
    reason = ""
    if not customer.strip():
        reason = "no customer id"
    elif time is None:
        reason = "no readable time"
    elif not _FIRST <= time < _AFTER_LAST:
        reason = "time outside 1900 to 2099"
    elif known is None:
        reason = "no readable time of knowledge (known_at)"
    elif not kind.strip():
        reason = "no kind of event"
    elif amount is not None and (amount != amount or abs(amount) == float("inf")):
        reason = "amount is not a finite number"
    elif amount is not None and abs(amount) > 1e12:
        reason = "amount beyond a trillion"
    return {
        "customer": customer,
        "time": time or _NEVER,
        "known": known or _NEVER,
        "midnight": written is not None and written.time() == datetime.min.time(),
        "kind": kind,
        "amount": amount,
        "order": row.get("order_id", "").strip() and row.get("order_id", ""),
        "category": row.get("category", ""),
        "reason": reason,
    }


def _time(text: str) -> datetime | None:
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        return None


def _utc(written: datetime, zone: str) -> datetime:
    if not _FIRST <= written < _AFTER_LAST:
        return written
    return written.replace(tzinfo=ZoneInfo(zone)).astimezone(UTC).replace(tzinfo=None)


def _events(rows: pd.DataFrame, ordered: bool, days_only: bool) -> dict[tuple[str, str], tuple[int, float]]:
    """Fold lines of one order and day, or purchases of one day; what is below zero is a return."""
    groups: dict[object, list[dict[str, Any]]] = {}
    for number, row in enumerate(rows.to_dict("records")):
        day = ((row["time"] - _EPOCH) // timedelta(days=1), (row["known"] - _EPOCH) // timedelta(days=1))
        key: object = number
        if ordered and row["order"]:
            key = (row["customer"], row["kind"], row["order"], day)
        elif not ordered and days_only and row["kind"] == "purchase":
            key = (row["customer"], row["kind"], day)
        groups.setdefault(key, []).append(row)
    events: dict[tuple[str, str], tuple[int, float]] = {}
    for lines in groups.values():
        amounts = [line["amount"] for line in lines if line["amount"] is not None and line["amount"] == line["amount"]]
        total = sum(amounts)
        kind = "return" if lines[0]["kind"] == "purchase" and amounts and total < 0 else lines[0]["kind"]
        count, money = events.get((lines[0]["customer"], kind), (0, 0.0))
        events[lines[0]["customer"], kind] = (count + 1, money + total)
    return events
