"""Views that the scene head learns from and is judged on: real pictures, and quiet ones with flames of our own."""

import copy
import json
from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from agent.features.letterbox import letterbox
from models.scenes.fluid import Plume
from models.vision import augment, sources
from models.vision.burning import burning, colourless, lamp
from models.vision.data import BUILD, ROOT
from models.vision.frozen import View
from models.vision.records import Record

STILLS = ROOT / "build/stills"
LABELS = ("fire", "smoke")
SIDE_PX = 320
CELL_PX = 16
CAMERAS = ("seymanurakti/fight-detection-surv-dataset",)
"""Frames of cameras without fire, many alike."""
QUIET_FRAMES = 500
QUIET_PICTURES = 700
"""How many ordinary COCO pictures stand among the negatives."""
WIDEST = 2.5
"""A training view is up to this many times as wide as its picture: the fire becomes that much smaller."""
BURNING_INFRARED = 0.2
"""How many of the coloured pictures are shown as by night; those without colour are as they are."""
SOMEWHERE = 0.5


def chosen(rows: list[Record], seed: int) -> list[Record]:
    """All pictures of the fire sources, some of cameras with nothing on, some ordinary ones."""
    said = [row for row in rows if row.fire is not None or row.smoke is not None]
    ordinary = [row for row in said if row.group.startswith("coco-")]
    camera = [row for row in said if row.source in CAMERAS]
    rest = [row for row in said if not row.group.startswith("coco-") and row.source not in CAMERAS]
    random = np.random.default_rng(seed)
    for pool, limit in ((ordinary, QUIET_PICTURES), (camera, QUIET_FRAMES)):
        rest += [pool[pick] for pick in random.permutation(len(pool))[:limit]]
    return rest


def cells_of(record: Record, boxes: np.ndarray, size: tuple[int, int], *, ours: bool = False) -> np.ndarray:
    """What is known of each cell of a map of `size` (columns, rows); `boxes` in fractions of the canvas.

    A cell outside every box of a label that somebody told holds none of it (0). Somewhere in its boxes it is
    (`SOMEWHERE`); flames of `ours` have tight boxes: the middle of theirs, half as wide and high, is flame (1).
    """
    cells = np.full((len(LABELS), *size[::-1]), np.nan, np.float32)
    for index, label in enumerate(LABELS):
        value = getattr(record, label)
        drawn = [
            box * np.tile(size, 2) for row, box in zip(record.scene_boxes, boxes, strict=True) if int(row[0]) == index
        ]
        if value is None or (value == 1 and not drawn):
            continue
        cells[index] = 0.0
        for x1, y1, x2, y2 in drawn:
            rows = slice(max(0, int(y1) - 1), int(np.ceil(y2)) + 1)
            cells[index, rows, max(0, int(x1) - 1) : int(np.ceil(x2)) + 1] = np.nan
        for x1, y1, x2, y2 in drawn:
            margin = np.array([x2 - x1, y2 - y1]) / 4 if ours else np.zeros(2)
            (left, top), (right, bottom) = np.add((x1, y1), margin), np.subtract((x2, y2), margin)
            inside = cells[index, int(top) : int(np.ceil(bottom)), int(left) : int(np.ceil(right))]
            inside[:] = 1.0 if ours else SOMEWHERE
    return cells


def prepare(record: Record, random: np.random.Generator | None, *, infrared: bool = False) -> View:
    """One view: augmented for training, plain for dev (`random` None)."""
    picture = sources.read_picture(BUILD / "pictures" / record.file)
    if random is not None:
        return viewed(picture, record, random)
    if infrared:
        picture = augment.infrared(picture, np.random.default_rng(int(record.file[:5])))
    return framed(picture, boxes_of(record), record)


def viewed(
    picture: np.ndarray,
    record: Record,
    random: np.random.Generator,
    *,
    ours: bool = False,
) -> View:
    """A camera's view of a picture; what is `ours` is small as it is, and nothing is said of it where it is cut off."""
    boxes, widest = boxes_of(record), 1.0 if ours else WIDEST
    picture, boxes, visible = augment.camera_view(picture, boxes, random, keep_colour=True, widest=widest)
    return framed(picture, boxes, unseen(record, visible) if ours else record, ours=ours)


def framed(picture: np.ndarray, boxes: np.ndarray, record: Record, *, ours: bool = False) -> View:
    canvas, fit = letterbox(picture, SIDE_PX, SIDE_PX)
    labels = tuple(float("nan") if value is None else float(value) for value in (record.fire, record.smoke))
    size = SIDE_PX // CELL_PX, SIDE_PX // CELL_PX
    return canvas, cells_of(record, fit.to_canvas(boxes) / SIDE_PX, size, ours=ours), labels


def boxes_of(record: Record) -> np.ndarray:
    return np.array([row[1:] for row in record.scene_boxes], np.float32).reshape(-1, 4)


def unseen(record: Record, visible: np.ndarray) -> Record:
    """The record of a view in which only some of its boxes are still `visible`: of the others nothing is said."""
    kept = {int(row[0]) for row, seen in zip(record.scene_boxes, visible, strict=True) if seen}
    lost = {int(row[0]) for row in record.scene_boxes} - kept
    return replace(record, fire=None if 0 in lost else record.fire, smoke=None if 1 in lost else record.smoke)


def burning_views(
    quiet: list[Record],
    moments: list[Plume],
    fires: int,
    lamps: int,
    seed: int,
) -> Iterator[View]:
    """`fires` quiet pictures with flames of our own, each with the same view of it without, and `lamps` with a lamp."""
    random = np.random.default_rng((seed, 2))
    for number in range(fires + lamps):
        record = quiet[random.integers(len(quiet))]
        picture = sources.read_picture(BUILD / "pictures" / record.file)
        infrared = bool(random.random() < BURNING_INFRARED) or colourless(picture)
        if number >= fires:
            glowing = lamp(picture, random, infrared=infrared)
            yield grey_if(infrared, viewed(glowing, record, random, ours=True))
            continue
        picture, without, said = burning(picture, record, moments, random, infrared=infrared)
        again = copy.deepcopy(random)
        yield grey_if(infrared, viewed(picture, said, random, ours=True))
        yield grey_if(infrared, viewed(without, record, again, ours=True))


def grey_if(infrared: bool, view: View) -> View:
    """A night camera's picture has no colour, whatever was made of it."""
    canvas, cells, labels = view
    return (np.repeat(canvas.mean(2, keepdims=True), 3, 2).astype(np.uint8) if infrared else canvas), cells, labels


def rooms(split: str) -> list[Record]:
    """Rendered stills of rooms that no scene has; dev's rooms are others than those of training."""
    if not (STILLS / "index.jsonl").exists():
        raise FileNotFoundError(f"{STILLS} is missing: run python -m models.scenes.stills first")
    stills = [json.loads(line) for line in (STILLS / "index.jsonl").read_text().splitlines()]
    return [
        Record(str(STILLS.resolve() / still["file"]), "rendered", still["file"], "ours", "rendered", fire=0, smoke=0)
        for still in stills
        if still["dev"] == (split == "dev")
    ]


def as_many(rows: list[Record], count: int) -> list[Record]:
    return [rows[number % len(rows)] for number in range(count)]
