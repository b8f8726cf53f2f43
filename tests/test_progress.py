from contextlib import contextmanager

import pytest

from churnvalue.progress import Stages


def test_stages_are_timed_and_repeated_ones_add_up(monkeypatch):
    clock = iter([0.0, 1.5, 10.0, 12.0, 20.0, 20.25])
    monkeypatch.setattr("time.perf_counter", lambda: next(clock))
    stages = Stages()
    for title in ("reading", "tuning", "reading"):
        with stages.stage(title) as tick:
            tick()
    assert stages.seconds == {"reading": 1.75, "tuning": 2.0}


def test_whoever_shows_is_told_title_and_steps():
    shown = []

    @contextmanager
    def show(title, steps):
        shown.append((title, steps))
        yield lambda: shown.append("tick")
        shown.append("end")

    with Stages(show).stage("tuning", 2) as tick:
        tick()
        tick()
    assert shown == [("tuning", 2), "tick", "tick", "end"]


def test_an_error_passes_through():
    stages = Stages()
    with pytest.raises(ValueError, match="inside"), stages.stage("reading"):
        raise ValueError("inside")


def test_two_jobs_do_not_share_their_times():
    one, two = Stages(), Stages()
    with one.stage("reading"):
        pass
    assert two.seconds == {}
