"""Codes of text by its digest: a number is looked up, where all digests of a column differ; quicker than a join of text."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import count
from typing import Any

import numba
import numpy as np
import numpy.typing as npt
import pyarrow as pa

from churnvalue.errors import SourceError
from churnvalue.events.log import MISSING

Digests = npt.NDArray[np.uint64]
_MIX = np.uint64(0x9E3779B97F4A7C15)  # 2^64 / golden ratio: spreads numbers by their upper bits (Knuth, TAOCP 3, 6.4)
_ROWS_A_BATCH = 131_072  # about what DuckDB reads at once: larger ones wait for one another, and cost memory


class Coder:
    """What turns text of a connection of DuckDB into codes."""

    def __init__(self, con: Any) -> None:
        self._con = con
        # Of a column of text: the salt, and the digests in the order of their codes.
        self._digests: dict[str, tuple[int, Digests]] = {}

    def number_customers(self, rows: str) -> tuple[pa.StringArray, npt.NDArray[np.int64]]:
        """Return the distinct ids of customers in a query, sorted, and how often each came; remember their places."""
        found = self._digested(
            "customer_id",
            lambda digest: (
                f"SELECT customer_id, count(*) AS ids, {digest} AS digest FROM ({rows}) GROUP BY customer_id ORDER BY customer_id"
            ),
        )
        return found["customer_id"].chunk(0).cast(pa.string()), found["ids"].to_numpy()

    def coded(self, rows: str, columns: Sequence[str], names: Mapping[str, Sequence[str]]) -> Iterator[pa.RecordBatch]:
        """Give the events of a query with the places of numbered customers, and with codes into ``names``."""
        texts = {name: "category" if name == "categories" else name for name in columns}
        for text in set(texts.values()) & set(names):
            self._number(text, names[text])
        codes = {
            name: Codes(self._digests[text][1], first=0 if text == "customer_id" else MISSING)
            for name, text in texts.items()
            if text in self._digests
        }
        selected = [self._digest_of(name, texts[name]) if name in codes else name for name in columns]
        schema = ["customer" if name == "customer_id" else name for name in columns]
        for batch in self._con.sql(f"SELECT {', '.join(selected)} FROM ({rows})").to_arrow_reader(_ROWS_A_BATCH):
            own = [
                _coded(column, codes[name]) if name in codes else column
                for name, column in zip(columns, batch.columns, strict=True)
            ]
            yield pa.RecordBatch.from_arrays(own, schema)

    def _number(self, text: str, names: Sequence[str]) -> None:
        """Remember the digests of no text and of the names of a column."""
        places = pa.array(range(len(names)), pa.int64())
        self._con.register("names", pa.table({"place": places, "name": pa.array(names, pa.string())}))
        self._digested(
            text,
            lambda digest: (
                f"SELECT {digest} AS digest FROM (SELECT NULL::VARCHAR AS {text}, -1 AS place UNION ALL"
                f" SELECT name, place FROM names) ORDER BY place"
            ),
        )
        self._con.unregister("names")

    def _digested(self, column: str, query: Callable[[str], str]) -> pa.Table:
        """Return what a query finds with a digest that is another for each text of a column, and remember which."""
        for salt in count():
            found = self._con.sql(query(_digest(column, salt))).to_arrow_table().combine_chunks()
            digests = found["digest"].to_numpy()
            in_order = np.sort(digests)
            if not (in_order[1:] == in_order[:-1]).any():
                self._digests[column] = (salt, digests)
                return found
        raise AssertionError  # there is always one more salt

    def _digest_of(self, column: str, text: str) -> str:
        salt, _ = self._digests[text]
        if column == "categories":
            return f"[{_digest('one', salt)} FOR one IN categories] AS categories"
        return f"{_digest(column, salt)} AS {column}"


class Codes:
    """The code of every digest: a table of open addressing, at most half of it taken."""

    def __init__(self, digests: Digests, first: int = 0) -> None:
        """Give ``digests[i]``, which all differ, the code ``first + i``."""
        self._first = first
        bits = max(1, int(2 * len(digests)).bit_length())
        self._shift = np.uint64(64 - bits)
        self._table = np.zeros((1 << bits, 2), dtype=np.uint64)
        _enter(digests, self._table, self._shift)

    def of(self, digests: Digests) -> npt.NDArray[np.int32]:
        """Return the code of each digest.

        Raises:
            SourceError: If one is unknown: its text was not there when the sources were read before.
        """
        codes = np.empty(len(digests), dtype=np.int32)
        if not _look_up(digests, self._table, self._shift, self._first, codes):
            raise SourceError(
                "The sources must not change while they are read, but a text came that was not there before."
                " Read them again."
            )
        return codes


@numba.njit(cache=True, nogil=True)
def _enter(digests, table, shift):  # type: ignore[no-untyped-def]
    last = np.uint64(len(table) - 1)
    for i in range(len(digests)):
        place = (digests[i] * _MIX) >> shift
        while table[place, 1] != 0:
            place = (place + np.uint64(1)) & last
        table[place, 0] = digests[i]
        table[place, 1] = i + 1


@numba.njit(cache=True, nogil=True)
def _look_up(digests, table, shift, first, codes):  # type: ignore[no-untyped-def]
    last = np.uint64(len(table) - 1)
    for i in range(len(digests)):
        place = (digests[i] * _MIX) >> shift
        # A place that is taken and one that is free are told apart by the number beside the digest.
        while table[place, 0] != digests[i] or table[place, 1] == 0:
            if table[place, 1] == 0:
                return False
            place = (place + np.uint64(1)) & last
        codes[i] = first + np.int64(table[place, 1]) - 1
    return True


def _digest(text: str, salt: int) -> str:
    # What follows the text changes its digest altogether; DuckDB's hash of two values would mix the digest of the text alone.
    return f"hash({text} || '{salt}')" if salt else f"hash({text})"


def _coded(digests: pa.Array, codes: Codes) -> pa.Array:
    if isinstance(digests, pa.ListArray):
        values = pa.array(codes.of(digests.values.to_numpy()))
        return pa.ListArray.from_arrays(digests.offsets, values, mask=digests.is_null())
    return pa.array(codes.of(digests.to_numpy()))
