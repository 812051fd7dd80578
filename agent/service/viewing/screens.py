"""A witness that keeps, per camera, the newest annotated picture and what was said lately; for the page."""

import threading
import time
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from agent.config.schema import Config
from agent.scene import Scene
from agent.service.options import LatestPicture
from agent.service.rendering.overlay import STRIP_PX, View, draw
from agent.types import (
    NS_PER_S,
    Box,
    Closed,
    Frame,
    Heard,
    Incident,
    IncidentChange,
    Observation,
    Seen,
    SoundBlock,
    Uint8Array,
    Updated,
)
from agent.uplink.messages.jpeg import encode_jpeg

JPEG_QUALITY = 75
MOST_WIDTH_PX = 1280
STORY_LINES = 30
WAIT_S = 1.0
LOOKS_NS = NS_PER_S

Outlines = Mapping[str, Sequence[tuple[float, float]]]


@dataclass(slots=True)
class _Screen:
    outlines: Outlines
    picture: Uint8Array | None = None
    jpeg: bytes = b""
    serial: int = 0
    picture_share: float = 1.0  # of the height of the JPEG; below it lies the strip
    watchers: int = 0
    heard: Heard | None = None
    since_ns: int | None = None
    seen_s: float | None = None  # monotonic: when a picture was last looked at
    looks: deque[tuple[int, Box]] = field(default_factory=deque)  # lately, where it was looked at closer
    open: dict[int, Incident] = field(default_factory=dict)
    story: deque[dict[str, Any]] = field(default_factory=lambda: deque(maxlen=STORY_LINES))


class Screens:
    """Fed by the node's threads, read by the page's; nothing is drawn that nobody watches."""

    def __init__(self, config: Config, *, shows_looks: bool = False) -> None:
        """`shows_looks`: outline the parts of the picture that were looked at in their own size."""
        self._shows_looks = shows_looks
        self._changed = threading.Condition()
        self._names = {camera: config.called(camera) for camera in config.cameras}
        self._screens = {name: _Screen(outlines_of(config, name)) for name in config.cameras}

    @property
    def cameras(self) -> tuple[str, ...]:
        """Their identifiers."""
        return tuple(self._screens)

    @property
    def names(self) -> Mapping[str, str]:
        """What people call each of them."""
        return self._names

    def frame(self, frame: Frame, latest_picture: LatestPicture) -> None:
        """Keep the full-size picture of `frame`."""
        picture = latest_picture()
        with self._changed:
            self._screens[frame.camera].picture = frame.picture if picture is None else picture

    def sound(self, block: SoundBlock) -> None:
        """Nothing: what was heard comes with the scene."""

    def stepped(self, scene: Scene, observation: Observation, changes: tuple[IncidentChange, ...]) -> None:
        """Note what changed and draw the picture that was looked at."""
        for change in changes:
            self._note(change)
        if isinstance(observation, Heard):
            self._screens[observation.camera].heard = observation
        if isinstance(observation, Seen):
            self._draw(scene, observation)

    def adopt(self, config: Config) -> None:
        """Draw the zones and lines of another configuration from now on."""
        for name, screen in self._screens.items():
            screen.outlines = outlines_of(config, name)

    def pictures(self, camera: str, stop: threading.Event) -> Iterator[bytes]:
        """Yield each new picture as JPEG until `stop` is set; the newest if the reader is slow."""
        screen = self._screens[camera]
        seen = screen.serial
        with self._changed:
            screen.watchers += 1
        try:
            while not stop.is_set():
                with self._changed:
                    if screen.serial == seen:
                        self._changed.wait(WAIT_S)
                    fresh, seen, jpeg = screen.serial != seen, screen.serial, screen.jpeg
                if fresh:
                    yield jpeg
        finally:
            with self._changed:
                screen.watchers -= 1

    def state(self, camera: str) -> dict[str, Any]:
        """What the page shows beside the picture."""
        screen = self._screens[camera]
        heard = screen.heard
        with self._changed:
            story = list(screen.story)
        return {
            "camera": camera,
            "picture_share": screen.picture_share,
            "picture_age_s": None if screen.seen_s is None else round(time.monotonic() - screen.seen_s, 1),
            "level_dbfs": None if heard is None else round(heard.level_dbfs, 1),
            "labels": [] if heard is None else _likeliest(heard),
            "story": story[::-1],
        }

    def _draw(self, scene: Scene, seen: Seen) -> None:
        screen = self._screens[seen.camera]
        screen.seen_s = time.monotonic()
        if screen.since_ns is None:
            screen.since_ns = seen.at_ns
        if not screen.watchers or screen.picture is None:
            return
        view = View(
            camera=self._names[seen.camera],
            media_time_s=(seen.at_ns - screen.since_ns) / NS_PER_S,
            tracks=scene.tracks(seen.camera),
            beliefs=scene.beliefs(seen.camera),
            heard=screen.heard,
            incidents=tuple(screen.open.values()),
            zones=screen.outlines,
            looks=self._looks(screen, seen),
        )
        drawn = draw(screen.picture, view)
        jpeg = encode_jpeg(drawn, quality=JPEG_QUALITY, max_width_px=MOST_WIDTH_PX)
        with self._changed:
            screen.jpeg, screen.serial = jpeg, screen.serial + 1
            screen.picture_share = 1.0 - STRIP_PX / drawn.shape[0]
            self._changed.notify_all()

    def _looks(self, screen: _Screen, seen: Seen) -> tuple[Box, ...]:
        """Return where the camera was looked at closer lately: parts take turns, one at a time would only flicker."""
        if not self._shows_looks:
            return ()
        if seen.closer is not None:
            screen.looks.append((seen.at_ns, seen.closer.region))
        while screen.looks and screen.looks[0][0] < seen.at_ns - LOOKS_NS:
            screen.looks.popleft()
        return tuple(dict.fromkeys(region for _, region in screen.looks))

    def _note(self, change: IncidentChange) -> None:
        incident = change.incident
        for name in incident.cameras:
            screen = self._screens[name]
            if isinstance(change, Closed):
                screen.open.pop(incident.ordinal, None)
            else:
                screen.open[incident.ordinal] = incident
            if not isinstance(change, Updated) or incident.escalated:
                closed = isinstance(change, Closed)
                line = {
                    "at": time.strftime("%H:%M:%S"),
                    "kind": incident.kind,
                    "severity": incident.severity,
                    "phase": "close" if closed else "open",
                    "text": f"closed: {incident.close_reason}" if closed else incident.summary,
                }
                with self._changed:
                    screen.story.append(line)


def outlines_of(config: Config, camera: str) -> Outlines:
    """The zones and lines of a camera by what people call them."""
    settings = config.cameras[camera]
    zones = {zone.name or name: zone.polygon for name, zone in settings.zones.items() if zone.enabled}
    return zones | {line.name or name: line.line for name, line in settings.lines.items() if line.enabled}


def _likeliest(heard: Heard) -> list[dict[str, Any]]:
    best = sorted(heard.scores, key=lambda score: -score.prob)[:3]
    return [{"label": score.label, "prob": round(score.prob, 3)} for score in best]
