"""Parts: together they are the whole, however many threads there are."""

import pytest

from churnvalue import parallel
from churnvalue.parallel import at_edges, in_parts, threads_for


@pytest.mark.parametrize("cores", [1, 2, 3, 8])
@pytest.mark.parametrize("many", [0, 1, 2, 7, 100])
def test_every_thing_is_in_one_part(cores: int, many: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parallel, "cpu_count", lambda: cores)
    done: list[int] = []
    in_parts(lambda first, end: done.extend(range(first, end)), many, values=10**9)
    assert sorted(done) == list(range(many))


def test_little_work_is_not_shared(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parallel, "cpu_count", lambda: 64)
    assert [threads_for(values) for values in (0, 1_000, 200_000, 10**9)] == [1, 1, 4, 64]


def test_an_error_of_a_part_is_raised() -> None:
    with pytest.raises(ZeroDivisionError, match="by zero"):
        at_edges(lambda first, end: divmod(first, end - 2), [0, 1, 2])
