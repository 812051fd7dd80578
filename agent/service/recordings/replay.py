"""The pipeline on recordings: same code, same order, no clock — the same bytes every time.

A scene is one source, or several joined end to end. Time starts at `start_wall_ns`, `seq` at 1, and ids are
made from the source and the incident's ordinal, so two runs on one machine and runtime are equal byte for byte.
"""

import dataclasses
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from agent.capture.source import Media, SourceSpec, open_media
from agent.config.load import load
from agent.config.schema import Config
from agent.inference.hear import Listener
from agent.inference.see import Seer
from agent.scene import LATENESS_NS, Policy, Scene, unlearned
from agent.scene.normality import Normality
from agent.service.normality_files import FOLDER, NormalityFiles
from agent.service.observe import observations
from agent.service.recordings import journal
from agent.service.rendering.film import Film
from agent.service.rendering.overlay import View
from agent.service.sources import sound_late_ns
from agent.service.stepping import Fuse, step_with_fusion
from agent.types import NS_PER_S, Blind, Closed, Frame, Heard, Incident, IncidentChange, Observation, Seen, Tick
from agent.uplink.messages.payload import incident_message, replay_id

DEFAULT_CAMERA = "replay"

MessageSink = Callable[[dict[str, Any]], None]
RowSink = Callable[["Row"], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """The beliefs of one analysed picture (or, where there is no picture, of one step of sound)."""

    source: str
    frame: int
    at_ns: int
    beliefs: Mapping[str, float]
    heard: Heard | None


@dataclass(slots=True, kw_only=True)
class Outputs:
    """Where the results go; whatever is None is not made."""

    message: MessageSink
    row: RowSink | None = None
    film: Film | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What a replay needs to know besides its sources."""

    config: Config
    camera: str = DEFAULT_CAMERA
    start_wall_ns: int = 0
    picture_fps: float | None = None
    every_frame: bool = False
    normality: Callable[[str], Normality | None] = unlearned


@dataclass(slots=True)
class _Moment:
    """What is known at the newest step, kept for rows and pictures."""

    heard: Heard | None = None
    open: dict[int, Incident] = field(default_factory=dict)
    frame_index: dict[int, int] = field(default_factory=dict)  # at_ns → index of the picture in its source


class ReplayScene:
    """Steps one scene through its observations and hands on messages, rows and pictures."""

    def __init__(
        self,
        settings: Settings,
        models: Mapping[str, str],
        outputs: Outputs,
        *,
        fuse: Fuse | None = None,
        lateness_ns: int = 0,
    ) -> None:
        self._settings = settings
        self._models = models
        self._outputs = outputs
        self._fuse = fuse
        self._scene = Scene(
            Policy.of(settings.config),
            lateness_ns=lateness_ns,
            wall_offset_ns=settings.start_wall_ns,
            normality=settings.normality,
        )
        self._zones = _zones(settings.config, settings.camera)
        self._moment = _Moment()
        self._seq = 0
        self._rows = 0
        self._first_source = ""
        self._source = ""
        self.newest_ns = 0

    def play(
        self, source: str, stream: Iterator[Observation | Policy], *, offset_ns: int = 0, has_picture: bool
    ) -> int:
        """Step through one source that begins at `offset_ns`; return the time at which it ended."""
        self._source = source
        self._first_source = self._first_source or source
        for observation in stream:
            if isinstance(observation, Policy):
                self._apply(self._scene.adopt(observation))
                continue
            shifted = _shifted(observation, offset_ns)
            self.newest_ns = max(self.newest_ns, shifted.at_ns)
            self._apply(step_with_fusion(self._scene, shifted, self._fuse))
            self._show(shifted, has_picture)
        return self.newest_ns

    def end(self, at_ns: int) -> None:
        """Close what is still open."""
        self._apply(self._scene.finish(at_ns, "source_ended"))

    def saw_frame(self, at_ns: int, index: int) -> None:
        """Remember which picture of the source was taken at `at_ns`."""
        self._moment.frame_index[at_ns] = index

    def _apply(self, changes: Sequence[IncidentChange]) -> None:
        for change in changes:
            self._seq += 1
            self._outputs.message(self._message(change))
            if isinstance(change, Closed):
                self._moment.open.pop(change.incident.ordinal, None)
            else:
                self._moment.open[change.incident.ordinal] = change.incident

    def _message(self, change: IncidentChange) -> dict[str, Any]:
        incident = change.incident
        message = incident_message(
            change,
            incident_id=self._id(incident.ordinal, incident.started_ns),
            absorbed_ids=tuple(self._id(ordinal, incident.started_ns) for ordinal in incident.absorbs),
            seq=self._seq,
            node=self._settings.config.node.name,
            wall_offset_ns=self._settings.start_wall_ns,
            clock_synchronised=True,
            models=self._models,
        )
        return message | {"media_time_s": incident.at_ns / NS_PER_S, "source": self._source}

    def _id(self, ordinal: int, started_ns: int) -> str:
        return replay_id(self._first_source, ordinal, (self._settings.start_wall_ns + started_ns) // 1_000_000)

    def _show(self, observation: Observation, has_picture: bool) -> None:
        if isinstance(observation, Heard):
            if observation.between:
                return
            self._moment.heard = observation
        if isinstance(observation, Seen) or (isinstance(observation, Heard) and not has_picture):
            self._row(observation)
        if isinstance(observation, Seen) and self._outputs.film is not None:
            self._outputs.film.develop(observation.at_ns, self._view)

    def _row(self, observation: Seen | Heard) -> None:
        if self._outputs.row is None:
            return
        if observation.at_ns in self._moment.frame_index and isinstance(observation, Seen):
            index = self._moment.frame_index.pop(observation.at_ns)
        else:
            index, self._rows = self._rows, self._rows + 1
        beliefs = self._scene.beliefs(observation.camera)
        self._outputs.row(
            Row(source=self._source, frame=index, at_ns=observation.at_ns, beliefs=beliefs, heard=self._moment.heard)
        )

    def _view(self, at_ns: int) -> View:
        camera = self._settings.camera
        return View(
            camera=camera,
            media_time_s=at_ns / NS_PER_S,
            tracks=self._scene.tracks(camera),
            beliefs=self._scene.beliefs(camera),
            heard=self._moment.heard,
            incidents=tuple(self._moment.open.values()),
            zones=self._zones,
        )


@dataclass(slots=True)
class Replayer:
    """Opens sources one after the other and plays them, each as its own scene or all joined."""

    settings: Settings
    seer: Callable[[], Seer]
    listener: Callable[[], Listener]
    models: Mapping[str, str]
    outputs: Outputs
    fuse: Fuse | None = None

    def scene(self, source: str) -> ReplayScene:
        """Return a new scene at time zero; a recording brings the configuration that it was made under."""
        folder = Path(source)
        if not journal.is_recording(folder):
            return ReplayScene(self.settings, self.models, self.outputs, fuse=self.fuse)
        settings = dataclasses.replace(self.settings, config=load(folder / journal.CONFIG_FILE))
        if (folder / FOLDER).is_dir() and settings.normality is unlearned:  # what the recording began with
            settings = dataclasses.replace(settings, normality=NormalityFiles(folder).known)
        return ReplayScene(settings, self.models, self.outputs, lateness_ns=LATENESS_NS)

    def play(self, source: str, scene: ReplayScene, *, offset_ns: int = 0, joined: bool = False) -> int:
        """Play `source` into `scene`; return when it ended. Raises SourceError if it cannot be opened or read."""
        if journal.is_recording(Path(source)):
            recorded = tuple(journal.events(Path(source)))
            first_ns = min((one.at_ns for one in recorded if not isinstance(one, Policy)), default=0)
            has_picture = any(isinstance(observation, Seen) for observation in recorded)
            return scene.play(source, iter(recorded), offset_ns=offset_ns - first_ns, has_picture=has_picture)
        with open_media(self._spec(source)) as media:
            stream = observations(
                media,
                camera=self.settings.camera,
                seer=self.seer() if media.info.has_picture else None,
                listener=self.listener() if media.info.has_sound else None,
                on_frame=self._frame_tap(media, scene, offset_ns),
                on_sound=self._sound_tap(offset_ns),
                sound_late_ns=self._sound_late_ns(),
            )
            unended = (item for item in stream if not (joined and isinstance(item, Blind)))
            return scene.play(source, unended, offset_ns=offset_ns, has_picture=media.info.has_picture)

    def _sound_late_ns(self) -> int:
        camera = self.settings.config.cameras.get(self.settings.camera)
        return sound_late_ns(camera) if camera else 0

    def _spec(self, source: str) -> SourceSpec:
        settings, config = self.settings, self.settings.config
        camera = config.cameras.get(settings.camera)
        return SourceSpec(
            camera=settings.camera,
            url=source,
            fps=settings.picture_fps,
            analysis_fps=None if settings.every_frame else config.analysis.fps,
            width_px=config.analysis.width_px,
            height_px=config.analysis.height_px,
            masks=tuple(mask.polygon for mask in camera.masks.values()) if camera else (),
        )

    def _frame_tap(self, media: Media, scene: ReplayScene, offset_ns: int) -> Callable[[Frame], None]:
        def tap(frame: Frame) -> None:
            scene.saw_frame(frame.at_ns + offset_ns, frame.index)
            if self.outputs.film is not None and (picture := media.latest_picture()) is not None:
                self.outputs.film.picture(frame.at_ns + offset_ns, picture)

        return tap

    def _sound_tap(self, offset_ns: int) -> Callable[..., None]:
        def tap(block: Any) -> None:
            if self.outputs.film is not None:
                self.outputs.film.sound(dataclasses.replace(block, at_ns=block.at_ns + offset_ns))

        return tap


def _shifted(observation: Observation, offset_ns: int) -> Observation:
    if not offset_ns:
        return observation
    if isinstance(observation, Tick) and observation.wall_offset_ns is not None:
        observation = dataclasses.replace(observation, wall_offset_ns=observation.wall_offset_ns - offset_ns)
    if not isinstance(observation, Heard):
        return dataclasses.replace(observation, at_ns=observation.at_ns + offset_ns)
    onset_ns = None if observation.onset_ns is None else observation.onset_ns + offset_ns
    return dataclasses.replace(
        observation,
        at_ns=observation.at_ns + offset_ns,
        start_ns=observation.start_ns + offset_ns,
        onset_ns=onset_ns,
    )


def _zones(config: Config, camera: str) -> Mapping[str, Sequence[tuple[float, float]]]:
    settings = config.cameras.get(camera)
    if settings is None:
        return {}
    zones = {name: zone.polygon for name, zone in settings.zones.items()}
    return zones | {name: line.line for name, line in settings.lines.items()}
