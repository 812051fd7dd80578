"""A drill inside the running node: its own eye, ear and scene beside those of the camera it stands for.

The material goes through the same queues, worker threads, models, outbox and broker as everything else. What
remembers (motion gate, sound windows, tracker, evidence) is the drill's own, so nothing of it can get into a
real incident or the reverse, and the camera itself is watched all the while: see docs/decisions.
"""

import collections
import contextlib
import queue
import threading
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from agent.config.schema import Config, Zone
from agent.errors import VedetteError
from agent.inference.hear import Listener
from agent.inference.see import Seer
from agent.scene import Policy, Scene
from agent.service import clock
from agent.service.drills.plans import PLANS, Piece, material
from agent.service.stepping import Fuse, step_with_fusion
from agent.types import NS_PER_S, Frame, Heard, IncidentChange, Observation, Opened, Seen, SoundBlock, Tick, Uint8Array
from agent.uplink.uplink import Uplink

Stage = Literal["injected", "seen", "heard", "opened", "on disk", "published", "received"]

WHOLE_PICTURE = Zone(polygon=((0.0, 0.0), (1.0, 0.0), (1.0, 1.0), (0.0, 1.0)), intrusion_dwell_s=0.5)
ZONE = "drill"
AFTERWARDS_S = 1.0  # the material goes on a little when its incident has opened, then ends
GRACE_S = 1.5  # from the end of the material to the last word of the scene
TICK_LAG_NS = NS_PER_S // 2
LOOK_S = 0.01  # how closely delivery is watched
DELIVERY_S = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """A stage that was reached at `at_ns` (monotonic), or `fault`: where it stopped and the cure."""

    stage: Stage
    at_ns: int
    fault: str = ""
    cure: str = ""
    more: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class DrillContext:
    """Where drills are set up: the parts of the running node that they go through."""

    config: Config
    policy: Callable[[], Policy]
    seer: Callable[[], Seer]
    listener: Callable[[], Listener]
    put_frame: Callable[[Frame], None]
    put_sound: Callable[[SoundBlock], None]
    put_observation: Callable[[Observation], None]
    source_status: Callable[[str, str], str]  # camera, modality → running, lost (why) …
    uplink: Uplink
    fuse: Fuse | None = None
    now_ns: Callable[[], int] = clock.now_ns


class Drill:
    """One drill. Eye, ear and scene each belong to the thread that uses them; `steps` tells what happens."""

    def __init__(self, context: DrillContext, kind: str, camera: str, ordinals_used: int) -> None:
        plan = PLANS[kind]
        self.kind, self.camera, self.plan = kind, camera, plan
        self.steps: queue.SimpleQueue[Step] = queue.SimpleQueue()
        self.over = threading.Event()  # the scene has spoken its last word
        self.stop = threading.Event()  # no more material
        self.started_ns = context.now_ns()
        self.ended_ns: int | None = None  # of the material
        self.picture: Uint8Array | None = None
        self.highest_ordinal = ordinals_used
        self.incident_id = ""
        self._context = context
        self._ordinals_used = ordinals_used
        self._seer = context.seer()
        self._listener = context.listener()
        self._scene = Scene(drill_policy(context.policy(), kind, camera))
        self._noticed = False
        self._belief = 0.0

    def feed(self) -> None:
        """Play the material in real time; on a thread of its own."""
        try:
            for number, piece in enumerate(material(self.kind, self.camera, self._context.config.analysis)):
                if number == 0:
                    self.started_ns = self._context.now_ns()  # the material is open now
                if not self._wait(self.started_ns + piece.item.at_ns):
                    return
                self._put(piece)
                if number == 0:
                    event_ns = self.started_ns + round(self.plan.event_s * NS_PER_S)
                    self._say("injected", more={"event_ns": event_ns})
        except VedetteError as error:
            self._say("injected", error.line(), "Install Vedette again: its drill cannot be played.")
        finally:
            self.ended_ns = self._context.now_ns()

    def look(self, frame: Frame) -> None:
        """See one picture of the drill; from the thread of the eyes."""
        if frame.at_ns >= self.started_ns:
            seen = self._seer.see(frame)
            self._notice("vision")
            self._context.put_observation(seen)

    def listen(self, block: SoundBlock) -> None:
        """Hear one block of the drill; from the thread of the ears."""
        if block.at_ns >= self.started_ns:
            for heard in self._listener.hear(block):
                self._notice("sound")
                self._context.put_observation(heard)

    def step(self, observation: Observation) -> None:
        """Judge one observation, and raise what follows; from the judge's thread."""
        if observation.at_ns >= self.started_ns and not self.over.is_set():
            self._raise(step_with_fusion(self._scene, observation, self._context.fuse))
            self._belief = max(self._belief, self._scene.beliefs(self.camera)[self.kind])

    def tend(self) -> None:
        """Let time pass, and end what is over; from the judge's thread, often."""
        now_ns = self._context.now_ns()
        self.step(Tick(at_ns=max(self.started_ns, now_ns - TICK_LAG_NS)))
        if self.ended_ns is not None and now_ns - self.ended_ns > GRACE_S * NS_PER_S and not self.over.is_set():
            self.finish(now_ns)

    def finish(self, now_ns: int) -> None:
        """Close what is open; from the judge's thread."""
        self._raise(self._scene.finish(now_ns, "source_ended"))
        if not self.incident_id and self._noticed:
            self._say("opened", *_not_opened(self.kind, self._belief))
        elif not self.incident_id:
            self._say(self._sense, "the model gave no answer", "Run `vedette doctor`, and look at the log.")
        self.over.set()

    @property
    def _sense(self) -> Stage:
        return "seen" if self.plan.sense == "vision" else "heard"

    def _wait(self, due_ns: int) -> bool:
        wait_s = (due_ns - self._context.now_ns()) / NS_PER_S
        return not self.stop.wait(max(0.0, wait_s))

    def _put(self, piece: Piece) -> None:
        item = replace(piece.item, at_ns=self.started_ns + piece.item.at_ns)
        if isinstance(item, Frame):
            self.picture = piece.picture
            self._context.put_frame(item)
        else:
            self._context.put_sound(item)

    def _notice(self, modality: str) -> None:
        if modality == self.plan.sense and not self._noticed:
            self._noticed = True
            self._say(self._sense)

    def _raise(self, changes: tuple[IncidentChange, ...]) -> None:
        for change in changes:
            shifted = _as_drill(change, self._ordinals_used)
            self.highest_ordinal = max(self.highest_ordinal, -shifted.incident.ordinal)
            opened = isinstance(change, Opened)
            if opened:
                self._say("opened", more={"summary": shifted.incident.summary})
            incident_id = self._context.uplink.raise_change(
                shifted,
                wall_offset_ns=clock.wall_offset_ns(),
                clock_synchronised=clock.synchronised(),
                picture=self.picture if opened else None,
            )
            if opened:
                self.incident_id = incident_id
                self._say("on disk", *_not_kept(self._context.uplink), more={"id": incident_id})

    def _say(self, stage: Stage, fault: str = "", cure: str = "", more: dict[str, Any] | None = None) -> None:
        self.steps.put(Step(stage=stage, at_ns=self._context.now_ns(), fault=fault, cure=cure, more=more or {}))


class Drills:
    """The drills of one node, one at a time. `run` from anywhere, the rest from the node's own threads."""

    def __init__(self, context: DrillContext) -> None:
        self._context = context
        self._busy = threading.Lock()
        self._current: Drill | None = None
        self._ordinals_used = 0

    def look(self, frame: Frame) -> None:
        """Take a picture that is marked as a drill's."""
        if self._current is not None:
            self._current.look(frame)

    def listen(self, block: SoundBlock) -> None:
        """Take sound that is marked as a drill's."""
        if self._current is not None:
            self._current.listen(block)

    def step(self, observation: Seen | Heard) -> None:
        """Take an observation that is marked as a drill's."""
        if self._current is not None:
            self._current.step(observation)

    def tend(self) -> None:
        """Let time pass for the drill that is on."""
        if self._current is not None:
            self._current.tend()

    def end(self) -> None:
        """The node stops: close what a drill has open."""
        drill = self._current
        if drill is not None and not drill.over.is_set():
            drill.stop.set()
            drill.finish(self._context.now_ns())

    def run(self, kind: str, camera: str, stop: threading.Event) -> Generator[Step, None, None]:
        """Drill and yield every stage as it is reached, until the broker has it. VedetteError: it cannot begin."""
        self._require(kind, camera)
        if not self._busy.acquire(blocking=False):
            raise _under_way()
        try:
            yield from self._drilled(kind, camera, stop)
        finally:
            self._busy.release()

    def start(self, kind: str, camera: str, stop: threading.Event) -> None:
        """Begin a drill that nobody here follows: it tells itself by arriving. VedetteError: it cannot begin."""
        self._require(kind, camera)
        if self._busy.locked():
            raise _under_way()

        def unheeded() -> None:
            with contextlib.suppress(VedetteError):  # another one was faster
                collections.deque(self.run(kind, camera, stop), maxlen=0)

        threading.Thread(target=unheeded, name="drill", daemon=True).start()

    def _drilled(self, kind: str, camera: str, stop: threading.Event) -> Iterator[Step]:
        drill = Drill(self._context, kind, camera, self._ordinals_used)
        self._current = drill
        feeder = threading.Thread(target=drill.feed, name=f"drill {kind}", daemon=True)
        feeder.start()
        try:
            yield from self._told(drill, stop)
        finally:
            drill.stop.set()
            if not stop.is_set():  # else the node stops, and `end` closes what is open
                drill.over.wait(2 * GRACE_S)
                feeder.join(GRACE_S)
                self._ordinals_used = drill.highest_ordinal
                self._current = None

    def _told(self, drill: Drill, stop: threading.Event) -> Iterator[Step]:
        while not stop.is_set():
            try:
                step = drill.steps.get(timeout=0.1)
            except queue.Empty:
                if drill.over.is_set():
                    return
                continue
            yield step
            if step.stage == "on disk":
                # Also without a sound disk: messages wait in memory, and may still arrive.
                yield self._delivered(drill, stop)
                stop.wait(AFTERWARDS_S)
                return
            if step.fault:
                return

    def _delivered(self, drill: Drill, stop: threading.Event) -> Step:
        deadline_ns = self._context.now_ns() + round(DELIVERY_S * NS_PER_S)
        while self._context.now_ns() < deadline_ns and not stop.is_set():
            if self._context.uplink.is_delivered(drill.incident_id):
                return Step(stage="published", at_ns=self._context.now_ns())
            stop.wait(LOOK_S)
        health = self._context.uplink.health()
        refused = f"the broker does not take {', '.join(health.refused_topics)}" if health.refused_topics else ""
        fault = health.fault or refused or "the broker does not acknowledge it"
        cure = "Run `vedette doctor`: it tries every step to the broker, and what the broker allows."
        return Step(stage="published", at_ns=self._context.now_ns(), fault=fault, cure=cure)

    def _require(self, kind: str, camera: str) -> None:
        """Refuse what could only fail, or would prove nothing. Raises VedetteError."""
        if kind not in PLANS:
            raise VedetteError(f"there is no drill for {kind!r}", cure=f"There are {', '.join(PLANS)}.")
        known = self._context.config.cameras
        if camera not in known:
            raise VedetteError(f"there is no camera {camera!r} here", cure=f"There are {', '.join(known)}.")
        sense = PLANS[kind].sense
        status = self._context.source_status(camera, sense)
        if status != "running":
            what = "the picture" if sense == "vision" else "the sound"
            raise VedetteError(
                f"a drill would prove nothing: {what} of camera {camera} is not there",
                why=status,
                cure=f"See what is wrong with it: vedette camera probe {camera}.",
            )
        if not self._context.policy().allows(kind, camera):
            raise VedetteError(
                f"a real {kind} on camera {camera} would open no incident",
                why="the box or the camera is disarmed, or the kind is disabled",
                cure="See policy.armed and policy.disabled_kinds in `vedette config show`, and what was set over MQTT.",
            )


def _under_way() -> VedetteError:
    return VedetteError("another drill is under way", cure="Wait until it is over, about 20 s.")


def drill_policy(real: Policy, kind: str, camera: str) -> Policy:
    """Return the node's own policy for this one kind; the camera's zones do not fit the drill's picture."""
    zones = {camera: {ZONE: WHOLE_PICTURE}} if PLANS[kind].zone else {}
    return replace(real, zones=zones, disabled_kinds=frozenset(real.rules.keys() - {kind}))


def _as_drill(change: IncidentChange, ordinals_used: int) -> IncidentChange:
    """Return the change with an ordinal below zero, apart from those of the real scene, and a sentence that says so."""
    incident = change.incident
    return replace(
        change,
        incident=replace(
            incident,
            ordinal=-(ordinals_used + incident.ordinal),
            absorbs=tuple(-(ordinals_used + ordinal) for ordinal in incident.absorbs),
            summary=f"Drill: {incident.summary}",
            drill=True,
        ),
    )


def _not_opened(kind: str, belief: float) -> tuple[str, str]:
    fault = f"the scene did not take it for a {kind}: its belief reached {belief:.2f}, an incident opens at 0.5"
    return fault, "Check the models (`vedette model verify`), policy.sensitivity, and whether the box keeps up."


def _not_kept(uplink: Uplink) -> tuple[str, str]:
    state = uplink.outbox_state()
    if not state.degraded:
        return "", ""
    return f"it waits in memory only: {state.why}", "Free space, or make the state folder writable."
