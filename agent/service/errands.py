"""Work that one thread asks another to do between two of its steps, and waits for."""

import queue
from collections.abc import Callable
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeoutError
from typing import TypeVar

from agent.errors import VedetteError
from agent.uplink.control.commands import CommandError

ERRAND_S = 5.0

Result = TypeVar("Result")


class Errands:
    """`ask` from any thread; `run` on the one that does the work."""

    def __init__(self) -> None:
        self._waiting: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()

    def ask(self, work: Callable[[], Result], timeout_s: float = ERRAND_S) -> Result:
        """Have `work` done and return what it returns. Raises CommandError if nobody does it in time."""
        done: Future[Result] = Future()

        def errand() -> None:
            if done.set_running_or_notify_cancel():
                try:
                    done.set_result(work())
                except VedetteError as error:  # for who asked, not for the thread that does it
                    done.set_exception(error)

        self._waiting.put(errand)
        try:
            return done.result(timeout_s)
        except FutureTimeoutError:
            done.cancel()
            raise CommandError("the analysis is busy and did not do it in time") from None

    def run(self) -> None:
        """Do what waits; from the thread that is asked."""
        while not self._waiting.empty():
            self._waiting.get()()
