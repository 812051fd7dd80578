"""The threads that look and listen: pictures and blocks of sound in, observations out; each camera has its own eye and
ear, made when first needed."""

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from agent.capture.live import LiveSource
from agent.inference.hear import Listener
from agent.inference.see import Seer
from agent.service.channels import NewestFrames, SoundQueue, drained
from agent.service.drills.drill import Drills
from agent.service.evidence.incident_clips import Clips
from agent.service.evidence.snapshots import Snapshots
from agent.service.options import Witness
from agent.service.overload import YIELDS, OverloadControl
from agent.service.senses import Senses
from agent.service.telemetry.drift_watch import DriftWatch
from agent.service.telemetry.measures import Measures
from agent.service.telemetry.report import Report
from agent.service.usual_motion import UsualMotion
from agent.types import Frame, Observation, Seen, SoundBlock

TAKE_TIMEOUT_S = 0.1

_LOG = logging.getLogger(__name__)

Sense = TypeVar("Sense")


class OfEach(Generic[Sense]):
    """One sense of each camera; from any thread, but what it gives belongs to the thread that uses it."""

    def __init__(self, make: Callable[[str], Sense]) -> None:
        self._make = make
        self._made: dict[str, Sense] = {}
        self._lock = threading.Lock()

    def of(self, camera: str) -> Sense:
        """Return the camera's own, made anew where there is none."""
        with self._lock:
            if camera not in self._made:
                self._made[camera] = self._make(camera)
            return self._made[camera]

    def forget(self, camera: str) -> None:
        """Begin anew with the next that comes from this camera."""
        with self._lock:
            self._made.pop(camera, None)


@dataclass(slots=True, kw_only=True)
class Sensing:
    """What looks and what listens in one running node. `see` and `hear` are the bodies of two threads."""

    with_flow: bool
    frames: NewestFrames
    sound: SoundQueue
    tell: Callable[[Observation], None]
    senses: Senses
    source_of: Callable[[str], LiveSource | None]
    snapshots: Snapshots
    clips: Clips
    report: Report
    measures: Measures
    drift: DriftWatch
    drills: Drills
    load: OverloadControl
    beat: Callable[[str], None]
    clock_s: Callable[[], float]
    witness: Witness | None = None
    _eyes: OfEach[Seer] = field(init=False)
    _usual: OfEach[UsualMotion] = field(init=False)
    _ears: OfEach[Listener] = field(init=False)

    def __post_init__(self) -> None:
        self._eyes = OfEach(self.senses.seer)
        self._usual = OfEach(lambda _: UsualMotion())
        self._ears = OfEach(lambda _: self.senses.listener())

    def forget(self, camera: str) -> None:
        """A camera is switched on again: what it showed before is no part of what comes; from any thread."""
        self._eyes.forget(camera)
        self._usual.forget(camera)
        self._ears.forget(camera)

    def see(self, stop: threading.Event) -> None:
        """Look at the newest pictures until `stop` is set."""
        while not stop.is_set():
            self.beat("see")
            for behind_blocks, most_s in YIELDS:  # sound goes before pictures
                self.sound.caught_up(behind_blocks, most_s)
            frame = self.frames.take(TAKE_TIMEOUT_S)
            started_s = self.clock_s()
            if frame is not None and frame.drill:
                self.drills.look(frame)
            elif frame is not None:
                self.tell(self._look(frame))
            self._weigh(started_s, pictures=0 if frame is None else 1)

    def hear(self, stop: threading.Event) -> None:
        """Listen to every block until `stop` is set, then to those that wait."""
        while not stop.is_set():
            self.beat("hear")
            block = self.sound.take(TAKE_TIMEOUT_S)
            if block is not None:
                self._listen(block)
        for block in drained(self.sound.take):
            self._listen(block)

    def _weigh(self, started_s: float, *, pictures: int) -> None:
        """Note how the eyes keep up."""
        now_s, replaced = self.clock_s(), self.frames.replaced_all
        if self.load.note(now_s, pictures=pictures, busy_s=now_s - started_s, replaced=replaced):
            _LOG.warning("%s", "; ".join(self.load.reasons()) or "no overload any more: everything is looked at")

    def _look(self, frame: Frame) -> Seen:
        source = self.source_of(frame.camera)
        if self.witness is not None and source is not None:
            self.witness.frame(frame, source.latest_picture)
        if source is not None:
            picture = source.picture_of(frame.at_ns)
            self.snapshots.looking(frame.camera, frame.at_ns, picture)
            if not self.load.smaller:  # films give way to what is looked at
                self.clips.looking(frame.camera, frame.at_ns, picture, sparsely=self.load.leaner)
        with self.measures.timing("see"):
            leaner = self.load.leaner
            seen = self._eyes.of(frame.camera).see(frame, smaller=self.load.smaller, closely=not leaner)
            if self.with_flow and not leaner:
                seen = self._usual.of(frame.camera).added(frame, seen)
        self.report.seen(seen)
        self.measures.seen(seen)
        if not self.load.smaller:  # the smaller export says something else of the same picture
            self.drift.seen(seen)
        return seen

    def _listen(self, block: SoundBlock) -> None:
        if block.drill:
            self.drills.listen(block)
            return
        with self.measures.timing("hear"):
            windows = list(self._ears.of(block.camera).hear(block))
        for heard in windows:
            self.report.heard(heard)
            self.drift.heard(heard)
            self.tell(heard)
