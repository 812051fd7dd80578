"""The interface of the pure core: observations in, incident changes out. It knows no files, clocks or threads."""

from collections.abc import Callable, Mapping

from agent.scene.camera import Camera
from agent.scene.groups import Group
from agent.scene.incidents import Desk
from agent.scene.normality import Normality
from agent.scene.policy import Policy
from agent.scene.reorder import LATENESS_NS, ReorderBuffer
from agent.scene.rules.lines import Crossings
from agent.types import KINDS, Blind, CloseReason, Fused, FusionWindow, IncidentChange, Observation, Seen, Tick, Track


def unlearned(camera: str) -> Normality | None:
    """Learned normality of a camera for which nobody asked for it: none."""
    return None


class Scene:
    """All cameras of one box, judged together: `step` it through the observations, and it returns what changed.

    Observations may arrive up to `lateness_ns` out of order: the changes do not depend on the order of arrival, and the
    same observations always give the same changes. A sense that is later than that is taken as it comes, as long as it
    keeps to its own order. `step` never raises on an observation.

    `wall_offset_ns` is added to the time of observations to get wall time, which zones with hours need; a Tick may
    correct it. `normality` returns what was learned of a camera, by name; None where normality is not to be judged.
    """

    def __init__(
        self,
        policy: Policy,
        *,
        lateness_ns: int = LATENESS_NS,
        wall_offset_ns: int = 0,
        normality: Callable[[str], Normality | None] = unlearned,
    ) -> None:
        self._policy = policy
        self._buffer = ReorderBuffer(lateness_ns)
        self._desk = Desk(policy)
        self._cameras: dict[str, Camera] = {}
        self._now_ns = 0
        self._wall_offset_ns = wall_offset_ns
        self._normality = normality

    @property
    def dropped(self) -> int:
        """How many observations so far came too late to be used."""
        return self._buffer.dropped

    def step(self, observation: Observation) -> tuple[IncidentChange, ...]:
        """Take one observation; return the incidents that opened, changed or closed by it.

        A Fused is made from what the scene has taken already, so it need not wait its turn.
        """
        if isinstance(observation, Fused):
            return tuple(self._take(observation))
        changes: list[IncidentChange] = []
        for ready in self._buffer.push(observation):
            changes += self._take(ready)
        return tuple(changes)

    def finish(self, at_ns: int, reason: CloseReason) -> tuple[IncidentChange, ...]:
        """Take what still waits for its turn, then close every open incident with `reason`: no more will come."""
        changes: list[IncidentChange] = []
        for ready in self._buffer.flush():
            changes += self._take(ready)
        self._now_ns = max(self._now_ns, at_ns)
        changes += self._desk.end(None, self._now_ns, reason)
        return tuple(changes)

    def windows(self) -> tuple[FusionWindow, ...]:
        """Return the windows that came due since the last call, for the fusion graph to judge.

        Without such a graph they can be ignored: nothing else depends on them.
        """
        return tuple(window for _, camera in sorted(self._cameras.items()) for window in camera.window.taken())

    def last_windows(self, ended: Blind) -> tuple[FusionWindow, ...]:
        """Return the last windows of a recording that ends; to be judged before `step(ended)` closes its incidents."""
        camera = self._cameras.get(ended.camera)
        if camera is None:
            return ()
        camera.window.end(ended.at_ns)
        return camera.window.taken()

    def adopt(self, policy: Policy) -> tuple[IncidentChange, ...]:
        """Follow another policy from now on: incidents and tracks stay, what it no longer allows closes `disarmed`."""
        self._policy = policy
        for name, camera in self._cameras.items():
            camera.adopt(policy.zones.get(name, {}), policy.lines.get(name, {}))
        return tuple(self._desk.adopt(policy, self._now_ns))

    def background_dbfs(self, camera: str) -> float | None:
        """Return the usual sound level at `camera`; None until enough was heard."""
        known = self._cameras.get(camera)
        return known.background_dbfs if known else None

    def crossings(self, camera: str) -> Mapping[str, Crossings]:
        """Return, by line, how often each line of `camera` was crossed in either direction since the scene began."""
        known = self._cameras.get(camera)
        return known.crossings if known else {}

    def groups(self, camera: str) -> tuple[Group, ...]:
        """Return the groups of people in front of `camera` now: their members, density, and whether they converge."""
        known = self._cameras.get(camera)
        return known.groups if known else ()

    def normality(self, camera: str) -> Normality | None:
        """Return what was learned of `camera`; None where that was not asked for."""
        known = self._cameras.get(camera)
        return known.normality if known else None

    def beliefs(self, camera: str) -> Mapping[str, float]:
        """Return, for each of KINDS, the belief in [0, 1] that it is happening at `camera`, before hysteresis."""
        return {kind: self._desk.belief(camera, kind, self._now_ns) for kind in KINDS}

    def tracks(self, camera: str) -> tuple[Track, ...]:
        """Return the people and things in front of `camera` now."""
        known = self._cameras.get(camera)
        return known.tracks(self._now_ns - known.behind_ns) if known else ()

    def _take(self, observation: Observation) -> list[IncidentChange]:
        self._now_ns = now_ns = max(self._now_ns, observation.at_ns)
        changes: list[IncidentChange] = []
        if not isinstance(observation, Tick):
            camera = self._camera(observation.camera)
            if isinstance(observation, Seen):
                camera.behind_ns = now_ns - observation.at_ns
            drill = not isinstance(observation, Blind) and observation.drill
            calm = not self._desk.open_kinds(camera.name)
            for clue in camera.observe(observation, self._wall_offset_ns, calm=calm):
                self._desk.note(camera.name, clue, now_ns, drill=drill)
        elif observation.wall_offset_ns is not None:
            self._wall_offset_ns = observation.wall_offset_ns
        for name, camera in sorted(self._cameras.items()):
            for clue in camera.pass_time(now_ns):
                self._desk.note(name, clue, now_ns)
        changes += self._desk.judge(now_ns)
        for name, camera in sorted(self._cameras.items()):
            changes += self._end(name, camera, now_ns)
        return changes

    def _end(self, name: str, camera: Camera, now_ns: int) -> list[IncidentChange]:
        if camera.has_ended:
            return self._desk.end(name, now_ns, "source_ended")
        if camera.is_lost(now_ns):
            kinds = [kind for kind in self._desk.open_kinds(name) if kind not in ("source_lost", "mic_silent")]
            return self._desk.end(name, now_ns, "source_lost", kinds) if kinds else []
        return []

    def _camera(self, name: str) -> Camera:
        camera = self._cameras.get(name)
        if camera is None:
            camera = self._cameras[name] = Camera(
                name, self._policy.zones.get(name, {}), self._policy.lines.get(name, {}), self._normality(name)
            )
        return camera
