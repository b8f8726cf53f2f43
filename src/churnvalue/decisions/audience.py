"""Customers picked by a condition such as ``tier = 'most growable' and p_churn > .5``: parsed, never run as code."""

import ast
import io
import operator
import tokenize
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from churnvalue.errors import DefinitionError, near_match

Bools = npt.NDArray[np.bool_]
_COMPARISONS: dict[type[ast.cmpop], Callable[[Any, Any], Any]] = {
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
}
_ARITHMETIC: dict[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
}
_WORDS = {"AND": "and", "OR": "or", "NOT": "not", "IN": "in"}
_LONGEST = 1000  # characters


def audience(table: pd.DataFrame, condition: str) -> Bools:
    """Return whether each row of ``table`` meets ``condition``. Shape (n,).

    Columns, numbers, texts in quotes (a quote within them doubled, as in SQL), ``= != < <= > >=``, ``in (…)``,
    ``and or not``, ``+ - * /`` and parentheses. What is not known (null, NaN) meets no comparison.

    >>> audience(pd.DataFrame({"tier": ["elite", "steady"], "p_churn": [0.9, 0.2]}), "tier = 'elite' and p_churn > .5")
    array([ True, False])

    Raises:
        DefinitionError: If the condition cannot be read, names an unknown column (names a near match), or compares a text
            with a number.
    """
    tree = _parsed(condition)
    try:
        met = _Reading(table, condition).truth(tree)
    except RecursionError:
        raise _unfit(condition) from None
    return np.asarray(met, dtype=np.bool_)


class _Reading:
    """One condition over one table."""

    def __init__(self, table: pd.DataFrame, condition: str) -> None:
        self.table, self.condition = table, condition

    def truth(self, node: ast.expr) -> Bools:
        """Whether each row meets a part of the condition."""
        match node:
            case ast.BoolOp(op, parts):
                join = np.logical_and if isinstance(op, ast.And) else np.logical_or
                return np.asarray(join.reduce([self.truth(part) for part in parts]))
            case ast.UnaryOp(ast.Not(), part):
                return ~self.truth(part)
            case ast.Compare(first, signs, others):
                values = [first, *others]
                pairs = zip(values, signs, values[1:], strict=False)
                return np.asarray(np.logical_and.reduce([self._compared(*pair) for pair in pairs]))
            case ast.Name(name) if pd.api.types.is_bool_dtype(self._column(name)):
                return np.asarray(self._column(name).fillna(False), dtype=np.bool_)
        raise _unfit(self.condition)

    def _compared(self, left: ast.expr, sign: ast.cmpop, right: ast.expr) -> Bools:
        if isinstance(sign, ast.In | ast.NotIn) and isinstance(right, ast.Tuple | ast.List):
            value = self._value(left)
            found = np.asarray(np.logical_or.reduce([self._equal(value, self._value(one)) for one in right.elts]))
            return found if isinstance(sign, ast.In) else ~found & self._known(value)
        if type(sign) not in _COMPARISONS:
            raise _unfit(self.condition)
        return self._result(_COMPARISONS[type(sign)], self._value(left), self._value(right))

    def _equal(self, left: Any, right: Any) -> Bools:
        return self._result(operator.eq, left, right)

    def _result(self, compare: Callable[[Any, Any], Any], left: Any, right: Any) -> Bools:
        if _is_text(left) != _is_text(right):
            raise DefinitionError(
                f"Texts must be compared with texts and numbers with numbers, but '{self.condition}' mixes them."
                " Put texts in quotes and leave numbers without."
            )
        met = pd.Series(compare(left, right), index=self.table.index, dtype="boolean").fillna(False)
        return met.to_numpy(dtype=bool) & self._known(left) & self._known(right)

    def _known(self, value: Any) -> Bools:
        return np.broadcast_to(np.asarray(pd.notna(value)), (len(self.table),))

    def _value(self, node: ast.expr) -> Any:
        match node:
            case ast.Constant(str() | int() | float() as value) if not isinstance(value, bool):
                return value
            case ast.Name(name):
                return self._column(name)
            case ast.UnaryOp(ast.USub(), part):
                return -self._number(part)
            case ast.BinOp(left, op, right) if type(op) in _ARITHMETIC:
                return _ARITHMETIC[type(op)](self._number(left), self._number(right))
        raise _unfit(self.condition)

    def _number(self, node: ast.expr) -> Any:
        value = self._value(node)
        if _is_text(value):
            raise _unfit(self.condition)
        return np.float64(value) if isinstance(value, int | float) else value

    def _column(self, name: str) -> pd.Series:
        if name not in self.table.columns:
            texts = self.table.select_dtypes(["str", "object"])
            quoted = bool((texts == name).any(axis=None))
            hint = f" Put texts in quotes: '{name}'." if quoted else near_match(name, self.table.columns)
            raise DefinitionError(f"There is no column '{name}' to choose by.{hint}")
        column: pd.Series = self.table[name]
        if pd.api.types.is_datetime64_any_dtype(column):
            column = column.dt.strftime("%Y-%m-%d %H:%M:%S")
        return column


def _parsed(condition: str) -> ast.expr:
    """Read as Python's own grammar does; a single ``=`` and SQL's capital words are taken too."""
    if len(condition) > _LONGEST:
        raise _unfit(condition)
    try:
        tokens = [
            (token.type, "==" if token.string == "=" else _WORDS.get(token.string, token.string))
            for token in _texts_joined(tokenize.generate_tokens(io.StringIO(condition.strip()).readline))
        ]
        return ast.parse(tokenize.untokenize(tokens).strip(), mode="eval").body
    except (tokenize.TokenError, SyntaxError, ValueError, RecursionError, MemoryError):
        raise _unfit(condition) from None


def _texts_joined(tokens: Iterable[tokenize.TokenInfo]) -> Iterator[tokenize.TokenInfo]:
    """Yield the tokens with SQL's doubled quote as one quote within a text, where Python sees two texts side by side."""
    last: tokenize.TokenInfo | None = None
    for token in tokens:
        if last is None or not last.type == token.type == tokenize.STRING:
            if last is not None:
                yield last
            last = token
        elif last.end == token.start and last.string[-1] == token.string[0]:
            last = token._replace(string=f"{last.string[:-1]}\\{token.string}", start=last.start)
        else:
            raise ValueError("two texts side by side")
    if last is not None:
        yield last


def _is_text(value: Any) -> bool:
    return isinstance(value, str) or (
        isinstance(value, pd.Series) and (pd.api.types.is_string_dtype(value) or value.dtype == object)
    )


def _unfit(condition: str) -> DefinitionError:
    return DefinitionError(
        "A condition must be made of columns, numbers, quoted texts, comparisons, in (…), and, or, not, such as"
        f" \"tier = 'most growable' and p_churn > .5\", but {condition!r} came."
    )
