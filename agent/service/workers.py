"""Worker threads and their supervision: a dead one is restarted, one that keeps dying ends the agent."""

import logging
import threading
from collections import deque
from collections.abc import Callable, Iterable

from agent.errors import WorkerError, redacted

RESTARTS_ALLOWED = 5
RESTART_WINDOW_S = 60.0

_LOG = logging.getLogger(__name__)

Body = Callable[[threading.Event], None]


class Worker:
    """Runs `body(stop)` in a thread until it returns; `tend` restarts it after a failure."""

    def __init__(self, name: str, body: Body, stop: threading.Event, clock_s: Callable[[], float]) -> None:
        self.name = name
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
        try:
            self._body(self._stop)
            self._finished = True
        except Exception as error:  # noqa: BLE001 - the one place where a worker may fail without ending the agent
            self._failure = error
            _LOG.debug("worker %s", self.name, exc_info=True)


def end(workers: Iterable[Worker], stop: threading.Event, within_s: float) -> None:
    """Set `stop` and wait for `workers`, which it stops; log who has not ended `within_s` later."""
    stop.set()
    for worker in workers:
        if not worker.join(within_s):
            _LOG.warning("worker %s did not stop in %.1f s", worker.name, within_s)
