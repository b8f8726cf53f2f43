"""What the files of one source call their columns, and of what type they are: the same in all, or refused."""

from collections import Counter
from collections.abc import Collection, Iterable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from churnvalue.errors import SourceError


def require_distinct(names: Iterable[str], wanted: Collection[str], where: str) -> None:
    """Refuse two columns whose names differ in capitals at most, if one of them is ``wanted``.

    Raises:
        SourceError: Engines tell columns apart by names without capitals, and would take the first one unseen.
    """
    many = Counter(name.casefold() for name in names)
    twice = next((name for name in sorted(wanted) if many[name.casefold()] > 1), None)
    if twice is not None:
        raise SourceError(
            f"Names of columns must be distinct, whatever their capitals, but {where} has {many[twice.casefold()]} columns"
            f" named '{twice}'. Rename all but one."
        )


def require_alike(paths: Collection[Path], wanted: Collection[str]) -> None:
    """Refuse Parquet files in which a ``wanted`` column is named twice, or means one thing here and another there.

    More columns, and whole numbers of another width, mean the same. Only schemas are read.

    Raises:
        SourceError: Names a file of each sort.
    """
    first: dict[str, tuple[str, Path]] = {}
    for path in paths:
        schema = pq.read_schema(path)
        require_distinct(schema.names, wanted, path.name)
        for field in schema:
            if field.name not in wanted or pa.types.is_null(field.type):
                continue
            found = _meaning(field.type)
            meaning, earlier = first.setdefault(field.name, (found, path))
            if found != meaning:
                raise SourceError(
                    f"'{field.name}' must be the same in all files of a source, but is {meaning} in {earlier.name} and {found}"
                    f" in {path.name}. Store it in one way."
                )


def _meaning(kind: pa.DataType) -> str:
    if pa.types.is_dictionary(kind):
        kind = kind.value_type
    if pa.types.is_timestamp(kind):
        return "times with a UTC offset" if kind.tz else "times without a UTC offset"
    if pa.types.is_date(kind):
        return "times without a UTC offset"
    if pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind):
        return "numbers"
    if pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind):
        return "text"
    return str(kind)
