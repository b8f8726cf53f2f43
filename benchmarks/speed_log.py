"""Made logs of any size, written in slices of constant memory, and the configuration that reads them.

Customers have a rate, a day of joining and a day of leaving, so who leaves can be learnt; no customer has two events in one
second, so that first and last are never a tie and no two rows are the same.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from churnvalue import clock

START, DAYS = clock.micros("2023-01-01"), 730
SECONDS = DAYS * 86_400
KINDS = {"purchase": 0.35, "visit": 0.40, "message_sent": 0.15, "ticket": 0.06, "return": 0.04}
CHANNELS = ("web", "shop", "app", "mail")
CATEGORIES = tuple(f"category {number:02d}" for number in range(20))
SLICE, ROW_GROUP = 1_000_000, 122_880
_NEWEST, _APART = DAYS - 90, 30  # the newest cutoff leaves the outcome its 90 days
_PURCHASE, _RETURN = list(KINDS).index("purchase"), list(KINDS).index("return")
_CROWDED = 0.05  # of all seconds of all customers

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Customers:
    """How often each comes, from which second to which, and how much more they spend than others (log)."""

    rate: Floats
    joins: Floats
    leaves: Floats
    level: Floats


def cutoffs(number: int) -> list[int]:
    """Return so many midnights, 30 days apart, the newest first: 90 days before the end of every made log."""
    return [START + (_NEWEST - _APART * back) * clock.DAY for back in range(number)]


def write_log(path: Path, events: int, customers: int, seed: int, text_ids: bool = True) -> None:
    """Write a log of so many events in order of time as one Parquet file.

    Customers are those who might come; of few events each, some never do.

    Raises:
        ValueError: If there are too many events for the customers to have each of them in a second of its own.
    """
    if events > _CROWDED * customers * SECONDS:
        raise ValueError(f"{customers:,} customers have room for {_CROWDED * customers * SECONDS:,.0f} events.")
    people = _customers(customers, np.random.default_rng([seed, 0]))
    ids = pa.array(np.arange(customers))
    if text_ids:
        ids = pc.binary_join_element_wise("C", pc.utf8_lpad(ids.cast(pa.string()), 9, "0"), "")
    names = {
        "event_type": pa.array(list(KINDS)),
        "channel": pa.array(CHANNELS),
        "category": pa.array(CATEGORIES),
    }
    schema = pa.schema({"customer_id": ids.type, "ts": pa.timestamp("us"), "event_type": pa.string(),
                        "amount": pa.float64(), "channel": pa.string(), "category": pa.string()})  # fmt: skip
    with pq.ParquetWriter(path, schema, compression="snappy") as writer:
        for number, first in enumerate(range(0, events, SLICE)):
            generator = np.random.default_rng([seed, 1 + number])
            end = min(first + SLICE, events)
            span = (SECONDS * first // events, SECONDS * end // events)
            columns = _slice(people, end - first, span, generator)
            told = {name: values.take(columns[name]) for name, values in names.items()}
            whose = {"customer_id": ids.take(columns["customer_id"])}
            writer.write_table(pa.table({**columns, **told, **whose}, schema=schema), row_group_size=ROW_GROUP)


def write_config(path: Path, log: Path) -> None:
    """Write the ``churnvalue.toml`` of a made log."""
    path.write_text(f'''project = "speed"

[[events]]
source = "{log.resolve().as_posix()}"
kind = {{ column = "event_type" }}
timezone = "UTC"
columns = {{ customer_id = "customer_id", event_time = "ts", amount = "amount", channel = "channel", category = "category" }}

[population]
kind = "purchase"
active_days = 365

[outcome]
kind = "purchase"
horizon_days = 90

[mlflow]
tracking_uri = "sqlite:///mlflow.db"
''', encoding="utf-8")  # fmt: skip


def _customers(number: int, generator: np.random.Generator) -> Customers:
    joins = np.where(generator.random(number) < 0.4, 0.0, generator.random(number)) * SECONDS
    stays = generator.exponential(0.75, number) * SECONDS
    return Customers(generator.lognormal(0.0, 1.0, number), joins, joins + stays, generator.normal(0.0, 0.5, number))


def _slice(
    people: Customers, events: int, span: tuple[int, int], generator: np.random.Generator
) -> dict[str, pa.Array]:
    """Return the columns of the events of a span of seconds in order of time; texts as codes."""
    here = np.maximum(people.joins, span[0])
    present = np.maximum(np.minimum(people.leaves, span[1]) - here, 0.0)
    reach = np.cumsum(people.rate * present)
    key = np.empty(0, np.int64)
    while len(key) < events:  # a second that a customer has already is drawn anew
        missing = events - len(key)
        who = np.searchsorted(reach, np.sort(generator.random(missing)) * reach[-1], side="right")
        when = (here[who] + generator.random(missing) * present[who]).astype(np.int64)
        key = np.sort(np.concatenate([key, when * len(reach) + who]))
        key = key[np.diff(key, prepend=-1) > 0]
    second, customer = np.divmod(key, len(people.rate))
    kind = generator.choice(len(KINDS), events, p=list(KINDS.values()))
    money = np.round(np.exp(generator.normal(3.0, 0.6, events) + people.level[customer]), 2)
    zipf = 1.0 / np.arange(1, len(CATEGORIES) + 1)
    return {
        "customer_id": pa.array(customer),
        "ts": pa.array(START + second * 1_000_000, pa.timestamp("us")),
        "event_type": pa.array(kind),
        "amount": pa.array(np.where(kind == _RETURN, -money, money), mask=(kind != _PURCHASE) & (kind != _RETURN)),
        "channel": pa.array(generator.integers(0, len(CHANNELS), events)),
        "category": pa.array(generator.choice(len(CATEGORIES), events, p=zipf / zipf.sum())),
    }
