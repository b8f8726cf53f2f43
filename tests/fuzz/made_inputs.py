"""Inputs by chance: logs whose numbers an oracle knows, logs and files that nobody would write, configurations of any shape.

Every generator draws from the random numbers that it is given, and from nothing else.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from random import Random
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

IDS = ["a", "b", "00123", "123", "9007199254740993", "Åsa", " 7", "7 ", "x,y", 'say "hi"', "a;b", "名前", "", "   "]
DAYS = ["2024-03-05", "2024-02-29", "2024-03-05", "2024-12-31", "2023-10-29"]
HOURS = ["T10:00", " 10:00:30", "T22:15:07.5", "", "T10:00"]
BAD_TIMES = ["soon", "2024-13-01", "2023-02-29", "0001-01-01", "9999-12-31", ""]
AMOUNTS = ["1", "1.0", "2.50", "-3", "0", "1e3", "0.000001", "19.99", ""]
BAD_AMOUNTS = ["nan", "inf", "-Infinity", "1e308", "-1e13"]
KINDS = ["purchase", "purchase", "visit", "return", "ticket"]
ZONES = ["UTC", "Europe/London", "America/New_York", "Asia/Seoul"]


@dataclass(frozen=True)
class Made:
    """Files by name, and the configuration as TOML. ``rows`` and ``raw`` are kept where an oracle can tell the numbers."""

    files: dict[str, bytes]
    config: bytes
    rows: pd.DataFrame | None = None
    raw: dict[str, Any] = field(default_factory=dict)
    as_of: str | None = None


def toml(value: object) -> str:
    """Return a value as TOML writes it inline; what TOML cannot write becomes text."""
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{json.dumps(str(key))} = {toml(part)}" for key, part in value.items()) + " }"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(toml(part) for part in value) + "]"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int | float):
        return repr(value)
    if isinstance(value, date):
        return value.isoformat()
    return json.dumps(str(value), ensure_ascii=True)


def toml_file(raw: dict[str, Any]) -> bytes:
    """Return a configuration, one line a section."""
    return "".join(f"{json.dumps(key)} = {toml(part)}\n" for key, part in raw.items()).encode()


# Logs whose numbers are known


def sound_log(random: Random) -> Made:
    """A small log with good, bad, repeated, late and future rows, as CSV or Parquet."""
    days_only, with_bad = random.random() < 0.3, random.random() < 0.7
    parts = [name for name in ("known_at", "kind", "order_id", "category") if random.random() < 0.4]

    def time() -> str:
        if with_bad and random.random() < 0.1:
            return random.choice(BAD_TIMES)
        return random.choice(DAYS) + ("" if days_only else random.choice(HOURS))

    def row() -> dict[str, str]:
        good = not with_bad or random.random() < 0.9
        cells = {
            "customer_id": random.choice(IDS if with_bad else IDS[:-2]),
            "event_time": time(),
            "amount": random.choice(AMOUNTS if good else BAD_AMOUNTS),
            "known_at": random.choice(["", time(), "2024-06-01T10:00", "2024-12-31"]),
            "kind": random.choice([*KINDS, ""] if with_bad else KINDS),
            "order_id": random.choice(["o1", "o2", "", "  "]),
            "category": random.choice(["c1", "c2", ""]),
        }
        return {name: cells[name] for name in ("customer_id", "event_time", "amount", *parts)}

    rows = pd.DataFrame([row() for _ in range(random.randint(1, 30))], dtype=object)
    rows = pd.concat([rows, rows.sample(frac=0.3, random_state=random.randint(0, 9))], ignore_index=True)
    rows = rows.sample(frac=1, random_state=random.randint(0, 9), ignore_index=True)
    csv = random.random() < 0.5
    source = {
        "source": "log.csv" if csv else "log.parquet",
        "timezone": random.choice(ZONES),
        "kind": {"column": "kind"} if "kind" in parts else "purchase",
        "columns": {name: name for name in rows if name != "kind"},
    }
    raw = {"events": [source], "checks": {"max_quarantined": random.choice([0.5, 1.0])}}
    content = rows.to_csv(index=False).encode() if csv else _parquet(_typed(rows, random))
    as_of = random.choice([None, None, "2024-03-05", "2024-03-06", "2024-07-01"])
    return Made({source["source"]: content}, toml_file(raw), rows, raw, as_of)


def _typed(rows: pd.DataFrame, random: Random) -> pa.Table:
    columns = {name: pa.array([cell or None for cell in rows[name]], pa.string()) for name in rows}
    if random.random() < 0.5:
        columns["amount"] = pa.array([float(cell) if cell else None for cell in rows["amount"]], pa.float64())
    return pa.table(columns)


def _parquet(table: pa.Table) -> bytes:
    sink = pa.BufferOutputStream()
    pq.write_table(table, sink)
    return bytes(sink.getvalue().to_pybytes())


# Logs that nobody would write

_NAMES = [
    "customer_id",
    "event_time",
    "amount",
    "Amount",
    "a b",
    'q"uote',
    "x'y",
    "select",
    "é",
    "",
    " ",
    "kind",
    "0",
    "a;--",
    "名",
]
_TEXTS = [
    *(
        "",
        " ",
        "a",
        "00123",
        "1,50",
        "$5",
        "nan",
        "NULL",
        "-",
        "inf",
        "1e400",
        "0x10",
        "1_0",
        "٣",
        "１２",
        "\u202e",
        "😀",
        "a\0b",
    ),
    *(
        "2024-03-05",
        "2024-03-05T10:00Z",
        "2024-03-05 25:00",
        "05/03/2024",
        "20240305",
        "infinity",
        "epoch",
        "now",
        "today",
    ),
    *(
        "2024-03-05 10:00 Europe/London",
        "2024-03-05 (BC)",
        "290000-01-01",
        "-4000-01-01",
        "a\nb",
        "a\r\nb",
        '"',
        "'",
        "\\",
        ",",
    ),
]
_EXPRESSIONS = [
    "amount",
    "amount * 2",
    "amount / 0",
    '"a b" + 1',
    "-amount",
    "1",
    "1e999",
    "(",
    "amount ** 2",
    "x.y",
    "__import__",
    "é",
]
_TYPED: list[Callable[[Random], pa.Array]] = [
    lambda r: pa.array([r.choice(_TEXTS) for _ in range(3)]),
    lambda r: pa.array([r.choice(_TEXTS), None, "a"], pa.large_string()),
    lambda r: pa.array([r.choice(_TEXTS), None, "a"]).dictionary_encode(),
    lambda r: pa.array([r.choice([0, 1, -1, 2**62]), None, 2**53 + 1], pa.int64()),
    lambda r: pa.array([0, None, 2**64 - 1], pa.uint64()),
    lambda r: pa.array([r.choice([1.0, 1.5, float("nan")]), None, float("inf")], pa.float64()),
    lambda r: pa.array([1.0, -0.0, None], pa.float32()),
    lambda r: pa.array([Decimal("1.50"), None, Decimal("99999999.99")], pa.decimal128(20, 2)),
    lambda r: pa.array([True, None, False]),
    lambda r: pa.nulls(3),
    lambda r: pa.array([b"\xff\xfe", None, b""]),
    lambda r: pa.array([[1], None, []], pa.list_(pa.int64())),
    lambda r: pa.array([{"x": 1}, None, {"x": None}]),
    lambda r: pa.array([0, None, r.choice([2**53, -(2**53), 10**15])], pa.timestamp(r.choice(["s", "ms", "us", "ns"]))),
    lambda r: pa.array(
        [0, None, r.choice([2**62, 10**15])], pa.timestamp("us", tz=r.choice(["UTC", "Asia/Seoul", "+05:30"]))
    ),
    lambda r: pa.array([0, None, r.choice([10**6, -(10**6), 19000])], pa.date32()),
    lambda r: pa.array([0, None, 1], pa.time64("us")),
    lambda r: pa.array([timedelta(1), None, timedelta(2)]),
]


def odd_log(random: Random) -> Made:
    """A file of any columns, types, values and encodings, under a mapping that may fit or not."""
    names = random.sample(_NAMES, random.randint(1, 6))
    if random.random() < 0.9:
        names = list(dict.fromkeys(["customer_id", "event_time", "amount", *names]))
    csv = random.random() < 0.5
    if csv:
        separator, quote = random.choice([",", ",", ",", ";", "\t", "|"]), random.choice(['"', '"', '"', "'"])
        wild = random.random() < 0.3  # else only the columns that nothing depends on are odd
        tame = {"customer_id": IDS, "event_time": DAYS, "amount": AMOUNTS}
        cells = {name: _TEXTS if wild else tame.get(name, _TEXTS) for name in names}
        rows = [[random.choice(cells[name]) for name in names] for _ in range(random.randint(0, 5))]
        lines = [
            separator.join(f"{quote}{cell}{quote}" if random.random() < 0.3 else cell for cell in row)
            for row in [names, *rows]
        ]
        text = random.choice(["\n", "\r\n", "\r"]).join(lines)
        content = text.encode(
            random.choice(["utf-8", "utf-8", "utf-8-sig", "utf-16", "latin-1", "shift-jis"]), errors="replace"
        )
    else:
        good = {
            "customer_id": pa.array(["a", "b", "a"]),
            "event_time": pa.array([datetime(2024, 1, day, tzinfo=UTC) for day in (1, 2, 3)]),
        }
        columns = [
            good[name] if name in good and random.random() < 0.8 else random.choice(_TYPED)(random) for name in names
        ]
        content = _parquet(pa.Table.from_arrays(columns, names))
    mapped = {
        part: random.choice(names) or "x"
        for part in ("known_at", "order_id", "category", "channel")
        if random.random() < 0.3
    }
    mapped |= {part: random.choice(_EXPRESSIONS) for part in ("amount", "quantity") if random.random() < 0.3}
    source: dict[str, Any] = {"source": "log.csv" if csv else "log.parquet", "columns": mapped}
    if random.random() < 0.9:
        source["timezone"] = random.choice(ZONES)
    if random.random() < 0.2:
        source["time_format"] = random.choice(["%d/%m/%Y", "%Y-%m-%d %H:%M%z", "%", "%Q", "%Y%Y", "x"])
    if random.random() < 0.3:
        source["kind"] = {"column": random.choice(names) or "kind"}
    raw = {"events": [source], "checks": {"max_quarantined": random.choice([0.5, 1.0])}}
    return Made({source["source"]: content}, toml_file(raw), raw=raw)


def broken_file(random: Random) -> Made:
    """A sound file with bytes flipped, cut off, repeated or put in."""
    made = sound_log(random)
    ((name, content),) = made.files.items()
    return Made({name: broken(content, random)}, made.config, raw=made.raw, as_of=made.as_of)


def broken(content: bytes, random: Random) -> bytes:
    """Return bytes with one to three things done to them."""
    data = bytearray(content)
    for _ in range(random.randint(1, 3)):
        place = random.randrange(len(data) + 1)
        match random.randrange(5):
            case 0:
                del data[place:]
            case 1 if place < len(data):
                data[place] ^= 1 << random.randrange(8)
            case 2:
                data[place:place] = random.randbytes(random.randint(1, 8))
            case 3:
                data[place:place] = data[place : place + random.randint(1, 40)]
            case _:
                del data[place : place + random.randint(1, 20)]
    return bytes(data)


# Configurations

_SECTIONS: dict[str, Any] = {
    "project": "shop",
    "observed_until": "2024-12-31",
    "events": [{"source": "log.csv", "kind": {"column": "kind"}, "timezone": "UTC", "columns": {"amount": "a * b"}}],
    "checks": {"max_quarantined": 0.5},
    "population": {"kind": "purchase", "active_days": 365},
    "outcome": {"kind": "purchase", "horizon_days": 30},
    "training": {"cutoffs": 4, "trials": 2, "seed": 7, "threads": 1},
    "value": {"margin": 0.3, "discount_rate": 0.1, "horizon_days": 1095, "cost": {"ticket": 6.0}},
    "retention": {
        "budget": 100.0,
        "actions": [{"id": "call", "contact_cost": 4.0, "capacity": 5, "save_rate": [6, 14]}],
        "service_levels": [{"id": "standard", "tiers": ["elite", "steady"]}],
        "floors": [{"tier": "elite", "customers": 2}],
        "exclude": {"unsubscribe": 30},
    },
    "contacts": {"kind": "offer", "control": "none", "propensity": {"call": 0.5}, "columns": {"action": "a"}},
    "timing": {
        "timezone": "UTC",
        "quiet_hours": ["21:00", "08:00"],
        "channels": [{"id": "sms", "cost": 0.1, "quiet_hours": "KR", "weekdays": ["Mon"]}],
    },
    "mlflow": {"tracking_uri": "sqlite:///mlflow.db", "experiment": "x"},
    "models": {"churn": "churn.toml"},
}
_VALUES: list[Any] = [
    *(
        None,
        True,
        0,
        -1,
        2**70,
        1.5,
        float("inf"),
        float("nan"),
        -0.0,
        "",
        " ",
        "x",
        "../x",
        "<script>",
        "é\u202e",
        "a\0b",
        "24:00",
    ),
    *(
        [],
        {},
        [[]],
        [{}],
        ["x"],
        {"x": 1},
        {"column": "x"},
        {"column": 1},
        [1, 2, 3],
        "2024-02-30",
        date(2024, 2, 29),
        "x" * 600,
    ),
]
_KEYS = ["x", "", "events", "kind", "column", "folder", "id", "Project", "__class__", "é"]


def odd_config(random: Random) -> Made:
    """A configuration with some parts replaced, removed or added, at any depth."""
    raw = json.loads(
        json.dumps({name: part for name, part in _SECTIONS.items() if name == "events" or random.random() < 0.6})
    )
    for _ in range(random.randint(1, 3)):
        _mutate(raw, random)
    return Made({}, toml_file(raw), raw=raw)


def _mutate(raw: dict[str, Any], random: Random) -> None:
    place: Any = raw
    while True:
        keys = list(place) if isinstance(place, dict) else list(range(len(place)))
        if not keys:
            return
        key = random.choice(keys)
        if isinstance(place[key], dict | list) and place[key] and random.random() < 0.7:
            place = place[key]
            continue
        break
    match random.randrange(4):
        case 0:
            del place[key]
        case 1 if isinstance(place, dict):
            place[random.choice(_KEYS)] = random.choice(_VALUES)
        case 2:
            place[key] = [place[key]]
        case _:
            place[key] = random.choice(_VALUES)


def broken_config(random: Random) -> Made:
    """The bytes of a configuration, broken."""
    return Made({}, broken(toml_file(_SECTIONS), random))
