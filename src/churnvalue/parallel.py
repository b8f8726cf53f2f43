"""Work shared among the cores of this machine by threads, where each part is independent: what comes of it never depends on how."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from os import cpu_count
from typing import ParamSpec, TypeVar

from threadpoolctl import threadpool_limits

Given = ParamSpec("Given")
Said = TypeVar("Said")
_WORTH_A_THREAD = 50_000  # values; fewer are done before a second thread has started


def threads_for(values: int) -> int:
    """Return how many threads are worth their start for work on so many values."""
    return max(1, min(cpu_count() or 1, values // _WORTH_A_THREAD))


def in_parts(work: Callable[[int, int], object], many: int, values: int | None = None) -> None:
    """Do ``work(first, end)`` for every part of ``many`` things, of about equal length.

    Args:
        work: Releases the lock of the interpreter for most of its time.
        many: How many things there are.
        values: How many values all of them hold; one each if None.
    """
    threads = min(threads_for(many if values is None else values), max(many, 1))
    at_edges(work, [many * i // threads for i in range(threads + 1)])


def at_edges(work: Callable[[int, int], object], edges: Sequence[int]) -> None:
    """Do ``work(first, end)`` between every two ``edges``, all at once."""
    if len(edges) == 2:
        work(edges[0], edges[1])
        return
    with ThreadPoolExecutor(len(edges) - 1) as pool:
        list(pool.map(work, edges[:-1], edges[1:]))


def one_thread_of_algebra(function: Callable[Given, Said]) -> Callable[Given, Said]:
    """Let the linear algebra inside of a function run on one thread.

    Matrices of models are small: more threads spend their time waiting for each other, and the last digits of a sum would depend
    on how many there are.
    """
    limited: Callable[Given, Said] = threadpool_limits.wrap(limits=1, user_api="blas")(function)
    return limited
