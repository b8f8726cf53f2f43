"""JSON of plain values, the same bytes for the same content."""

import json
import math
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np

from churnvalue.errors import OutputError


def json_text(value: object) -> str:
    """Return JSON with sorted keys, indented, ending in a newline; numbers that are not finite become null.

    Raises:
        OutputError: If a part is neither text, number, date, list, table nor dataclass.
    """
    return json.dumps(plain(value), indent=2, sort_keys=True, ensure_ascii=False, allow_nan=False) + "\n"


def plain(value: object) -> Any:
    """Return ``value`` made of what JSON knows: text, finite numbers, null, lists, tables with text keys."""
    if isinstance(value, np.datetime64):
        return str(value)
    if isinstance(value, np.generic | np.ndarray):
        return plain(value.tolist())
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else None
    if value is None or isinstance(value, str | int):
        return value
    if isinstance(value, Mapping):
        return {str(key): plain(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [plain(part) for part in value]
    if isinstance(value, set | frozenset):
        return sorted((plain(part) for part in value), key=str)
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, Path):
        return value.as_posix()
    if is_dataclass(value) and not isinstance(value, type):
        return {field.name: plain(getattr(value, field.name)) for field in fields(value)}
    raise OutputError(f"JSON must be made of text, numbers, dates, lists and tables, but {type(value).__name__} came.")
