"""What the demo's subscriber received, beside what was to open and how often the box could look."""

import json
import statistics
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from agent.service.rendering.filming import Filming

TOO_FEW_FRAC = 0.7  # of the pictures a second that are to be looked at: below, what was missed may be the box's load

OnMessage = Callable[[str, dict[str, Any]], None]


class DemoLog:
    """What the subscriber received, in order, with the snapshots saved as pictures; what was looked at."""

    def __init__(self, on_message: OnMessage, keep: Path, expected: Mapping[str, frozenset[str]]) -> None:
        """`expected`: by camera, the kinds that are to open; none for a source that nobody knows."""
        self._on_message = on_message
        self._keep = keep
        self._expected = expected
        self._lock = threading.Lock()
        self._messages: list[dict[str, Any]] = []
        self._judged_from: dict[str, int] = {}  # camera → how many messages there were when it was played again
        self._films: dict[str, Path] = {}
        self._looked_per_s: dict[str, float] = {}
        self._delays_ms: list[float] = []
        self._snapshots: list[Path] = []
        self._last_s = time.monotonic()

    def take(self, topic: str, payload: bytes) -> None:
        """Take one message from the subscriber's thread."""
        levels = topic.split("/")
        with self._lock:
            self._last_s = time.monotonic()
        if levels[-1] == "incident":
            self._take_incident(topic, payload)
        elif len(levels) == 5 and levels[3] == "snapshot":
            self._take_snapshot(levels[2], levels[4], payload)

    def wait_quiet(self, seconds: float) -> None:
        """Return once nothing has come for a moment, at the latest after `seconds`."""
        deadline_s = time.monotonic() + seconds
        while time.monotonic() < deadline_s:
            with self._lock:
                if time.monotonic() - self._last_s > 0.5:
                    return
            time.sleep(0.05)

    def filmed(self, filming: Filming) -> None:
        """Note where the films of a round lie, and how often its cameras were looked at."""
        self._films |= filming.paths
        self._looked_per_s |= {camera: filming.looked_per_s(camera) for camera in filming.paths}

    def looked_per_s(self, camera: str) -> float:
        """Return how many pictures a second of `camera` were looked at when it was played last."""
        return self._looked_per_s[camera]

    def missed_for_load(self, fps: float) -> list[str]:
        """Return in which cameras something else than expected opened while the box could not keep up with `fps`."""
        with self._lock:
            return [
                camera
                for camera, kinds in self._expected.items()
                if set(self._kinds(camera)) != kinds and self._looked_per_s[camera] < TOO_FEW_FRAC * fps
            ]

    def begin_again(self, camera: str) -> None:
        """Judge `camera` by what comes from now on: it is played again."""
        with self._lock:
            self._judged_from[camera] = len(self._messages)

    def summary(self, cameras: Iterable[str], broker_url: str, models: str) -> dict[str, Any]:
        """Return what was received beside what was to be expected."""
        with self._lock:
            messages, delays_ms, snapshots = list(self._messages), list(self._delays_ms), list(self._snapshots)
            verdicts = [self._verdict(camera) for camera in cameras]
        sequence = sorted({message["seq"] for message in messages})
        return {
            "cameras": verdicts,
            "messages": len(messages),
            "broker": broker_url,
            "sequence_complete": sequence == list(range(1, len(sequence) + 1)),
            "median_delay_ms": statistics.median(delays_ms) if delays_ms else 0.0,
            "models": models,
            "files": [str(path) for path in (*self._films.values(), *snapshots)],
        }

    def _kinds(self, camera: str) -> list[str]:
        judged = self._messages[self._judged_from.get(camera, 0) :]
        return sorted({message["kind"] for message in judged if message["camera"] == camera})

    def _verdict(self, camera: str) -> dict[str, Any]:
        kinds, expected = self._kinds(camera), self._expected.get(camera)
        return {
            "name": camera,
            "kinds": kinds,
            "expected": None if expected is None else sorted(expected),
            "as_expected": None if expected is None else set(kinds) == expected,
            "by_itself": camera in self._judged_from,
            "looked_per_s": round(self._looked_per_s[camera], 1),
        }

    def _take_incident(self, topic: str, payload: bytes) -> None:
        message: dict[str, Any] = json.loads(payload)
        delay_ms = (time.time() - datetime.fromisoformat(message["at"]).timestamp()) * 1000
        with self._lock:
            self._messages.append(message)
            if message["phase"] == "open":
                self._delays_ms.append(delay_ms)
        self._on_message(topic, message)

    def _take_snapshot(self, camera: str, incident: str, payload: bytes) -> None:
        if not payload:
            return
        path = self._keep / f"{camera}-{incident}.jpg"
        path.write_bytes(payload)
        with self._lock:
            if path not in self._snapshots:
                self._snapshots.append(path)
