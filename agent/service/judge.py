"""The thread that owns the scene: observations in, incidents raised.

Nobody else may touch the scene while the agent runs. What other threads want of it (another policy, a picture that may
leave the box) they hand in as an errand, done between two observations.
"""

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from agent.scene import Policy, Scene
from agent.service import clock
from agent.service.channels import Lossless, drained
from agent.service.drills.drill import Drills
from agent.service.errands import Errands
from agent.service.evidence.incident_clips import Clips
from agent.service.evidence.snapshots import Snapshots
from agent.service.normality_files import SAVE_EVERY_S, NormalityFiles
from agent.service.options import Witness
from agent.service.recordings.journal import Journal
from agent.service.sensing import TAKE_TIMEOUT_S
from agent.service.stepping import Fuse, step_with_fusion
from agent.service.telemetry.incident_log import IncidentLog
from agent.service.telemetry.measures import Measures
from agent.service.telemetry.tallies import Tallies
from agent.types import NS_PER_S, Closed, Heard, IncidentChange, Observation, Opened, Seen, Tick, Uint8Array
from agent.uplink.uplink import Uplink

TICK_LAG_NS = NS_PER_S // 2  # a tick never overtakes an observation that is still being made
WALL_EVERY_NS = 60 * NS_PER_S  # how often the scene is told the time on the wall


@dataclass(slots=True, kw_only=True)
class Judge:
    """Steps the scene and hands on what it says. `run` is the body of one thread; `errands` takes work from others.

    `cameras`: each with what people call it.
    """

    scene: Scene
    observations: Lossless[Observation]
    fuse: Fuse | None
    uplink: Uplink
    drills: Drills
    snapshots: Snapshots
    clips: Clips
    tallies: Tallies
    measures: Measures
    normality: NormalityFiles
    cameras: Mapping[str, str]
    beat: Callable[[str], None]
    clock_s: Callable[[], float]
    journal: Journal | None = None
    witness: Witness | None = None
    errands: Errands = field(default_factory=Errands)
    _incident_log: IncidentLog = field(default_factory=IncidentLog)
    _wall_told_ns: int | None = None
    _normality_saved_s: float = field(init=False)

    def __post_init__(self) -> None:
        self._normality_saved_s = self.clock_s()

    def adopt(self, policy: Policy) -> None:
        """Go by `policy` from the next observation on; from any thread. Raises CommandError while nothing is judged."""
        self.errands.ask(lambda: self._adopt(policy))

    def picture(self, camera: str) -> Uint8Array | None:
        """Return the newest picture of `camera` that may leave the box; from any thread. Raises as `adopt` does."""
        return self.errands.ask(lambda: self.snapshots.picture(camera))

    def run(self, stop: threading.Event) -> None:
        """Judge until `stop` is set, then what still waits; close every incident that is open."""
        while not stop.is_set():
            self.beat("judge")
            self.errands.run()
            taken: Observation | None = self.observations.take(TAKE_TIMEOUT_S)
            self._step(Tick(at_ns=clock.now_ns() - TICK_LAG_NS) if taken is None else taken)
            if (tick := self._wall_tick(clock.now_ns() - TICK_LAG_NS)) is not None:
                self._step(tick)
            if self.clock_s() - self._normality_saved_s >= SAVE_EVERY_S:
                self.offer_normality()
            self.drills.tend()
            self._incident_log.tend(self.clock_s())
            for incident, picture in self.snapshots.arrived():
                self.uplink.show(incident, picture)
        rest: list[Observation] = drained(self.observations.take)
        for left in rest:
            self._step(left)
        self.drills.end()
        self.snapshots.close()
        self._raise(self.scene.finish(clock.now_ns(), "stopped"))

    def offer_normality(self) -> None:
        """Have what was learned so far written in the background."""
        self._normality_saved_s = self.clock_s()
        for name in self.cameras:
            known = self.scene.normality(name)
            if known is not None:
                self.normality.offer(name, known.knowledge.arrays())

    def _adopt(self, policy: Policy) -> None:
        if self.journal:
            self.journal.adopted(policy)
        self._raise(self.scene.adopt(policy))

    def _wall_tick(self, at_ns: int) -> Tick | None:
        """Return what the wall's clock says, where it was not told for a while: zones have hours."""
        if self._wall_told_ns is not None and at_ns - self._wall_told_ns < WALL_EVERY_NS:
            return None
        self._wall_told_ns = at_ns
        return Tick(at_ns=at_ns, wall_offset_ns=clock.wall_offset_ns())

    def _step(self, observation: Observation) -> None:
        if isinstance(observation, Seen | Heard) and observation.drill:
            self.drills.step(observation)
            return
        if self.journal:
            self.journal.write(observation)
        keep = self.journal.write if self.journal else None
        changes = step_with_fusion(self.scene, observation, self.fuse, keep)
        if isinstance(observation, Seen):
            self.snapshots.note(observation, self.scene.tracks)
            self.clips.note(observation, self.scene.tracks)
        if self.witness is not None:
            self.witness.stepped(self.scene, observation, changes)
        self.tallies.stepped(self.scene, observation)
        self._raise(changes)

    def _raise(self, changes: tuple[IncidentChange, ...]) -> None:
        for change in changes:
            incident_id = self.uplink.raise_change(
                change,
                wall_offset_ns=clock.wall_offset_ns(),
                clock_synchronised=clock.synchronised(),
                picture=self._picture_for(change),
                clip=self.clips.named(change),
            )
            self.clips.follow(change, incident_id)
            self.measures.raised(change)
            camera = change.incident.camera
            self._incident_log.note(change, incident_id, self.cameras.get(camera, camera), self.clock_s())
            if isinstance(change, Opened):
                self.snapshots.seek(change.incident)

    def _picture_for(self, change: IncidentChange) -> Uint8Array | None:
        """Return what is to be sent before the message: the picture of the moment, or a better view than before."""
        incident = change.incident
        if isinstance(change, Opened):
            self.snapshots.follow(incident, self.scene.tracks)
            return self.snapshots.picture(incident.camera)
        if isinstance(change, Closed):
            self.snapshots.forget(incident)
            return None
        return self.snapshots.better_view(incident)
