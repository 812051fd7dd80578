"""What a film is made of: the last seconds of a camera (`Ring`), and what one incident takes of it (`Recording`).

Both hold small JPEGs and blocks of sound, bounded in bytes. Whoever uses them from several threads holds a lock.
"""

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TypeAlias

import numpy as np

from agent.service.evidence.clip_film import ClipFilm
from agent.service.evidence.darkroom import Still
from agent.types import NS_PER_S

RING_MAX_BYTES = 16_000_000
BACKLOG_MAX_BYTES = 16_000_000

Samples: TypeAlias = np.ndarray[tuple[int], np.dtype[np.int16]]


@dataclass(frozen=True, slots=True)
class Piece:
    """A block of sound: int16 mono at 16 kHz."""

    at_ns: int
    samples: Samples


@dataclass(slots=True)
class Ring:
    """The last `keep_ns` of one camera."""

    keep_ns: int
    max_bytes: int = RING_MAX_BYTES
    stills: deque[Still] = field(default_factory=deque)
    pieces: deque[Piece] = field(default_factory=deque)
    size_bytes: int = 0

    def add(self, still: Still) -> None:
        """Keep a picture in place of those that are too old or too much."""
        self.stills.append(still)
        self.size_bytes += len(still.jpeg)
        while self.stills and (self.stills[0].at_ns < still.at_ns - self.keep_ns or self.size_bytes > self.max_bytes):
            self.size_bytes -= len(self.stills.popleft().jpeg)

    def hear(self, piece: Piece) -> None:
        """Keep a block of sound in place of those that are too old."""
        self.pieces.append(piece)
        while self.pieces[0].at_ns < piece.at_ns - self.keep_ns:
            self.pieces.popleft()

    def since(self, at_ns: int) -> list[Still]:
        """Return the pictures from `at_ns` on, and the one that stood then, so that there is one at least."""
        first = next((n for n, still in enumerate(self.stills) if still.at_ns > at_ns), len(self.stills))
        standing = first > 0 and self.stills[first - 1].at_ns >= at_ns - NS_PER_S
        return list(self.stills)[first - standing :]

    def clear(self) -> None:
        """Forget everything."""
        self.stills.clear()
        self.pieces.clear()
        self.size_bytes = 0


@dataclass(slots=True)
class Recording:
    """The film of one incident in the making; it is cut at `last_ns`, which `until_ns` is until the incident closes."""

    ordinal: int
    incident_id: str
    camera: str
    last_ns: int
    until_ns: int
    stills: deque[Still] = field(default_factory=deque)  # not coded yet
    pieces: deque[Piece] = field(default_factory=deque)
    waiting_bytes: int = 0
    pictures: int = 0
    newest_ns: int = -1
    film: ClipFilm | None = None
    saved_ns: int | None = None  # when what there is of it went to the disk
    closed: bool = False
    written: bool = False
    failed: bool = False

    def add(self, stills: Iterable[Still]) -> None:
        """Take the pictures that belong to it and are news; where coding does not keep up, later ones are left out."""
        for still in stills:
            if self.newest_ns < still.at_ns <= self.until_ns and self.waiting_bytes < BACKLOG_MAX_BYTES:
                self.stills.append(still)
                self.newest_ns = still.at_ns
                self.waiting_bytes += len(still.jpeg)
                self.pictures += 1

    @property
    def over(self) -> bool:
        """Whether nothing more is to be done for it."""
        return self.written or self.failed


def taken_until(pieces: deque[Piece], at_ns: int) -> list[Piece]:
    """Take the sound up to a moment."""
    taken = []
    while pieces and pieces[0].at_ns <= at_ns:
        taken.append(pieces.popleft())
    return taken
