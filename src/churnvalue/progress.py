"""Stages of long work: timed always, shown by whoever is interested."""

import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field

Tick = Callable[[], None]
Show = Callable[[str, int | None], AbstractContextManager[Tick]]


def _silent(title: str, steps: int | None) -> AbstractContextManager[Tick]:
    del title, steps
    return nullcontext(lambda: None)


@dataclass
class Stages:
    """Times each stage of a job; ``show`` draws it. One instance a job."""

    show: Show = _silent
    seconds: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def stage(self, title: str, steps: int | None = None) -> Iterator[Tick]:
        """Time what happens inside; call what it yields after each of ``steps``."""
        start = time.perf_counter()
        with self.show(title, steps) as tick:
            yield tick
        self.seconds[title] = self.seconds.get(title, 0.0) + time.perf_counter() - start
