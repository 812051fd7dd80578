"""Anonymous counts: what a camera hears now (`…/sound`), who is there (`…/presence`), and each minute's (`…/stats`).

Everything is derived from what the scene knows already; nothing here looks at a picture or a sound.
"""

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from agent.config.schema import Config
from agent.scene import Crossings, Scene
from agent.service.telemetry.presence import BLIND_AFTER_NS, Presence
from agent.types import NS_PER_S, Heard, Observation, Score, Seen
from agent.uplink.messages.payload import Message, encoded, rfc3339
from agent.uplink.messages.topics import Topics
from agent.uplink.mqtt.answers import Answer
from agent.uplink.mqtt.latest import Latest

SOUND_SCHEMA, STATS_SCHEMA = "vedette.sound/1", "vedette.stats/1"
SOUND_EVERY_NS = NS_PER_S
SOUND_CHANGE_DB = 3.0  # about what an ear notices in everyday noise
LABEL_FROM_PROB, LABELS = 0.1, 3
STATS_EVERY_NS = 60 * NS_PER_S
LOOK_EVERY_NS = NS_PER_S // 2


@dataclass(slots=True)
class _Minute:
    """What one camera showed and sounded like since `since_ns`."""

    since_ns: int
    most_people: int = 0
    dwell_ns: dict[str, int] = field(default_factory=dict)
    crossings: Mapping[str, Crossings] = field(default_factory=dict)  # so far, when the minute began
    energy: float = 0.0
    windows: int = 0
    peak_dbfs: float = -math.inf


@dataclass(slots=True)
class _Told:
    """The last word on the sound of a camera."""

    at_ns: int
    level_dbfs: float
    labels: tuple[str, ...]


class Tallies:
    """Watches the scene's steps, on the judge's thread, and says what is due."""

    def __init__(
        self,
        config: Config,
        *,
        topics: Topics,
        say: Callable[[Latest], None],
        once: Callable[[Answer], None],
        wall_offset_ns: Callable[[], int],
    ) -> None:
        """`say` replaces retained content, `once` sends for the moment."""
        self._zones = {name: tuple(camera.zones) for name, camera in config.cameras.items()}
        self._lines = {name: tuple(camera.lines) for name, camera in config.cameras.items()}
        self._topics = topics
        self._say = say
        self._once = once
        self._wall_offset_ns = wall_offset_ns
        self._presence = Presence(self._zones, topics=topics, say=say, wall_offset_ns=wall_offset_ns)
        self._now_ns: int | None = None
        self._seen_ns: dict[str, int] = {}
        self._told: dict[str, _Told] = {}
        self._minutes: dict[str, _Minute] = {}

    def stepped(self, scene: Scene, observation: Observation) -> None:
        """Take note of what the scene has just taken."""
        self._presence.stepped(scene, observation)
        if isinstance(observation, Seen):
            self._seen_ns[observation.camera] = observation.at_ns
        elif isinstance(observation, Heard) and not observation.between:
            self._hear(scene, observation)
        before_ns = self._now_ns
        if before_ns is None:
            self._now_ns = observation.at_ns
        elif observation.at_ns - before_ns >= LOOK_EVERY_NS:
            self._now_ns = observation.at_ns
            for camera in self._zones:
                self._look(scene, camera, before_ns)

    def _hear(self, scene: Scene, heard: Heard) -> None:
        minute = self._minutes.setdefault(heard.camera, _Minute(heard.at_ns))
        minute.energy += 10.0 ** (heard.level_dbfs / 10.0)
        minute.windows += 1
        minute.peak_dbfs = max(minute.peak_dbfs, heard.peak_dbfs)
        labels = top_labels(heard.scores)
        names = tuple(score.label for score in labels)
        told = self._told.get(heard.camera)
        if told is not None:
            same = abs(heard.level_dbfs - told.level_dbfs) < SOUND_CHANGE_DB and names == told.labels
            if same or heard.at_ns - told.at_ns < SOUND_EVERY_NS:
                return
        self._told[heard.camera] = _Told(heard.at_ns, heard.level_dbfs, names)
        message = {
            "schema": SOUND_SCHEMA,
            "node": self._topics.node,
            "camera": heard.camera,
            "at": self._wall(heard.at_ns),
            "level_dbfs": _dbfs(heard.level_dbfs),
            "background_dbfs": _dbfs(scene.background_dbfs(heard.camera)),
            "labels": [{"label": score.label, "prob": round(score.prob, 3)} for score in labels],
        }
        self._once(Answer(topic=self._topics.of_camera(heard.camera, "sound"), payload=encoded(message), qos=0))

    def _look(self, scene: Scene, camera: str, before_ns: int) -> None:
        now_ns = self._now_ns or 0
        minute = self._minutes.setdefault(camera, _Minute(before_ns))
        tracks = scene.tracks(camera)
        people = sum(track.label == "person" for track in tracks)
        minute.most_people = max(minute.most_people, people)
        inside = {zone: sum(zone in track.zones for track in tracks) for zone in self._zones[camera]}
        for zone, count in inside.items():
            minute.dwell_ns[zone] = minute.dwell_ns.get(zone, 0) + count * (now_ns - before_ns)
        if now_ns - minute.since_ns >= STATS_EVERY_NS:
            crossings = scene.crossings(camera)
            self._minutes[camera] = _Minute(now_ns, crossings=crossings)
            message = self._stats(camera, minute, people, inside, scene.background_dbfs(camera))
            message["lines"] = _crossed(self._lines[camera], minute.crossings, crossings)
            self._say(Latest(self._topics.of_camera(camera, "stats"), encoded(message), retain=True))

    def _stats(
        self, camera: str, minute: _Minute, people: int, inside: Mapping[str, int], background_dbfs: float | None
    ) -> Message:
        now_ns = self._now_ns or 0
        seen_ns = self._seen_ns.get(camera)
        blind = seen_ns is None or now_ns - seen_ns > BLIND_AFTER_NS
        level_dbfs = 10.0 * math.log10(minute.energy / minute.windows) if minute.energy else None
        heard = minute.windows > 0
        return {
            "schema": STATS_SCHEMA,
            "node": self._topics.node,
            "camera": camera,
            "at": self._wall(now_ns),
            "since": self._wall(minute.since_ns),
            "people": None if blind else people,
            "people_most": minute.most_people,
            "zones": {
                zone: {"inside": None if blind else count, "dwell_s": round(minute.dwell_ns.get(zone, 0) / NS_PER_S, 1)}
                for zone, count in inside.items()
            },
            "noise": {
                "level_dbfs": _dbfs(level_dbfs),
                "peak_dbfs": _dbfs(minute.peak_dbfs if heard else None),
                "background_dbfs": _dbfs(background_dbfs) if heard else None,
            },
        }

    def _wall(self, at_ns: int) -> str:
        return rfc3339(at_ns + self._wall_offset_ns())


def _crossed(lines: Iterable[str], before: Mapping[str, Crossings], now: Mapping[str, Crossings]) -> Message:
    """Return how often each line was crossed each way since `before`, and since the agent began."""
    none = Crossings()
    counted = {line: (now.get(line, none), before.get(line, none)) for line in lines}
    return {
        line: {
            # A line that was drawn anew, or switched off meanwhile, counts from nothing.
            "in": max(0, total.came_in - old.came_in),
            "out": max(0, total.went_out - old.went_out),
            "in_total": total.came_in,
            "out_total": total.went_out,
        }
        for line, (total, old) in counted.items()
    }


def top_labels(scores: tuple[Score, ...]) -> list[Score]:
    """Return the at most three likeliest labels that are likely at all, the likeliest first."""
    likely = [score for score in scores if score.prob >= LABEL_FROM_PROB]
    return sorted(likely, key=lambda score: (-score.prob, score.label))[:LABELS]


def _dbfs(level: float | None) -> float | None:
    return None if level is None or not math.isfinite(level) else round(level, 1)
