"""Worker threads and their supervision: a dead one is restarted, one that keeps dying ends the agent."""

import logging
import os
import threading
from collections import deque
from collections.abc import Callable

from agent.errors import WorkerError, redacted

RESTARTS_ALLOWED = 5
RESTART_WINDOW_S = 60.0

_LOG = logging.getLogger(__name__)

Body = Callable[[threading.Event], None]


def lower_priority(nice: int) -> None:
    """Let others go before the calling thread: on Linux each has a priority of its own, which it hands on."""
    try:
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), nice)
    except OSError as error:
        _LOG.debug("the priority of a thread stays: %s", error)


class Worker:
    """Runs `body(stop)` in a thread until it returns; `tend` restarts it after a failure."""

    def __init__(
        self, name: str, body: Body, stop: threading.Event, clock_s: Callable[[], float], *, nice: int = 0
    ) -> None:
        """`nice`: how much lower than the agent's the priority of the thread is, and of those that it starts."""
        self.name = name
        self._nice = nice
        self._body = body
        self._stop = stop
        self._clock_s = clock_s
        self._deaths_s: deque[float] = deque(maxlen=RESTARTS_ALLOWED)
        self._failure: BaseException | None = None
        self._finished = False
        self._thread = self._new_thread()

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def join(self, timeout_s: float) -> bool:
        """Wait for the end; return False where it did not come in time."""
        self._thread.join(timeout_s)
        return not self._thread.is_alive()

    def tend(self) -> None:
        """Restart a dead worker; WorkerError when it died five times in a minute."""
        if self._thread.is_alive() or self._finished or self._stop.is_set():
            return
        now_s = self._clock_s()
        self._deaths_s.append(now_s)
        why = redacted(f"{type(self._failure).__name__}: {self._failure}")
        if len(self._deaths_s) == RESTARTS_ALLOWED and now_s - self._deaths_s[0] <= RESTART_WINDOW_S:
            raise WorkerError(
                f"worker {self.name} died {RESTARTS_ALLOWED} times in {RESTART_WINDOW_S:.0f} s",
                why=why,
                cure="Run `vedette doctor`; with --debug the log holds the whole story.",
            ) from self._failure
        _LOG.error("worker %s died and is restarted: %s", self.name, why)
        self._thread = self._new_thread()
        self._thread.start()

    def _new_thread(self) -> threading.Thread:
        return threading.Thread(target=self._guarded, name=self.name, daemon=True)

    def _guarded(self) -> None:
        if self._nice:
            lower_priority(self._nice)
        try:
            self._body(self._stop)
            self._finished = True
        except Exception as error:  # noqa: BLE001 - the one place where a worker may fail without ending the agent
            self._failure = error
            _LOG.debug("worker %s", self.name, exc_info=True)


class Workers:
    """The workers of one node by name. Each has a stop of its own, so that they can be ended in the order of flow."""

    def __init__(self, clock_s: Callable[[], float], stop_within_s: float) -> None:
        self._clock_s = clock_s
        self._stop_within_s = stop_within_s
        self._all: dict[str, tuple[Worker, threading.Event]] = {}

    def add(self, name: str, body: Body, *, nice: int = 0) -> None:
        """Add a worker; none may have started."""
        stop = threading.Event()
        self._all[name] = Worker(name, body, stop, self._clock_s, nice=nice), stop

    def start(self) -> None:
        """Start all, in the order in which they were added."""
        for worker, _ in self._all.values():
            worker.start()

    def tend(self) -> None:
        """Restart what died. Raises WorkerError for a worker that keeps dying."""
        for worker, _ in self._all.values():
            worker.tend()

    def tell_to_stop(self, *names: str) -> None:
        """Tell these to stop, without waiting for it."""
        for name in names:
            self._all[name][1].set()

    def end(self, *names: str) -> None:
        """Tell these to stop and wait for each; log who has not ended in time."""
        self.tell_to_stop(*names)
        for name in names:
            if not self._all[name][0].join(self._stop_within_s):
                _LOG.warning("worker %s did not stop in %.1f s", name, self._stop_within_s)
