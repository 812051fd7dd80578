"""Who and what is there now, by class and by zone (`…/presence`): on change, for lamps and doors rather than alarms.

Counts of what is followed, nothing else. A count rises at once and falls after a while, so that somebody who is
overlooked for a moment does not switch the light off.
"""

from collections import Counter, deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from agent.scene import Scene
from agent.types import NS_PER_S, Observation, Seen, Track
from agent.uplink.messages.payload import encoded, rfc3339
from agent.uplink.messages.topics import Topics
from agent.uplink.mqtt.latest import Latest

PRESENCE_SCHEMA = "vedette.presence/1"
LOOK_EVERY_NS = NS_PER_S // 2
TELL_EVERY_NS = NS_PER_S
LASTED_NS = NS_PER_S // 2  # what was followed for less may be a single wrong box
FALLS_AFTER_NS = 3 * NS_PER_S
BLIND_AFTER_NS = 10 * NS_PER_S  # a still scene is looked at every few seconds

Counts = dict[str, int]
Here = tuple[Counts, dict[str, Counts]]  # in the whole picture, and in each zone


@dataclass(slots=True)
class _Known:
    """One camera: when it was last looked at, the newest counts, and what was told when."""

    seen_ns: int
    looks: deque[tuple[int, Here]] = field(default_factory=deque)
    told: Here | None = None
    told_ns: int | None = None


class Presence:
    """Watches the scene's steps, on the judge's thread, and says when what is there has changed."""

    def __init__(
        self,
        zones: dict[str, tuple[str, ...]],
        *,
        topics: Topics,
        say: Callable[[Latest], None],
        wall_offset_ns: Callable[[], int],
    ) -> None:
        """`zones`: the names of each camera's zones; `say` replaces retained content."""
        self._zones = zones
        self._topics = topics
        self._say = say
        self._wall_offset_ns = wall_offset_ns
        self._known: dict[str, _Known] = {}
        self._looked_ns: int | None = None

    def stepped(self, scene: Scene, observation: Observation) -> None:
        """Take note of what the scene has just taken."""
        now_ns = observation.at_ns
        if isinstance(observation, Seen):
            self._known.setdefault(observation.camera, _Known(now_ns)).seen_ns = now_ns
        if self._looked_ns is None or now_ns - self._looked_ns >= LOOK_EVERY_NS:
            self._looked_ns = now_ns
            for camera, known in self._known.items():
                self._look(scene, camera, known, now_ns)

    def _look(self, scene: Scene, camera: str, known: _Known, now_ns: int) -> None:
        here = known.told
        if now_ns - known.seen_ns > BLIND_AFTER_NS:
            known.looks.clear()
            here = None
        elif not known.looks or known.seen_ns > known.looks[-1][0]:  # whom nobody looks for has not gone
            known.looks.append((now_ns, counted(scene.tracks(camera), self._zones[camera])))
            while now_ns - known.looks[0][0] > FALLS_AFTER_NS:
                known.looks.popleft()
            here = _most([look for _, look in known.looks])
        first = known.told_ns is None
        if first or (here != known.told and now_ns - (known.told_ns or 0) >= TELL_EVERY_NS):
            known.told, known.told_ns = here, now_ns
            message = {
                "schema": PRESENCE_SCHEMA,
                "node": self._topics.node,
                "camera": camera,
                "at": rfc3339(now_ns + self._wall_offset_ns()),
                "things": None if here is None else here[0],
                "zones": None if here is None else here[1],
            }
            self._say(Latest(self._topics.of_camera(camera, "presence"), encoded(message), retain=True))


def counted(tracks: Iterable[Track], zones: Iterable[str]) -> Here:
    """Return how many of each class are followed for long enough, in the picture and in each of `zones`."""
    there = [track for track in tracks if track.at_ns - track.since_ns >= LASTED_NS]
    inside = {zone: dict(Counter(track.label for track in there if zone in track.zones)) for zone in zones}
    return dict(Counter(track.label for track in there)), inside


def _most(looks: list[Here]) -> Here:
    things: Counter[str] = Counter()
    zones: dict[str, Counter[str]] = {zone: Counter() for zone in looks[-1][1]}
    for whole, inside in looks:
        things |= Counter(whole)  # of Counters: the larger count of each
        for zone, counts in inside.items():
            zones[zone] |= Counter(counts)
    return _sorted(things), {zone: _sorted(counts) for zone, counts in zones.items()}


def _sorted(counts: Counter[str]) -> Counts:
    return {label: counts[label] for label in sorted(counts)}
