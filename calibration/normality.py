"""Learning what is normal at a place from recordings of it: files, folders of pictures, recorded observations.

The recordings should show ordinary days. The first part is learned as it comes; in the rest each picture is judged
before it is learned, which tells how much surprise is usual. Recordings whose incidents opened while they were made
are learned whole all the same: who gives them vouches for them.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from agent.capture.source import SourceSpec, open_media
from agent.config.schema import Config
from agent.errors import SourceError, VedetteError
from agent.scene.following import Following
from agent.scene.normality import Knowledge, Normality
from agent.service.observe import observations
from agent.service.recordings import journal
from agent.service.senses import Senses
from agent.types import NS_PER_S, Heard, Observation, Seen

CAMERA = "calibrate"
LEAST_S = 20.0
"""Less than this shows nothing usual."""

Warn = Callable[[str], None]


@dataclass(frozen=True, slots=True, eq=False)
class Learned:
    """What was learned and from how much."""

    knowledge: Knowledge
    recordings: int
    pictures: int
    sounds: int
    skipped: tuple[SourceError, ...]

    @property
    def watched_s(self) -> float:
        """Seconds of picture."""
        return self.knowledge.watched_s


def learn(recordings: Sequence[str], *, config: Config, picture_fps: float | None, warn: Warn) -> Learned:
    """Learn from `recordings`; one that cannot be read is told to `warn` and left out.

    Raises ModelError; VedetteError where there is too little to learn from.
    """
    senses = Senses.load(config)
    apprentice = _Apprentice()
    skipped: list[SourceError] = []
    for number, source in enumerate(recordings):
        try:
            watched = list(_observed(source, senses, config, picture_fps))
        except SourceError as error:
            warn(error.line())
            skipped.append(error)
            continue
        # One recording alone is judged in its second half, several are judged in the later ones.
        first = len(watched) // 2 if len(recordings) == 1 else len(watched) * (number < (len(recordings) + 1) // 2)
        apprentice.watch(watched[:first], measuring=False)
        apprentice.watch(watched[first:], measuring=True)
        apprentice.end_recording()
    return apprentice.learned(len(recordings) - len(skipped), tuple(skipped))


class _Apprentice:
    """Follows what it sees as the agent does, and learns it."""

    def __init__(self) -> None:
        self._normality = Normality(from_recordings=True)
        self._following = Following()
        self.pictures = self.sounds = 0

    def watch(self, observed: Sequence[Observation], *, measuring: bool) -> None:
        self._normality.measuring = measuring
        for observation in observed:
            if isinstance(observation, Seen):
                self._see(observation)
            elif isinstance(observation, Heard):
                self.sounds += 1
                list(self._normality.hear(observation, calm=True))

    def end_recording(self) -> None:
        self._normality.settle()
        self._normality.begin_again()
        self._following = Following()

    def learned(self, recordings: int, skipped: tuple[SourceError, ...]) -> Learned:
        knowledge = self._normality.knowledge
        knowledge.given = True
        if knowledge.watched_s < LEAST_S and self.sounds * 0.5 < LEAST_S:
            raise VedetteError(
                "What is normal cannot be learned",
                why=f"the recordings show {knowledge.watched_s:.0f} s, at least {LEAST_S:.0f} are needed",
                cure="Record some ordinary minutes of the place; several recordings are better than one.",
            )
        if not knowledge.gauges["motion"].is_ready and not knowledge.gauges["sound"].is_ready:
            raise VedetteError(
                "What is normal cannot be learned",
                why=f"{self.pictures} pictures are too few to tell how much varies",
                cure="Record longer, or with more pictures a second.",
            )
        return Learned(knowledge, recordings, self.pictures, self.sounds, skipped)

    def _see(self, seen: Seen) -> None:
        self.pictures += 1
        if seen.detections is None:
            self._following.stand_still(seen.at_ns)
            present = [f for f in self._following.known.values() if seen.at_ns - f.seen_ns <= NS_PER_S // 2]
        else:
            present = self._following.see(seen)
        list(self._normality.see(seen, present, seen.at_ns, calm=True))


def _observed(source: str, senses: Senses, config: Config, picture_fps: float | None) -> Iterator[Observation]:
    if journal.is_recording(Path(source)):
        yield from journal.read(Path(source))
        return
    spec = SourceSpec(
        camera=CAMERA,
        url=source,
        fps=picture_fps,
        analysis_fps=None,
        width_px=config.analysis.width_px,
        height_px=config.analysis.height_px,
    )
    with open_media(spec) as media:
        seer = senses.seer(with_flow=True) if media.info.has_picture else None
        listener = senses.listener() if media.info.has_sound else None
        yield from observations(media, camera=CAMERA, seer=seer, listener=listener)
