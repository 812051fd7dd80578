"""The cameras being read: each can be started and stopped while the others go on."""

import threading
from collections.abc import Callable, Mapping
from typing import Any

from agent.capture.live import LiveSource, Microphone
from agent.service.workers import Worker

CAPTURE_NICE = 5  # a stream of 1920×1080 takes a fifth of a core; what was heard must not wait for it

Make = Callable[[str], Mapping[str, LiveSource | Microphone]]


class Cameras:
    """The workers of every camera's sources. Safe to use from several threads."""

    def __init__(self, make: Make, clock_s: Callable[[], float], stop_step_s: float) -> None:
        """`make` returns the sources of a camera by part: `picture`, and `sound` where it comes from elsewhere."""
        self._make = make
        self._clock_s = clock_s
        self._stop_step_s = stop_step_s
        self._mutex = threading.Lock()
        self._running: dict[str, tuple[threading.Event, list[Worker]]] = {}
        self._pictures: dict[str, LiveSource] = {}

    def start(self, name: str) -> None:
        """Begin to read a camera; one that is being read goes on."""
        with self._mutex:
            if name in self._running:
                return
            stop = threading.Event()
            made = self._make(name)
            workers = [
                Worker(f"capture {name} {part}", source.run, stop, self._clock_s, nice=CAPTURE_NICE)
                for part, source in made.items()
            ]
            picture = made.get("picture")
            if isinstance(picture, LiveSource):
                self._pictures[name] = picture
            self._running[name] = stop, workers
            for worker in workers:
                worker.start()

    def stop(self, name: str) -> bool:
        """End the reading of a camera; return False where it did not end in time."""
        with self._mutex:
            stop, workers = self._running.pop(name, (threading.Event(), []))
        stop.set()
        late = [worker for worker in workers if not worker.join(self._stop_step_s)]
        return not late

    def tend(self) -> None:
        """Restart what died. Raises WorkerError for a worker that keeps dying."""
        with self._mutex:
            for _, workers in self._running.values():
                for worker in workers:
                    worker.tend()

    def end(self) -> list[str]:
        """End all; return those that did not end in time."""
        with self._mutex:
            running, self._running = self._running, {}
        for stop, _ in running.values():
            stop.set()
        return [
            worker.name for _, workers in running.values() for worker in workers if not worker.join(self._stop_step_s)
        ]

    def reading_of(self, name: str) -> dict[str, Any]:
        """Return what the state says of how the pictures of a camera are read."""
        source = self._pictures.get(name)
        return {"decoder": source.decoding.by if source is not None else "cpu"}

    def remarks(self) -> list[str]:
        """Return which cameras are not decoded by the device that was asked for."""
        told = [(name, source.decoding) for name, source in self._pictures.items() if name in self._running]
        return [f"{name}: {its.fault}. The CPU does. {its.cure}" for name, its in told if its.promised]

    def picture_of(self, name: str) -> LiveSource | None:
        """Return the source of the pictures of a camera, also after its end; None where it never began."""
        return self._pictures.get(name)
