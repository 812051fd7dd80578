"""Where people were a moment ago: what has to be blurred in a picture of that time."""

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field

from agent.types import NS_PER_S, Box, Detection, Seen, Track

PERSON = "person"
KEEP_S = 10.0
LEAST_PROB = 0.2
"""Fainter finds are blurred only where a track carries them: most are furniture, and would blot out the picture."""


@dataclass(slots=True)
class People:
    """Boxes of the people in front of one camera, found or followed, by the time of their picture."""

    _noted: deque[tuple[int, tuple[Box, ...]]] = field(default_factory=deque)
    _found: tuple[Box, ...] = ()

    def note(self, seen: Seen, tracks: Iterable[Track]) -> None:
        """Remember who was found in a picture, and who was followed when it came (those lag a little behind)."""
        if seen.detections is not None:  # a picture that stood still was not looked at: who was there still is
            self._found = tuple(found.box for found in seen.detections if _is_person(found))
        closer = seen.closer.detections if seen.closer is not None else ()
        sunken = (seen.sunken.person,) if seen.sunken is not None and seen.sunken.person is not None else ()
        closely = tuple(found.box for found in (*closer, *sunken) if _is_person(found))
        followed = tuple(track.box for track in tracks if track.label == PERSON)
        self._noted.append((seen.at_ns, self._found + closely + followed))
        while self._noted[0][0] < seen.at_ns - KEEP_S * NS_PER_S:
            self._noted.popleft()

    @property
    def until_ns(self) -> int | None:
        """The time of the newest picture that was looked at; None before the first one."""
        return self._noted[-1][0] if self._noted else None

    def since(self, at_ns: int) -> tuple[Box, ...]:
        """Return every box that was noted from `at_ns` on."""
        return tuple(box for noted_ns, boxes in self._noted if noted_ns >= at_ns for box in boxes)


def _is_person(found: Detection) -> bool:
    return found.label == PERSON and found.score_prob >= LEAST_PROB
