"""A witness that makes one annotated film per camera of a running node."""

import dataclasses
import threading
from collections.abc import Mapping
from functools import partial
from pathlib import Path

from agent.config.schema import Camera, Config
from agent.scene import LATENESS_NS, Scene
from agent.service.options import LatestPicture
from agent.service.rendering.film import Film
from agent.service.rendering.overlay import View
from agent.types import NS_PER_S, Closed, Frame, Heard, Incident, IncidentChange, Observation, SoundBlock


def _outlines(camera: Camera) -> dict[str, tuple[tuple[float, float], ...]]:
    zones = {name: zone.polygon for name, zone in camera.zones.items()}
    return zones | {name: line.line for name, line in camera.lines.items()}


class _Reel:
    """The film of one camera; its time starts at the first picture."""

    def __init__(self, path: Path, camera: str, zones: Mapping[str, tuple[tuple[float, float], ...]]) -> None:
        self.film = Film(path, with_sound=True)
        self.camera = camera
        self.zones = zones
        self.origin_ns: int | None = None
        self.newest_ns = 0
        self.pictures = 0
        self.heard: Heard | None = None
        self.open: dict[int, Incident] = {}

    def view(self, scene: Scene, at_ns: int) -> View:
        return View(
            camera=self.camera,
            media_time_s=at_ns / NS_PER_S,
            tracks=scene.tracks(self.camera),
            beliefs=scene.beliefs(self.camera),
            heard=self.heard,
            incidents=tuple(self.open.values()),
            zones=self.zones,
        )


class Filming:
    """Takes pictures from see, sound from capture and understanding from the judge; one lock, short work."""

    def __init__(self, config: Config, folder: Path) -> None:
        self._lock = threading.Lock()
        folder.mkdir(parents=True, exist_ok=True)
        self.paths = {camera: folder / f"{camera}.mp4" for camera in config.cameras}
        self._reels = {
            camera: _Reel(self.paths[camera], camera, _outlines(settings))
            for camera, settings in config.cameras.items()
        }

    def frame(self, frame: Frame, latest_picture: LatestPicture) -> None:
        """Keep the full-size picture of `frame`."""
        picture = latest_picture()
        with self._lock:
            reel = self._reels[frame.camera]
            if reel.origin_ns is None:
                reel.origin_ns = frame.at_ns
            reel.newest_ns = frame.at_ns
            reel.pictures += 1
            if picture is not None:
                reel.film.picture(frame.at_ns - reel.origin_ns, picture)

    def sound(self, block: SoundBlock) -> None:
        """Keep the sound from the first picture on."""
        with self._lock:
            reel = self._reels[block.camera]
            if reel.origin_ns is not None and block.at_ns >= reel.origin_ns:
                reel.film.sound(dataclasses.replace(block, at_ns=block.at_ns - reel.origin_ns))

    def stepped(self, scene: Scene, observation: Observation, changes: tuple[IncidentChange, ...]) -> None:
        """Develop the pictures that the scene is past."""
        with self._lock:
            for change in changes:
                self._note(change)
            if isinstance(observation, Heard):
                self._reels[observation.camera].heard = observation
            for reel in self._reels.values():
                if reel.origin_ns is not None:
                    due_ns = observation.at_ns - LATENESS_NS - reel.origin_ns
                    reel.film.develop(due_ns, partial(reel.view, scene))

    def looked_per_s(self, camera: str) -> float:
        """Return how many pictures a second of `camera` went to analysis; 0.0 for fewer than two."""
        with self._lock:
            reel = self._reels[camera]
            if reel.origin_ns is None or reel.newest_ns <= reel.origin_ns:
                return 0.0
            return (reel.pictures - 1) * NS_PER_S / (reel.newest_ns - reel.origin_ns)

    def close(self) -> None:
        """Finish all films."""
        with self._lock:
            for reel in self._reels.values():
                reel.film.close()

    def _note(self, change: IncidentChange) -> None:
        for camera in change.incident.cameras:
            shown = self._reels[camera].open
            if isinstance(change, Closed):
                shown.pop(change.incident.ordinal, None)
            else:
                shown[change.incident.ordinal] = change.incident
