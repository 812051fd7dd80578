"""One camera with its sound: turns its observations into clues, and knows which of its senses work."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from itertools import count

from agent.config.schema import Line, Zone
from agent.scene.evidence import Clue
from agent.scene.falls import falls, going_down
from agent.scene.far_people import FarPeople
from agent.scene.fires import FireWatch
from agent.scene.following import Followed, Following
from agent.scene.fusion import FusionEvidence
from agent.scene.groups import Group, GroupWatch
from agent.scene.hearing import Ear
from agent.scene.integrity.microphone import MicrophoneWatch
from agent.scene.integrity.picture import PictureWatch
from agent.scene.normality import Normality
from agent.scene.policy import LOST_GRACE_S
from agent.scene.rolling_window import RollingWindow
from agent.scene.rules.left_objects import LeftObjectWatch
from agent.scene.rules.lines import Crossings, LineWatch
from agent.scene.rules.unnamed_objects import UnnamedObjectWatch
from agent.scene.rules.zones import ZoneWatch
from agent.scene.sentences import REASONS
from agent.types import NS_PER_S, Blind, Fused, Heard, Seen, Track

BLIND_LLR_PER_S = 2.0
"""A source that is gone opens `source_lost` (threshold 4) after 2 s: one that is back by then was not lost."""
SILENT_AFTER_S = 1.0
"""A microphone is called silent only after this long: a camera that is lost takes its sound with it, and one of
the two is told first."""


class Camera:
    """What is known of one camera."""

    def __init__(
        self,
        name: str,
        zones: Mapping[str, Zone],
        lines: Mapping[str, Line] | None = None,
        normality: Normality | None = None,
    ) -> None:
        self.name = name
        ids = count(1)
        self.following = Following(ids=ids)
        self.far_people = FarPeople(ids)
        self.window = RollingWindow(name)
        self._zones = ZoneWatch(zones)
        self._lines = LineWatch(lines or {})
        self._left_objects = LeftObjectWatch(zones)
        self._unnamed_objects = UnnamedObjectWatch(zones)
        self._ear = Ear()
        self._integrity = PictureWatch()
        self._fusion = FusionEvidence()
        self._microphone = MicrophoneWatch()
        self._groups = GroupWatch()
        self._fires = FireWatch()
        self.normality = normality
        self.behind_ns = 0  # by how much its pictures are later than what else the scene is told
        self._alive: set[str] = set()
        self._blind: dict[str, Blind] = {}

    def observe(
        self, observation: Seen | Heard | Fused | Blind, wall_offset_ns: int = 0, *, calm: bool = True
    ) -> Iterator[Clue]:
        """Yield what one observation says; `wall_offset_ns` makes its time that of the wall.

        `calm` is whether no incident is open here: only then is learned what is normal.
        """
        if isinstance(observation, Seen):
            yield from self._revive("vision", observation.at_ns)
            yield from self._see(observation, observation.at_ns + wall_offset_ns, calm)
        elif isinstance(observation, Heard):
            yield from self._revive("sound", observation.at_ns)
            yield self._microphone.hear(observation)
            yield from self._ear.hear(observation)
            self.window.hear(observation)
            if self.normality is not None and not observation.drill:
                yield from self.normality.hear(observation, calm=calm)
        elif isinstance(observation, Fused):
            people = (one.seen_ns for one in self.following.known.values() if one.label == "person")
            yield from self._fusion.take(observation, people)
        elif observation.reason == "ended":
            self._alive.discard(observation.modality)
            self._blind.pop(observation.modality, None)
        else:
            self._alive.add(observation.modality)
            first = self._blind.get(observation.modality, observation)
            self._blind[observation.modality] = replace(observation, at_ns=first.at_ns)  # since then, and why now

    def pass_time(self, now_ns: int) -> Iterator[Clue]:
        """Yield what time alone says: a source that is gone stays gone."""
        picture, sound = self._blind.get("vision"), self._blind.get("sound")
        if picture is not None:
            yield _blind_clue("source_lost", picture, now_ns, picture.at_ns)
        elif sound is not None:
            yield _blind_clue("mic_silent", sound, now_ns, sound.at_ns + round(SILENT_AFTER_S * NS_PER_S))

    @property
    def has_ended(self) -> bool:
        """Whether every source of this camera came to its own end."""
        return not self._alive

    def is_lost(self, now_ns: int) -> bool:
        """Whether no sense of this camera has worked for a while."""
        if not self._alive or self._alive != self._blind.keys():
            return False
        newest_ns = max(blind.at_ns for blind in self._blind.values())
        return now_ns - newest_ns > LOST_GRACE_S * NS_PER_S

    def adopt(self, zones: Mapping[str, Zone], lines: Mapping[str, Line]) -> None:
        """Watch these zones and lines from now on."""
        self._zones.adopt(zones)
        self._left_objects.adopt(zones)
        self._unnamed_objects.adopt(zones)
        self._lines.adopt(lines)

    @property
    def groups(self) -> tuple[Group, ...]:
        """Who is together."""
        return self._groups.groups

    @property
    def crossings(self) -> Mapping[str, Crossings]:
        """How often each line was crossed so far."""
        return self._lines.counts

    @property
    def background_dbfs(self) -> float | None:
        """The usual level of sound here; None until enough was heard."""
        return self._ear.background_dbfs

    def tracks(self, now_ns: int) -> tuple[Track, ...]:
        """Who and what is present."""
        newest: dict[int, Track] = {}
        for track in (*self.following.tracks(self.name, now_ns), *self.far_people.tracks(self.name, now_ns)):
            if track.track_id not in newest or track.at_ns > newest[track.track_id].at_ns:
                newest[track.track_id] = track  # whom whole looks have just lost, and closer looks found again
        return tuple(newest.values())

    def _revive(self, modality: str, at_ns: int) -> Iterator[Clue]:
        self._alive.add(modality)
        blind = self._blind.pop(modality, None)
        if blind is None:
            return
        kind = "source_lost" if modality == "vision" else "mic_silent"
        yield _blind_clue(kind, blind, at_ns, at_ns)
        if modality == "vision":
            if (sound := self._blind.get("sound")) is not None:  # the camera was lost, not its microphone: until now
                self._blind["sound"] = replace(sound, at_ns=at_ns)
            self._integrity.reset()
            self._fires.start_over()

    def _see(self, seen: Seen, wall_ns: int, calm: bool) -> Iterator[Clue]:
        well = True
        for clue in self._integrity.see(seen):
            well = well and clue.llr <= 0.0
            yield clue
        if self._integrity.is_elsewhere or self._integrity.was_cut:
            self.following.start_over()
            self.far_people.start_over()
        well = well and not self._integrity.was_cut
        yield from self._fires.see(seen)
        if seen.detections is None:
            self.following.stand_still(seen.at_ns)
            self.far_people.stand_still(seen.at_ns)
            present = _at_hand(self.following.known.values(), seen.at_ns)
            besides = _at_hand(self.far_people.known, seen.at_ns)
        else:
            present = self.following.see(seen)
            besides = self.far_people.see(seen, self.following, present)
        self.window.see(seen, self.following.known.values())
        yield from falls(seen.at_ns, self.following.known.values())
        yield from going_down(seen.at_ns, self.following.known.values())
        if seen.detections is not None:
            self._groups.see(seen.at_ns, present, seen.aspect_ratio)
        everybody = [*present, *besides]
        alive = {one.track_id for one in (*self.following.known.values(), *self.far_people.known)}
        yield from self._zones.watch(seen.at_ns, wall_ns, everybody, alive)
        yield from self._lines.watch(seen.at_ns, wall_ns, everybody, alive)
        yield from self._left_objects.watch(seen.at_ns, wall_ns, everybody, alive)
        yield from self._unnamed_objects.watch(seen, wall_ns, everybody, alive, well=well)
        if self.normality is not None and not seen.drill:
            yield from self.normality.see(seen, present, wall_ns, calm=calm)


def _at_hand(known: Iterable[Followed], at_ns: int) -> list[Followed]:
    """Who was seen in the last half second."""
    return [one for one in known if at_ns - one.seen_ns <= NS_PER_S // 2]


def _blind_clue(kind: str, blind: Blind, now_ns: int, since_ns: int) -> Clue:
    gone_s = max(0.0, (now_ns - since_ns) / NS_PER_S)
    return Clue(
        kind=kind,
        signal=f"blind_{blind.modality}",
        modality="sensor",
        adding="state",
        llr=BLIND_LLR_PER_S * gone_s,
        score=1.0 if gone_s else 0.0,
        since_ns=since_ns,
        begun_ns=blind.at_ns,
        words={"reason": REASONS[blind.reason]},
    )
