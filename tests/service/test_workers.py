"""A worker that dies is restarted; one that keeps dying ends the agent."""

import os
import sys
import threading
import time
from collections.abc import Callable

import pytest

from agent.errors import WorkerError
from agent.service.workers import RESTARTS_ALLOWED, Worker, Workers


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
    let_go, ended = threading.Event(), list[str]()

    def ready(stop: threading.Event) -> None:
        stop.wait(60)
        ended.append("ready")

    workers = Workers(Clock(), 0.2)
    workers.add("stubborn", lambda _: let_go.wait(60) and None)
    workers.add("ready", ready)
    workers.start()
    workers.end("stubborn", "ready")
    let_go.set()
    assert ended == ["ready"]
    assert "worker stubborn did not stop in 0.2 s" in caplog.text


def test_each_is_ended_by_itself() -> None:
    ended: list[str] = []

    def until_told(name: str) -> Callable[[threading.Event], None]:
        def body(stop: threading.Event) -> None:
            stop.wait(60)
            ended.append(name)

        return body

    workers = Workers(Clock(), 60.0)
    for name in ("first", "second", "third"):
        workers.add(name, until_told(name))
    workers.start()
    workers.end("third")
    assert ended == ["third"]
    workers.tell_to_stop("first")
    workers.end("second", "first")
    assert sorted(ended[1:]) == ["first", "second"]


def test_the_dead_among_them_are_restarted() -> None:
    lives, lived_again = list[int](), threading.Event()

    def dies_once(_: threading.Event) -> None:
        lives.append(1)
        if len(lives) == 1:
            raise OSError
        lived_again.set()

    workers = Workers(Clock(), 60.0)
    workers.add("phoenix", dies_once)
    workers.start()
    deadline_s = time.monotonic() + 60
    while not lived_again.is_set() and time.monotonic() < deadline_s:
        workers.tend()
        lived_again.wait(0.01)
    assert len(lives) == 2


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere threads have no priority of their own")
def test_a_nice_worker_and_the_threads_that_it_starts_let_others_go_first() -> None:
    def priority() -> int:
        return os.getpriority(os.PRIO_PROCESS, threading.get_native_id())

    found: list[int] = []

    def body(_: threading.Event) -> None:
        found.append(priority())
        child = threading.Thread(target=lambda: found.append(priority()))
        child.start()
        child.join()

    before = priority()
    worker = Worker("nice", body, threading.Event(), Clock(), nice=before + 3)
    worker.start()
    assert worker.join(60)
    assert found == [before + 3, before + 3]
    assert priority() == before
