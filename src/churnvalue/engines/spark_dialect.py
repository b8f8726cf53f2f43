"""What Spark means otherwise than DuckDB, spelt so that it means the same: tables of Ibis as SQL for Spark. Needs no Spark."""

from collections import Counter
from typing import Any

import ibis.expr.datatypes as dt
import ibis.expr.operations as ops
import ibis.expr.types as ir
import sqlglot.expressions as sge
from ibis.backends.sql.compilers.pyspark import PySparkCompiler
from ibis.common.graph import Graph

NUMBER, TIME = "churnvalue_number", "churnvalue_time"  # functions of a text, which a session must have


def sql(table: ir.Table) -> str:
    """Return the query of a table."""
    once = table.op().replace(_computed_once).to_expr()
    return str(_COMPILER.to_sqlglot(once).sql(_COMPILER.dialect))


class _Compiler(PySparkCompiler):  # type: ignore[misc]
    """Ibis for Spark, where it means otherwise than Ibis for DuckDB."""

    def visit_IsNull(self, op: Any, *, arg: Any) -> Any:  # noqa: N802, ARG002 – the names are Ibis's
        """NaN is a number: it is counted as one that is not finite."""
        return arg.is_(sge.Null())

    def visit_NotNull(self, op: Any, *, arg: Any) -> Any:  # noqa: N802, ARG002
        """As ``visit_IsNull``."""
        return sge.Not(this=sge.paren(arg.is_(sge.Null())))

    def visit_IsInf(self, op: Any, *, arg: Any) -> Any:  # noqa: N802, ARG002
        """Ibis compares the expressions instead of their values, so that nothing is infinite."""
        return arg.isin(self.POS_INF, self.NEG_INF)

    def visit_Divide(self, op: Any, *, left: Any, right: Any) -> Any:  # noqa: N802
        """What is divided by zero is infinite or NaN, not an error."""
        divided = sge.Div(this=sge.paren(left), expression=sge.paren(right))
        if isinstance(op.right, ops.Literal) and op.right.value:
            return divided
        return self.if_(right.eq(0), sge.paren(left) * self.POS_INF, divided)

    def visit_TryCast(self, op: Any, *, arg: Any, to: Any) -> Any:  # noqa: N802
        """Text is read by DuckDB."""
        if op.arg.dtype.is_string() and to.is_floating():
            return self.f.anon[NUMBER](arg)
        if op.arg.dtype.is_string() and to.is_timestamp():
            return self.f.anon[TIME](arg)
        return super().visit_TryCast(op, arg=arg, to=to)

    def visit_Sum(self, op: Any, *, arg: Any, where: Any) -> Any:  # noqa: N802
        """Sums of whole numbers outgrow 64 bits."""
        if op.arg.dtype.is_integer():
            arg = self.cast(arg, dt.Decimal(38, 0))
        return super().visit_Sum(op, arg=arg, where=where)

    def visit_ArrayCollect(self, op: Any, **parts: Any) -> Any:  # noqa: N802
        """Distinct values come in order: no other order of them could be asked for."""
        if not op.distinct:
            return super().visit_ArrayCollect(op, **parts)
        return self.f.array_sort(super().visit_ArrayCollect(op, **{**parts, "order_by": ()}))


_COMPILER = _Compiler()


def _computed_once(node: Any, changed: Any) -> Any:
    """Return a node of a table in which what several columns are made of is a column of a step before.

    SQL repeats it, and what is repeated within what is repeated grows beyond what Spark can compile. Only what never fails is
    moved, for there it is computed whether it is asked for or not.
    """
    node = node.__recreate__(changed) if changed else node
    while isinstance(node, ops.Project) and (value := _repeated(node)) is not None:
        fields = {name: ops.Field(node.parent, name) for name in node.parent.schema}
        name = f"churnvalue_{len(fields)}"
        before = ops.Project(node.parent, {**fields, name: value})
        moved = {field: ops.Field(before, own) for own, field in fields.items()} | {value: ops.Field(before, name)}
        node = ops.Project(before, {own: column.replace(moved) for own, column in node.values.items()})
    return node


def _repeated(project: Any) -> Any:
    """Return a condition, or a text that is read, used more than once and made of no such other; None if there is none."""
    graph = Graph.from_bfs(list(project.values.values()), filter=ops.Value)
    uses = Counter(project.values.values())
    for parts in graph.values():
        uses.update(parts)
    return next((node for node in graph.toposort()[0] if uses[node] > 1 and _never_fails(node)), None)


def _never_fails(node: Any) -> bool:
    read = node.arg if isinstance(node, ops.Cast) else node
    return isinstance(node, ops.SearchedCase | ops.ScalarUDF) or isinstance(read, ops.TryCast)
