"""What the node counts of itself since it started: plain numbers, written by every thread, read by `metrics`."""

import bisect
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Literal, TypeVar

from agent.service import clock
from agent.types import Closed, IncidentChange, Opened, Seen

Stage = Literal["see", "hear", "fuse"]
STAGES: tuple[Stage, ...] = ("see", "hear", "fuse")
BOUNDS_S = (0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0)

Given = TypeVar("Given")
Made = TypeVar("Made")


@dataclass(slots=True)
class Durations:
    """How long something took: how often at most each of `BOUNDS_S` (and longer, the last), and all in all."""

    counts: list[int] = field(default_factory=lambda: [0] * (len(BOUNDS_S) + 1))
    sum_s: float = 0.0

    def note(self, seconds: float) -> None:
        """Count one duration."""
        self.counts[bisect.bisect_left(BOUNDS_S, seconds)] += 1
        self.sum_s += seconds


class Measures:
    """Counts; safe to use from several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._pictures: Counter[str] = Counter()
        self._looked: Counter[str] = Counter()
        self._newest_ns: dict[str, int] = {}
        self._raised: Counter[tuple[str, str, str]] = Counter()
        self._open: dict[int, str] = {}
        self._durations = {stage: Durations() for stage in STAGES}

    def seen(self, seen: Seen) -> None:
        """Count an analysed picture."""
        with self._lock:
            self._pictures[seen.camera] += 1
            self._looked[seen.camera] += seen.detections is not None
            self._newest_ns[seen.camera] = seen.at_ns

    def raised(self, change: IncidentChange) -> None:
        """An incident opened, changed or closed."""
        incident = change.incident
        with self._lock:
            if isinstance(change, Opened) or incident.escalated:
                self._raised[incident.camera, incident.kind, incident.severity] += 1
            if isinstance(change, Closed):
                self._open.pop(incident.ordinal, None)
            else:
                self._open[incident.ordinal] = incident.camera

    @contextmanager
    def timing(self, stage: Stage) -> Iterator[None]:
        """Note how long what is done within takes."""
        began_s = time.perf_counter()
        try:
            yield
        finally:
            with self._lock:
                self._durations[stage].note(time.perf_counter() - began_s)

    def timed(self, stage: Stage, work: Callable[[Given], Made]) -> Callable[[Given], Made]:
        """Return `work` with a look at the clock before and after."""

        def timed_work(given: Given) -> Made:
            with self.timing(stage):
                return work(given)

        return timed_work

    def pictures(self) -> tuple[dict[str, int], dict[str, int]]:
        """Return how many pictures of each camera were analysed, and how many of those the detector looked at."""
        with self._lock:
            return dict(self._pictures), dict(self._looked)

    def ages_s(self) -> dict[str, float]:
        """Return how old the newest analysed picture of each camera is."""
        now_ns = clock.now_ns()
        with self._lock:
            return {camera: (now_ns - at_ns) / 1e9 for camera, at_ns in self._newest_ns.items()}

    def incidents(self) -> dict[tuple[str, str, str], int]:
        """Return how many incidents of (camera, kind, severity) opened, or became that severe."""
        with self._lock:
            return dict(self._raised)

    def open_now(self) -> Counter[str]:
        """Return how many incidents are open on each camera."""
        with self._lock:
            return Counter(self._open.values())

    def durations(self) -> dict[Stage, Durations]:
        """Return how long each stage took, one picture, block of sound or window at a time."""
        with self._lock:
            return {stage: Durations(list(kept.counts), kept.sum_s) for stage, kept in self._durations.items()}
