"""One training picture and its labels, kept as a line of JSON."""

import hashlib
import json
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path

COCO_IDS = (
    *range(1, 12),
    *range(13, 26),
    27,
    28,
    *range(31, 45),
    *range(46, 66),
    67,
    70,
    *range(72, 83),
    *range(84, 91),
)
"""COCO's 91-number of each of the 80 classes, in order."""
TWELVE_IDS = (1, 2, 3, 4, 6, 8, 17, 18, 27, 31, 33, 49)
"""person bicycle car motorcycle bus truck cat dog backpack handbag suitcase knife: the labelled dozen."""
IGNORE = -1


@dataclass
class Record:
    """A picture of the cache.

    `complete` lists the class indices (of 80) whose boxes are all there; nothing may be learned from the
    absence of another. `boxes` are fractions x1 y1 x2 y2 with `classes` beside (-1: a crowd, ignore).
    `fire`, `smoke`: 1, 0, or None where nobody said. `scene_boxes`: [label, x1, y1, x2, y2].
    """

    file: str
    source: str
    item: str
    licence: str
    group: str
    complete: list[int] = field(default_factory=list)
    boxes: list[list[float]] = field(default_factory=list)
    classes: list[int] = field(default_factory=list)
    fire: int | None = None
    smoke: int | None = None
    scene_boxes: list[list[float]] = field(default_factory=list)

    @property
    def split(self) -> str:
        """`dev` for one group in ten, by the hash of the group's name: stable whatever else is added."""
        return "dev" if int(hashlib.sha256(self.group.encode()).hexdigest(), 16) % 10 == 0 else "train"


def write(path: Path, records: Iterable[Record]) -> None:
    path.write_text("".join(json.dumps(asdict(record)) + "\n" for record in records))


def read(path: Path) -> Iterator[Record]:
    """Raises FileNotFoundError where `python -m models.vision.data` has not run."""
    for line in path.read_text().splitlines():
        yield Record(**json.loads(line))
