"""A worker that dies is restarted; one that keeps dying ends the agent."""

import threading

import pytest

from agent.errors import WorkerError
from agent.service.workers import RESTARTS_ALLOWED, Worker, end


class Clock:
    """Seconds that a test sets."""

    def __init__(self) -> None:
        self.now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


def _dying(_: threading.Event) -> None:
    raise OSError("rtsp://user:hunter2@cam/ is gone")


def test_a_worker_that_returns_is_not_started_again() -> None:
    runs: list[int] = []
    worker = Worker("once", lambda _: runs.append(1), threading.Event(), Clock())
    worker.start()
    assert worker.join(60)
    worker.tend()
    assert worker.join(60)
    assert runs == [1]


def test_a_dead_worker_is_restarted(caplog: pytest.LogCaptureFixture) -> None:
    lives: list[int] = []

    def dies_once(_: threading.Event) -> None:
        lives.append(1)
        if len(lives) == 1:
            raise OSError("rtsp://user:hunter2@cam/ is gone")

    worker = Worker("phoenix", dies_once, threading.Event(), Clock())
    worker.start()
    assert worker.join(60)
    worker.tend()
    assert worker.join(60)
    assert len(lives) == 2
    assert "phoenix died and is restarted" in caplog.text
    assert "hunter2" not in caplog.text


def test_five_deaths_in_a_minute_end_the_agent() -> None:
    worker = Worker("mayfly", _dying, threading.Event(), Clock())
    worker.start()
    for _ in range(RESTARTS_ALLOWED - 1):
        assert worker.join(60)
        worker.tend()
    assert worker.join(60)
    with pytest.raises(WorkerError, match="mayfly") as caught:
        worker.tend()
    assert "hunter2" not in caught.value.line()


def test_five_deaths_spread_over_hours_do_not() -> None:
    clock = Clock()
    worker = Worker("camel", _dying, threading.Event(), clock)
    worker.start()
    for _ in range(3 * RESTARTS_ALLOWED):
        assert worker.join(60)
        clock.now_s += 60.0
        worker.tend()
    assert worker.join(60)


def test_nothing_is_restarted_while_stopping() -> None:
    stop = threading.Event()
    lives: list[int] = []

    def dies(_: threading.Event) -> None:
        lives.append(1)
        raise OSError

    worker = Worker("last", dies, stop, Clock())
    worker.start()
    assert worker.join(60)
    stop.set()
    worker.tend()
    assert lives == [1]


def test_who_does_not_end_in_time_is_named_and_the_rest_is_waited_for(caplog: pytest.LogCaptureFixture) -> None:
    stop, let_go = threading.Event(), threading.Event()
    ready = Worker("ready", lambda stopped: stopped.wait(60) and None, stop, Clock())
    stubborn = Worker("stubborn", lambda _: let_go.wait(60) and None, stop, Clock())
    for worker in (stubborn, ready):
        worker.start()
    end([stubborn, ready], stop, 0.2)
    let_go.set()
    assert stubborn.join(60)
    assert ready.join(60)
    assert "worker stubborn did not stop in 0.2 s" in caplog.text
