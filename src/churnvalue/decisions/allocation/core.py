"""The few customers on whom the limits turn, decided exactly as a mixed-integer programme (HiGHS)."""

import ctypes
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.optimize import Bounds, LinearConstraint, linprog, milp
from scipy.sparse import coo_matrix, csr_matrix, vstack

from churnvalue.decisions.allocation.prices import Problem

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]
_INFEASIBLE = 2
_STANDARD_OUTPUT = 1


@dataclass(frozen=True, eq=False)
class _Matrix:
    """Pairs of customer and option that may be chosen, with one constraint a customer and one a limit."""

    row: Ints
    option: Ints
    gain: Floats
    one_each: csr_matrix
    limited: csr_matrix


def competing(problem: Problem) -> Bools:
    """Return which pairs of customer and option may be chosen: those that pay or fill a floor. Shape (n, A)."""
    floored = np.asarray((problem.uses < 0).any(axis=2))[problem.segment]
    return np.asarray((problem.profit > 0) | (floored & np.isfinite(problem.profit)))


def _matrix(problem: Problem) -> _Matrix:
    row, option = np.nonzero(competing(problem))
    pairs = np.arange(len(row))
    one_each = coo_matrix((np.ones(len(row)), (row, pairs)), shape=(len(problem.profit), len(row))).tocsr()
    limited = np.vstack([problem.cost[row, option][None], problem.uses[problem.segment[row], option].T])
    return _Matrix(row, option, problem.profit[row, option], one_each, csr_matrix(limited))


def linear_prices(problem: Problem) -> Floats | None:
    """Return the prices of the linear relaxation; None where no plan keeps the limits."""
    matrix = _matrix(problem)
    finite = np.isfinite(problem.limits)
    prices = np.zeros(len(problem.limits))
    if not len(matrix.row):
        return prices if (problem.limits >= 0).all() else None
    bounds = np.concatenate([problem.limits[finite], np.ones(len(problem.profit))])
    solved = linprog(
        -matrix.gain,
        A_ub=vstack([matrix.limited[finite], matrix.one_each]),
        b_ub=bounds,
        bounds=(0, None),
        method="highs",
    )
    if solved.status == _INFEASIBLE:
        return None
    prices[finite] = np.maximum(-solved.ineqlin.marginals[: finite.sum()], 0.0)
    return prices


def integer_choice(problem: Problem, gap: float, nodes: int) -> tuple[Ints, float] | None:
    """Return the best choice, to within ``gap`` of its profit, and a bound on any; None where no plan keeps the limits.

    After ``nodes`` branches the best so far; more only where there is none so far.
    """
    matrix = _matrix(problem)
    choice = np.full(len(problem.profit), -1, dtype=np.int64)
    if not len(matrix.row):
        return (choice, 0.0) if (problem.limits >= 0).all() else None
    limits = problem.limits.copy()
    bound = np.inf
    # The solver is steadier, and repairs less, where no number of the objective is above 1.
    scale = float(np.abs(matrix.gain).max()) or 1.0
    shrink = 1.5
    while True:
        with _silent():
            solved = milp(
                -matrix.gain / scale,
                constraints=[LinearConstraint(matrix.one_each, ub=1), LinearConstraint(matrix.limited, ub=limits)],
                integrality=np.ones(len(matrix.row)),
                bounds=Bounds(0, 1),
                options={"mip_rel_gap": gap, "node_limit": nodes},
            )
        if solved.x is None:
            if solved.status == _INFEASIBLE:
                return None
            nodes *= 10
            continue
        if np.isinf(bound):
            bound = -float(solved.mip_dual_bound) * scale
        chosen = np.flatnonzero(solved.x > 0.5)
        choice[:] = -1
        choice[matrix.row[chosen]] = matrix.option[chosen]
        # The solver allows itself a trifle over each limit; money must not be overspent by it.
        over = float(problem.used(choice)[0] - problem.limits[0] * (1.0 + 1e-12))
        if over <= 0.0:
            return choice, bound
        limits[0] -= shrink * over
        shrink *= 2.0


@contextmanager
def _silent() -> Iterator[None]:
    """Keep what C code prints off standard output: HiGHS says how it repairs a solution whatever it is told."""
    libc = ctypes.CDLL(None)
    sys.stdout.flush()
    kept = os.dup(_STANDARD_OUTPUT)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, _STANDARD_OUTPUT)
        yield
        libc.fflush(None)
    finally:
        os.dup2(kept, _STANDARD_OUTPUT)
        os.close(kept)
        os.close(nowhere)
