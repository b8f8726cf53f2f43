"""Arithmetic over columns, as a user writes it: parsed, allow-listed, built as an expression; never spliced into SQL."""

import ast
import re
from collections.abc import Callable, Mapping
from sys import float_info
from typing import Any

from churnvalue.errors import SourceError, near_match

_QUOTED = re.compile(r'"([^"]+)"|`([^`]+)`')
_WORD = re.compile(r"[^\W\d]\w*")
_OPERATIONS: dict[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: lambda left, right: left + right,
    ast.Sub: lambda left, right: left - right,
    ast.Mult: lambda left, right: left * right,
    ast.Div: lambda left, right: left / right,
}
_LONGEST = 500  # characters; what is much longer nests deeper than engines can follow


def arithmetic(text: str, columns: Mapping[str, Any]) -> Any:
    """Return the value of an expression such as ``Quantity * "Unit Price"`` over ``columns``.

    Numbers, column names, ``+ - * /`` and parentheses; names with blanks or signs stand in double quotes. The whole text
    being the name of a column comes first, whatever signs it holds. Only columns that the expression names are looked up.

    >>> arithmetic('Quantity * "Unit Price" - 1', {"Quantity": 3.0, "Unit Price": 2.5})
    6.5

    Raises:
        SourceError: If a name is not a column (names a near match) or anything else stands in the expression.
    """
    if text in columns:
        return columns[text]
    names: dict[str, str] = {}

    def stand_in(match: re.Match[str]) -> str:
        key = "_" * len(text) + str(len(names))  # longer than the text, so no name in it can be the same
        names[key] = match.group(1) or match.group(2)
        return f" {key} "

    if len(text) > _LONGEST:
        raise _unfit(text)
    try:
        tree = ast.parse(_QUOTED.sub(stand_in, text).strip(), mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        raise _unfit(text) from None
    return _build(tree, text, names, columns)


def names_in(text: str) -> frozenset[str]:
    """Return every name that may be a column of an expression, the whole text among them.

    >>> sorted(names_in('Quantity * "Unit Price"'))
    ['Quantity', 'Quantity * "Unit Price"', 'Unit Price']
    """
    quoted = {one or other for one, other in _QUOTED.findall(text)}
    return frozenset({text, *quoted, *_WORD.findall(_QUOTED.sub(" ", text))})


def _build(node: ast.expr, text: str, names: dict[str, str], columns: Mapping[str, Any]) -> Any:
    match node:
        case ast.BinOp(left, op, right) if type(op) in _OPERATIONS:
            return _OPERATIONS[type(op)](_build(left, text, names, columns), _build(right, text, names, columns))
        case ast.UnaryOp(ast.USub(), operand):
            return -_build(operand, text, names, columns)
        case ast.Constant(int() | float() as value) if not isinstance(value, bool) and abs(value) <= float_info.max:
            return float(value)
        case ast.Name(key):
            name = names.get(key, key)
            if name not in columns:
                raise SourceError(f"'{text}' needs a column '{name}', which is missing.{near_match(name, columns)}")
            return columns[name]
    raise _unfit(text)


def _unfit(text: str) -> SourceError:
    return SourceError(
        f"An amount must be a column or arithmetic over columns such as \"Quantity * Price\", but '{text}' came."
        " Write names with blanks in double quotes."
    )
